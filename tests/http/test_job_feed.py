"""One feed serves all who wait for jobs of a server, and nobody hears less than alone."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest

from airbyte_sync import (
    AlreadyClosed,
    AsyncFeedPort,
    AsyncPortInterpreter,
    Forbidden,
    InvalidInput,
    Job,
    JobPage,
    JobQuery,
    JobStatus,
    JobType,
    NotFound,
    PollSchedule,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    ServerUnreachable,
    SyncPolicy,
    SyncRequest,
    SyncTimedOut,
    Throttled,
    UnexpectedReply,
    arun,
    sync,
    watch,
)
from airbyte_sync.events import PollFailed
from airbyte_sync_http import ServerSettings, open_async_gateway
from airbyte_sync_http.feed.changes import MAX_PAGES
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_local import Fault as ServerFault
from airbyte_sync_local import LocalAirbyte, Quirks, answers, job_scripts
from airbyte_sync_testkit import (
    AsyncInMemoryAirbyte,
    AsyncVirtualClock,
    CallFault,
    InMemoryAirbyte,
    JobLife,
    VirtualClock,
    run_virtually,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LATENCY = timedelta(milliseconds=20)
POLICY = SyncPolicy(timeout=None)
STORM = 200_000
"""More events than any scene has."""
NEVER_ENDS = JobLife.of((0, "running"))


class Remote(AsyncInMemoryAirbyte):
    """An Airbyte in memory that takes its time, and counts who is there at the same time."""

    def __init__(self, airbyte, clock):
        super().__init__(airbyte)
        self.clock, self.inside, self.busiest = clock, 0, 0
        self.see = lambda query: query
        self.show = lambda query, page: page
        self.fetched = lambda job: job
        self.trouble = {}
        """By method: what comes in between, asynchronous, before the call."""

    async def fetch_job(self, job_id):
        async with self:
            if "fetch_job" in self.trouble:
                await self.trouble["fetch_job"](job_id)
            return self.fetched(await super().fetch_job(job_id))

    async def find_jobs(self, query):
        async with self:
            if "find_jobs" in self.trouble:
                await self.trouble["find_jobs"](query)
            return self.show(query, await super().find_jobs(self.see(query)))

    def fail(self, error, *methods, after=timedelta(0)):
        """Let every call of methods fail from now on."""

        async def failing(_):
            self.airbyte.calls.append(("failed",))
            await self.clock.sleep(after)
            raise error

        self.trouble |= dict.fromkeys(methods, failing)

    async def __aenter__(self):
        self.inside += 1
        self.busiest = max(self.busiest, self.inside)
        try:
            await self.clock.sleep(LATENCY)
        except BaseException:
            self.inside -= 1
            raise

    async def __aexit__(self, *_):
        self.inside -= 1


class Skewed:
    """A server's clock that goes wrong by a fixed time."""

    def __init__(self, clock, by):
        self.clock, self.by = clock, by

    def now(self):
        return self.clock.now() + self.by

    def sleep(self, duration):
        raise NotImplementedError


class World:
    """A server, a feed, and waiters that come and go."""

    def __init__(self, skew=timedelta(0)):
        self.time = VirtualClock()
        self.clock = AsyncVirtualClock(self.time)
        self.airbyte = InMemoryAirbyte(clock=Skewed(self.time, skew))
        self.remote = Remote(self.airbyte, self.clock)
        self.events = []
        self.tasks = []
        self.feed = None

    def play(self, scene):
        """Run a scene with a feed that is closed in the end."""

        async def main():
            async with JobFeed(self.remote, self.clock) as self.feed:
                result = await scene()
                await abandon(self.tasks)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert set() == others, "closing ends all that the feed has begun"
            return result

        return run_virtually(main(), self.time)

    def start(self, *stages, job_type=JobType.SYNC):
        """Start a job of a connection of its own, and return its id."""
        connection_id = f"{len(self.airbyte.jobs()):08d}-0000-4000-8000-000000000000"
        life = JobLife.of(*stages) if stages else NEVER_ENDS
        return self.airbyte.start_external_job(connection_id, life, job_type).job_id

    def watch(self, job_id, policy=POLICY):
        """Follow a job to its end, as a flow does."""
        return self.begin(arun(watch(job_id, policy), self.interpreter()))

    def begin(self, work):
        """Run something until it ends, or the scene does."""
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    def interpreter(self):
        return AsyncPortInterpreter(self.remote, self.clock, self.remember, feed=self.feed)

    def remember(self, event):
        """Keep what a flow reports; a loop that does not let go ends here."""
        self.events.append(event)
        assert len(self.events) < STORM

    def wait(self, job_id, duration, at_most=timedelta(0)):
        """Wait for a change of a job; longer than that only where none can be missed."""
        until = self.time.now() + duration
        latest = self.time.now() + max(duration, at_most)
        return self.begin(self.feed.wait_for_change(job_id, until, latest))

    async def follow(self, *job_ids):
        """Look at jobs, so that the feed knows them, and keep them followed."""
        return await asyncio.gather(*map(self.feed.recent_job, job_ids))

    async def keep_busy(self, number=3):
        """Have so many others wait that the list is worth its while."""
        others = [self.start() for _ in range(number)]
        waiting = [self.watch(job_id) for job_id in others]
        await self.clock.sleep(2 * SECOND)
        return waiting

    @property
    def requests(self):
        return Counter(method for method, *_ in self.airbyte.calls)

    def forget_requests(self):
        self.airbyte.calls.clear()


@pytest.fixture
def world():
    return World()


