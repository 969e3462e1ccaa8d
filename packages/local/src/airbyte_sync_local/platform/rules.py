"""
Every rule of an Airbyte server about jobs, in one place and the same for every engine.

The rules are those of ``SchedulerHandler``, ``TemporalClient`` and ``JobsController`` in
airbyte-platform: one active job per connection, cancelling by connection rather than by job,
cancels that are lost before the first attempt, and refusals that say too little. Handlers translate
HTTP; engines play jobs; what is allowed is decided here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from airbyte_sync_local.platform import statuses
from airbyte_sync_local.platform.history import after
from airbyte_sync_local.platform.quirks import Caller, Quirks, SecondSubmit
from airbyte_sync_local.platform.refusals import (
    ConnectionUnavailable,
    JobAlreadyRunning,
    NothingRunning,
    UnknownJob,
    UnknownResource,
    UnreadableWorkspace,
    UnsupportedJobType,
)
from airbyte_sync_local.platform.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from airbyte_sync_local.clock import TimeSource
    from airbyte_sync_local.platform.engine import Engine, JobEvent
    from airbyte_sync_local.platform.model import (
        JobTypeWord,
        ServerConnection,
        ServerJob,
        Workspace,
    )

T = TypeVar("T")

_SUBMIT_TIMEOUT: Final = timedelta(seconds=60)
"""How long a POST waits for the job it asked for to exist. Source: ``TemporalClient.kt``."""

_POLL_EVERY: Final = 0.01
"""Seconds of real time between two polls while a request waits. Source: ``TemporalClient.kt``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Signal:
    """A request for a sync that has reached the server and has no job yet."""

    connection_id: str
    due: datetime


