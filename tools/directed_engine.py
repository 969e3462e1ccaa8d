"""An engine of the local Airbyte whose jobs go on until a test says that they are done."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from airbyte_sync_local import JobEvent, ScriptedEngine, job_scripts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

ROWS = 1234
"""How many a sync has moved when it succeeds at a word."""


class DirectedEngine(ScriptedEngine):
    """Plays job scripts, by default one that never ends, and lets a job succeed at a word."""

    def __init__(self) -> None:
        super().__init__(default=job_scripts.never_ends())
        self._done: deque[int] = deque()
        self._changed: deque[tuple[int, str]] = deque()

    def succeed(self, job_id: int) -> None:
        """Let a job that runs end well."""
        self._done.append(job_id)

    def change(self, job_id: int, status: str) -> None:
        """Let a job that runs come to another status, so that lists of what has changed name it."""
        self._changed.append((job_id, status))

    def happened(self, *, until: datetime) -> Sequence[JobEvent]:
        """Take what is due, and what was said to be done."""
        events = list(super().happened(until=until))
        while self._changed:
            job_id, status = self._changed.popleft()
            events.append(JobEvent(job_id=job_id, at=until, status=status))
        while self._done:
            job_id = self._done.popleft()
            events.append(
                JobEvent(job_id=job_id, at=until, status="succeeded", rows=ROWS, bytes=64 * ROWS)
            )
        return events
