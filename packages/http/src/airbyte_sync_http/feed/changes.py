"""Incremental polls: which jobs have changed since the last one.

Airbyte changes a job's ``updated_at`` when the status changes, and at no other time that matters. The cursor
is the server's own time, from its ``Date`` header, so that no other clock matters. It is set back by some
seconds, as clocks are cut to whole ones.

Two kinds of change could be missed so. A change may be committed up to a minute later than its time says:
every :data:`WIDE_EVERY` a poll goes back by a minute behind the last such one. And rows may move up over the
edge of a page while pages are read: a page begins with the last row of the one before, and where it does
not, the next poll begins where this one did.

Source: ``DefaultJobPersistence.kt``, ``JobsHelper.kt`` and ``PaginationMapper.kt`` of airbyte-platform.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from airbyte_sync.errors import UnexpectedReply
from airbyte_sync.jobs import JobType
from airbyte_sync.requests import JobQuery
from airbyte_sync_http.protocol.messages import LARGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from airbyte_sync.jobs import Job, JobPage
    from airbyte_sync.ports import AsyncClock
    from airbyte_sync_http.feed.subscriptions import FollowedJob, Subscriptions

MIN_INTERVAL = timedelta(seconds=1)
"""Airbyte's times have no finer grain, and one request a second harms no server."""
MAX_INTERVAL = timedelta(seconds=20)
"""Three requests a minute are what three waiters alone would make in the end."""

OVERLAP = timedelta(seconds=5)
"""How far a poll goes back behind the one before."""
WIDE_OVERLAP = timedelta(minutes=1)
"""How far a wide poll goes back behind the last wide one."""
WIDE_EVERY = timedelta(minutes=2)

STALE_AFTER = timedelta(minutes=2)
"""What is known is worth nothing when no poll has succeeded for so long."""

MAX_PAGES = 300
"""Pages of a poll: no server changes 30,000 jobs between two. A list that goes on is not to be used."""

_LISTED_EVERYWHERE = {JobType.SYNC.value, JobType.RESET.value}
"""Servers up to v2.0.0 list no jobs of other types unless they are asked for."""


class UnusableList(Exception):
    """The list does not do what it is asked for; its text, where there is one, is for the log."""


class ListLost(Exception):
    """The list has gone out of use while it was read."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, and when it was asked for: it knows nothing later."""

    jobs: tuple[Job, ...]
    asked_at: datetime
    """By our clock."""
    asked_at_server: datetime
    """By the server's clock."""

    @classmethod
    def of(cls, page: JobPage, asked_at: datetime, now: datetime) -> Page:
        """
        Return a page that has just come.

        Raises:
            UnexpectedReply: It came without the server's time.
        """
        if page.server_time is None:
            raise UnexpectedReply(
                "the job list came without the server's time: it has no Date header"
            )
        return cls(page.jobs, asked_at, page.server_time - (now - asked_at))


FetchPage: TypeAlias = "Callable[[JobQuery], Awaitable[Page]]"


class IncrementalPoll:
    """How far the incremental polls have come, by our clock and by the server's."""

    def __init__(self, clock: AsyncClock, jobs: Subscriptions, first: Page) -> None:
        """
        Args:
            clock: Tells the time.
            jobs: The jobs that are followed.
            first: A page of the list: since it was asked for, all changes are told.
        """
        self._clock = clock
        self._jobs = jobs
        self.since: datetime = first.asked_at
        """Since when all changes are told."""
        self._last = self._last_wide = self._rested_at = first.asked_at
        self._cursor = self._wide_cursor = first.asked_at_server

    def due(self, interval: timedelta) -> datetime:
        """Return when the next one is due: a slow server gets a rest as long as the last one took."""
        return max(self._last + interval, self._rested_at)

    def covers(self, followed: FollowedJob) -> bool:
        """Tell whether every change of a job has been told since it was read."""
        is_stale = self._clock.now() - self._last > STALE_AFTER
        return not is_stale and followed.is_read_since(self.since)

    def will_tell(self, followed: FollowedJob) -> bool:
        """Tell whether every change of a job is told: then no change is known to be none."""
        job = followed.job
        return (
            job is not None
            and not followed.must_be_read
            and not job.status.is_final
            and job.job_type in _LISTED_EVERYWHERE
            and self.covers(followed)
        )

    def should_have_told(self, job: Job) -> bool:
        """Tell whether the end of a job should have been told long ago."""
        return _ended_before(job, self._wide_cursor - WIDE_OVERLAP)

    async def poll(self, fetch_page: FetchPage) -> None:
        """
        Ask what has changed, page by page; stop also at a page that brings nothing new.

        Args:
            fetch_page: Reads a page of the list.

        Raises:
            UnusableList: The list ignores the filter, or does not come to an end.
            CallFailed: A page cannot be read.
        """
        is_wide = self._clock.now() - self._last_wide >= WIDE_EVERY
        start = self._wide_cursor - WIDE_OVERLAP if is_wide else self._cursor - OVERLAP
        query = JobQuery(updated_since=start, limit=LARGEST_PAGE)
        first: Page | None = None
        seen: set[int] = set()
        has_gap = False
        for _ in range(MAX_PAGES):
            page = await fetch_page(query)
            if any(_ended_before(job, start) for job in page.jobs):
                raise UnusableList
            first = first or page
            for job in page.jobs:
                self._jobs.apply_change(job, first.asked_at)
            await self._jobs.wake_changed_in_batches()
            known, ids = len(seen), [job.job_id for job in page.jobs]
            has_gap = has_gap or (bool(seen) and seen.isdisjoint(ids))
            seen.update(ids)
            if len(ids) < LARGEST_PAGE or len(seen) == known:
                break
            query = replace(query, offset=query.offset + LARGEST_PAGE - 1)  # one row comes again
        else:
            raise UnusableList(
                f"The list of changed jobs did not come to an end after {MAX_PAGES} pages and "
                f"{len(seen)} jobs"
            )
        now = self._clock.now()
        self._last, self._rested_at = first.asked_at, now + (now - first.asked_at)
        if has_gap:
            return
        self._cursor = first.asked_at_server
        if is_wide:
            self._last_wide, self._wide_cursor = first.asked_at, first.asked_at_server


class Intervals:
    """How often changes are wanted: the shortest interval of all waiters counts."""

    def __init__(self) -> None:
        self._waiters = [0] * (_in_seconds(MAX_INTERVAL) + 1)

    def add(self, interval: timedelta) -> tuple[int, bool]:
        """Count a waiter; return what to remove it by, and whether the shortest may have changed."""
        index = _in_seconds(min(max(interval, MIN_INTERVAL), MAX_INTERVAL))
        self._waiters[index] += 1
        return index, self._waiters[index] == 1

    def remove(self, index: int) -> None:
        """Count a waiter no more."""
        self._waiters[index] -= 1

    @property
    def shortest(self) -> timedelta:
        """The shortest interval, or the longest that there is where there are no waiters."""
        wanted = (seconds for seconds, waiters in enumerate(self._waiters) if waiters)
        return timedelta(seconds=next(wanted, _in_seconds(MAX_INTERVAL)))


def _in_seconds(duration: timedelta) -> int:
    return int(duration.total_seconds() + 0.5)


def _ended_before(job: Job, moment: datetime) -> bool:
    """Whether a job ended before a moment; its time is cut to whole seconds."""
    return job.ended_at is not None and job.ended_at < moment - timedelta(seconds=1)