class Platform:
    """
    The server without HTTP.

    Args:
        engine: Plays the jobs.
        clock: What time it is.
        quirks: Which kind of server to be.

    Attributes:
        quirks: As given.
    """

    def __init__(self, *, engine: Engine, clock: TimeSource, quirks: Quirks | None = None) -> None:
        self.quirks = quirks or Quirks()
        self._engine = engine
        self._clock = clock
        self._store = Store()
        self._signals: dict[str, _Signal] = {}

    # --- looking ----------------------------------------------------------------------------------

    def job(self, job_id: int) -> ServerJob:
        """
        Return a job.

        Raises:
            UnknownJob: There is none with this id.
        """
        self.catch_up()
        job = self._store.job(job_id)
        if job is None:
            raise UnknownJob(f"Could not find job with id: {job_id}")
        return job

    def jobs(self) -> Sequence[ServerJob]:
        """Return every job, oldest first."""
        self.catch_up()
        return self._store.jobs()

    def connection(self, connection_id: str) -> ServerConnection:
        """
        Return a connection; a deleted one can still be read.

        Raises:
            UnknownResource: There is none with this id.
        """
        self.catch_up()
        found = self._store.connection(connection_id)
        return _known(found, "STANDARD_SYNC", connection_id)

    def connection_of_source(self, source_id: str) -> ServerConnection:
        """
        Return a connection with this source; several may share it.

        Raises:
            UnknownResource: As for a connection.
        """
        wanted = source_id.lower()
        rows = (row for row in self._store.connections() if row.source_id.lower() == wanted)
        return _known(next(rows, None), "SOURCE_CONNECTION", source_id)

    def connection_of_destination(self, destination_id: str) -> ServerConnection:
        """
        Return a connection with this destination; several may share it.

        Raises:
            UnknownResource: As for a connection.
        """
        wanted = destination_id.lower()
        rows = (row for row in self._store.connections() if row.destination_id.lower() == wanted)
        return _known(next(rows, None), "DESTINATION_CONNECTION", destination_id)

    def connections(self) -> Sequence[ServerConnection]:
        """Return every connection, deleted ones too."""
        self.catch_up()
        return self._store.connections()

    def workspaces(self) -> Sequence[Workspace]:
        """Return every workspace."""
        return self._store.workspaces()

    def workspace(self, workspace_id: str) -> Workspace:
        """
        Return a workspace.

        Raises:
            UnknownResource: As for a connection.
        """
        wanted = workspace_id.lower()
        rows = (row for row in self.workspaces() if row.workspace_id.lower() == wanted)
        return _known(next(rows, None), "STANDARD_WORKSPACE", workspace_id)

    def check_workspaces(self, workspace_ids: Sequence[str]) -> None:
        """
        Check that the caller may read every one of some workspaces.

        Raises:
            UnreadableWorkspace: A member named one that does not exist.
        """
        known = {workspace.workspace_id.lower() for workspace in self.workspaces()}
        wanted = map(str.lower, workspace_ids)
        if self.quirks.caller is Caller.MEMBER and not known.issuperset(wanted):
            raise UnreadableWorkspace("a workspace is unknown")

    # --- doing ------------------------------------------------------------------------------------

    def put_connection(self, connection: ServerConnection) -> None:
        """Add a connection, or replace the one with its id."""
        self.catch_up()
        self._store.put_connection(connection)

    async def submit(
        self, connection_id: str, job_type: JobTypeWord, *, appears_after: timedelta | None = None
    ) -> ServerJob:
        """
        Ask for a job, as POST does.

        Args:
            connection_id: The connection.
            job_type: What kind of job.
            appears_after: How long from now a sync's job exists, if not as the quirks say.

        Returns:
            The new job, or the one that already waits to start.

        Raises:
            Refusal: The connection is unknown or not active, a job of it is running, the job took
                too long to appear, or `job_type` is ``refresh``.
        """
        connection = self.connection(connection_id)
        connection_id = connection.connection_id  # it may have been asked for in another case
        if job_type == "refresh":
            raise UnsupportedJobType("Refreshes are not supported in the public API")
        if job_type != "sync":
            return await self._reset(connection_id)
        if connection.status != "active":
            raise ConnectionUnavailable
        active = self._store.active_job(connection_id)
        if active is None:
            after = self.quirks.job_appears_after if appears_after is None else appears_after
            job = await self._signal(connection_id, due=self._clock() + after)
        else:
            job = await self._second_submit(active)
        if self.quirks.submit_waits_for_start:
            await self._until(lambda: not self.job(job.job_id).is_waiting)
        return self.job(job.job_id)

    async def cancel(self, job_id: int) -> ServerJob:
        """
        Cancel whatever runs on the connection of a job, as DELETE does.

        The job given only leads to its connection. A cancel that comes before the first attempt is
        lost without a word.

        Returns:
            The job given, which need not be the one that was cancelled.

        Raises:
            Refusal: Nothing runs there, the connection is deleted, or the job is unknown.
        """
        connection_id = self.job(job_id).connection_id
        if self.connection(connection_id).status == "deprecated":
            raise ConnectionUnavailable
        active = self._store.active_job(connection_id)
        if active is None:
            raise NothingRunning
        if self._can_be_cancelled(active):
            await self._engine.cancel(active.job_id, at=self._clock())
            if self.quirks.cancel_waits_for_end:
                await self._until(lambda: self.job(active.job_id).is_terminal)
        return self.job(job_id)

    def start_external(
        self, connection_id: str, job_type: JobTypeWord = "sync", *, leaves_over: bool = False
    ) -> ServerJob:
        """
        Start a job that no API client asked for: the schedule did, or a user of the UI.

        Args:
            connection_id: The connection.
            job_type: What kind of job.
            leaves_over: Whether an active job of the connection is left over, as after a crash of the
                server: its row is never closed, and it is in no one's way.

        Raises:
            Refusal: The connection has an active job, or is unknown.
        """
        connection_id = self.connection(connection_id).connection_id
        if self._store.active_job(connection_id) is not None and not leaves_over:
            raise JobAlreadyRunning(connection_id)
        self._begin(connection_id, job_type, at=self._clock())
        return self._store.jobs()[-1]

    def delete_job(self, job_id: int) -> None:
        """Delete the row of a job, as a server does that is restored from an older backup."""
        self._store.delete_job(job_id)

    # --- time -------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        now = self._clock()
        for signal in sorted(self._signals.values(), key=lambda signal: signal.due):
            if signal.due <= now:
                self._play(until=signal.due)
                del self._signals[signal.connection_id]
                if self._store.active_job(signal.connection_id) is None:
                    self._begin(signal.connection_id, "sync", at=signal.due)
        self._play(until=now)

    def _play(self, *, until: datetime) -> None:
        for event in self._engine.happened(until=until):
            self._apply(event)

    def _apply(self, event: JobEvent) -> None:
        job = self._store.job(event.job_id)
        if job is None or job.is_terminal:  # Airbyte ignores writes to a job that has ended
            return
        self._store.put_job(after(job, event))
        connection = self._store.connection(job.connection_id)
        if event.connection_status is not None and connection is not None:
            self._store.put_connection(replace(connection, status=event.connection_status))

    # --- the steps of the above -------------------------------------------------------------------

    def _begin(self, connection_id: str, job_type: JobTypeWord, *, at: datetime) -> None:
        job = self._store.create_job(connection_id, job_type, at=at)
        self._engine.start(job)
        self._play(until=at)

    async def _second_submit(self, active: ServerJob) -> ServerJob:
        if not active.is_waiting or self.quirks.second_submit is SecondSubmit.ALREADY_RUNNING:
            raise JobAlreadyRunning(active.connection_id)
        finds_it = self.quirks.second_submit is SecondSubmit.SAME_JOB
        if finds_it and active.job_type == "sync":
            return active
        give_up = self._clock() + self.quirks.second_submit_waits
        await self._until(lambda: self._clock() >= give_up)
        raise ConnectionUnavailable

    async def _signal(self, connection_id: str, *, due: datetime) -> ServerJob:
        """Ask for a sync and wait until its job exists; the request stands even if the client leaves."""
        asked_at = self._clock()
        newest_before = len(self._store.jobs())
        self._signals.setdefault(connection_id, _Signal(connection_id=connection_id, due=due))

        def new_job() -> ServerJob | None:
            for job in self.jobs()[newest_before:]:
                if job.connection_id == connection_id:
                    return job
            return None

        await self._until(
            lambda: new_job() is not None or self._clock() > asked_at + _SUBMIT_TIMEOUT
        )
        job = new_job()
        if job is None:
            raise ConnectionUnavailable
        return job

    async def _reset(self, connection_id: str) -> ServerJob:
        """Cancel what is active, wait until it is gone, and start a reset in its place."""
        active = self._store.active_job(connection_id)
        if active is not None:
            await self._engine.cancel(active.job_id, at=self._clock())
        await self._until(lambda: self._active_now(connection_id) is None)
        self._begin(connection_id, "reset", at=self._clock())
        return self._store.jobs()[-1]

    def _active_now(self, connection_id: str) -> ServerJob | None:
        self.catch_up()
        return self._store.active_job(connection_id)

    def _can_be_cancelled(self, active: ServerJob) -> bool:
        if active.status == statuses.QUEUED:
            return self.quirks.queued_can_be_cancelled
        return not active.is_waiting

    @staticmethod
    async def _until(condition: Callable[[], bool]) -> None:
        # Time is a callable that cannot be waited for, so the server polls, as the
        # real one does.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_EVERY)


def _known(found: T | None, resource_type: str, resource_id: str) -> T:
    if found is None:
        raise UnknownResource(resource_type, resource_id)
    return found
