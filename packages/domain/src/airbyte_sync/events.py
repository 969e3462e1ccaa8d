"""What a flow reports while it works: facts to show or to count.

A shell renders them in its own way, as log lines, as metrics or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.errors import CallFailed
    from airbyte_sync.jobs import Job, JobStatus


class Origin(Enum):
    """How a request came to its job."""

    STARTED = "started"
    """Our own submission was answered with it."""
    ADOPTED = "adopted"
    """It appeared on the server after a submission that is in doubt: surely fresh, most likely our own."""
    ATTACHED = "attached"
    """Another client started it; we only follow it."""

    @property
    def is_ours_to_cancel(self) -> bool:
        """Whether we may cancel such a job."""
        return self is not Origin.ATTACHED


@dataclass(frozen=True, kw_only=True, slots=True)
class JobObtained:
    """The request has its job."""

    job: Job
    origin: Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRecalled:
    """An earlier try of the request left a job behind, and this one goes on with it."""

    job: Job
    origin: Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierTryLookedFor:
    """The request was made before: its job is looked for on the server before one is started."""

    since: datetime
    look_until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusChanged:
    """A poll showed another status than the one before."""

    job: Job
    previous: JobStatus | None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPolled:
    """A poll showed the status of the poll before; rows and bytes may have grown."""

    job: Job
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PollFailed:
    """A poll failed; the wait goes on."""

    error: CallFailed
    failing_since: datetime
    next_poll: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmitPostponed:
    """The submission surely did not arrive, or was refused for now; it will be made again."""

    error: CallFailed
    next_try: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmitUncertain:
    """The submission may have arrived; we look for its job before anything else is done."""

    error: CallFailed
    look_until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingForOther:
    """The connection is busy with another client's job; ours comes after it."""

    job: Job


@dataclass(frozen=True, kw_only=True, slots=True)
class JobLeftOver:
    """A newer job of the connection has ended, so the one that is followed is no longer worked on."""

    job: Job
    newer: Job


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelRequested:
    """Airbyte was asked to cancel the job."""

    job: Job


@dataclass(frozen=True, kw_only=True, slots=True)
class JobEnded:
    """A poll showed that the job has ended."""

    job: Job


Event: TypeAlias = (
    JobObtained
    | JobRecalled
    | EarlierTryLookedFor
    | StatusChanged
    | JobPolled
    | PollFailed
    | SubmitPostponed
    | SubmitUncertain
    | WaitingForOther
    | JobLeftOver
    | CancelRequested
    | JobEnded
)
