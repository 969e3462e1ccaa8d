"""Which jobs are followed, what is known of each, and who waits for it to change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync_http.feed.timers import wake, wake_now

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from datetime import datetime

    from airbyte_sync.jobs import Job
    from airbyte_sync.ports import AsyncClock

KEPT_FOR = timedelta(minutes=2)
"""A job that is neither polled nor waited for is forgotten after this time."""
ENDED_KEPT_FOR = timedelta(seconds=1)
"""The same for a job whose end has been polled."""


@dataclass(eq=False, slots=True)
class FollowedJob:
    """A job that is followed, and what is known of it."""

    since: datetime
    used_at: datetime
    """When it was last polled, waited for or changed."""
    job: Job | None = None
    read_at: datetime | None = None
    """When it was last read, apart from changes that incremental polls told."""
    must_be_read: bool = True
    """Whether the next poll has to read it."""
    has_changed: bool = False
    """Whether there is a change that has not been polled."""
    is_on_pages: bool = True
    """Whether scans show it; they do not reach old jobs."""
    waiters: set[asyncio.Future[bool]] = field(default_factory=set)

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended."""
        return self.job is not None and self.job.status.is_final

    def is_read_since(self, moment: datetime) -> bool:
        """Whether it was read at a moment or later."""
        return self.read_at is not None and self.read_at >= moment


class Subscriptions:
    """The jobs that are followed."""

    def __init__(self, clock: AsyncClock) -> None:
        """
        Args:
            clock: Tells the time.
        """
        self._clock = clock
        self._jobs: dict[int, FollowedJob] = {}
        self._to_wake: list[asyncio.Future[bool]] = []
        self._cleaned_at = clock.now()

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[FollowedJob]:
        return iter(self._jobs.values())

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._jobs

    def get(self, job_id: int) -> FollowedJob | None:
        """Return a job if it is followed."""
        return self._jobs.get(job_id)

    def ids(self) -> list[int]:
        """Return the ids of all followed jobs."""
        return list(self._jobs)

    def follow(self, job_id: int) -> FollowedJob:
        """Follow a job, from now on or on."""
        now = self._clock.now()
        followed = self._jobs.setdefault(job_id, FollowedJob(since=now, used_at=now))
        followed.used_at = now
        return followed

    def leave(self, job_id: int, followed: FollowedJob) -> None:
        """Forget a job that has no waiter."""
        if not followed.waiters and self._jobs.get(job_id) is followed:
            del self._jobs[job_id]

    def forget_unused(self) -> None:
        """Forget jobs that are not waited for any more; ended ones as soon as their end was polled."""
        now = self._clock.now()
        if now - self._cleaned_at < ENDED_KEPT_FOR:
            return
        self._cleaned_at = now
        for job_id, followed in list(self._jobs.items()):
            is_over = followed.has_ended and not followed.has_changed
            if now - followed.used_at > (ENDED_KEPT_FOR if is_over else KEPT_FOR):
                self.leave(job_id, followed)

    def clear(self) -> None:
        """Forget all jobs."""
        self._jobs.clear()

    def record_read(self, followed: FollowedJob, job: Job, asked_at: datetime) -> Job:
        """
        Keep what a job was read as, and wake its waiters later if that is a change.

        Returns:
            The job. An ended one stays ended, whatever a server behind the others says.
        """
        before = followed.job
        if before is not None and followed.has_ended and not job.status.is_final:
            job = before
        followed.job, followed.read_at, followed.must_be_read = job, asked_at, False
        if before is None or before.status != job.status:
            self._record_change(followed)
        return job

    def apply_change(self, job: Job, asked_at: datetime) -> None:
        """Keep what an incremental poll tells of a job, and wake its waiters later if that is a change."""
        followed = self._jobs.get(job.job_id)
        if followed is None or followed.has_ended:
            return
        if followed.job is not None and followed.job.status == job.status:
            return
        followed.job = job
        if followed.read_at is None:
            followed.read_at, followed.must_be_read = asked_at, False
        if job.status.is_final:
            followed.must_be_read = lacks_amounts(job)
        self._record_change(followed)

    def _record_change(self, followed: FollowedJob) -> None:
        followed.has_changed, followed.used_at = True, self._clock.now()
        self._to_wake += followed.waiters
        followed.waiters.clear()

    def wake_changed(self) -> None:
        """Wake the waiters of jobs that have changed, all at once."""
        waiters, self._to_wake = self._to_wake, []
        wake_now(waiters, result=True)

    async def wake_changed_in_batches(self, *others: asyncio.Future[bool]) -> None:
        """Wake the waiters of jobs that have changed, and others with them."""
        waiters, self._to_wake = self._to_wake, []
        await wake([*waiters, *others], result=True)

    async def release_waiters(self) -> None:
        """Let all waiters go on at their own pace."""
        await wake([waiter for each in self for waiter in each.waiters], result=False)


def lacks_amounts(job: Job) -> bool:
    """Tell whether a list left out the final rows and bytes, as old servers do."""
    return job.rows is None or job.bytes is None
