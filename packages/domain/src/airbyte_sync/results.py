"""What a flow comes back with when all went well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.events import Origin
    from airbyte_sync.jobs import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncResult:
    """A sync that succeeded."""

    job: Job
    origin: Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A request that has its job."""

    job_id: int
    origin: Origin
    checkpoint: Checkpoint
    """From which :func:`~airbyte_sync.flows.resume` waits for the job's end."""
