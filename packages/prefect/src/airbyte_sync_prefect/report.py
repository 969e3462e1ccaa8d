"""What a person sees: lines in the run's log, and one artifact for each sync, kept up to date."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler

import airbyte_sync as core
from airbyte_sync_http import job_url
from airbyte_sync_runner import to_markdown

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


_OF_THE_RUNNER = APILogHandler(logging.WARNING)
_OF_THE_RUNNER.addFilter(lambda _: FlowRunContext.get() is not None)
logging.getLogger("airbyte_sync").addHandler(_OF_THE_RUNNER)


class Report:
    """Tells of one sync. The artifact is written in a thread: a slow Prefect delays no sync."""

    def __init__(self, client: SyncPrefectClient, log: Any, ui_url: str, **runs: Any) -> None:
        self.connection: core.Connection | None = None
        """What Airbyte says of it, where it says anything."""
        self._client, self._log, self._ui_url, self._runs = client, log, ui_url, runs
        self._is_worth_a_line = core.ProgressThrottle()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="airbyte-sync-artifact")
        self._artifact: Any = None
        self._job: core.Job | None = None

    def __call__(self, event: core.Event) -> None:
        """Tell of an event, where it is worth a line."""
        if not isinstance(event, core.WaitingForOther):
            self._job = getattr(event, "job", self._job)
        if self._is_worth_a_line(event):
            told = core.describe(event, **self._names)
            self._log.log(logging.WARNING if told.is_warning else logging.INFO, "%s", told.text)
            self._write(told.text)

    def end(self, outcome: core.SyncResult | BaseException) -> None:
        """Tell how it ended."""
        self._job = getattr(outcome, "job", None) or self._job
        if isinstance(outcome, core.SyncResult):
            self._write(core.describe(core.JobEnded(job=outcome.job)).text, outcome.streams)
        else:
            self._write(str(outcome) or type(outcome).__name__)

    def close(self) -> None:
        """Wait until all is written."""
        self._writer.shutdown()

    @property
    def _names(self) -> dict[str, str]:
        it = self.connection
        if it is None or self._job is None:
            return {}
        url = job_url(self._ui_url, it.workspace_id, it.connection_id, self._job.job_id)
        return {"connection_name": it.name, "job_url": url}

    def _write(self, told: str, streams: core.JobStreams | None = None) -> None:
        if self._job is not None:
            about = self._names.get("connection_name", self._job.connection_id)
            text = to_markdown(self._job, told, streams=streams, **self._names)
            page = {"data": text, "description": f"{about}: {told}"}
            self._writer.submit(copy_context().run, self._put, page, self._job.connection_id)

    def _put(self, page: dict[str, Any], connection_id: str) -> None:
        try:
            if self._artifact is None:
                key = re.sub("[^a-z0-9]+", "-", f"airbyte-{connection_id.lower()}")
                new = ArtifactCreate(key=key, type="markdown", **page, **self._runs)
                self._artifact = self._client.create_artifact(new).id
            else:
                self._client.update_artifact(self._artifact, ArtifactUpdate(**page))
        except Exception:
            self._log.warning("Prefect did not take the artifact of this sync", exc_info=True)
