"""One feed serves all who wait for jobs of a server, and no waiter hears less than alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from airbyte_sync import (
    AlreadyClosed,
    AsyncFeedPort,
    InvalidInput,
    JobQuery,
    JobStatus,
    NotFound,
    PollSchedule,
    ServerTrouble,
    SyncPolicy,
    SyncRequest,
    SyncTimedOut,
    arun,
    sync,
)
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_local import JobScript
from tests.http.feed.world import HOUR, LATENCY, MINUTE, NEVER_ENDS, SECOND, abandon, bare, late


async def test_it_is_the_port_that_interpreters_ask_for(world):
    """It stands in for a gateway's polls, and tells changes besides."""
    assert isinstance(world.feed, AsyncFeedPort)


async def test_a_waiter_that_can_miss_nothing_does_not_poll(world):
    """A minute without changes is one poll, whatever the poll schedule says."""
    quick = SyncPolicy(timeout=None, poll=PollSchedule.fixed(3 * SECOND))
    for _ in range(100):
        world.watch(world.start(), quick)
    await world.clock.sleep(MINUTE)
    world.events.clear()
    await world.clock.sleep(10 * MINUTE)
    assert 10 * 100 == len(world.events)


async def test_one_or_two_are_polled_one_by_one(world):
    """As if there was no feed; a third one changes that, and its leaving changes it back."""
    for _ in range(2):
        world.watch(world.start())
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


def test_a_feed_needs_room_for_itself():
    """One request at a time would leave none for single jobs."""
    with pytest.raises(InvalidInput, match="max_concurrency"):
        JobFeed(None, None, max_concurrency=1)


async def test_exactly_those_wake_whose_job_has_changed(world):
    """The others sleep on until their time has come."""
    ids = [world.start((0, "running"), (61 + n, "succeeded")) for n in range(5)]
    await world.follow(*ids)
    waiting = [world.wait(job_id, 62.5 * SECOND) for job_id in ids]
    other = world.wait(ids[0], 62.5 * SECOND)
    asked = world.wait(ids[4], 1 * SECOND)  # wants changes within a second
    await asked
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert {waiting[0]} == done
    assert waiting[0].result() is True
    assert await other is True
    assert [False] * 3 == await asyncio.gather(*waiting[2:])


async def test_a_change_is_told_within_the_interval(world):
    """A waiter that polls every three seconds is told by then, whatever the others want."""
    await world.keep_busy()
    quick = SyncPolicy(timeout=None, poll=PollSchedule.fixed(3 * SECOND))
    job_id = world.start((0, "pending"), (7, "running"), (47, "succeeded"))
    job = await world.watch(job_id, quick)
    assert late(world, job) <= 3.5 * SECOND
    with_a_long_wait = world.start((0, "running"), (1000, "succeeded"))
    job = await world.watch(with_a_long_wait)
    assert late(world, job) <= 21 * SECOND


async def test_a_change_before_the_wait_is_not_lost(world):
    """What happens between a poll and the wait is told at once."""
    await world.keep_busy()
    job_id = world.start((0, "running"), (10, "succeeded"))
    assert "running" == (await world.feed.recent_job(job_id)).status.word
    await world.clock.sleep(40 * SECOND)
    told_at = world.time.now()
    assert await world.wait(job_id, HOUR) is True
    assert told_at == world.time.now()
    assert "succeeded" == (await world.feed.recent_job(job_id)).status.word
    assert await world.wait(job_id, SECOND) is False


async def test_a_resumed_wait_is_told_changes_before_its_first_poll(world):
    """A flow that was put away waits first and polls later."""
    await world.keep_busy()
    job_id = world.start((0, "running"), (30, "succeeded"))
    world.forget_requests()
    for status in ("running", "succeeded"):
        assert await world.wait(job_id, HOUR) is True
        assert status == (await world.feed.recent_job(job_id)).status.word
    assert 0 == world.requests["fetch_job"]


