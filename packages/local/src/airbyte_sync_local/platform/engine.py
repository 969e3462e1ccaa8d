"""
The seam between the platform and what plays the jobs.

The platform starts and cancels jobs and owns every rule. An engine only tells what happened, when
it is asked, as events in the order of their time. Asking instead of being told keeps time in one
hand: a scripted engine computes what must have happened by now from an injected clock, and an
engine with real processes hands over what it has seen so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airbyte_sync_local.platform.model import ConnectionStatusWord, Failure, ServerJob


@dataclass(frozen=True, kw_only=True, slots=True)
class JobEvent:
    """Something happened to a job. What is None did not change."""

    job_id: int
    at: datetime
    status: str | None = None
    rows: int | None = None
    """Committed by the job so far, over all its attempts."""
    bytes: int | None = None
    failure: Failure | None = None
    """Why the attempt that just ended failed."""
    connection_status: ConnectionStatusWord | None = None
    """What the job made of its connection: a breaking schema change makes it inactive."""


class Engine(Protocol):
    """Plays the jobs. Every method is called on the server's event loop."""

    def start(self, job: ServerJob) -> None:
        """
        Begin a job that was just created as ``pending``.

        Args:
            job: The new job. Its `created_at` is when it begins.
        """
        ...

    async def cancel(self, job_id: int, *, at: datetime) -> None:
        """
        End a job early. Returns once nothing more can be done about it.

        How it ends is told by `happened`. A job that has ended already is left alone.
        """
        ...

    def happened(self, *, until: datetime) -> Sequence[JobEvent]:
        """Tell what happened up to and including an instant, each event once, in order of time."""
        ...

    async def close(self) -> None:
        """End everything that is still going on. The engine is not used afterwards."""
        ...