async def abandon(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def bare(_query, page):
    """Show jobs without rows, as the lists of old servers do."""
    return replace(page, jobs=tuple(replace(job, rows=None) for job in page.jobs))


def blind(query, page):
    """Show nothing to whoever asks what has changed."""
    return page if query.updated_since is None else replace(page, jobs=())


def late(world, job):
    """How long after its end somebody heard of it."""
    return world.time.now() - job.ended_at


# --- what it costs ---


def test_it_is_the_port_that_interpreters_ask_for(world):
    """It stands in for a gateway's looks, and tells the news besides."""

    async def scene():
        assert isinstance(world.feed, AsyncFeedPort)

    world.play(scene)


def test_a_thousand_waiters_cost_what_ten_cost():
    """Requests grow with ticks and with pages of changes, not with looks."""

    def lists_and_gets(number):
        world = World()

        async def scene():
            ids = [world.start((0, "running"), (400, "succeeded")) for _ in range(number)]
            jobs = await asyncio.gather(*map(world.watch, ids))
            assert {"succeeded"} == {job.status.word for job in jobs}

        world.play(scene)
        return world.requests["find_jobs"], world.requests["fetch_job"]

    few_lists, few_gets = lists_and_gets(10)
    many_lists, many_gets = lists_and_gets(1000)
    pages_of_all = 1000 // 100
    # first looks, the first sweep, two deep ones, the cross-check and the end have ten pages each
    assert many_lists - few_lists < 8 * pages_of_all
    assert few_lists < 70
    assert few_gets <= 8
    assert many_gets <= 2


def test_quiet_jobs_cost_a_request_a_tick(world):
    """An hour of silence is some requests a minute, however many wait."""

    async def scene():
        waiting = [world.watch(world.start()) for _ in range(200)]
        await world.clock.sleep(HOUR)
        world.forget_requests()
        await world.clock.sleep(HOUR)
        assert 0 == world.requests["fetch_job"]
        assert 180 <= world.requests["find_jobs"] <= 180 + 12 * 3 + 2
        await abandon(waiting)

    world.play(scene)


def test_who_can_miss_nothing_does_not_look(world):
    """A minute of silence is one look, whatever the poll schedule says."""

    async def scene():
        quick = SyncPolicy(timeout=None, poll=PollSchedule.fixed(3 * SECOND))
        waiting = [world.watch(world.start(), quick) for _ in range(100)]
        await world.clock.sleep(MINUTE)
        world.events.clear()
        await world.clock.sleep(10 * MINUTE)
        assert 10 * 100 == len(world.events)
        await abandon(waiting)

    world.play(scene)


def test_a_cross_check_is_in_no_hurry(world):
    """Its load does not grow with the number of jobs."""

    async def scene():
        waiting = [world.watch(world.start()) for _ in range(1000)]
        await world.clock.sleep(4 * MINUTE)
        world.forget_requests()
        for _ in range(10):
            await world.clock.sleep(MINUTE)
            assert world.requests["find_jobs"] <= 3 + 6 + 1 + 1
            assert 0 == world.requests["fetch_job"]
            world.forget_requests()
        await abandon(waiting)

    world.play(scene)


def test_old_jobs_are_cross_checked_a_few_at_a_time(world):
    """Those that were read longest ago come first."""

    async def scene():
        waiting = [world.watch(world.start()) for _ in range(150)]
        await world.clock.sleep(MINUTE)
        for _ in range(300):
            world.start((0, "running"), (1, "succeeded"))
        world.forget_requests()
        checked = set()
        for _ in range(3):
            await world.clock.sleep(5 * MINUTE)
            read = {argument for method, argument in world.airbyte.calls if method == "fetch_job"}
            assert 50 == len(read)
            checked |= read
            world.forget_requests()
        assert 150 == len(checked)
        await abandon(waiting)

    world.play(scene)


class Crowd:
    """Ten thousand jobs, listed fast."""

    def __init__(self, clock, number):
        self.clock, self.calls, self.inside, self.busiest = clock, Counter(), 0, 0
        self.jobs = {
            job_id: Job(
                job_id=job_id,
                status=JobStatus.RUNNING,
                job_type="sync",
                connection_id=str(job_id),
                created_at=clock.now(),
                rows=0,
                bytes=0,
            )
            for job_id in range(1, number + 1)
        }
        self.newest_first = list(self.jobs.values())[::-1]

    async def fetch_job(self, job_id):
        self.calls["fetch_job"] += 1
        await self.clock.sleep(LATENCY)
        return self.jobs[job_id]

    async def find_jobs(self, query):
        self.calls["find_jobs"] += 1
        await self.clock.sleep(LATENCY)
        jobs = () if query.updated_since else self.newest_first
        page = tuple(jobs[query.offset : query.offset + query.limit])
        return JobPage(jobs=page, server_time=self.clock.now())


def test_ten_thousand_first_looks_are_a_hundred_pages():
    """Who would queue for a GET waits for pages of the newest jobs instead."""
    time = VirtualClock()
    clock = AsyncVirtualClock(time)
    crowd = Crowd(clock, 10_000)

    async def scene():
        async with JobFeed(crowd, clock) as feed:
            looks = await asyncio.gather(*map(feed.recent_job, crowd.jobs))
            assert list(crowd.jobs.values()) == list(looks)

    started = time.now()
    run_virtually(scene(), time)
    assert 2 == crowd.calls["fetch_job"]
    assert 100 <= crowd.calls["find_jobs"] <= 105
    assert time.now() - started < 5 * SECOND


def test_a_crowd_that_comes_later_is_read_from_pages_too(world):
    """Two of them by GET, as there are two slots; cross-checks go on in their own time."""

    async def scene():
        await world.keep_busy(200)
        world.forget_requests()
        newcomers = [world.start() for _ in range(150)]
        jobs = await world.follow(*newcomers)
        assert newcomers == [job.job_id for job in jobs]
        assert 2 == world.requests["fetch_job"]
        assert 2 <= world.requests["find_jobs"] <= 3

    world.play(scene)


def test_jobs_too_old_for_the_pages_are_read_one_by_one(world):
    """A page that spares too little is the last one."""

    async def scene():
        old = [world.start() for _ in range(20)]
        for _ in range(300):
            world.start((0, "running"), (1, "succeeded"))
        jobs = await world.follow(*old)
        assert old == [job.job_id for job in jobs]
        assert {"find_jobs": 1, "fetch_job": 20} == world.requests

    world.play(scene)


def test_one_or_two_are_looked_at_one_by_one(world):
    """As if there was no feed; a third one changes that, and its leaving changes it back."""

    async def scene():
        two = [world.watch(world.start()) for _ in range(2)]
        await world.clock.sleep(MINUTE)
        assert 0 == world.requests["find_jobs"] < world.requests["fetch_job"]
        third = world.watch(world.start())
        await world.clock.sleep(MINUTE)
        world.forget_requests()
        await world.clock.sleep(MINUTE)
        assert 0 == world.requests["fetch_job"] < world.requests["find_jobs"]
        await abandon([third])
        world.forget_requests()
        await world.clock.sleep(5 * MINUTE)
        assert 0 == world.requests["find_jobs"] < world.requests["fetch_job"]
        await abandon(two)

    world.play(scene)


def test_never_more_than_three_requests_at_a_time(world):
    """GETs of waiters and of everybody else share the slots with the feed."""

    async def scene():
        ids = [world.start(job_type=JobType.REFRESH) for _ in range(30)]
        waiting = [world.watch(job_id) for job_id in ids]
        others = [world.feed.fetch_job(job_id) for job_id in ids]
        lists = [world.feed.find_jobs(JobQuery(connection_id="c")) for _ in range(9)]
        await asyncio.gather(*others, *lists)
        await world.clock.sleep(MINUTE)
        assert 3 == world.remote.busiest
        await abandon(waiting)

    world.play(scene)


def test_a_feed_needs_room_for_itself():
    """One request at a time would leave none for single jobs."""
    with pytest.raises(InvalidInput, match="max_concurrency"):
        JobFeed(None, None, max_concurrency=1)


# --- who is woken ---


def test_exactly_those_wake_whose_job_has_changed(world):
    """The others sleep on until their time has come."""

    async def scene():
        ids = [world.start((0, "running"), (61 + n, "succeeded")) for n in range(5)]
        await world.follow(*ids)
        waiting = [world.wait(job_id, 62.5 * SECOND) for job_id in ids]
        twin = world.wait(ids[0], 62.5 * SECOND)
        asked = world.wait(ids[4], 1 * SECOND)  # wants news within a second
        await asked
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert {waiting[0]} == done
        assert waiting[0].result() is True
        assert await twin is True
        assert [False] * 3 == await asyncio.gather(*waiting[2:])

    world.play(scene)


def test_news_come_within_a_tick(world):
    """Whoever wants news in three seconds has them, whatever the others want."""

    async def scene():
        await world.keep_busy()
        quick = SyncPolicy(timeout=None, poll=PollSchedule.fixed(3 * SECOND))
        job_id = world.start((0, "pending"), (7, "running"), (47, "succeeded"))
        job = await world.watch(job_id, quick)
        assert late(world, job) <= 3.5 * SECOND
        with_a_long_wait = world.start((0, "running"), (1000, "succeeded"))
        job = await world.watch(with_a_long_wait)
        assert late(world, job) <= 21 * SECOND

    world.play(scene)


def test_hundreds_of_changes_in_one_tick_are_all_heard(world):
    """Pages go by offset until one is short."""

    async def scene():
        ids = [world.start((0, "running"), (100, "failed")) for _ in range(250)]
        await world.follow(*ids)
        waiting = [world.wait(job_id, HOUR) for job_id in ids]
        await world.clock.sleep(98 * SECOND)
        world.forget_requests()
        await world.clock.sleep(30 * SECOND)
        assert all(task.done() and task.result() for task in waiting)
        assert 3 <= world.requests["find_jobs"] <= 6

    world.play(scene)


def test_a_change_that_is_committed_late_is_heard(world):
    """By a sweep that goes back further than the others: a change may bear a time of a minute ago."""

    def late_commits(query, page):
        if query.updated_since is None:
            return page
        visible = [job for job in page.jobs if not committed or world.time.now() >= committed[0]]
        return replace(page, jobs=tuple(visible))

    world.remote.show, committed = late_commits, []

    async def scene():
        await world.keep_busy()
        job_id = world.start((0, "running"), (100, "succeeded"))
        committed.append(world.time.now() + 150 * SECOND)
        job = await world.watch(job_id)
        assert 50 * SECOND <= late(world, job) <= 50 * SECOND + 2.5 * MINUTE
        assert 0 == world.requests["fetch_job"] - 3

    world.play(scene)


def test_a_row_that_slips_from_one_page_to_another_is_not_lost(world):
    """A page begins with the last row of the one before; where it does not, the next sweep tells."""
    slips = []

    def slip(query):
        slipped = query.updated_since is not None and query.offset and slips
        return replace(query, offset=query.offset + slips.pop()) if slipped else query

    world.remote.see = slip

    async def scene():
        ids = [world.start((0, "running"), (100, "failed")) for _ in range(250)]
        await world.follow(*ids)
        waiting = [world.wait(job_id, HOUR) for job_id in ids]
        await world.clock.sleep(99 * SECOND)
        slips.append(5)
        while slips:
            await world.clock.sleep(SECOND)
        await world.clock.sleep(SECOND)
        assert 4 == sum(not task.done() for task in waiting)
        await world.clock.sleep(21 * SECOND)
        assert all(task.done() and task.result() for task in waiting)

    world.play(scene)


def test_a_page_that_repeats_is_the_last(world):
    """A proxy that drops the offset does not keep the feed busy for ever."""
    world.remote.see = lambda query: replace(query, offset=0)

    async def scene():
        ids = [world.start((0, "running"), (100, "failed")) for _ in range(100)]
        await world.follow(*ids)
        waiting = [world.wait(job_id, HOUR) for job_id in ids]
        await world.clock.sleep(130 * SECOND)
        assert all(task.done() and task.result() for task in waiting)

    world.play(scene)


def test_pages_without_an_end_are_given_up(world, caplog):
    """A list that always has another page of other jobs is put out of use; each job is looked at alone."""
    numbers = count(10**6, -1)

    def endless(query, page):
        if query.updated_since is None:
            return page
        pattern = world.airbyte.jobs()[0]
        return replace(page, jobs=tuple(replace(pattern, job_id=next(numbers)) for _ in range(100)))

    world.remote.show = endless

    async def scene():
        await world.keep_busy(3)
        job_id = world.start((0, "running"), (200, "succeeded"))
        job = await world.watch(job_id)
        assert late(world, job) < MINUTE
        assert MAX_PAGES < world.requests["find_jobs"] <= 3 * (MAX_PAGES + 1)

    world.play(scene)
    assert "did not come to an end after 100 pages" in caplog.text


def test_a_change_before_the_wait_is_not_lost(world):
    """What happens between a look and the wait is told at once."""

    async def scene():
        await world.keep_busy()
        job_id = world.start((0, "running"), (10, "succeeded"))
        assert "running" == (await world.feed.recent_job(job_id)).status.word
        await world.clock.sleep(40 * SECOND)
        heard_at = world.time.now()
        assert await world.wait(job_id, HOUR) is True
        assert heard_at == world.time.now()
        assert "succeeded" == (await world.feed.recent_job(job_id)).status.word
        assert await world.wait(job_id, SECOND) is False

    world.play(scene)


def test_a_resumed_wait_hears_news_before_its_first_look(world):
    """A flow that was put away waits first and looks later."""

    async def scene():
        await world.keep_busy()
        job_id = world.start((0, "running"), (30, "succeeded"))
        world.forget_requests()
        for status in ("running", "succeeded"):
            assert await world.wait(job_id, HOUR) is True
            assert status == (await world.feed.recent_job(job_id)).status.word
        assert 0 == world.requests["fetch_job"]

    world.play(scene)


def test_news_cut_a_silence_short(world):
    """Who waits past the time of a look is woken by news, and else at the latest moment."""

    async def scene():
        await world.keep_busy()
        job_id, other = world.start((0, "running"), (40, "succeeded")), world.start()
        await world.follow(job_id, other)
        began = world.time.now()
        waiting = [world.wait(each, 3 * SECOND, at_most=MINUTE) for each in (job_id, other)]
        assert await waiting[0] is True
        assert 38 * SECOND <= world.time.now() - began <= 44 * SECOND
        assert await waiting[1] is False
        assert MINUTE <= world.time.now() - began <= MINUTE + SECOND

    world.play(scene)


@pytest.mark.parametrize("error", [ServerTrouble("500", status=500), Forbidden("no", status=403)])
def test_the_loss_of_the_list_ends_all_silence(world, error):
    """Everybody goes on at their own pace."""

    async def scene():
        await world.keep_busy()
        job_id = world.start()
        await world.follow(job_id)
        waiting = world.wait(job_id, 3 * SECOND, at_most=HOUR)
        await world.clock.sleep(5 * SECOND)
        assert not waiting.done()
        world.airbyte.fail("find_jobs", CallFault(error=error))
        await world.clock.sleep(25 * SECOND)
        assert waiting.done()
        assert waiting.result() is False

    world.play(scene)


def test_silence_ends_when_only_few_are_left(world):
    """Each of them asks for its own job then."""

    async def scene():
        ids = [world.start() for _ in range(3)]
        await world.follow(*ids)
        await world.clock.sleep(2 * SECOND)
        waiting = [world.wait(job_id, 3 * SECOND, at_most=HOUR) for job_id in ids]
        await world.clock.sleep(5 * SECOND)
        assert not any(task.done() for task in waiting)
        await abandon(waiting[:1])
        assert [False, False] == await asyncio.gather(*waiting[1:])

    world.play(scene)


def test_a_look_by_somebody_else_is_news(world):
    """What one reads, all who wait for the same job hear."""

    async def scene():
        job_id = world.start((0, "running"), (10, "succeeded"))
        await world.follow(job_id)
        waiting = [world.wait(job_id, HOUR) for _ in range(3)]
        await world.clock.sleep(20 * SECOND)
        await world.feed.fetch_job(job_id)
        assert [True] * 3 == await asyncio.gather(*waiting)

    world.play(scene)


@pytest.mark.parametrize("skew", [-HOUR, HOUR])
def test_a_server_whose_clock_is_wrong(skew):
    """The cursor is the server's own time."""
    world = World(skew)

    async def scene():
        await world.keep_busy()
        job_id = world.start((0, "running"), (100, "succeeded"))
        job = await world.watch(job_id)
        assert abs(late(world, job) + skew) <= 21 * SECOND
        assert world.requests["fetch_job"] <= 3

    world.play(scene)


# --- the last look ---


def test_an_ended_job_comes_with_rows_and_bytes(world):
    """Where the list leaves them out they are read once, by whoever needs them."""

    world.remote.show = bare

    async def scene():
        await world.keep_busy()
        job_id = world.start((0, "running"), (100, "succeeded"))
        world.forget_requests()
        waiting = [world.watch(job_id) for _ in range(50)]
        jobs = await asyncio.gather(*waiting)
        assert {0} == {job.rows for job in jobs}
        assert world.requests["fetch_job"] <= 4

    world.play(scene)


def test_one_job_with_many_waiters_is_read_once(world):
    """Those who queue for a slot meanwhile share the answer."""

    async def scene():
        job_id = world.start((0, "running"), (9, "succeeded"))
        jobs = await asyncio.gather(*(world.watch(job_id) for _ in range(50)))
        assert {"succeeded"} == {job.status.word for job in jobs}
        assert world.requests["fetch_job"] <= 2 * 5

    world.play(scene)


def test_an_ended_job_stays_ended(world):
    """A server behind the others may not know yet; its rows are left out then."""

    def behind(job):
        return replace(job, status=JobStatus.RUNNING)

    world.remote.show, world.remote.fetched = bare, behind

    async def scene():
        await world.keep_busy()
        job_id = world.start((0, "running"), (50, "succeeded"))
        await world.follow(job_id)
        assert await world.wait(job_id, HOUR) is True
        for look in (world.feed.recent_job, world.feed.fetch_job):
            job = await look(job_id)
            assert ("succeeded", None) == (job.status.word, job.rows)

    world.play(scene)


def test_what_is_to_be_judged_is_read_afresh(world):
    """A job that ends just before the deadline is neither cancelled nor called late."""

    async def scene():
        await world.keep_busy()
        connection_id = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"
        world.airbyte.add_connection(connection_id)
        world.airbyte.job_scripts.append(JobLife.of((0, "running"), (598.5, "succeeded")))
        policy = SyncPolicy(timeout=10 * MINUTE)
        flow = sync(SyncRequest(connection_id=connection_id), policy)
        result = await arun(flow, world.interpreter())
        assert "succeeded" == result.job.status.word
        assert 0 == world.airbyte.count("cancel")

    world.play(scene)


def test_a_late_job_is_cancelled_until_the_feed_hears_of_it(world):
    """The deadline comes on time, and what follows is as it is alone."""

    async def scene():
        await world.keep_busy()
        connection_id = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"
        world.airbyte.add_connection(connection_id)
        world.airbyte.job_scripts.append(NEVER_ENDS)
        started = world.time.now()
        policy = SyncPolicy(timeout=10 * MINUTE)
        with pytest.raises(SyncTimedOut, match="was cancelled"):
            await arun(sync(SyncRequest(connection_id=connection_id), policy), world.interpreter())
        assert world.time.now() - started < 10 * MINUTE + 2 * SECOND
        assert 1 == world.airbyte.count("cancel")

    world.play(scene)


# --- when the list is of no use ---


def test_a_failure_of_the_list_is_a_failed_look_for_whoever_looks(world):
    """Nobody crashes, nobody asks on his own, and it passes."""

    async def scene():
        waiting = await world.keep_busy(20)
        world.forget_requests()
        world.events.clear()
        world.airbyte.fail("find_jobs", *[CallFault(error=ServerTrouble("500", status=500))] * 2)
        await world.clock.sleep(MINUTE)
        failed = [event for event in world.events if isinstance(event, PollFailed)]
        assert failed
        assert len(failed) == len({id(event.error) for event in failed})
        assert not any(task.done() for task in waiting)
        assert 0 == world.requests["fetch_job"]
        world.events.clear()
        await world.clock.sleep(MINUTE)
        assert not any(isinstance(event, PollFailed) for event in world.events)

    world.play(scene)


@pytest.mark.parametrize(
    "error",
    [
        ServerTrouble("500", status=500),
        UnexpectedReply("a web page", status=200),
        Forbidden("no", status=403),
    ],
)
def test_a_list_that_always_fails_is_done_without(world, error):
    """Every look is a GET then; once the list works again, none is."""

    async def scene():
        await world.keep_busy(20)
        world.airbyte.fail("find_jobs", *[CallFault(error=error)] * 5)
        await world.clock.sleep(MINUTE)
        world.forget_requests()
        world.events.clear()
        job_id = world.start((0, "running"), (90, "succeeded"))
        job = await world.watch(job_id)
        assert late(world, job) < 12 * SECOND
        assert not any(isinstance(event, PollFailed) for event in world.events)
        assert world.requests["fetch_job"] > 20
        assert world.requests["find_jobs"] <= 2
        assert world.remote.busiest <= 3
        await world.clock.sleep(HOUR)
        world.forget_requests()
        await world.clock.sleep(MINUTE)
        assert 0 == world.requests["fetch_job"] < world.requests["find_jobs"]

    world.play(scene)


def test_a_list_that_fails_from_the_start(world):
    """First looks that hoped for it fail once, or are made singly."""
    world.airbyte.fail("find_jobs", *[CallFault(error=ServerTrouble("500", status=500))] * 99)

    async def scene():
        ids = [world.start((0, "running"), (100, "succeeded")) for _ in range(20)]
        jobs = await asyncio.gather(*map(world.watch, ids))
        assert {"succeeded"} == {job.status.word for job in jobs}
        assert world.requests["fetch_job"] >= 20

    world.play(scene)


@pytest.mark.parametrize("error", [RequestNotSent("down"), Throttled("429", status=429)])
def test_a_server_that_is_not_to_be_had_is_left_alone(world, error):
    """GETs would fare no better than the list, so nobody makes them."""

    async def scene():
        waiting = await world.keep_busy(20)
        world.forget_requests()
        world.airbyte.fail("find_jobs", *[CallFault(error=error)] * 5)
        await world.clock.sleep(30 * SECOND)
        assert 0 == world.requests["fetch_job"]
        assert 1 <= world.requests["find_jobs"] <= 6
        await world.clock.sleep(10 * MINUTE)
        assert not any(task.done() for task in waiting)
        assert 0 == world.requests["fetch_job"]

    world.play(scene)


def test_news_wake_nobody_who_cannot_look_yet(world):
    """After an outage there is news before it is known that the server is back."""

    async def scene():
        stages = (0, "pending"), (65, "running"), (300, "succeeded")
        waiting = [world.watch(world.start(*stages)) for _ in range(30)]
        await world.clock.sleep(MINUTE)
        world.remote.fail(RequestNotSent("refused"), "find_jobs", "fetch_job")
        await world.clock.sleep(20 * SECOND)
        world.remote.trouble.clear()
        jobs = await asyncio.gather(*waiting)
        assert {"succeeded"} == {job.status.word for job in jobs}

    world.play(scene)


@pytest.mark.parametrize("look", ["recent_job", "fetch_job"])
def test_a_look_that_failed_is_not_repeated_at_once(world, look):
    """News that could not be looked at wake nobody again: whoever waits keeps the pace that was asked for."""

    async def scene():
        await world.keep_busy(5)
        job_id = world.start((0, "running"), (100, "succeeded"))
        await world.follow(job_id)
        await world.clock.sleep(90 * SECOND)
        world.remote.show = bare
        world.remote.fail(ServerTrouble("503", status=503), "fetch_job")
        assert await world.wait(job_id, HOUR) is True
        with pytest.raises(ServerTrouble):
            await getattr(world.feed, look)(job_id)
        assert await world.wait(job_id, 30 * SECOND) is False

    world.play(scene)


def test_a_server_that_hangs_keeps_nobody_from_giving_up(world):
    """A queue for its few slots would take hours; nobody stands in it."""

    async def scene():
        waiting = [world.watch(world.start()) for _ in range(100)]
        await world.clock.sleep(MINUTE)
        silence = ResponseNotReceived("no answer within 30 s")
        world.remote.fail(silence, "find_jobs", "fetch_job", after=30 * SECOND)
        given_up = await asyncio.wait_for(
            asyncio.gather(*waiting, return_exceptions=True), (20 * MINUTE).total_seconds()
        )
        assert {ServerUnreachable} == {type(error) for error in given_up}

    world.play(scene)


def test_everybody_may_leave_while_the_list_is_refused(world):
    """Then there is no job to try a GET with."""

    async def scene():
        waiting = await world.keep_busy(9)
        world.remote.fail(Forbidden("no list", status=403), "find_jobs", after=5 * SECOND)
        while not world.requests["failed"]:
            await world.clock.sleep(SECOND)
        world.forget_requests()
        await abandon(waiting)
        await world.clock.sleep(MINUTE)
        assert {} == world.requests

    world.play(scene)


def test_a_server_in_trouble_is_asked_by_one_at_a_time(world):
    """The list and a single job, with growing pauses; thousands of waiters add nothing to it."""

    async def scene():
        waiting = [world.watch(world.start()) for _ in range(200)]
        await world.clock.sleep(MINUTE)
        world.forget_requests()
        world.remote.fail(ServerTrouble("503", status=503), "find_jobs", "fetch_job")
        await world.clock.sleep(5 * MINUTE)
        assert world.requests["failed"] < 30
        assert not any(task.done() for task in waiting)
        world.remote.trouble.clear()
        await world.clock.sleep(2 * MINUTE)
        world.events.clear()
        await world.clock.sleep(2 * MINUTE)
        assert not any(isinstance(event, PollFailed) for event in world.events)

    world.play(scene)


def test_a_look_that_something_rests_on_goes_first(world):
    """Where everybody has to look alone, a kill or a deadline does not wait for the others."""

    async def scene():
        world.remote.fail(Forbidden("no list", status=403), "find_jobs")
        ids = [world.start() for _ in range(500)]
        looks = [world.begin(world.feed.recent_job(job_id)) for job_id in ids]
        await world.clock.sleep(SECOND)
        assert sum(look.done() for look in looks) < 200
        began = world.time.now()
        await world.feed.fetch_job(ids[-1])
        assert world.time.now() - began <= 2 * LATENCY

    world.play(scene)


def test_who_leaves_the_queue_for_a_slot_as_its_turn_comes_passes_it_on(world):
    """The next one gets it."""

    async def scene():
        await world.feed.close()
        world.feed = JobFeed(world.remote, world.clock, max_concurrency=2)
        ids = [world.start() for _ in range(3)]

        def leave(job):
            if job.job_id == ids[0]:
                asyncio.get_running_loop().call_soon(second.cancel)
            return job

        world.remote.fetched = leave
        first, second, third = (world.begin(world.feed.fetch_job(job_id)) for job_id in ids)
        assert [ids[0], ids[2]] == [job.job_id for job in await asyncio.gather(first, third)]
        assert second.cancelled()
        await world.feed.close()

    world.play(scene)


def test_a_list_that_raises_what_it_should_not_is_done_without(world, caplog):
    """A bug of a transport is logged, with where it is, and everybody looks alone."""

    async def scene():
        waiting = world.watch(world.start((0, "running"), (100, "succeeded")))
        await world.keep_busy(9)
        world.remote.fail(RuntimeError("Session is closed"), "find_jobs")
        world.forget_requests()
        assert "succeeded" == (await waiting).status.word
        assert world.requests["failed"] <= 3

    world.play(scene)
    assert "Session is closed" in caplog.text


def test_pages_that_cannot_be_read_leave_sweeps_alone(world):
    """A cross-check that fails is tried again later, and nobody's look fails for it."""
    heard = []

    async def hear(job_id):
        heard.append(late(world, await world.watch(job_id)))

    async def scene():
        await world.keep_busy(60)
        ends = [world.start((0, "running"), (60 * minute, "succeeded")) for minute in range(5, 25)]
        for job_id in ends:
            world.begin(hear(job_id))
        await world.clock.sleep(MINUTE)

        async def only_sweeps(query):
            if query.updated_since is None:
                world.airbyte.calls.append(("failed",))
                raise ServerTrouble("500", status=500)

        world.remote.trouble["find_jobs"] = only_sweeps
        world.events.clear()
        await world.clock.sleep(20 * MINUTE)
        crowd = [world.watch(world.start((0, "running"), (90, "succeeded"))) for _ in range(50)]
        await asyncio.gather(*crowd)
        await world.clock.sleep(5 * MINUTE)
        assert not any(isinstance(event, PollFailed) for event in world.events)
        assert 5 < world.requests["failed"] < 50
        assert len(ends) == len(heard)
        assert max(heard) < 30 * SECOND

    world.play(scene)


def test_distrust_grows_until_the_list_has_proven_itself(world):
    """A list that is wrong whenever it is trusted is tried ever more rarely."""

    async def scene():
        world.start((0, "running"), (1, "succeeded"))
        await world.clock.sleep(HOUR)
        world.remote.see = lambda query: replace(query, updated_since=None)
        await world.keep_busy(20)
        world.forget_requests()
        await world.clock.sleep(HOUR)
        assert 6 <= world.requests["find_jobs"] <= 14

    world.play(scene)


@pytest.mark.parametrize("newcomers", [0, 20], ids=["cross-check", "first looks"])
def test_distrust_begun_by_a_look_outlives_a_page_that_is_under_way(world, newcomers):
    """A list that was just proven wrong is not trusted again for a page that it sent before."""

    async def scene():
        job_id = world.start((0, "running"), (100, "succeeded"))
        await world.keep_busy(9)
        world.watch(job_id)
        await world.clock.sleep(2 * SECOND)
        world.remote.show = blind
        await world.clock.sleep(4.5 * MINUTE)

        async def looked_at_meanwhile(query):
            if query.updated_since is None:
                world.remote.trouble.clear()
                await world.feed.fetch_job(job_id)

        world.remote.trouble["find_jobs"] = looked_at_meanwhile
        for _ in range(newcomers):
            world.watch(world.start())
        while world.remote.trouble:
            await world.clock.sleep(SECOND)
        await world.clock.sleep(SECOND)
        world.forget_requests()
        await world.clock.sleep(30 * SECOND)
        assert 0 == world.requests["find_jobs"]

    world.play(scene)


def test_a_slow_list_is_taken_to_know_nothing_newer_than_the_question(world):
    """What changes while an answer is on its way is in the next one."""

    async def answer_later(query):
        asked.append(world.airbyte.find_jobs(query))
        await world.clock.sleep(12 * SECOND)

    def as_it_was(query, page):
        return replace(asked.pop(), server_time=page.server_time)

    asked = []
    world.remote.trouble["find_jobs"] = answer_later
    world.remote.show = as_it_was

    async def scene():
        pace = SyncPolicy(timeout=None, poll=PollSchedule.fixed(5 * SECOND))
        ids = [world.start((0, "running"), (100 + 7 * each, "succeeded")) for each in range(40)]

        async def lateness(job_id):
            return late(world, await world.watch(job_id, pace))

        assert max(await asyncio.gather(*map(lateness, ids))) < 45 * SECOND

    world.play(scene)


def test_who_looks_in_the_middle_of_a_ban_hears_what_is_left_of_it(world):
    """Otherwise one hour's ban would be another for whoever looks at its end."""

    async def scene():
        ids = [world.start() for _ in range(5)]
        await world.follow(*ids)
        ban = Throttled("429", status=429, retry_after=10 * MINUTE)
        world.remote.fail(ban, "find_jobs")
        waiting = [world.wait(job_id, HOUR) for job_id in ids]
        await asyncio.gather(*waiting)
        await world.clock.sleep(4 * MINUTE)
        with pytest.raises(Throttled) as failed:
            await world.feed.recent_job(ids[0])
        assert timedelta(0) < failed.value.retry_after < 8 * MINUTE
        assert ban.retry_after == 10 * MINUTE

    world.play(scene)


def test_a_list_that_ignores_the_filter_is_done_without(world):
    """It would be read from the beginning of time at every tick."""
    world.remote.see = lambda query: replace(query, updated_since=None)

    async def scene():
        world.start((0, "running"), (1, "succeeded"))
        await world.clock.sleep(HOUR)
        await world.keep_busy(20)
        world.forget_requests()
        await world.clock.sleep(MINUTE)
        assert world.requests["fetch_job"] >= 20
        assert world.requests["find_jobs"] <= 2

    world.play(scene)


def test_a_list_without_the_servers_time_is_done_without(world):
    """There is nothing to count from."""
    world.remote.show = lambda query, page: replace(page, server_time=None)

    async def scene():
        ids = [world.start((0, "running"), (100, "succeeded")) for _ in range(9)]
        jobs = await asyncio.gather(*map(world.watch, ids))
        assert {"succeeded"} == {job.status.word for job in jobs}
        assert world.requests["fetch_job"] > 9

    world.play(scene)


def test_what_sweeps_miss_is_found_by_the_cross_check(world):
    """Within minutes; and a list that has missed an end is trusted no more for a while."""

    world.remote.show = blind

    async def scene():
        await world.keep_busy(20)
        job = await world.watch(world.start((0, "running"), (100, "succeeded")))
        assert late(world, job) <= 6 * MINUTE
        world.forget_requests()
        await world.clock.sleep(30 * SECOND)
        assert 0 == world.requests["find_jobs"] < world.requests["fetch_job"]
        await world.clock.sleep(HOUR)
        world.forget_requests()

    world.play(scene)


def test_a_few_jobs_are_cross_checked_by_get(world):
    """Pages would not pay."""

    world.remote.show = blind

    async def scene():
        await world.keep_busy(3)
        job = await world.watch(world.start((0, "running"), (400, "succeeded")))
        assert late(world, job) <= 7 * MINUTE
        world.forget_requests()
        await world.clock.sleep(30 * SECOND)
        assert 0 == world.requests["find_jobs"] < world.requests["fetch_job"]

    world.play(scene)


def test_distrust_begun_by_a_look_ends_a_sweep_that_is_under_way(world):
    """A GET may prove the list wrong while the list is being read."""

    world.remote.show = blind

    async def scene():
        await world.keep_busy(6)
        job_id = world.start((0, "running"), (5, "succeeded"))
        await world.feed.recent_job(job_id)
        await world.clock.sleep(2 * MINUTE)
        for _ in range(100):  # some of these come while a sweep is under way
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(world.feed.fetch_job(job_id), 10)
            if world.remote.inside:
                break
        await world.clock.sleep(10 * SECOND)
        world.forget_requests()
        await world.clock.sleep(30 * SECOND)
        assert 0 == world.requests["find_jobs"]

    world.play(scene)


def test_jobs_that_old_servers_do_not_list_are_read_one_by_one(world):
    """Servers up to v2.0.0 leave refreshes out of a list of all types."""

    def old(query, page):
        return replace(page, jobs=tuple(job for job in page.jobs if job.job_type == "sync"))

    world.remote.show = old

    async def scene():
        await world.keep_busy(20)
        job_id = world.start((0, "running"), (100, "succeeded"), job_type=JobType.REFRESH)
        job = await world.watch(job_id)
        assert late(world, job) <= 12 * SECOND

    world.play(scene)


def test_an_unknown_job_is_not_found(world):
    """Its waiter hears so, and nobody else does."""

    async def scene():
        waiting = await world.keep_busy(20)
        with pytest.raises(NotFound):
            await world.watch(4711)
        assert not any(task.done() for task in waiting)

    world.play(scene)


# --- coming and going ---


def test_a_cancelled_waiter_is_gone_at_once(world):
    """Nobody else notices, and what nobody waits for is not followed."""

    async def scene():
        ids = [world.start() for _ in range(5)]
        await world.follow(*ids)
        waiting = [world.wait(job_id, HOUR) for job_id in ids]
        twin = world.wait(ids[0], HOUR)
        await asyncio.sleep(0)
        await abandon(waiting[:2])
        assert ids[0] in world.feed._jobs
        assert ids[1] not in world.feed._jobs
        await abandon([twin])
        assert ids[0] not in world.feed._jobs
        assert not any(task.done() for task in waiting[2:])
        await abandon(waiting)

    world.play(scene)


def test_a_waiter_may_be_cancelled_just_as_there_is_news(world):
    """Whoever brings the news does not mind."""

    async def scene():
        job_id = world.start((0, "running"), (10, "succeeded"))
        await world.follow(job_id)
        waiting = world.wait(job_id, HOUR)
        await world.clock.sleep(20 * SECOND)
        world.remote.fetched = lambda job: (waiting.cancel(), job)[1]
        assert "succeeded" == (await world.feed.fetch_job(job_id)).status.word
        await asyncio.sleep(0)
        assert waiting.cancelled()

    world.play(scene)


def test_a_cancelled_look_is_gone_at_once(world):
    """Whether it queues for a slot or hopes for a page."""

    async def scene():
        looks = [asyncio.create_task(world.feed.recent_job(world.start())) for _ in range(9)]
        await world.clock.sleep(LATENCY / 2)
        await abandon(looks)
        assert 0 == len(world.feed._jobs)

    world.play(scene)


def test_one_of_two_looks_at_the_same_job_may_be_cancelled(world):
    """The other is answered."""

    async def scene():
        await world.keep_busy(9)
        slow = [asyncio.create_task(world.feed.fetch_job(1)) for _ in range(2)]
        job_id = world.start()
        looks = [asyncio.create_task(world.feed.recent_job(job_id)) for _ in range(2)]
        await asyncio.sleep(0)
        await abandon(looks[:1])
        assert job_id == (await looks[1]).job_id
        await asyncio.gather(*slow)
        await world.clock.sleep(MINUTE)
        assert world.requests["find_jobs"] < 40

    world.play(scene)


def test_nothing_runs_when_nobody_waits(world):
    """The background ends by itself, and begins again."""

    async def scene():
        for _ in range(2):
            await abandon(await world.keep_busy())
            await world.clock.sleep(LATENCY)
            assert {asyncio.current_task()} == asyncio.all_tasks()

    world.play(scene)


def test_who_looks_and_never_waits_is_forgotten(world):
    """Also when it was the last one."""

    async def scene():
        await world.follow(*[world.start() for _ in range(5)])
        await world.clock.sleep(10 * MINUTE)
        assert 0 == len(world.feed._jobs)
        assert {asyncio.current_task()} == asyncio.all_tasks()

    world.play(scene)


def test_closing_wakes_all_who_wait(world):
    """From then on the feed refuses, and starts nothing again."""

    async def scene():
        ids = [world.start() for _ in range(5)]
        await world.follow(*ids)
        waiting = [world.wait(job_id, HOUR) for job_id in ids]
        await world.clock.sleep(MINUTE)
        started = world.time.now()
        await world.feed.close()
        assert [False] * 5 == await asyncio.gather(*waiting)
        assert world.time.now() == started
        world.forget_requests()
        now = world.time.now()
        for call in (
            world.feed.fetch_job(ids[0]),
            world.feed.recent_job(ids[0]),
            world.feed.find_jobs(JobQuery()),
            world.feed.wait_for_change(ids[0], now + MINUTE, now + HOUR),
        ):
            with pytest.raises(AlreadyClosed, match="this job feed was closed"):
                await call
        assert not world.requests
        assert {asyncio.current_task()} == asyncio.all_tasks()
        await world.feed.close()

    world.play(scene)


def test_a_gateway_that_is_closed_first_is_told_quietly(world, caplog):
    """It is no bug of a transport: nothing is logged, and each waiter hears what was closed."""

    async def scene():
        watches = [world.watch(world.start((0, "running"))) for _ in range(5)]
        await world.keep_busy(5)
        world.remote.fail(AlreadyClosed("this gateway was closed"), "fetch_job", "find_jobs")
        ends = await asyncio.gather(*watches, return_exceptions=True)
        assert [AlreadyClosed] * 5 == [type(end) for end in ends]

    world.play(scene)
    assert "" == caplog.text


def test_closing_answers_all_who_look(world):
    """Also those who hope for a page that is being read."""

    async def scene():
        ids = [world.start() for _ in range(300)]
        looks = [world.begin(world.feed.recent_job(job_id)) for job_id in ids]
        await asyncio.wait(looks[10:], return_when=asyncio.FIRST_COMPLETED)
        assert not all(look.done() for look in looks)
        await world.feed.close()
        done, asleep = await asyncio.wait(looks, timeout=60)
        assert not asleep
        assert done == set(looks)

    world.play(scene)


def test_a_feed_that_was_never_used_can_be_closed(world):
    """There is nothing to end."""

    async def scene():
        pass

    world.play(scene)


# --- against a real server ---


class FastClock:
    """A clock that goes a hundred times as fast: what sockets need takes no time."""

    def __init__(self):
        self.began = time.monotonic()

    def now(self):
        start = datetime(2026, 1, 5, 9, 0, tzinfo=timezone.utc)
        return start + 100 * timedelta(seconds=time.monotonic() - self.began)

    async def sleep(self, duration):
        await asyncio.sleep(duration.total_seconds() / 100)


def life(minutes):
    return job_scripts.succeeds(lasts=minutes * MINUTE)


async def follow_all(airbyte, clock, number, minutes):
    """Follow jobs to their ends on one feed."""
    ids = [
        airbyte.start_external_job(airbyte.add_connection().connection_id, life(minutes)).job_id
        for _ in range(number)
    ]
    settings = ServerSettings(base_url=airbyte.base_url)
    async with open_async_gateway(settings) as gateway, JobFeed(gateway, clock) as feed:
        interpreter = AsyncPortInterpreter(gateway, clock, feed=feed)
        return await asyncio.gather(*(arun(watch(job_id, POLICY), interpreter) for job_id in ids))


def operations(airbyte):
    return Counter(request.operation for request in airbyte.requests)


def test_many_are_followed_on_a_real_server():
    """A hundred and fifty syncs of two minutes: lists, and hardly a GET."""
    clock = FastClock()
    with LocalAirbyte(clock=clock.now) as airbyte:
        jobs = asyncio.run(follow_all(airbyte, clock, 150, 2))
        assert {("succeeded", 1000)} == {(job.status.word, job.rows) for job in jobs}
        assert airbyte.max_concurrency <= 3
        assert operations(airbyte)["GET /jobs/{jobId}"] < 30


def test_a_real_server_whose_list_has_no_rows():
    """Every ended job is read once."""
    clock = FastClock()
    with LocalAirbyte(clock=clock.now, quirks=Quirks(list_has_stats=False)) as airbyte:
        jobs = asyncio.run(follow_all(airbyte, clock, 30, 2))
        assert {("succeeded", 1000)} == {(job.status.word, job.rows) for job in jobs}
        assert operations(airbyte)["GET /jobs/{jobId}"] >= 30


@pytest.mark.parametrize(
    "answer", [answers.forbidden(), answers.internal_error(), answers.webapp_page()]
)
def test_a_real_server_whose_list_is_of_no_use(answer):
    """Every job is seen to its end, one by one."""
    clock = FastClock()
    with LocalAirbyte(clock=clock.now) as airbyte:
        airbyte.inject(ServerFault(on="GET /jobs", do="answer", answer=answer, times=None))
        jobs = asyncio.run(follow_all(airbyte, clock, 9, 2))
        assert {("succeeded", 1000)} == {(job.status.word, job.rows) for job in jobs}
        assert operations(airbyte)["GET /jobs/{jobId}"] >= 9