async def test_a_change_ends_a_long_wait(world):
    """A wait beyond the next poll ends with a change, or else at the latest moment."""
    await world.keep_busy()
    job_id, other = world.start((0, "running"), (40, "succeeded")), world.start()
    await world.follow(job_id, other)
    began = world.time.now()
    waiting = [world.wait(each, 3 * SECOND, at_most=MINUTE) for each in (job_id, other)]
    assert await waiting[0] is True
    assert 38 * SECOND <= world.time.now() - began <= 44 * SECOND
    assert await waiting[1] is False
    assert MINUTE <= world.time.now() - began <= MINUTE + SECOND


async def test_long_waits_end_when_only_few_are_left(world):
    """Each of them asks for its own job then."""
    ids = [world.start() for _ in range(3)]
    await world.follow(*ids)
    await world.clock.sleep(2 * SECOND)
    waiting = [world.wait(job_id, 3 * SECOND, at_most=HOUR) for job_id in ids]
    await world.clock.sleep(5 * SECOND)
    assert not any(task.done() for task in waiting)
    await abandon(waiting[:1])
    assert [False, False] == await asyncio.gather(*waiting[1:])


async def test_what_another_reads_is_a_change(world):
    """What one reads, all who wait for the same job are told."""
    job_id = world.start((0, "running"), (10, "succeeded"))
    await world.follow(job_id)
    waiting = [world.wait(job_id, HOUR) for _ in range(3)]
    await world.clock.sleep(20 * SECOND)
    await world.feed.fetch_job(job_id)
    assert [True] * 3 == await asyncio.gather(*waiting)


async def test_an_ended_job_comes_with_rows_and_bytes(world):
    """Where the list leaves them out they are read once."""

    world.remote.show = bare
    await world.keep_busy()
    job_id = world.start((0, "running"), (100, "succeeded"))
    world.forget_requests()
    waiting = [world.watch(job_id) for _ in range(50)]
    jobs = await asyncio.gather(*waiting)
    assert {0} == {job.rows for job in jobs}
    assert world.requests["fetch_job"] <= 4


async def test_one_job_with_many_waiters_is_read_once(world):
    """Polls that are queueing meanwhile share the answer."""
    job_id = world.start((0, "running"), (9, "succeeded"))
    jobs = await asyncio.gather(*(world.watch(job_id) for _ in range(50)))
    assert {"succeeded"} == {job.status.word for job in jobs}
    assert world.requests["fetch_job"] <= 2 * 5


async def test_an_ended_job_stays_ended(world):
    """A server behind the others may not know yet; its rows are left out then."""

    def behind(job):
        return replace(job, status=JobStatus.RUNNING)

    world.remote.show, world.remote.fetched = bare, behind
    await world.keep_busy()
    job_id = world.start((0, "running"), (50, "succeeded"))
    await world.follow(job_id)
    assert await world.wait(job_id, HOUR) is True
    for poll in (world.feed.recent_job, world.feed.fetch_job):
        job = await poll(job_id)
        assert ("succeeded", None) == (job.status.word, job.rows)


async def test_what_a_decision_rests_on_is_read_afresh(world):
    """A job that ends just before the deadline is neither cancelled nor called late."""
    await world.keep_busy()
    connection_id = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"
    world.airbyte.add_connection(connection_id)
    world.airbyte.job_scripts.append(JobScript.of((0, "running"), (598.5, "succeeded")))
    policy = SyncPolicy(timeout=10 * MINUTE)
    flow = sync(SyncRequest(connection_id=connection_id), policy)
    result = await arun(flow, world.interpreter())
    assert "succeeded" == result.job.status.word
    assert 0 == world.airbyte.count("cancel")


async def test_a_late_job_is_cancelled_as_without_a_feed(world):
    """The deadline comes on time, and what follows is as it is alone."""
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


