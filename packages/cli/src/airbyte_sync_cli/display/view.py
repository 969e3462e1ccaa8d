"""
What is known of a sync, as a screen shows it: a value that events change, with no terminal in it.

``view.on_event(event, now)`` and ``view.ended(...)`` return the next view. So a screen is a function of views
and a moment, and a test can show any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from airbyte_sync import JobStatus, Origin, describe
from airbyte_sync.events import (
    CancelRequested,
    EarlierTryLookedFor,
    Event,
    JobEnded,
    JobLeftOver,
    JobObtained,
    JobPolled,
    JobRecalled,
    PollFailed,
    StatusChanged,
    SubmitPostponed,
    SubmitUncertain,
    WaitingForOther,
)

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync import Job
    from airbyte_sync_cli.exit_codes import ExitCode


LOOKING = "looking for its job"
"""What is done where a submission may have been carried out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How much a job had moved at some moment."""

    at: datetime
    rows: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncView:
    """One sync, as far as it is known."""

    RATE_WINDOW: ClassVar[timedelta] = timedelta(minutes=1)
    """The rate is that of the last minute, or of the last two polls where they are further apart."""

    title: str
    """What people call it: the connection's name, or what was typed."""
    since: datetime | None = None
    """When it was begun; ``None`` while it waits for its turn."""
    job: Job | None = None
    """The job at the last poll."""
    origin: Origin | None = None
    url: str | None = None
    """The job's page in Airbyte."""
    doing: str | None = None
    """What is done before there is a job: ``looking for its job``."""
    attempt: int = 1
    """Airbyte's attempt, as far as polls have shown; an attempt between two polls is missed."""
    is_cancelling: bool = False
    note: str | None = None
    """What is wrong or waited for at the moment."""
    is_warning: bool = False
    """Whether the note tells of trouble."""
    samples: tuple[Sample, ...] = ()
    outcome: ExitCode | None = None
    """How it ended."""
    text: str | None = None
    """Why it did not succeed."""
    ended_at: datetime | None = None

    @property
    def status(self) -> str:
        """One or two words for where it stands."""
        if self.outcome is not None:
            return self.outcome.word
        if self.is_cancelling:
            return "cancelling"
        if self.job is not None:
            word = self.job.status.word
            return f"{word} (attempt {self.attempt})" if self.attempt > 1 else word
        if self.doing is not None:
            return self.doing
        return "waiting" if self.since is None else "starting"

    @property
    def may_have_started(self) -> bool:
        """Whether a submission may have been carried out of which no job is known."""
        return self.since is not None and self.doing in {None, LOOKING}

    @property
    def is_active(self) -> bool:
        """Whether something is being done for it."""
        return self.outcome is None and self.since is not None

    def elapsed(self, now: datetime) -> timedelta | None:
        """Return how long it takes, or took; ``None`` where it was not begun."""
        if self.outcome is not None and self.job is not None and self.job.duration is not None:
            return self.job.duration
        return None if self.since is None else (self.ended_at or now) - self.since

    @property
    def rate(self) -> float | None:
        """Bytes per second of late; ``None`` where nothing can be said."""
        has_two_ends = len(self.samples) > 1
        if self.outcome is not None or not has_two_ends or not self.samples[-1].bytes:
            return None
        first, last = self.samples[0], self.samples[-1]
        seconds = (last.at - first.at).total_seconds()
        return max(0, last.bytes - first.bytes) / seconds if seconds > 0 else None

    def begun(self, now: datetime) -> SyncView:
        """Return it at the moment that its turn has come."""
        return self if self.since is not None else replace(self, since=now)

    def on_event(self, event: Event, now: datetime) -> SyncView:
        """Return it after an event."""
        view = self.begun(now)
        match event:
            case JobObtained(job=job, origin=origin) | JobRecalled(job=job, origin=origin):
                is_new = isinstance(event, JobObtained) and origin is not Origin.ATTACHED
                since = now if is_new else min(now, job.created_at)
                return replace(view.polled(job, now), origin=origin, since=since, doing=None)
            case StatusChanged(job=job, previous=previous):
                is_next = previous == JobStatus.INCOMPLETE and not job.status.is_final
                view = view.polled(job, now)
                return replace(view, attempt=view.attempt + 1) if is_next else view
            case JobPolled(job=job) | JobEnded(job=job):
                return view.polled(job, now)
            case CancelRequested():
                return replace(view, is_cancelling=True, note=None)
            case WaitingForOther(job=job):
                return view.noting(event, doing=f"waiting for job {job.job_id}")
            case EarlierTryLookedFor() | SubmitUncertain():
                return view.noting(event, doing=LOOKING)
            case SubmitPostponed():
                return view.noting(event, doing="not accepted yet")
            case PollFailed() | JobLeftOver():
                return view.noting(event, doing=view.doing)

    def polled(self, job: Job, now: datetime) -> SyncView:
        """Return it after an answer about its job."""
        samples = self.samples
        if job.bytes is not None or job.rows is not None:
            samples = _within(
                self.RATE_WINDOW, (*samples, Sample(now, job.rows or 0, job.bytes or 0))
            )
        elif self.job is not None and self.job.job_id == job.job_id:
            job = replace(
                job, rows=self.job.rows, bytes=self.job.bytes
            )  # not every answer has them
        return replace(self, job=job, samples=samples, note=None, is_warning=False)

    def noting(self, event: Event, *, doing: str | None) -> SyncView:
        """Return it with what an event says that hinders it."""
        described = describe(event)
        return replace(self, doing=doing, note=described.text, is_warning=described.is_warning)

    def ended(self, outcome: ExitCode, now: datetime, *, text: str | None = None) -> SyncView:
        """Return it at its end."""
        return replace(self, outcome=outcome, text=text, note=None, is_warning=False, ended_at=now)


def _within(window: timedelta, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Drop samples that are too old, and keep two."""
    oldest = samples[-1].at - window
    recent = tuple(sample for sample in samples if sample.at >= oldest)
    return recent if len(recent) > 1 else samples[-2:]
