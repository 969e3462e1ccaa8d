"""An Airbyte in memory: the ports, blocking and async, over the platform of the local Airbyte.

The rules are those of :mod:`airbyte_sync_local.platform`: one active job per connection, a 409 that does
not tell which, cancelling per connection, an old job's id cancelling the current job, a cancellation that
is lost before the first attempt, a reset that cancels the running sync, and a connection that refuses
syncs without saying why. What a job goes through is a :class:`JobScript`.

There is no HTTP in between: jobs, connections and refusals are said in the words of the ports, and what
goes wrong on the way is a :class:`CallFault`.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from airbyte_sync.checkpoint import Checkpoint
from airbyte_sync.errors import (
    CallFailed,
    JobNotRunning,
    NotFound,
    StateConflict,
    SyncAlreadyRunning,
    Unprocessable,
)
from airbyte_sync.job_details import JobDetails
from airbyte_sync.jobs import (
    Connection,
    ConnectionStatus,
    FailureReason,
    Job,
    JobPage,
    JobStatus,
    JobType,
    is_similar_name,
)
from airbyte_sync_local import JobScript, Quirks, ScriptedEngine, SecondSubmit, ServerConnection
from airbyte_sync_local.platform.refusals import (
    ConnectionUnavailable,
    JobAlreadyRunning,
    NothingRunning,
    Refusal,
    UnknownJob,
    UnknownResource,
    UnsupportedJobType,
)
from airbyte_sync_local.platform.rules import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from datetime import datetime

    from airbyte_sync.ports import Clock
    from airbyte_sync.requests import JobQuery
    from airbyte_sync_local import ServerJob
    from airbyte_sync_local.platform.model import ConnectionStatusWord, JobTypeWord

T = TypeVar("T")

SUCCESS = JobScript.of((0, "pending"), (2, "running"), (30, "succeeded"))
"""The script of a job unless a test asks for another."""

_QUIRKS = Quirks(second_submit=SecondSubmit.ALREADY_RUNNING, queued_can_be_cancelled=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallFault:
    """
    One call that goes wrong: it ends with an error, or with a changed reply.

    Raises:
        ValueError: It has neither an error nor a change, or both.
    """

    error: CallFailed | None = None
    carried_out: bool = False
    """Whether the server does what was asked before the answer is lost."""
    change: Callable[[Any], Any] | None = None
    """What becomes of the reply of a call that is carried out: another job's, another connection's."""
    takes: timedelta = timedelta(0)
    """How long the caller waits for the end of the call: a reply that drips is given up in the end."""

    def __post_init__(self) -> None:
        if (self.error is None) == (self.change is None):
            raise ValueError("a fault has an error or a change")


def about_another_connection(reply: Any) -> Any:
    """Make a reply about a job, or about jobs, one about another connection: a :attr:`CallFault.change`."""
    if isinstance(reply, JobPage):
        return replace(reply, jobs=tuple(map(about_another_connection, reply.jobs)))
    return replace(reply, connection_id="00000000-0000-4000-8000-0000000000ff")


@dataclass(kw_only=True)
class InMemoryAirbyte:
    """The blocking gateway, and the place where a test sets the scene."""

    clock: Clock
    job_scripts: deque[JobScript] = field(default_factory=deque)
    """The scripts of the next jobs; when it is empty they follow :data:`SUCCESS`."""
    reasons: dict[int, FailureReason] = field(default_factory=dict)
    """Why jobs fail, by job id."""
    details: dict[int, JobDetails] = field(default_factory=dict)
    """What jobs do by stream and attempt, by job id."""
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    """Every call received: (method, argument)."""

    def __post_init__(self) -> None:
        self._engine = _Engine(self)
        self._platform = Platform(engine=self._engine, clock=self._now, quirks=_QUIRKS)
        self._faults: dict[str, deque[CallFault | None]] = {}

    # setting the scene

    def add_connection(
        self,
        connection_id: str,
        *,
        name: str = "faker to duckdb",
        status: ConnectionStatus = ConnectionStatus.ACTIVE,
        workspace_id: str = "00000000-0000-4000-8000-00000000000a",
    ) -> Connection:
        """Make a connection known, or change it."""
        row = ServerConnection(
            connection_id=connection_id,
            name=name,
            status=cast("ConnectionStatusWord", status.value),
            workspace_id=workspace_id,
            source_id="00000000-0000-4000-8000-00000000000b",
            destination_id="00000000-0000-4000-8000-00000000000c",
        )
        self._platform.put_connection(row)
        return _connection(row)

    def start_external_job(
        self, connection_id: str, script: JobScript = SUCCESS, job_type: JobType = JobType.SYNC
    ) -> Job:
        """
        Start a job as Airbyte's own schedule or a user would.

        A connection that is not known yet is added. An active job of the connection is left over.
        """
        if all(row.connection_id != connection_id for row in self._platform.connections()):
            self.add_connection(connection_id)
        word: JobTypeWord = "reset" if job_type is JobType.CLEAR else job_type.value
        with self._engine.overruled(connection_id, script):
            return _job(self._platform.start_external(connection_id, word, leaves_over=True))

    def fail(self, method: str, *faults: CallFault | None) -> None:
        """Let the next calls of a method go wrong, in turn; ``None`` lets one through."""
        self._faults.setdefault(method, deque()).extend(faults)

    def recover(self) -> None:
        """Let no further call go wrong."""
        self._faults.clear()

    def forget(self, job_id: int) -> None:
        """Delete a job, as a server does that is restored from an older backup."""
        self._platform.delete_job(job_id)

    def jobs(self) -> list[Job]:
        """Return all jobs as they are now, oldest first."""
        return [_job(row) for row in self._platform.jobs()]

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(1 for called, *_ in self.calls if called == method)

    # the ports

    def submit(self, connection_id: str, job_type: JobType) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.submit`."""
        return self._call(
            "submit",
            connection_id,
            lambda: _without_stats(_at_once(self._platform.submit(connection_id, job_type.value))),
        )

    def cancel(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.cancel`."""

        def carry_out() -> Job:
            try:
                return _without_stats(_at_once(self._platform.cancel(job_id)))
            except UnknownJob as unknown:
                raise NothingRunning from unknown

        return self._call("cancel", job_id, carry_out)

    def fetch_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.PollPort.fetch_job`."""
        return self._call("fetch_job", job_id, lambda: _job(self._platform.job(job_id)))

    def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`airbyte_sync.ports.PollPort.find_jobs`."""

        def carry_out() -> JobPage:
            since = query.updated_since
            found = [
                row
                for row in reversed(self._platform.jobs())
                if self._is_of(row, query.connection_id, query.workspace_id)
                and query.status in {None, row.status}
                and (query.job_type is None or query.job_type.covers(row.job_type))
                and (since is None or row.updated_at >= since)
            ]
            if since is not None:
                found.sort(key=lambda row: row.updated_at)
            page = tuple(map(_job, found[query.offset : query.offset + query.limit]))
            return JobPage(jobs=page, server_time=self.clock.now())

        return self._call("find_jobs", query, carry_out)

    def fetch_connection(self, connection_id: str, *, quickly: bool = False) -> Connection:
        """See :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
        del quickly  # it always is
        return self._call(
            "fetch_connection",
            connection_id,
            lambda: _connection(self._platform.connection(connection_id)),
        )

    def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""

        def carry_out() -> tuple[Connection, ...]:
            return tuple(
                _connection(row)
                for row in self._platform.connections()
                if is_similar_name(row.name, name)
                and workspace_id in {None, row.workspace_id}
                and row.status != "deprecated"
            )

        return self._call("find_connections", name, carry_out)

    def list_connections(self, workspace_id: str | None = None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_connections`."""

        def carry_out() -> tuple[Connection, ...]:
            return tuple(
                _connection(row)
                for row in self._platform.connections()
                if workspace_id in {None, row.workspace_id} and row.status != "deprecated"
            )

        return self._call("list_connections", workspace_id, carry_out)

    def list_active_jobs(
        self, connection_id: str | None = None, workspace_id: str | None = None
    ) -> tuple[Job, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_active_jobs`."""

        def carry_out() -> tuple[Job, ...]:
            return tuple(
                _job(row)
                for row in reversed(self._platform.jobs())
                if not row.is_terminal and self._is_of(row, connection_id, workspace_id)
            )

        return self._call("list_active_jobs", connection_id or workspace_id, carry_out)

    def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
        return self._call("explain_failure", job_id, lambda: self.reasons.get(job_id))

    def fetch_details(self, job_id: int, connection_id: str) -> JobDetails:
        """See :meth:`airbyte_sync.ports.DetailPort.fetch_details`."""
        del connection_id
        return self._call("fetch_details", job_id, lambda: self.details.get(job_id, JobDetails()))

    # the machinery

    def _is_of(self, row: ServerJob, connection_id: str | None, workspace_id: str | None) -> bool:
        """Whether a job is of a connection or, where none is named, of a workspace."""
        if connection_id is not None or workspace_id is None:
            return connection_id in {None, row.connection_id}
        return workspace_id == self._platform.connection(row.connection_id).workspace_id

    def _now(self) -> datetime:
        return self.clock.now()  # a test may change the clock

    def _call(self, method: str, argument: object, carry_out: Callable[[], T]) -> T:
        self.calls.append((method, argument))
        faults = self._faults.get(method)
        fault = faults.popleft() if faults else None
        if fault is None:
            return _in_words_of_the_ports(carry_out)
        takes_effect = fault.carried_out or fault.change is not None
        reply = _in_words_of_the_ports(carry_out) if takes_effect else None
        if fault.takes:
            self.clock.sleep(fault.takes)
        if fault.error is not None:
            raise fault.error
        changed: T = fault.change(reply)  # type: ignore[misc]  # it has one or the other
        return changed


class _Engine(ScriptedEngine):
    """Gives each job of a test's server the next script that the test has set."""

    def __init__(self, airbyte: InMemoryAirbyte) -> None:
        super().__init__()
        self._airbyte = airbyte

    def script_for(self, job: ServerJob) -> JobScript:
        scripts = self._airbyte.job_scripts
        return self._overruled.get(job.connection_id) or (scripts.popleft() if scripts else SUCCESS)


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what waits for nothing: with these quirks the platform never does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("the platform waits, and there is no loop to wait on")


def _job(row: ServerJob) -> Job:
    """Say what the API says about a job: instants in whole seconds, and the end once it has ended."""
    return Job(
        job_id=row.job_id,
        status=JobStatus(row.status),
        job_type=row.job_type,
        connection_id=row.connection_id,
        created_at=row.created_at.replace(microsecond=0),
        ended_at=row.updated_at.replace(microsecond=0) if row.is_terminal else None,
        rows=row.rows,
        bytes=row.bytes,
    )


def _without_stats(row: ServerJob) -> Job:
    return replace(_job(row), rows=None, bytes=None)


def _connection(row: ServerConnection) -> Connection:
    return Connection(
        connection_id=row.connection_id,
        name=row.name,
        status=ConnectionStatus(row.status),
        workspace_id=row.workspace_id,
        source_id=row.source_id,
        destination_id=row.destination_id,
    )


_ERRORS: Final[Mapping[type[Refusal], tuple[type[CallFailed], int]]] = {
    UnknownJob: (NotFound, 404),
    UnknownResource: (NotFound, 404),
    UnsupportedJobType: (Unprocessable, 422),
    ConnectionUnavailable: (StateConflict, 409),
    JobAlreadyRunning: (SyncAlreadyRunning, 409),
    NothingRunning: (JobNotRunning, 409),
}


def _in_words_of_the_ports(carry_out: Callable[[], T]) -> T:
    try:
        return carry_out()
    except Refusal as refusal:
        error, status = _ERRORS[type(refusal)]
        raise error(str(refusal), status=status) from refusal


class AsyncInMemoryAirbyte:
    """The async counterpart of an :class:`InMemoryAirbyte`."""

    def __init__(self, airbyte: InMemoryAirbyte) -> None:
        self.airbyte = airbyte

    async def submit(self, connection_id: str, job_type: JobType) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.submit`."""
        return self.airbyte.submit(connection_id, job_type)

    async def cancel(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.cancel`."""
        return self.airbyte.cancel(job_id)

    async def fetch_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.PollPort.fetch_job`."""
        return self.airbyte.fetch_job(job_id)

    async def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`airbyte_sync.ports.PollPort.find_jobs`."""
        return self.airbyte.find_jobs(query)

    async def fetch_connection(self, connection_id: str, *, quickly: bool = False) -> Connection:
        """See :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
        return self.airbyte.fetch_connection(connection_id, quickly=quickly)

    async def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""
        return self.airbyte.find_connections(name, workspace_id)

    async def list_connections(self, workspace_id: str | None = None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_connections`."""
        return self.airbyte.list_connections(workspace_id)

    async def list_active_jobs(
        self, connection_id: str | None = None, workspace_id: str | None = None
    ) -> tuple[Job, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_active_jobs`."""
        return self.airbyte.list_active_jobs(connection_id, workspace_id)

    async def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
        return self.airbyte.explain_failure(job_id)

    async def fetch_details(self, job_id: int, connection_id: str) -> JobDetails:
        """See :meth:`airbyte_sync.ports.DetailPort.fetch_details`."""
        return self.airbyte.fetch_details(job_id, connection_id)


class InMemoryStore:
    """A :class:`~airbyte_sync.ports.CheckpointStore` that lasts as long as the test; JSON inside."""

    def __init__(self) -> None:
        self.document: str | None = None

    def load(self) -> Checkpoint | None:
        """See :meth:`airbyte_sync.ports.CheckpointStore.load`."""
        return None if self.document is None else Checkpoint.from_json(json.loads(self.document))

    def save(self, checkpoint: Checkpoint) -> None:
        """See :meth:`airbyte_sync.ports.CheckpointStore.save`."""
        self.document = json.dumps(checkpoint.to_json())

    def clear(self) -> None:
        """Forget, as who has used the result does."""
        self.document = None
