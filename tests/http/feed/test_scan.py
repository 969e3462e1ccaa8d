"""Scans: many jobs are read from pages of the newest, at first and from time to time."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from airbyte_sync import Job, JobPage, JobStatus, ServerTrouble
from airbyte_sync.events import PollFailed
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_testkit import AsyncVirtualClock, VirtualClock, run_virtually
from tests.http.feed.world import LATENCY, MINUTE, SECOND, blind, late


class Crowd:
    """Ten thousand jobs, listed fast."""

    def __init__(self, clock, number):
        self.clock, self.calls, self.inside, self.max_inside = clock, Counter(), 0, 0
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


def test_ten_thousand_jobs_are_read_from_a_hundred_pages():
    """A poll that would queue for a GET is awaiting a scan instead."""
    time = VirtualClock()
    clock = AsyncVirtualClock(time)
    crowd = Crowd(clock, 10_000)

    async def scene():
        async with JobFeed(crowd, clock) as feed:
            polled = await asyncio.gather(*map(feed.recent_job, crowd.jobs))
            assert list(crowd.jobs.values()) == list(polled)

    started = time.now()
    run_virtually(scene(), time)
    assert 2 == crowd.calls["fetch_job"]
    assert 100 <= crowd.calls["find_jobs"] <= 105
    assert time.now() - started < 5 * SECOND


async def test_a_crowd_that_comes_later_is_read_from_pages_too(world):
    """A few of them by GET, as long as that is possible at once; reconciliations go on in their own time."""
    await world.keep_busy(200)
    world.forget_requests()
    newcomers = [world.start() for _ in range(150)]
    jobs = await world.follow(*newcomers)
    assert newcomers == [job.job_id for job in jobs]
    assert 2 == world.requests["fetch_job"]
    assert 2 <= world.requests["find_jobs"] <= 3


async def test_jobs_too_old_for_the_pages_are_read_one_by_one(world):
    """A page that spares too little is the last one."""
    old = [world.start() for _ in range(20)]
    for _ in range(300):
        world.start((0, "running"), (1, "succeeded"))
    jobs = await world.follow(*old)
    assert old == [job.job_id for job in jobs]
    assert {"find_jobs": 1, "fetch_job": 20} == world.requests


async def test_a_reconciliation_is_in_no_hurry(world):
    """Its load does not grow with the number of jobs."""
    for _ in range(1000):
        world.watch(world.start())
    await world.clock.sleep(4 * MINUTE)
    world.forget_requests()
    for _ in range(10):
        await world.clock.sleep(MINUTE)
        assert world.requests["find_jobs"] <= 3 + 6 + 1 + 1
        assert 0 == world.requests["fetch_job"]
        world.forget_requests()


async def test_old_jobs_are_reconciled_a_few_at_a_time(world):
    """Those that were read longest ago come first."""
    for _ in range(150):
        world.watch(world.start())
    await world.clock.sleep(MINUTE)
    for _ in range(300):
        world.start((0, "running"), (1, "succeeded"))
    world.forget_requests()
    checked = set()
    while len(checked) < 150:
        await world.clock.sleep(5 * MINUTE)
        read = {argument for method, argument in world.airbyte.calls if method == "fetch_job"}
        assert 0 < len(read) <= 60
        assert not checked & read
        checked |= read
        world.forget_requests()


@pytest.mark.parametrize(
    ("others", "lasts", "at_most"),
    [
        pytest.param(20, 100, 6 * MINUTE, id="pages"),
        pytest.param(3, 400, 7 * MINUTE, id="a few jobs by GET, as pages would not pay"),
    ],
)
async def test_what_incremental_polls_miss_is_found_by_the_reconciliation(
    world, others, lasts, at_most
):
    """Within minutes; and a list that has missed an end opens the breaker."""
    world.remote.show = blind
    await world.keep_busy(others)
    job = await world.watch(world.start((0, "running"), (lasts, "succeeded")))
    assert late(world, job) <= at_most
    world.forget_requests()
    await world.clock.sleep(30 * SECOND)
    assert 0 == world.requests["find_jobs"] < world.requests["fetch_job"]


async def test_pages_that_cannot_be_read_leave_incremental_polls_alone(world):
    """A reconciliation that fails is tried again later, and no poll fails for it."""
    delays = []

    async def record(job_id):
        delays.append(late(world, await world.watch(job_id)))

    await world.keep_busy(60)
    ends = [world.start((0, "running"), (60 * minute, "succeeded")) for minute in range(5, 25)]
    for job_id in ends:
        world.begin(record(job_id))
    await world.clock.sleep(MINUTE)

    async def only_incremental_polls(query):
        if query.updated_since is None:
            world.airbyte.calls.append(("failed",))
            raise ServerTrouble("500", status=500)

    world.remote.trouble["find_jobs"] = only_incremental_polls
    world.events.clear()
    await world.clock.sleep(20 * MINUTE)
    crowd = [world.watch(world.start((0, "running"), (90, "succeeded"))) for _ in range(50)]
    await asyncio.gather(*crowd)
    await world.clock.sleep(5 * MINUTE)
    assert not any(isinstance(event, PollFailed) for event in world.events)
    assert 5 < world.requests["failed"] < 50
    assert len(ends) == len(delays)
    assert max(delays) < 30 * SECOND
