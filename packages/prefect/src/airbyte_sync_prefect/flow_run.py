"""The flow run that a sync belongs to: what it keeps for another try, and whether it was cancelled.

A flow run has *inputs*: pairs of a key and a text, which Prefect's API keeps in its database, and deletes
with the run. No key can be written twice. So a claim on a key is exclusive, and each checkpoint is a new
input, of which the last one counts. Source: ``prefect/server/api/flow_runs.py`` of Prefect 3.9.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from httpx import HTTPError, HTTPStatusError
from prefect.states import Cancelled

from airbyte_sync import Checkpoint
from airbyte_sync_runner import StoreFailed

try:  # it says at once why Prefect stops this process
    from prefect._internal.control_listener import get_intent
except ImportError:  # it is Prefect's own affair, and may go: its API says the same later
    get_intent = lambda: None  # noqa: E731


if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

_ASK_EVERY, _TAKEN, _ALL = 10.0, 409, 10_000


class FlowRunStore:
    """
    Keeps the requests of a flow run beside it: a :class:`airbyte_sync_runner.RequestStore`.

    The n-th sync of a connection in a flow run is one request, however often task and flow are tried, and in
    whichever process. It is kept as long as the flow run: a retry of the flow gets a sync that has succeeded
    before, and no second one.
    """

    def __init__(self, client: SyncPrefectClient, flow_run: FlowRun, task_run_id: UUID) -> None:
        self._client, self._id, self._caller = client, flow_run.id, str(task_run_id)
        self._try = f"try-{flow_run.run_count}"
        self._key, self._count, self._next_question = "", 0, monotonic() + _ASK_EVERY
        self._last: Checkpoint | None = None

    @contextmanager
    def open(self, key: str, run_id: str | None = None) -> Iterator[FlowRunStore]:  # noqa: ARG002
        """Find the request that this try of the flow run has not made yet. A run id is not needed."""
        name = sha256(key.encode()).hexdigest()[:16]
        next(n for n in count() if self._claim(f"airbyte-sync-{name}-{n}"))
        yield self

    def _claim(self, request: str) -> bool:
        self._key, claim = f"{request}-at-", f"{request}-{self._try}"
        try:
            self._write(claim, self._caller)
        except StoreFailed as failure:
            error = failure.__cause__
            if not isinstance(error, HTTPStatusError) or error.response.status_code != _TAKEN:
                raise
            with _saying("tell whose request this is"):
                # By an earlier try of this task run, or by another one.
                return self._caller == self._client.read_flow_run_input(self._id, claim)
        return True

    def load(self) -> Checkpoint | None:
        """See :class:`airbyte_sync_runner.OpenRequest`."""
        with _saying("tell what an earlier try has done"):
            found = self._client.filter_flow_run_input(self._id, self._key, _ALL, set())
        self._count = len(found)
        texts = {int(each.key.removeprefix(self._key)): each.value for each in found}
        self._last = Checkpoint.from_json(json.loads(texts[max(texts)])) if texts else None
        return self._last

    def save(self, checkpoint: Checkpoint) -> None:
        """See :class:`airbyte_sync_runner.OpenRequest`."""
        if checkpoint != self._last:
            self._write(f"{self._key}{self._count}", json.dumps(checkpoint.to_json()))
            self._count, self._last = self._count + 1, checkpoint

    def clear(self) -> None:
        """Do nothing: what became of a request is kept as long as its flow run."""

    def _write(self, key: str, text: str) -> None:
        with _saying("save the progress of the sync"):
            self._client.create_flow_run_input(self._id, key, text, "airbyte-sync")

    def is_cancelled(self, *, now: bool = False) -> bool:
        """Ask this process, and every 10 s, or now, Prefect; one that does not answer cancels nothing."""
        if get_intent() is not None:
            return get_intent() == "cancel"
        if now or monotonic() >= self._next_question:
            self._next_question = monotonic() + _ASK_EVERY
            with suppress(HTTPError):
                state = self._client.read_flow_run(self._id).state
                return state is not None and (state.is_cancelling() or state.is_cancelled())
        return False

    def confirm_cancelled(self) -> None:
        """Say that the flow run has ended, which a runner does where there is one."""
        if get_intent() is None:
            with suppress(HTTPError):
                self._client.set_flow_run_state(self._id, Cancelled())


@contextmanager
def _saying(what: str) -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        raise StoreFailed(f"Prefect's API could not {what}: {error}") from error
