"""One feed of changes for all who wait for jobs of one Airbyte server.

One request, "which jobs have changed since", tells the changes of every job of a server, and costs the same
whether ten jobs are followed or ten thousand. The feed makes it once an interval and wakes exactly those
whose job has changed. A poll of a job that has not changed is answered without a request.

::

    wait_for_change(job, until) ──► follow ──► timer at until ─────────► False ──► recent_job(job)
                                      │                                                │
    incremental poll ──────► has it changed? ──────────────────────────► True ──►──────┤
                                                                                       ▼
    scan: the newest jobs ──► what is known ◄── one job by GET ◄── not known, or ended without rows

=================  ===========================================================================================
``subscriptions``  which jobs are followed, what is known of each, who waits
``changes``        the incremental poll: which jobs have changed since the last one
``scan``           pages of the newest jobs: the initial read, and the reconciliation
``breaker``        whether the list is in use, and when a list that failed is tried again
``reader``         the task that decides what to ask next
``limiter``        how many requests at a time, and which goes first
``timers``         one clock for all waiters
=================  ===========================================================================================

A waiter of a job of which every change is told needs no polls, and sleeps on past ``until``. It is woken by a
change, by the loss of the list (then all are, and go on at their own pace), or at the latest moment that it
has named. Ten thousand waiters so cost next to nothing.

One of the requests at a time belongs to the list, the others to single jobs: a self-managed Airbyte serves
its whole public API with five threads. Polls that a decision rests on go before the others. There are two
tasks however many wait, one for the timers and one that reads the list; both end when no job is followed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airbyte_sync.checks import require_count
from airbyte_sync.errors import AlreadyClosed, InvalidInput
from airbyte_sync_http.feed.limiter import PriorityLimiter
from airbyte_sync_http.feed.reader import FEW, ListReader
from airbyte_sync_http.feed.subscriptions import FollowedJob, Subscriptions
from airbyte_sync_http.feed.timers import Timers

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Self

    from airbyte_sync.jobs import Job, JobPage
    from airbyte_sync.ports import AsyncClock, AsyncPollPort
    from airbyte_sync.requests import JobQuery

MAX_CONCURRENCY = 3
"""Requests at a time to one server, which has five threads for everything."""


class JobFeed:
    """
    An :class:`~airbyte_sync.ports.AsyncFeedPort` over the gateway to one server, on one event loop.

    Share it among all who wait for jobs of that server. As an async context manager it is closed in the
    end; the gateway is not. All who wait then are woken, and from then on every call raises
    :class:`~airbyte_sync.errors.AlreadyClosed`.
    """

    def __init__(
        self,
        gateway: AsyncPollPort,
        clock: AsyncClock,
        *,
        max_concurrency: int = MAX_CONCURRENCY,
    ) -> None:
        """
        Args:
            gateway: Asks the server.
            clock: Tells the time and waits.
            max_concurrency: The largest number of requests to be under way at the same moment.

        Raises:
            InvalidInput: ``max_concurrency`` leaves none for single jobs.
        """
        require_count("max_concurrency", max_concurrency)
        if max_concurrency < 2:  # noqa: PLR2004 - one for the list, one for single jobs
            raise InvalidInput(
                f"max_concurrency is {max_concurrency}: a feed needs two requests at a time"
            )
        self._gateway = gateway
        self._clock = clock
        self._is_closed = False
        self._limiter = PriorityLimiter(max_concurrency - 1)
        self._timers = Timers(clock)
        self._jobs = Subscriptions(clock)
        self._reader = ListReader(gateway, clock, self._jobs, self._timers)

    async def fetch_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.PollPort.fetch_job`: always read afresh, before all others."""
        self._require_open()
        followed = self._jobs.get(job_id)
        if followed is not None:
            followed.has_changed = False  # also if it fails: its waiters then keep their own pace
        if self._limiter.is_full:
            self._reader.breaker.raise_failure()  # a server in trouble is not asked by a queue
        async with self._limiter.acquire(urgent=True):
            self._require_open()
            asked_at = self._clock.now()
            job = await self._gateway.fetch_job(job_id)
        followed = self._jobs.get(job_id)
        if followed is not None:
            job = self._record(followed, job, asked_at)
            followed.has_changed = False
        return job

    async def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`airbyte_sync.ports.PollPort.find_jobs`."""
        self._require_open()
        async with self._limiter.acquire(urgent=True):
            self._require_open()
            return await self._gateway.find_jobs(query)

    async def wait_for_change(self, job_id: int, until: datetime, latest: datetime) -> bool:
        """See :meth:`airbyte_sync.ports.AsyncFeedPort.wait_for_change`."""
        followed = self._follow(job_id)
        if followed.has_changed:
            return True
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        followed.waiters.add(waiter)
        self._timers.set(latest if self._reader.will_tell(followed) else until, waiter)
        interval, is_new = self._reader.intervals.add(until - followed.used_at)
        if is_new:
            self._reader.plan_again()
        try:
            return await waiter
        finally:
            self._reader.intervals.remove(interval)
            followed.waiters.discard(waiter)
            if waiter.cancelled():
                self._leave(job_id, followed)

    async def recent_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.AsyncFeedPort.recent_job`."""
        followed = self._follow(job_id)
        try:
            return await self._poll(job_id, followed)
        except asyncio.CancelledError:
            self._leave(job_id, followed)
            raise
        finally:
            followed.has_changed = False  # also if it failed: its waiters then keep their own pace

    async def close(self) -> None:
        """End what runs in the background, and wake all who wait. Closing again does nothing."""
        self._is_closed = True
        self._jobs.clear()
        await self._reader.close()
        await self._timers.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise AlreadyClosed(
                "this job feed was closed. Keep it open until the last sync that uses it has ended."
            )

    def _follow(self, job_id: int) -> FollowedJob:
        self._require_open()
        before = len(self._jobs)
        followed = self._jobs.follow(job_id)
        if before == FEW < len(self._jobs):
            self._reader.plan_again()
        self._reader.start()
        return followed

    def _leave(self, job_id: int, followed: FollowedJob) -> None:
        self._jobs.leave(job_id, followed)
        if len(self._jobs) in {0, FEW}:
            self._reader.plan_again()

    async def _poll(self, job_id: int, followed: FollowedJob) -> Job:
        """Answer from what is known, or read the job."""
        job = self._reader.known(followed)
        if job is None:
            self._reader.breaker.raise_failure()
            if self._reader.may_show(followed, is_queueing=self._limiter.is_full):
                await self._reader.await_scan(job_id)
                job = self._reader.known(followed)
        if job is None:
            self._reader.breaker.raise_failure()
            async with self._limiter.acquire():
                self._require_open()
                job = self._reader.known(followed)  # it may have been read meanwhile
                if job is None:
                    asked_at = self._clock.now()
                    job = self._record(followed, await self._gateway.fetch_job(job_id), asked_at)
        return job

    def _record(self, followed: FollowedJob, job: Job, asked_at: datetime) -> Job:
        job = self._reader.record_read(followed, job, asked_at)
        self._jobs.wake_changed()
        return job
