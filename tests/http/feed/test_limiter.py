"""Few requests at a time, and the urgent ones first."""

from __future__ import annotations

import asyncio

from airbyte_sync import Forbidden, JobQuery, JobType
from airbyte_sync_http.feed.feed import JobFeed
from tests.http.feed.world import LATENCY, MINUTE, SECOND, abandon


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


def test_an_urgent_request_goes_first(world):
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


def test_a_turn_that_is_not_used_is_passed_on(world):
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
