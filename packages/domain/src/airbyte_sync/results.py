"""What a flow comes back with when all went well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.events import Origin
    from airbyte_sync.job_details import Attempt, JobStreams
    from airbyte_sync.jobs import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncResult:
    """A sync that succeeded."""

    job: Job
    origin: Origin
    streams: JobStreams | None = None
    """What it committed by stream; only where :attr:`~airbyte_sync.SyncPolicy.streams` asks for it and the
    server tells."""
    attempts: tuple[Attempt, ...] = ()
    """Airbyte's own attempts, oldest first; as for :attr:`streams`."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON types, under the names of the attributes."""
        return {
            "job": self.job.to_json(),
            "origin": self.origin.value,
            "streams": None if self.streams is None else self.streams.to_json(),
            "attempts": [attempt.to_json() for attempt in self.attempts],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A request that has its job."""

    job_id: int
    origin: Origin
    checkpoint: Checkpoint
    """From which :func:`~airbyte_sync.flows.resume` waits for the job's end."""
