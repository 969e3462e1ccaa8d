"""Scans: pages of the newest jobs, in any status, by which many jobs are read at once.

A page costs as much as a single job. So a scan goes on as long as a page spares at least :data:`PAGE_PAYS`
single reads, and leaves the rest to those.

**The initial read.** What incremental polls tell is worth something only about a job that was read since
they began. Jobs whose first poll would have to wait for its turn are awaiting a scan instead, which reads
one page after the other. Ten thousand waiters that start together cost a hundred pages.

**The reconciliation.** Every :data:`RECONCILE_EVERY` all followed jobs are read once more, without the filter
that incremental polls trust in. It has no hurry: a page every :data:`RECONCILIATION_PAGE_EVERY`, and
:data:`RECONCILED_SINGLY` single reads of jobs that its pages did not show, so that its load does not grow
with the number of jobs, and how long it takes does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from heapq import nsmallest
from typing import TYPE_CHECKING

from airbyte_sync.policy import SyncPolicy
from airbyte_sync.requests import JobQuery
from airbyte_sync_http.feed.changes import ListLost
from airbyte_sync_http.feed.subscriptions import lacks_amounts
from airbyte_sync_http.feed.timers import wake, wake_now
from airbyte_sync_http.protocol.messages import LARGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airbyte_sync.errors import CallFailed
    from airbyte_sync.jobs import Job
    from airbyte_sync.ports import AsyncClock
    from airbyte_sync_http.feed.changes import FetchPage
    from airbyte_sync_http.feed.subscriptions import FollowedJob, Subscriptions

RECONCILE_EVERY = timedelta(minutes=5)
RECONCILIATION_PAGE_EVERY = timedelta(seconds=10)
"""The time between two pages of a reconciliation that show no job for the first time."""
RECONCILED_SINGLY = 50
"""How many jobs that its pages did not show a reconciliation reads one by one."""
PAGE_PAYS = 5
"""How many single reads a page must spare."""

_BACKOFF = SyncPolicy()


@dataclass(eq=False, slots=True)
class _Scan:
    """A walk through the newest jobs, a page at a time."""

    goal: datetime
    """Jobs that were read before this moment are to be read again."""
    began: datetime
    awaited_by: tuple[int, ...]
    """The jobs that are awaiting its pages."""
    offset: int = 0


class Scanner:
    """Reads pages for those who are awaiting a scan, and for the reconciliation."""

    def __init__(
        self,
        clock: AsyncClock,
        jobs: Subscriptions,
        record_read: Callable[[FollowedJob, Job, datetime], Job],
    ) -> None:
        """
        Args:
            clock: Tells the time.
            jobs: The jobs that are followed.
            record_read: Is told each job that a page shows.
        """
        self._clock = clock
        self._jobs = jobs
        self._record_read = record_read
        self._awaiting_scan: dict[int, list[asyncio.Future[bool]]] = {}
        self.reset()

    def reset(self) -> None:
        """Begin anew; release who is awaiting a scan."""
        self._reconciliation: _Scan | None = None
        self._initial_read: _Scan | None = None
        self._next_page_at = self._paused_until = self._clock.now()
        self._failures = 0
        self.release_waiters()

    def may_show(self, followed: FollowedJob) -> bool:
        """Tell whether a scan is likely to show a job."""
        is_paused = self._clock.now() < self._paused_until
        return followed.is_on_pages and not followed.has_ended and not is_paused

    @property
    def is_reading(self) -> bool:
        """Whether pages are read one after the other."""
        return self._reconciliation is not None and self._next_page_at <= self._clock.now()

    @property
    def due(self) -> datetime:
        """When the next page is due."""
        return self._clock.now() if self._awaiting_scan else self._next_page_at

    def wait(self, job_id: int) -> asyncio.Future[bool]:
        """Return what is resolved when a job was shown, or will not be."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._awaiting_scan.setdefault(job_id, []).append(waiter)
        return waiter

    def release_waiters(self) -> None:
        """Let those who are awaiting a scan do without."""
        wake_now(
            (each for waiters in self._awaiting_scan.values() for each in waiters), result=False
        )
        self._awaiting_scan.clear()

    def pause(self, error: CallFailed) -> None:
        """A page could not be read: begin anew after some time, which grows."""
        failures = self._failures + 1
        # Nothing depends on a page as on an incremental poll: the first pause is longer.
        pause = _BACKOFF.backoff(error, failures=failures + 2, seed="pages")
        self.reset()
        self._failures = failures
        self._next_page_at = self._paused_until = self._clock.now() + pause

    async def read_page(self, fetch_page: FetchPage, since: datetime | None) -> bool:
        """
        Read the next page: of the reconciliation if one is due, else of an initial read.

        Args:
            fetch_page: Reads a page of the list.
            since: Since when incremental polls tell all changes; ``None`` before the first page.

        Returns:
            Whether a reconciliation has come to its end.

        Raises:
            CallFailed: The page cannot be read.
            ListLost: The list has gone out of use meanwhile.
        """
        now = self._clock.now()
        if since is not None and self._awaiting_scan and now < self._next_page_at:
            await self._read_initially(fetch_page, since)
            return False
        return await self._reconcile(fetch_page, is_first=since is None)

    async def _read_initially(self, fetch_page: FetchPage, since: datetime) -> None:
        scan = self._initial_read = self._initial_read or self._begin(since)
        goes_on = await self._read(scan, fetch_page) is not None
        if not goes_on:
            await self._finish(scan, len(self._jobs))
        if not (goes_on and self._awaiting_scan):
            self._initial_read = None

    async def _reconcile(self, fetch_page: FetchPage, *, is_first: bool) -> bool:
        now = self._clock.now()
        scan = self._reconciliation = self._reconciliation or self._begin(now)
        pays = is_first or self._awaiting_scan or len(self._jobs) >= PAGE_PAYS
        first_reads = await self._read(scan, fetch_page) if pays else None
        self._next_page_at = now if first_reads else now + RECONCILIATION_PAGE_EVERY
        if first_reads is not None:
            return False
        self._reconciliation = None
        self._next_page_at = max(scan.began + RECONCILE_EVERY, self._next_page_at)
        await self._finish(scan, RECONCILED_SINGLY)
        return True

    def _begin(self, goal: datetime) -> _Scan:
        return _Scan(goal=goal, began=self._clock.now(), awaited_by=tuple(self._awaiting_scan))

    async def _read(self, scan: _Scan, fetch_page: FetchPage) -> int | None:
        """Return how many jobs a page has shown first; ``None`` if it is the last one that pays."""
        page = await fetch_page(JobQuery(limit=LARGEST_PAGE, offset=scan.offset))
        spared = first_reads = 0
        shown: list[asyncio.Future[bool]] = []
        for job in page.jobs:
            followed = self._jobs.get(job.job_id)
            if followed is not None and not followed.has_ended:
                first_reads += followed.job is None
                spared += not followed.is_read_since(scan.goal)
                self._record_read(followed, job, page.asked_at)
                followed.must_be_read = job.status.is_final and lacks_amounts(job)
            shown += self._awaiting_scan.pop(job.job_id, ())
        await self._jobs.wake_changed_in_batches(*shown)
        if scan not in {self._reconciliation, self._initial_read}:
            raise ListLost  # what the page shows, or a single read meanwhile, has opened the breaker
        self._failures = 0
        scan.offset += LARGEST_PAGE
        is_last = len(page.jobs) < LARGEST_PAGE or spared < PAGE_PAYS
        return None if is_last else first_reads

    async def _finish(self, scan: _Scan, singly: int) -> None:
        """Leave to single reads what the pages did not show, so many of them at most."""
        missing = [
            followed
            for followed in self._jobs
            if followed.since <= scan.began
            and not followed.has_ended
            and not followed.is_read_since(scan.goal)
        ]
        for followed in missing:
            followed.is_on_pages = False
        for followed in nsmallest(singly, missing, key=lambda job: job.read_at or job.since):
            followed.must_be_read = True
        released = [
            each for job_id in scan.awaited_by for each in self._awaiting_scan.pop(job_id, ())
        ]
        await wake(released, result=False)
