"""One feed of news for all who wait for jobs of one Airbyte server.

Airbyte changes a job's ``updated_at`` when the status changes, and at no other time that matters. One
request, "which jobs have changed since", therefore tells the news of every job of a server, and costs
the same whether ten jobs are followed or ten thousand. The feed makes it once a *tick* and wakes exactly
those whose job has changed. Who looks at a job that has not changed is answered without a request.

::

    wait_for_change(job, until) ──► follow ──► alarm at until ─────────► False ──► recent_job(job)
                                      │                                                │
    tick: jobs changed since ──► has it changed? ──────────────────────► True ──►──────┤
                                                                                       ▼
    pages of the newest jobs ──► what is known ◄── one job by GET ◄── not known, or ended without rows

**Silence.** Who waits for a job of which the feed hears every change has nothing to look for, and sleeps on
past ``until``. It is woken by news, by the loss of the list (then everybody is, and goes on at its own
pace), or at the latest moment that it has named. Ten thousand waiters so cost next to nothing.

**Sweeps** ask for what has changed since the last one. The cursor is the server's own time, from its
``Date`` header, so that no other clock matters. It is set back by some seconds, as clocks are cut to whole
ones. A tick is as long as the shortest wait between two looks that anybody wants, between a second
(Airbyte's times have no finer grain, and one request a second harms no server) and twenty (three requests a
minute are what three waiters alone would make in the end). A sweep is followed by a rest of the same length
at least, so that a server that is slow or has much to tell is asked less often.

Two kinds of change could be missed so. A change may be committed up to a minute later than its time says:
every :data:`DEEP_EVERY` a sweep goes back by a minute behind the last such one. And rows may move up over
the edge of a page while pages are read: a page begins with the last row of the one before, and a sweep in
which it does not is gone over again by the next.

**First looks.** What sweeps tell is worth something only about a job that was read since they began. So a
job is followed first and read then, and what happens in between is in the next sweep. A first look is a
GET while one of the slots is free. Those who would have to queue for one wait for a *review* instead:
pages of 100 jobs of any status, newest first, as long as a page spares at least :data:`PAGE_PAYS` single
requests. Ten thousand waiters who start together cost a hundred pages and a few GETs.

**The cross-check.** Every :data:`CHECK_EVERY` a review reads all followed jobs once more, without the
filter that sweeps trust in. It has no hurry: a page every :data:`PAGE_EVERY`, and :data:`SINGLES` GETs for
jobs that are too old for its pages, so that its load does not grow with the number of jobs, and how long
it takes does. An end that sweeps should have told long ago shows that the list is not to be trusted:
some databases keep another time zone than the server.

**Without the list.** With one or two jobs, or where the list cannot be used, every look is a GET at the
waiter's own pace, as if there was no feed, but never more than a few at a time. A list that fails is the
transient error of whoever looks meanwhile, and is repeated with growing pauses. The third failure in a row,
or a plain refusal, puts it out of use, and so does a list that ignores the filter; after a minute, which
doubles each time up to an hour, it is tried again. Where a GET of one of the jobs fails as well, or we are
throttled, the others would fare no better, and the list stays in use: a server in trouble is asked by one at
a time, and nobody queues for it longer than his own deadlines allow.

**Load.** One of the slots of a server belongs to the feed, the others to GETs: a self-managed Airbyte serves
its whole public API with five threads. Looks that a verdict rests on go before the others. There are two
tasks however many wait, one for the alarms and one that reads; both end when nobody follows anything.

Source: ``DefaultJobPersistence.kt``, ``JobsHelper.kt``, ``PaginationMapper.kt`` and ``application.yml`` of
airbyte-platform.
"""

from __future__ import annotations

import asyncio
import logging
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from heapq import nsmallest
from typing import TYPE_CHECKING

from airbyte_sync.checks import require_count
from airbyte_sync.errors import AlreadyClosed, CallFailed, InvalidInput, UnexpectedReply
from airbyte_sync.jobs import JobQuery, JobType
from airbyte_sync.policy import SyncPolicy
from airbyte_sync_http.feed.limiter import Slots
from airbyte_sync_http.feed.timers import Alarms, wake
from airbyte_sync_http.protocol.messages import LARGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from airbyte_sync.jobs import Job, JobPage
    from airbyte_sync.ports import AsyncClock, AsyncPollPort

