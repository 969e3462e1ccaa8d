"""Few requests at a time, and the urgent ones first."""

from __future__ import annotations

import asyncio

from airbyte_sync import Forbidden, JobQuery, JobType
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_http.feed.limiter import PriorityLimiter
from tests.http.feed.world import LATENCY, MINUTE, SECOND


def test_urgent_ones_go_first_and_the_others_in_their_order():
    """However long the others have waited."""

    async def scene():
        limiter, order = PriorityLimiter(1), []

        async def request(name, *, urgent=False):
            async with limiter.acquire(urgent=urgent):
                order.append(name)

        async with limiter.acquire():
            assert limiter.is_full
            waiting = [asyncio.create_task(request(name)) for name in ("first", "second")]
            waiting.append(asyncio.create_task(request("urgent", urgent=True)))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert ["urgent", "first", "second"] == order
        assert not limiter.is_full

    asyncio.run(scene())


# --- in a feed ---


async def test_never_more_than_three_requests_at_a_time(world):
    """GETs of waiters, of others and the list share them."""
    ids = [world.start(job_type=JobType.REFRESH) for _ in range(30)]
    for job_id in ids:
        world.watch(job_id)
    others = [world.feed.fetch_job(job_id) for job_id in ids]
    lists = [world.feed.find_jobs(JobQuery(connection_id="c")) for _ in range(9)]
    await asyncio.gather(*others, *lists)
    await world.clock.sleep(MINUTE)
    assert 3 == world.remote.max_inside


async def test_an_urgent_request_goes_first(world):
    """Where all jobs are polled one by one, a kill or a deadline does not wait for the others."""
    world.remote.fail(Forbidden("no list", status=403), "find_jobs")
    ids = [world.start() for _ in range(500)]
    polls = [world.begin(world.feed.recent_job(job_id)) for job_id in ids]
    await world.clock.sleep(SECOND)
    assert sum(poll.done() for poll in polls) < 200
    began = world.time.now()
    await world.feed.fetch_job(ids[-1])
    assert world.time.now() - began <= 2 * LATENCY


async def test_a_turn_that_is_not_used_is_passed_on(world):
    """The next one gets it."""
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
