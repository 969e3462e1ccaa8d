"""
The engine that runs real connectors: each sync is a process that fills a DuckDB file.

A task waits for each process and notes how it ended; the platform collects the notes when it asks
what happened. Each connection has one file, ``<data folder>/<connection id>.duckdb``, and each job
one log beside it. Unlike Airbyte, a failed attempt is not tried again.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airbyte_sync_local.engines.connector_process import (
    ConnectorProcess,
    ConnectorRun,
    Progress,
    RunOutcome,
)
from airbyte_sync_local.platform import statuses
from airbyte_sync_local.platform.engine import JobEvent
from airbyte_sync_local.platform.model import CANCELLED_BY_USER, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from airbyte_sync_local.clock import TimeSource
    from airbyte_sync_local.engines.connector_process import ConnectorsEnvironment, RunResult
    from airbyte_sync_local.platform.model import ServerJob

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class NotAFileName(ValueError):
    """A connection's id or a connector's name cannot be a file's, and would lead elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connector:
    """
    Which source a connection reads, and how.

    Raises:
        NotAFileName: `source` is not the plain name of a connector.
    """

    source: str = "source-faker"
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The connector's own configuration, secrets included."""
    streams: tuple[str, ...] = ()
    """All streams if empty."""
    rows_per_second: float | None = None
    """Slows a sync down, so that it can be watched or cancelled."""

    def __post_init__(self) -> None:
        _check_name(self.source)


@dataclass(slots=True)
class _Sync:
    process: ConnectorProcess
    watcher: asyncio.Task[None] | None = None
    told: Progress = field(default_factory=Progress)


class ConnectorsEngine:
    """
    Runs a connector for each sync.

    Args:
        environment: Where PyAirbyte and the connectors are installed.
        data_folder: Where databases and logs go.
        clock: When things happen.
    """

    def __init__(
        self, *, environment: ConnectorsEnvironment, data_folder: Path, clock: TimeSource
    ) -> None:
        self._environment = environment
        self._data_folder = data_folder
        self._clock = clock
        self._connectors: dict[str, Connector] = {}
        self._syncs: dict[int, _Sync] = {}
        self._events: list[JobEvent] = []

    def connect(self, connection_id: str, connector: Connector) -> None:
        """
        Say which connector a connection runs.

        Raises:
            NotAFileName: The id of the connection cannot name its database.
        """
        _check_name(connection_id)
        self._connectors[connection_id] = connector

    def database(self, connection_id: str) -> Path:
        """Return where the rows of a connection are."""
        return self._data_folder / f"{connection_id}.duckdb"

    def start(self, job: ServerJob) -> None:
        """Start the process of a sync. A reset deletes the database, and takes no time."""
        connector = self._connectors.get(job.connection_id)
        if connector is None:
            self._tell(job.job_id, statuses.RUNNING)
            self._fail(job.job_id, _no_connector(job.connection_id))
        elif job.job_type != "sync":
            self.database(job.connection_id).unlink(missing_ok=True)
            self._tell(job.job_id, statuses.RUNNING)
            self._tell(job.job_id, statuses.SUCCEEDED)
        else:
            sync = _Sync(process=ConnectorProcess(self._run(job, connector)))
            self._syncs[job.job_id] = sync
            sync.process.start()
            sync.watcher = asyncio.get_running_loop().create_task(self._watch(job.job_id, sync))

    async def cancel(self, job_id: int, *, at: datetime) -> None:  # noqa: ARG002
        """End the process, and wait until it has gone."""
        sync = self._syncs.get(job_id)
        if sync is not None and sync.watcher is not None:
            await sync.process.cancel()
            await asyncio.shield(sync.watcher)

    def happened(self, *, until: datetime) -> Sequence[JobEvent]:  # noqa: ARG002
        """Hand over what was noted, and how far the syncs have come."""
        for job_id, sync in self._syncs.items():
            progress = sync.process.progress
            if progress != sync.told:
                sync.told = progress
                self._tell(job_id, rows=progress.rows, size=progress.bytes)
        events, self._events = self._events, []
        return events

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(self.cancel(job_id, at=self._clock()) for job_id in self._syncs))

    def _run(self, job: ServerJob, connector: Connector) -> ConnectorRun:
        return ConnectorRun(
            environment=self._environment,
            database=self.database(job.connection_id),
            log_file=self._data_folder / "logs" / f"{job.connection_id}-{job.job_id}.log",
            source=connector.source,
            config=connector.config,
            streams=connector.streams,
            rows_per_second=connector.rows_per_second,
        )

    async def _watch(self, job_id: int, sync: _Sync) -> None:
        self._tell(job_id, statuses.RUNNING)
        result = await sync.process.wait()
        del self._syncs[job_id]
        self._note_end(job_id, result)

    def _note_end(self, job_id: int, result: RunResult) -> None:
        if result.outcome is RunOutcome.SUCCEEDED:
            self._tell(job_id, statuses.SUCCEEDED, rows=result.rows, size=result.bytes)
        elif result.outcome is RunOutcome.CANCELLED:
            self._tell(job_id, statuses.CANCELLED, rows=0, size=0, failure=CANCELLED_BY_USER)
        else:
            self._fail(job_id, result.failure or Failure(reason="The connector did not say why."))

    def _fail(self, job_id: int, failure: Failure) -> None:
        """End a job as Airbyte does: the attempt fails, then the job. Nothing was committed."""
        self._tell(job_id, statuses.INCOMPLETE, rows=0, size=0, failure=failure)
        self._tell(job_id, statuses.FAILED)

    def _tell(
        self,
        job_id: int,
        status: str | None = None,
        *,
        rows: int | None = None,
        size: int | None = None,
        failure: Failure | None = None,
    ) -> None:
        event = JobEvent(
            job_id=job_id, at=self._clock(), status=status, rows=rows, bytes=size, failure=failure
        )
        self._events.append(event)


def _no_connector(connection_id: str) -> Failure:
    return Failure(
        reason=f"No connector is set up for connection {connection_id}; give it one in the scenario",
        type="config_error",
        origin="airbyte_platform",
    )


def _check_name(name: str) -> None:
    if _FILE_NAME.fullmatch(name) is None:
        raise NotAFileName(f"{name!r} must be a plain name of letters, digits, '-' and '_'")
