"""The task in the background that reads the list: what to ask next, when, and what a failure means.

There is one request at a time, an incremental poll or a page of a scan, whichever is due first. With one or
two jobs, or while the circuit breaker is open, there is none, and jobs are polled one by one.

A reconciliation that finds the end of a job which incremental polls should have told long ago opens the
breaker: some databases keep another time zone than the server. So does a list that ignores the filter.

Where a read of a single job fails as well, or we are throttled, the breaker stays closed: a server in trouble
is asked by one at a time. A page of a scan that fails does so alone: incremental polls go on.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from airbyte_sync.errors import AlreadyClosed, CallFailed
from airbyte_sync_http.feed.breaker import CircuitBreaker, State
from airbyte_sync_http.feed.changes import (
    MAX_INTERVAL,
    MIN_INTERVAL,
    IncrementalPoll,
    Intervals,
    ListLost,
    Page,
    UnusableList,
)
from airbyte_sync_http.feed.scan import RECONCILE_EVERY, Scanner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from airbyte_sync.jobs import Job
    from airbyte_sync.ports import AsyncClock, AsyncPollPort
    from airbyte_sync.requests import JobQuery
    from airbyte_sync_http.feed.subscriptions import FollowedJob, Subscriptions
    from airbyte_sync_http.feed.timers import Timers

FEW = 2
"""Up to so many jobs are polled one by one."""

_log = logging.getLogger(__name__)


class ListReader:
    """Keeps what is known of the followed jobs up to date."""

    def __init__(
        self, gateway: AsyncPollPort, clock: AsyncClock, jobs: Subscriptions, timers: Timers
    ) -> None:
        """
        Args:
            gateway: Asks the server.
            clock: Tells the time.
            jobs: The jobs that are followed.
            timers: Wake the task when a request is due.
        """
        self._gateway = gateway
        self._clock = clock
        self._jobs = jobs
        self._timers = timers
        self.breaker: CircuitBreaker = CircuitBreaker(clock)
        self.intervals: Intervals = Intervals()
        self._scanner = Scanner(clock, jobs, self.record_read)
        self._changes: IncrementalPoll | None = None
        self._are_to_be_released = False
        self._task: asyncio.Task[None] | None = None
        self._rest: asyncio.Future[bool] | None = None

    def start(self) -> None:
        """Begin, if it is not under way. It ends by itself when no job is followed."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def plan_again(self) -> None:
        """Say that another request may be due first."""
        if self._rest is not None and not self._rest.done():
            self._rest.set_result(True)

    async def close(self) -> None:
        """End it, and release all who are awaiting a scan."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    # --- what is known ----------------------------------------------------------------------------

    def known(self, followed: FollowedJob) -> Job | None:
        """Return what is known of a job, if it is as good as reading it."""
        job = followed.job
        if job is None or followed.must_be_read:
            return None
        is_fresh = followed.is_read_since(self._clock.now() - MIN_INTERVAL)
        return job if is_fresh or job.status.is_final or self.will_tell(followed) else None

    def will_tell(self, followed: FollowedJob) -> bool:
        """Tell whether no change of a job can be missed."""
        changes = self._changes
        return changes is not None and self.breaker.failure is None and changes.will_tell(followed)

    def record_read(self, followed: FollowedJob, job: Job, asked_at: datetime) -> Job:
        """Keep what a job was read as; open the breaker if that should have been known long ago."""
        before, changes = followed.job, self._changes
        is_covered = changes is not None and changes.covers(followed)
        job = self._jobs.record_read(followed, job, asked_at)
        is_news = before is not None and before.status != job.status
        if changes is not None and is_covered and is_news and changes.should_have_told(job):
            self._stop_using_the_list()
        return job

    def may_show(self, followed: FollowedJob, *, is_queueing: bool) -> bool:
        """
        Tell whether to await a scan rather than to ask for a job.

        Args:
            followed: The job.
            is_queueing: Whether to ask for it means to wait for a turn.
        """
        return (
            len(self._jobs) > FEW
            and self.breaker.state is State.CLOSED
            and self._scanner.may_show(followed)
            and (is_queueing or self._scanner.is_reading)
        )

    async def await_scan(self, job_id: int) -> None:
        """Wait until a scan has shown a job, or will not."""
        waiter = self._scanner.wait(job_id)
        self.plan_again()
        await waiter

    # --- the task ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while len(self._jobs):
                request, due = self._plan()
                if self._are_to_be_released:
                    self._are_to_be_released = False
                    await self._jobs.release_waiters()
                elif due > self._clock.now():
                    await self._rest_until(due)
                else:
                    await self._make(request)
                self._jobs.forget_unused()
        finally:
            self._forget_the_list()
            self._timers.fire_all()

    def _plan(self) -> tuple[Callable[[], Awaitable[None]], datetime]:
        """Return the next request, and when it is due."""
        now = self._clock.now()
        if len(self._jobs) <= FEW:
            self._lose_touch()
            self._forget_the_list()
            return self._read_page, now + MAX_INTERVAL
        changes = self._changes
        if changes is None:
            return self._read_page, self.breaker.retry_at or now
        poll_due = self.breaker.retry_at or changes.due(self.intervals.shortest)
        page_due = self._scanner.due
        if self.breaker.failure is not None or poll_due <= max(now, page_due):
            return partial(self._poll, changes), poll_due
        return self._try_a_page, page_due

    async def _make(self, request: Callable[[], Awaitable[None]]) -> None:
        try:
            await request()
        except ListLost:
            pass
        except CallFailed as error:
            await self._fail(error)
        except UnusableList as error:
            if str(error):
                _log.warning("%s: for some time each job is polled alone", error)
            self._stop_using_the_list()
        except AlreadyClosed:  # the gateway was closed first: all who poll are told so
            self._stop_using_the_list()
        except (
            Exception
        ):  # a transport may have bugs: who polls a job alone meets them as what they are
            _log.exception("The list of jobs cannot be read")
            self._stop_using_the_list()

    async def _poll(self, changes: IncrementalPoll) -> None:
        await changes.poll(self._fetch_page)
        self.breaker.record_success()

    async def _read_page(self) -> None:
        since = None if self._changes is None else self._changes.since
        is_complete = await self._scanner.read_page(self._fetch_page, since)
        if is_complete and since is not None and self._clock.now() - since >= RECONCILE_EVERY:
            self.breaker.trust()

    async def _try_a_page(self) -> None:
        try:
            await self._read_page()
        except CallFailed as error:
            self._scanner.pause(error)

    async def _fetch_page(self, query: JobQuery) -> Page:
        """Read a page of the list; with the very first one the incremental polls begin."""
        changes, asked_at = self._changes, self._clock.now()
        answer = await self._gateway.find_jobs(query)
        if self._changes is not changes:
            raise ListLost
        page = Page.of(answer, asked_at, self._clock.now())
        if changes is None:
            self._changes = IncrementalPoll(self._clock, self._jobs, page)
            self.breaker.record_success()
        return page

    async def _fail(self, error: CallFailed) -> None:
        is_half_open = self.breaker.state is not State.CLOSED
        is_bad = self.breaker.record_failure(error)
        if is_half_open or (is_bad and await self._can_read_a_job()):
            self._stop_using_the_list()
        else:
            self._lose_touch()
            self.breaker.pause(error)

    async def _can_read_a_job(self) -> bool:
        """Tell whether the server answers for a single job: another one each time."""
        ids = self._jobs.ids()
        if not ids:
            return False
        try:
            await self._gateway.fetch_job(ids[self.breaker.failures % len(ids)])
        except Exception:  # whatever it is, the list is no worse
            return False
        return True

    async def _rest_until(self, moment: datetime) -> None:
        self._rest = asyncio.get_running_loop().create_future()
        self._timers.set(moment, self._rest)
        await self._rest

    # --- without the list -------------------------------------------------------------------------

    def _lose_touch(self) -> None:
        """Have all waiters poll at their own pace: a change may be missed from now on."""
        self._scanner.release_waiters()
        if self._changes is not None and self.breaker.failure is None:
            self._are_to_be_released = True
            self.plan_again()

    def _forget_the_list(self) -> None:
        self._changes = None
        self._scanner.reset()
        self.breaker.clear_failures()

    def _stop_using_the_list(self) -> None:
        self._lose_touch()
        self._forget_the_list()
        self.breaker.open()