AT_A_TIME = 3
"""Requests at a time to one server, which has five threads for everybody."""

FEW = 2
"""Up to so many jobs are looked at one by one."""

SHORTEST_TICK = timedelta(seconds=1)
LONGEST_TICK = timedelta(seconds=20)
OVERLAP = timedelta(seconds=5)
"""How far a sweep goes back behind the one before."""
DEEP_OVERLAP = timedelta(minutes=1)
"""How far a deep sweep goes back behind the last deep one."""
DEEP_EVERY = timedelta(minutes=2)

CHECK_EVERY = timedelta(minutes=5)
PAGE_EVERY = timedelta(seconds=10)
"""The time between two pages of a cross-check that brings no first looks."""
SINGLES = 50
"""How many jobs that its pages did not show a cross-check reads one by one."""
PAGE_PAYS = 5
"""How many single requests a page must spare."""

MOST_PAGES = 100
"""Pages of a sweep: no server changes 10,000 jobs between two. A list that goes on is put out of use."""

STALE_AFTER = timedelta(minutes=2)
"""What is known is worth nothing when no sweep has succeeded for so long."""

TRUST_AGAIN_AFTER = timedelta(minutes=1)
LONGEST_DISTRUST = timedelta(hours=1)
STRIKES = 3
"""So many failures in a row put the list out of use."""

_LISTED_EVERYWHERE = {JobType.SYNC.value, JobType.RESET.value}
"""Servers up to v2.0.0 list no jobs of other types unless they are asked for."""

_BACKOFF = SyncPolicy()
_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Followed:
    """A job that somebody waits for."""

    since: datetime
    used_at: datetime
    """When somebody last looked, began to wait or was told."""
    job: Job | None = None
    read_at: datetime | None = None
    """When it was last read, later changes that sweeps told aside."""
    is_to_be_read: bool = True
    """Whether the next look has to read it."""
    has_news: bool = False
    is_on_pages: bool = True
    """Whether reviews show it; older ones they do not."""
    waiters: set[asyncio.Future[bool]] = field(default_factory=set)

    @property
    def has_ended(self) -> bool:
        return self.job is not None and self.job.status.is_final

    @property
    def is_kept_for(self) -> timedelta:
        is_over = self.has_ended and not self.has_news
        return SHORTEST_TICK if is_over else STALE_AFTER

    def is_read_since(self, moment: datetime) -> bool:
        return self.read_at is not None and self.read_at >= moment


@dataclass(eq=False, slots=True)
class _Review:
    """A walk through the newest jobs, a page at a time."""

    goal: datetime
    """Jobs that were read before this moment are to be read again."""
    began: datetime
    hopeful: tuple[int, ...]
    """The jobs whose first look waits for its pages."""
    offset: int = 0


@dataclass(eq=False, slots=True)
class _Sweeps:
    """How far the sweeps have come. Moments of the server's clock, and of ours."""

    since: datetime
    """Since when they tell every change (ours)."""
    last: datetime
    """When the last one began (ours)."""
    rested: datetime
    """When the next one may begin at the earliest (ours)."""
    cursor: datetime
    """When the last one was answered (the server's)."""
    told: datetime
    """Up to when no row can have slipped through between two pages (the server's)."""
    last_deep: datetime
    """When the last deep one began (ours)."""
    deep_cursor: datetime
    """When it was answered (the server's)."""

    def next_start(self, now: datetime) -> tuple[datetime, bool]:
        """Return where the next one starts, and whether it is a deep one."""
        if now - self.last_deep >= DEEP_EVERY:
            return self.deep_cursor - DEEP_OVERLAP, True
        return self.told - OVERLAP, False


