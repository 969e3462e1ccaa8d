"""
The engine that plays scripts: deterministic, with no time of its own and nothing in the background.

When a job starts, the steps of its script are put on an agenda with the instants at which they are
due. Asked what happened, the engine takes from the agenda what is due by then.
"""

from __future__ import annotations

import heapq
from collections import deque
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from airbyte_sync_local.platform.engine import JobEvent
from airbyte_sync_local.scenarios.job_scripts import succeeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from airbyte_sync_local.platform.model import ServerJob
    from airbyte_sync_local.scenarios.job_scripts import JobScript, Step


class ScriptedEngine:
    """
    Plays a script for each job.

    Args:
        default: The script of a sync that no other was planned for.
        resets: The script of every reset.
    """

    def __init__(
        self, *, default: JobScript | None = None, resets: JobScript | None = None
    ) -> None:
        self._default = default or succeeds()
        self._resets = resets or succeeds(rows=0, bytes_=0)
        self._planned: dict[str, deque[JobScript]] = {}
        self._overruled: dict[str, JobScript] = {}
        self._playing: dict[int, JobScript] = {}
        self._agenda: list[tuple[datetime, int, JobEvent]] = []
        self._order = count()

    def plan(self, connection_id: str, job_scripts: Sequence[JobScript]) -> None:
        """
        Plan the syncs of a connection, one script each; the last one repeats.

        Args:
            connection_id: The connection.
            job_scripts: The scripts in order. None at all goes back to the default.
        """
        self._planned[connection_id] = deque(job_scripts)

    @contextmanager
    def overruled(self, connection_id: str, script: JobScript) -> Iterator[None]:
        """Give one script to the syncs of a connection that start within the block."""
        self._overruled[connection_id] = script
        try:
            yield
        finally:
            del self._overruled[connection_id]

    def start(self, job: ServerJob) -> None:
        """Put the script of a new job on the agenda."""
        script = self.script_for(job)
        self._playing[job.job_id] = script
        self._put_on_agenda(job.job_id, script.steps, since=job.created_at)

    async def cancel(self, job_id: int, *, at: datetime) -> None:
        """Replace what the agenda holds for a job by what its script says about a cancel."""
        script = self._playing.pop(job_id, None)
        if script is None:  # a second cancel changes nothing
            return
        self._agenda = [entry for entry in self._agenda if entry[2].job_id != job_id]
        heapq.heapify(self._agenda)
        self._put_on_agenda(job_id, script.on_cancel, since=at)

    def happened(self, *, until: datetime) -> Sequence[JobEvent]:
        """Take what is due from the agenda."""
        events: list[JobEvent] = []
        while self._agenda and self._agenda[0][0] <= until:
            events.append(heapq.heappop(self._agenda)[2])
        return events

    async def close(self) -> None:
        """Forget the agenda."""
        self._agenda.clear()

    def script_for(self, job: ServerJob) -> JobScript:
        """Choose the script of a new job; a subclass may choose another way."""
        if job.job_type != "sync":
            return self._resets
        if job.connection_id in self._overruled:
            return self._overruled[job.connection_id]
        planned = self._planned.get(job.connection_id)
        if not planned:
            return self._default
        return planned.popleft() if len(planned) > 1 else planned[0]

    def _put_on_agenda(self, job_id: int, steps: tuple[Step, ...], *, since: datetime) -> None:
        for step in steps:
            event = JobEvent(
                job_id=job_id,
                at=since + step.at,
                status=step.status,
                rows=step.rows,
                bytes=step.bytes,
                failure=step.failure,
                connection_status=step.connection_status,
            )
            heapq.heappush(self._agenda, (event.at, next(self._order), event))