@pytest.mark.parametrize("poll", ["recent_job", "fetch_job"])
async def test_a_poll_that_failed_is_not_repeated_at_once(world, poll):
    """A change that could not be polled wakes no waiter again: it keeps the pace that was asked for."""
    await world.keep_busy(5)
    job_id = world.start((0, "running"), (100, "succeeded"))
    await world.follow(job_id)
    await world.clock.sleep(90 * SECOND)
    world.remote.show = bare
    world.remote.fail(ServerTrouble("503", status=503), "fetch_job")
    assert await world.wait(job_id, HOUR) is True
    with pytest.raises(ServerTrouble):
        await getattr(world.feed, poll)(job_id)
    assert await world.wait(job_id, 30 * SECOND) is False


async def test_an_unknown_job_is_not_found(world):
    """Its waiter is told so, and no other is."""
    waiting = await world.keep_busy(20)
    with pytest.raises(NotFound):
        await world.watch(4711)
    assert not any(task.done() for task in waiting)


async def test_a_cancelled_waiter_is_gone_at_once(world):
    """No other waiter notices, and a job without waiters is not followed."""
    ids = [world.start() for _ in range(5)]
    await world.follow(*ids)
    waiting = [world.wait(job_id, HOUR) for job_id in ids]
    other = world.wait(ids[0], HOUR)
    await asyncio.sleep(0)
    await abandon(waiting[:2])
    assert ids[0] in world.feed._jobs
    assert ids[1] not in world.feed._jobs
    await abandon([other])
    assert ids[0] not in world.feed._jobs
    assert not any(task.done() for task in waiting[2:])


async def test_a_waiter_may_be_cancelled_just_as_the_job_changes(world):
    """The read that finds the change does not mind."""
    job_id = world.start((0, "running"), (10, "succeeded"))
    await world.follow(job_id)
    waiting = world.wait(job_id, HOUR)
    await world.clock.sleep(20 * SECOND)
    world.remote.fetched = lambda job: (waiting.cancel(), job)[1]
    assert "succeeded" == (await world.feed.fetch_job(job_id)).status.word
    await asyncio.sleep(0)
    assert waiting.cancelled()


async def test_a_cancelled_poll_is_gone_at_once(world):
    """Whether it is queueing or awaiting a scan."""
    polls = [asyncio.create_task(world.feed.recent_job(world.start())) for _ in range(9)]
    await world.clock.sleep(LATENCY / 2)
    await abandon(polls)
    assert 0 == len(world.feed._jobs)


async def test_one_of_two_polls_of_a_job_may_be_cancelled(world):
    """The other is answered."""
    await world.keep_busy(9)
    slow = [asyncio.create_task(world.feed.fetch_job(1)) for _ in range(2)]
    job_id = world.start()
    polls = [asyncio.create_task(world.feed.recent_job(job_id)) for _ in range(2)]
    await asyncio.sleep(0)
    await abandon(polls[:1])
    assert job_id == (await polls[1]).job_id
    await asyncio.gather(*slow)
    await world.clock.sleep(MINUTE)
    assert world.requests["find_jobs"] < 40


async def test_nothing_runs_when_no_job_is_followed(world):
    """The background ends by itself, and begins again."""
    for _ in range(2):
        await abandon(await world.keep_busy())
        await world.clock.sleep(LATENCY)
        assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_a_job_that_is_never_waited_for_is_forgotten(world):
    """Also when it was the last one."""
    await world.follow(*[world.start() for _ in range(5)])
    await world.clock.sleep(10 * MINUTE)
    assert 0 == len(world.feed._jobs)
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_closing_wakes_all_who_wait(world):
    """From then on the feed refuses, and starts nothing again."""
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


async def test_closing_answers_all_who_poll(world):
    """Also those who are awaiting a scan that is under way."""
    ids = [world.start() for _ in range(300)]
    polls = [world.begin(world.feed.recent_job(job_id)) for job_id in ids]
    await asyncio.wait(polls[10:], return_when=asyncio.FIRST_COMPLETED)
    assert not all(poll.done() for poll in polls)
    await world.feed.close()
    done, pending = await asyncio.wait(polls, timeout=60)
    assert not pending
    assert done == set(polls)


async def test_a_feed_that_was_never_used_can_be_closed(world):
    """There is nothing to end."""