class JobFeed:
    """
    An :class:`~airbyte_sync.ports.AsyncFeedPort` over the gateway to one server, on one event loop.

    Share it among all who wait for jobs of that server. As an async context manager it is closed in the
    end; the gateway is not. All who wait then are woken, and from then on every call raises
    :class:`~airbyte_sync.errors.AlreadyClosed`.
    """

    def __init__(
        self, gateway: AsyncPollPort, clock: AsyncClock, *, at_a_time: int = AT_A_TIME
    ) -> None:
        """
        Args:
            gateway: Asks the server.
            clock: Tells the time and waits.
            at_a_time: The largest number of requests to be under way at the same moment.

        Raises:
            InvalidInput: ``at_a_time`` leaves none for single jobs.
        """
        require_count("at_a_time", at_a_time)
        if at_a_time < 2:  # noqa: PLR2004 - one for the feed, one for everybody else
            raise InvalidInput(f"at_a_time is {at_a_time}: a feed needs two requests at a time")
        self._gateway = gateway
        self._clock = clock
        self._is_closed = False
        self._slots = Slots(at_a_time - 1)
        self._alarms = Alarms(clock)
        self._followed: dict[int, _Followed] = {}
        self._hopeful: dict[int, list[asyncio.Future[bool]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._rest: asyncio.Future[bool] | None = None
        self._distrust = TRUST_AGAIN_AFTER
        self._use_list_from: datetime | None = None
        self._ticks = [0] * (_in_seconds(LONGEST_TICK) + 1)
        """How many waiters want news within so many seconds."""
        self._told: list[asyncio.Future[bool]] = []
        self._has_lost_touch = False
        self._tidied_at = clock.now()
        self._forget_the_list()

    def _forget_the_list(self) -> None:
        self._sweeps: _Sweeps | None = None
        self._check: _Review | None = None
        self._next_page = self._clock.now()
        self._first_looks: _Review | None = None
        self._retry_at: datetime | None = None
        self._failure: CallFailed | None = None
        self._failures = 0
        self._page_failures = 0
        self._no_pages_until = self._next_page

    # --- the port ---------------------------------------------------------------------------------

    async def fetch_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.PollPort.fetch_job`: always read afresh, before all others."""
        self._require_open()
        followed = self._followed.get(job_id)
        if followed is not None:
            followed.has_news = False  # also if it fails: who waits then keeps its own pace
        if self._slots.are_taken:
            self._raise_failure()  # a server in trouble is not asked by a queue
        async with self._slots.take(is_urgent=True):
            self._require_open()
            asked_at = self._clock.now()
            job = await self._gateway.fetch_job(job_id)
        followed = self._followed.get(job_id)
        if followed is not None:
            job = self._take_note(followed, job, asked_at)
            self._tell_at_once()
            followed.has_news = False
        return job

    async def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`airbyte_sync.ports.PollPort.find_jobs`."""
        self._require_open()
        async with self._slots.take(is_urgent=True):
            self._require_open()
            return await self._gateway.find_jobs(query)

    async def wait_for_change(self, job_id: int, until: datetime, at_the_latest: datetime) -> bool:
        """See :meth:`airbyte_sync.ports.AsyncFeedPort.wait_for_change`."""
        followed = self._follow(job_id)
        if followed.has_news:
            return True
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        followed.waiters.add(waiter)
        self._alarms.set(at_the_latest if self._is_heard(followed) else until, waiter)
        tick = self._want_news_within(until - followed.used_at)
        try:
            return await waiter
        finally:
            self._ticks[tick] -= 1
            followed.waiters.discard(waiter)
            if waiter.cancelled():
                self._leave(job_id, followed)

    async def recent_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.AsyncFeedPort.recent_job`."""
        followed = self._follow(job_id)
        try:
            job = await self._look(job_id, followed)
        except asyncio.CancelledError:
            self._leave(job_id, followed)
            raise
        finally:
            followed.has_news = False  # also if it failed: who waits then keeps its own pace
        return job

    async def close(self) -> None:
        """End what runs in the background, and wake all who wait. Closing again does nothing."""
        self._is_closed = True
        self._followed.clear()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        await self._alarms.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- who follows what -------------------------------------------------------------------------

    def _require_open(self) -> None:
        if self._is_closed:
            raise AlreadyClosed(
                "this job feed was closed. Keep it open until the last sync that uses it has ended."
            )

    def _follow(self, job_id: int) -> _Followed:
        self._require_open()
        now = self._clock.now()
        followed = self._followed.get(job_id)
        if followed is None:
            followed = self._followed[job_id] = _Followed(since=now, used_at=now)
            if len(self._followed) == FEW + 1:
                self._nudge()
        followed.used_at = now
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._keep_reading())
        return followed

    def _leave(self, job_id: int, followed: _Followed) -> None:
        """Forget a job that nobody else waits for."""
        if not followed.waiters and self._followed.get(job_id) is followed:
            del self._followed[job_id]
            if len(self._followed) in {0, FEW}:
                self._nudge()

    def _forget_whoever_left(self) -> None:
        """Forget jobs that nobody waits for any more, ended ones as soon as all have heard of it."""
        now = self._clock.now()
        if now - self._tidied_at < SHORTEST_TICK:
            return
        self._tidied_at = now
        left = [
            (job_id, followed)
            for job_id, followed in self._followed.items()
            if not followed.waiters and now - followed.used_at > followed.is_kept_for
        ]
        for job_id, followed in left:
            self._leave(job_id, followed)

    # --- looks ------------------------------------------------------------------------------------

    async def _look(self, job_id: int, followed: _Followed) -> Job:
        """Answer from what is known, or read the job."""
        job = self._known(followed)
        if job is None:
            self._raise_failure()
            if self._may_be_on_a_page(followed):
                job = await self._hope_for_a_page(job_id, followed)
        if job is None:
            self._raise_failure()
            async with self._slots.take():  # others may have read it while we queued
                self._require_open()
                job = self._known(followed) or await self._read(job_id, followed)
        return job

    async def _read(self, job_id: int, followed: _Followed) -> Job:
        asked_at = self._clock.now()
        job = self._take_note(followed, await self._gateway.fetch_job(job_id), asked_at)
        self._tell_at_once()
        return job

    def _known(self, followed: _Followed) -> Job | None:
        """Return what is known of a job, if it is as good as reading it."""
        job = followed.job
        if job is None or followed.is_to_be_read:
            return None
        is_fresh = followed.is_read_since(self._clock.now() - SHORTEST_TICK)
        return job if is_fresh or job.status.is_final or self._is_heard(followed) else None

    def _is_heard(self, followed: _Followed) -> bool:
        """Whether no change of a job can be missed: no news is good news then."""
        job = followed.job
        return (
            job is not None
            and not followed.is_to_be_read
            and not job.status.is_final
            and job.job_type in _LISTED_EVERYWHERE
            and self._failure is None
            and self._is_covered(followed)
        )

    def _is_covered(self, followed: _Followed) -> bool:
        """Whether sweeps have told every change of a job since it was read."""
        sweeps = self._sweeps
        return (
            sweeps is not None
            and followed.is_read_since(sweeps.since)
            and self._clock.now() - sweeps.last <= STALE_AFTER
        )

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure = copy(self._failure)
            if failure.retry_after is not None and self._retry_at is not None:
                failure.retry_after = max(self._retry_at - self._clock.now(), timedelta(0))
            raise failure from self._failure

    def _may_be_on_a_page(self, followed: _Followed) -> bool:
        """Whether to wait for pages rather than ask: they are being read, or it means to queue for a slot."""
        return (
            len(self._followed) > FEW
            and self._use_list_from is None
            and self._no_pages_until <= self._clock.now()
            and followed.is_on_pages
            and not followed.has_ended
            and (self._slots.are_taken or self._pages_follow)
        )

    @property
    def _pages_follow(self) -> bool:
        """Whether pages are read one after the other."""
        return self._check is not None and self._next_page <= self._clock.now()

    async def _hope_for_a_page(self, job_id: int, followed: _Followed) -> Job | None:
        hope: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._hopeful.setdefault(job_id, []).append(hope)
        self._nudge()
        await hope
        return self._known(followed)

    def _take_note(self, followed: _Followed, job: Job, asked_at: datetime) -> Job:
        """Keep what a job was read as; whoever waits for it is to be told if that is news."""
        before = followed.job
        if before is not None and followed.has_ended and not job.status.is_final:
            job = before  # an ended job stays ended, whatever a server behind the others says
        is_overdue = self._is_covered(followed) and self._should_be_known(job)
        followed.job, followed.read_at, followed.is_to_be_read = job, asked_at, False
        if before is None or before.status != job.status:
            if is_overdue and before is not None:
                self._do_without_the_list()
            self._has_changed(followed)
        return job

    def _should_be_known(self, job: Job) -> bool:
        """Whether sweeps should have told of the end of a job long ago."""
        sweeps = self._sweeps
        return sweeps is not None and _ended_before(job, sweeps.deep_cursor - DEEP_OVERLAP)

    def _has_changed(self, followed: _Followed) -> None:
        followed.has_news, followed.used_at = True, self._clock.now()
        self._told += followed.waiters
        followed.waiters.clear()

    def _tell_at_once(self) -> None:
        told, self._told = self._told, []
        for waiter in told:
            if not waiter.done():
                waiter.set_result(True)

    async def _tell_in_turns(self) -> None:
        told, self._told = self._told, []
        await wake(told, has_news=True)

    # --- what runs in the background --------------------------------------------------------------

    async def _keep_reading(self) -> None:
        try:
            while self._followed:
                request, due = self._plan()
                if self._has_lost_touch:
                    await self._let_all_look()
                elif due > self._clock.now():
                    await self._rest_until(due)
                else:
                    await self._make(request)
                self._forget_whoever_left()
        finally:
            self._forget_the_list()
            self._disappoint()
            self._alarms.silence()

    def _plan(self) -> tuple[Callable[[], Awaitable[None]], datetime]:
        """Return the next request, and when it is due."""
        now = self._clock.now()
        if len(self._followed) <= FEW:
            self._lose_touch()
            self._forget_the_list()
            return self._read_on, now + LONGEST_TICK
        if self._use_list_from is not None:
            return self._read_on, self._use_list_from
        if self._sweeps is None:
            return self._read_on, self._retry_at or now
        start, is_deep = self._sweeps.next_start(now)
        sweep = partial(self._sweep, self._sweeps, start, is_deep=is_deep)
        due = self._retry_at or max(self._sweeps.last + self._tick(), self._sweeps.rested)
        if due <= now or self._failure is not None:
            return sweep, due
        read: Callable[[], Awaitable[None]] = self._read_on
        if self._hopeful and now < self._next_page:
            read = partial(self._read_first_looks, self._sweeps)
        page = partial(self._try_a_page, read)
        page_due = now if self._hopeful else self._next_page
        return (sweep, due) if due <= page_due else (page, page_due)

    async def _make(self, request: Callable[[], Awaitable[None]]) -> None:
        try:
            await request()
        except CallFailed as error:
            self._failures += 1
            is_about_the_list = error.retry_safe is None or isinstance(error, UnexpectedReply)
            strikes_out = is_about_the_list and self._failures >= STRIKES
            is_out = error.retry_safe is False or strikes_out
            if self._use_list_from is not None or (is_out and await self._get_fares_better()):
                self._do_without_the_list()
            else:
                pause = _BACKOFF.backoff(error, failures=self._failures - 1, seed="feed")
                self._lose_touch()
                self._failure, self._retry_at = error, self._clock.now() + pause
        except AlreadyClosed:  # the gateway was closed first: all who poll are told so
            self._do_without_the_list()
        except Exception:  # a transport may have bugs: who looks alone meets them as what they are
            _log.exception("The list of jobs cannot be read")
            self._do_without_the_list()

    async def _get_fares_better(self) -> bool:
        """Whether the server answers for a single job: another one each time."""
        asked = list(self._followed)
        if not asked:
            return False
        try:
            await self._gateway.fetch_job(asked[self._failures % len(asked)])
        except Exception:  # whatever it is, the list is no worse
            return False
        return True

    async def _try_a_page(self, read: Callable[[], Awaitable[None]]) -> None:
        """Read a page; sweeps go on without it if it fails."""
        try:
            await read()
        except CallFailed as error:
            self._page_failures += 1
            # Nobody waits for them as for sweeps: the first pause is longer.
            pause = _BACKOFF.backoff(error, failures=self._page_failures + 2, seed="pages")
            self._check = self._first_looks = None
            self._next_page = self._no_pages_until = self._clock.now() + pause
            self._disappoint()
        else:
            self._page_failures = 0

    async def _rest_until(self, moment: datetime) -> None:
        self._rest = asyncio.get_running_loop().create_future()
        self._alarms.set(moment, self._rest)
        await self._rest

    def _nudge(self) -> None:
        """Let the reader plan again."""
        if self._rest is not None and not self._rest.done():
            self._rest.set_result(True)

    def _want_news_within(self, interval: timedelta) -> int:
        """Sweep so often as long as this is wanted; return what is wanted, as an index of the ticks."""
        tick = _in_seconds(min(max(interval, SHORTEST_TICK), LONGEST_TICK))
        self._ticks[tick] += 1
        if self._ticks[tick] == 1:
            self._nudge()
        return tick

    def _tick(self) -> timedelta:
        """Return the shortest time within which anybody wants news."""
        wanted = (seconds for seconds, waiters in enumerate(self._ticks) if waiters)
        return timedelta(seconds=next(wanted, _in_seconds(LONGEST_TICK)))

    def _lose_touch(self) -> None:
        """Have everybody look at their own pace: a change may be missed from now on."""
        self._disappoint()
        if self._sweeps is not None and self._failure is None:
            self._has_lost_touch = True
            self._nudge()

    async def _let_all_look(self) -> None:
        self._has_lost_touch = False
        waiters = [waiter for followed in self._followed.values() for waiter in followed.waiters]
        await wake(waiters, has_news=False)

    def _do_without_the_list(self) -> None:
        self._lose_touch()
        self._forget_the_list()
        self._use_list_from = self._clock.now() + self._distrust
        self._distrust = min(2 * self._distrust, LONGEST_DISTRUST)

    # --- sweeps -----------------------------------------------------------------------------------

    async def _sweep(self, sweeps: _Sweeps, start: datetime, *, is_deep: bool) -> None:
        """Ask what has changed, page by page; stop also at a page that brings nothing new."""
        began, cursor = self._clock.now(), None
        query = JobQuery(updated_since=start, limit=LARGEST_PAGE)
        seen: set[int] = set()
        has_gap = False
        for _ in range(MOST_PAGES):
            page = await self._gateway.find_jobs(query)
            if any(_ended_before(job, start) for job in page.jobs):
                self._do_without_the_list()
            if self._sweeps is not sweeps:
                return  # the list has fallen into distrust
            cursor = cursor or self._asked_of_the_server_at(page, began)
            for job in page.jobs:
                self._hear(job, began)
            await self._tell_in_turns()
            known, ids = len(seen), [job.job_id for job in page.jobs]
            has_gap = has_gap or (bool(seen) and seen.isdisjoint(ids))
            seen.update(ids)
            if len(ids) < LARGEST_PAGE or len(seen) == known:
                break
            query = replace(query, offset=query.offset + LARGEST_PAGE - 1)  # one row comes again
        else:
            _log.warning(
                "The list of changed jobs did not come to an end after %s pages and %s jobs: for some "
                "time each job is polled alone",
                MOST_PAGES,
                len(seen),
            )
            self._do_without_the_list()
            return
        now = self._clock.now()
        sweeps.told = sweeps.cursor if has_gap else cursor
        sweeps.last, sweeps.rested, sweeps.cursor = began, now + (now - began), cursor
        if is_deep:
            sweeps.last_deep, sweeps.deep_cursor = began, cursor
        self._failure, self._retry_at, self._failures = None, None, 0

    def _hear(self, job: Job, asked_at: datetime) -> None:
        """Take in what a sweep says of a job."""
        followed = self._followed.get(job.job_id)
        if followed is None:
            return
        if followed.job is not None and (followed.has_ended or followed.job.status == job.status):
            return
        followed.job = job
        if followed.read_at is None:
            followed.read_at, followed.is_to_be_read = asked_at, False
        if job.status.is_final:
            followed.is_to_be_read = _lacks_amounts(job)
        self._has_changed(followed)

    # --- reviews ----------------------------------------------------------------------------------

    async def _read_on(self) -> None:
        """Read the next page of a cross-check; the very first one also tells the server's time."""
        now = self._clock.now()
        if self._check is None:
            self._check = _Review(goal=now, began=now, hopeful=tuple(self._hopeful))
        check = self._check
        pays = self._sweeps is None or self._hopeful or len(self._followed) >= PAGE_PAYS
        first_looks = await self._read_a_page(check) if pays else None
        if self._check is not check:
            return  # the list has fallen into distrust
        self._next_page = now if first_looks else now + PAGE_EVERY
        if first_looks is None:
            self._check, self._next_page = None, max(check.began + CHECK_EVERY, now + PAGE_EVERY)
            if self._sweeps is not None and now - self._sweeps.since >= CHECK_EVERY:
                self._distrust = TRUST_AGAIN_AFTER  # it has proven itself
            await self._end(check, SINGLES)

    async def _read_first_looks(self, sweeps: _Sweeps) -> None:
        """Read the next page for those who queue for a first look."""
        review = self._first_looks or _Review(
            goal=sweeps.since, began=self._clock.now(), hopeful=tuple(self._hopeful)
        )
        is_last = await self._read_a_page(review) is None
        if self._sweeps is not sweeps:
            return
        if is_last:
            await self._end(review, len(self._followed))
        self._first_looks = None if is_last or not self._hopeful else review

    async def _read_a_page(self, review: _Review) -> int | None:
        """Return how many first looks a page has spared; ``None`` if it is the last one that pays."""
        asked_at, sweeps = self._clock.now(), self._sweeps
        page = await self._gateway.find_jobs(JobQuery(limit=LARGEST_PAGE, offset=review.offset))
        if self._sweeps is not sweeps:
            return None  # the list has fallen into distrust
        if sweeps is None:
            self._begin_to_sweep(self._asked_of_the_server_at(page, asked_at), asked_at)
        spared = first_looks = 0
        hopes: list[asyncio.Future[bool]] = []
        for job in page.jobs:
            followed = self._followed.get(job.job_id)
            if followed is not None and not followed.has_ended:
                first_looks += followed.job is None
                spared += not followed.is_read_since(review.goal)
                self._take_note(followed, job, asked_at)
                followed.is_to_be_read = job.status.is_final and _lacks_amounts(job)
            hopes += self._hopeful.pop(job.job_id, ())
        self._told += hopes
        await self._tell_in_turns()
        review.offset += LARGEST_PAGE
        is_last = len(page.jobs) < LARGEST_PAGE or spared < PAGE_PAYS
        return None if is_last else first_looks

    def _begin_to_sweep(self, server_time: datetime, began: datetime) -> None:
        self._sweeps = _Sweeps(
            since=began,
            last=began,
            rested=began,
            cursor=server_time,
            told=server_time,
            last_deep=began,
            deep_cursor=server_time,
        )
        self._use_list_from = self._failure = self._retry_at = None
        self._failures = 0

    async def _end(self, review: _Review, singles: int) -> None:
        """Leave to single looks what the pages did not show, so many of them at most."""
        missing = [
            followed
            for followed in self._followed.values()
            if followed.since <= review.began
            and not followed.has_ended
            and not followed.is_read_since(review.goal)
        ]
        for followed in missing:
            followed.is_on_pages = False
        for followed in nsmallest(singles, missing, key=lambda job: job.read_at or job.since):
            followed.is_to_be_read = True
        hopes = [hope for job_id in review.hopeful for hope in self._hopeful.pop(job_id, ())]
        await wake(hopes, has_news=False)

    def _asked_of_the_server_at(self, page: JobPage, asked_at: datetime) -> datetime:
        """Return when a page was asked for, by the server's clock: it knows nothing later."""
        return _server_time(page) - (self._clock.now() - asked_at)

    def _disappoint(self) -> None:
        """Let those who hope for a page do without."""
        for hopes in self._hopeful.values():
            for hope in hopes:
                if not hope.done():
                    hope.set_result(False)
        self._hopeful.clear()


def _in_seconds(duration: timedelta) -> int:
    return int(duration.total_seconds() + 0.5)


def _server_time(page: JobPage) -> datetime:
    if page.server_time is None:
        raise UnexpectedReply("the job list came without the server's time: it has no Date header")
    return page.server_time


def _ended_before(job: Job, moment: datetime) -> bool:
    """Whether a job ended before a moment; its time is cut to whole seconds."""
    return job.ended_at is not None and job.ended_at < moment - timedelta(seconds=1)


def _lacks_amounts(job: Job) -> bool:
    """Whether a list left out the final rows and bytes, as old servers do."""
    return job.rows is None or job.bytes is None
