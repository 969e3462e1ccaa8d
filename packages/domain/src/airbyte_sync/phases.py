"""Where a request stands: one small value for each phase, with the facts that this phase needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from airbyte_sync.checks import require_choice, require_count, require_text
from airbyte_sync.events import Origin

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.jobs import JobStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Failures:
    """A series of calls that failed."""

    since: datetime
    """When the first of them failed."""
    count: int

    @classmethod
    def one_more(cls, before: Failures | None, now: datetime) -> Failures:
        """Return a series that has gone on, or has begun now."""
        return (
            cls(since=now, count=1) if before is None else replace(before, count=before.count + 1)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Submissions:
    """What became of the submissions of a request that has no job yet."""

    in_doubt: bool = False
    """Whether one may have been carried out without an answer that reached us."""
    lost: int = 0
    """How many had an unknown outcome."""
    lost_status: int | None = None
    """The HTTP status with which the last of them was answered, if it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierJobs:
    """What counts as an answer while the job of an earlier try is looked for."""

    answered_since: datetime
    """It must be active, or have succeeded since."""
    tries: int = 0
    """How many earlier tries may have left a job behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The request was made. Nothing was sent, and its connection may not be known yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitting:
    """The request is to be submitted: no job came of it so far, or none is known to have come."""

    connection_id: str
    after_job_id: int | None = None
    """The newest job that is known not to be ours; ``None`` where none is known."""
    submissions: Submissions = field(default_factory=Submissions)
    submit_failures: Failures | None = None
    """The present series of failed submissions. A poll that succeeds does not end it."""

    def __post_init__(self) -> None:
        require_text("connection_id", self.connection_id)

    def to_be_found(self) -> FindingJob:
        """Return the phase in which the job of this submission is looked for."""
        return FindingJob(
            connection_id=self.connection_id,
            after_job_id=self.after_job_id,
            submissions=self.submissions,
            submit_failures=self.submit_failures,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingJob:
    """A submission was or may have been made: its job is looked for before anything is submitted."""

    connection_id: str
    after_job_id: int | None = None
    """The newest job that is known not to be ours; ``None`` where none is known."""
    submissions: Submissions = field(default_factory=Submissions)
    submit_failures: Failures | None = None
    """As for :class:`Submitting`."""
    earlier: EarlierJobs | None = None
    """``None`` where only a job of this try is looked for."""
    search_until: datetime | None = None
    """Until when a job may still appear; ``None``: one look at the list will do."""
    nothing_came: bool = False
    """Whether it is proven that no job came of the submissions; why is asked next."""

    def __post_init__(self) -> None:
        require_text("connection_id", self.connection_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionBusy:
    """Another job runs on the connection; its end is waited for."""

    connection_id: str
    after_job_id: int
    """That job: the newest one that is known not to be ours."""
    submissions: Submissions = field(default_factory=Submissions)
    earlier: EarlierJobs | None = None
    """As for :class:`FindingJob`, which follows."""
    search_until: datetime | None = None
    """As for :class:`FindingJob`, which follows."""

    def __post_init__(self) -> None:
        require_text("connection_id", self.connection_id)
        require_count("after_job_id", self.after_job_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """The request has its job; its end is waited for."""

    job_id: int
    origin: Origin
    connection_id: str | None = None
    """``None`` until a job that is watched by its id alone has been polled."""
    status: JobStatus | None = None
    """The status at the last poll; ``None`` until there was one."""
    newer_ended: int | None = None
    """The newer job of the connection that has ended, once it is known that ours is a leftover."""
    missing: Failures | None = None
    """The present series of polls at which Airbyte did not know the job, which it had shown before."""

    def __post_init__(self) -> None:
        require_count("job_id", self.job_id)
        require_choice("origin", self.origin, Origin)
        if self.connection_id is not None:
            require_text("connection_id", self.connection_id)

    def to_be_cancelled(self, until: datetime) -> Cancelling:
        """Return the phase in which this job is cancelled, or polled again if it is not ours."""
        return Cancelling(
            job_id=self.job_id,
            origin=self.origin,
            connection_id=self.connection_id,
            status=self.status,
            cancel_until=until,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancelling:
    """A deadline has passed: the job is cancelled until it has ended, or polled again if it is not ours."""

    job_id: int
    cancel_until: datetime
    origin: Origin | None = None
    """``None`` where :func:`~airbyte_sync.cancel` was called with a job's id: there is no request."""
    connection_id: str | None = None
    """As for :class:`Watching`."""
    status: JobStatus | None = None
    """As for :class:`Watching`."""
    cancel_sent: bool = False
    queued_too_long: bool = False
    """Whether it is the queue deadline that has passed."""

    def __post_init__(self) -> None:
        require_count("job_id", self.job_id)


Phase: TypeAlias = Asked | Submitting | FindingJob | ConnectionBusy | Watching | Cancelling

PHASES: dict[str, type[Phase]] = {
    "asked": Asked,
    "submitting": Submitting,
    "finding_job": FindingJob,
    "connection_busy": ConnectionBusy,
    "watching": Watching,
    "cancelling": Cancelling,
}
"""The phases by their names in JSON."""

PHASE_NAMES = {phase: name for name, phase in PHASES.items()}
