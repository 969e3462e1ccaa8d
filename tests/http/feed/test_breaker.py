"""The circuit breaker: a list that is of no use is done without, and a server in trouble is left alone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    AlreadyClosed,
    Forbidden,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    ServerUnreachable,
    Throttled,
    UnexpectedReply,
)
from airbyte_sync.events import PollFailed
from airbyte_sync_http.feed.breaker import CircuitBreaker, State
from airbyte_sync_testkit import AsyncVirtualClock, CallFault, VirtualClock
from tests.http.feed.world import HOUR, MINUTE, SECOND, abandon, blind, late


@pytest.fixture
def time():
    return VirtualClock()


@pytest.fixture
def breaker(time):
    return CircuitBreaker(AsyncVirtualClock(time))


def test_it_is_open_then_half_open_then_closed(breaker, time):
    """A success of the one request that is made when it is half-open closes it."""
    assert (State.CLOSED, None) == (breaker.state, breaker.retry_at)
    breaker.open()
    assert State.OPEN is breaker.state
    time.advance(breaker.retry_at - time.now())
    assert State.HALF_OPEN is breaker.state
    breaker.record_success()
    assert (State.CLOSED, None) == (breaker.state, breaker.retry_at)


def test_it_is_open_for_longer_each_time_until_the_list_is_trusted(breaker, time):
    """Up to an hour."""

    def opened_for():
        breaker.open()
        duration = breaker.retry_at - time.now()
        breaker.record_success()
        return duration

    durations = [opened_for() for _ in range(9)]
    assert durations[:4] == sorted(set(durations[:4]))
    assert HOUR == durations[-1]
    breaker.trust()
    assert durations[0] == opened_for()


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (Forbidden("no", status=403), 1),
        (ServerTrouble("500", status=500), 3),
        (UnexpectedReply("a web page", status=200), 3),
        (RequestNotSent("down"), None),
        (Throttled("429", status=429), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_opens_it(breaker, error, failures):
    """A refusal at once, what is about the list in the end, and a server that cannot be reached never."""
    is_reason = [breaker.record_failure(error) for _ in range(9)]
    assert failures == (is_reason.index(True) + 1 if True in is_reason else None)


def test_a_pause_grows_and_fails_all_polls_until_a_success(breaker, time):
    """Each poll gets an error of its own."""
    breaker.raise_failure()
    pauses = []
    for _ in range(3):
        breaker.record_failure(RequestNotSent("down"))
        breaker.pause(RequestNotSent("down"))
        pauses.append(breaker.retry_at - time.now())
    assert pauses == sorted(set(pauses))
    errors = []
    for _ in range(2):
        with pytest.raises(RequestNotSent) as caught:
            breaker.raise_failure()
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    breaker.record_success()
    breaker.raise_failure()


# --- in a feed ---


async def test_a_failure_of_the_list_is_a_failed_poll(world):
    """No waiter fails, none asks alone, and it passes."""
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


@pytest.mark.parametrize(
    "error",
    [
        ServerTrouble("500", status=500),
        UnexpectedReply("a web page", status=200),
        Forbidden("no", status=403),
    ],
)
async def test_a_list_that_always_fails_is_done_without(world, error):
    """Every poll is a GET then; once the list works again, none is."""
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
    assert world.remote.max_inside <= 3
    await world.clock.sleep(HOUR)
    world.forget_requests()
    await world.clock.sleep(MINUTE)
    assert 0 == world.requests["fetch_job"] < world.requests["find_jobs"]


async def test_a_list_that_fails_from_the_start(world):
    """First polls that were awaiting a scan fail once, or are made singly."""
    world.airbyte.fail("find_jobs", *[CallFault(error=ServerTrouble("500", status=500))] * 99)
    ids = [world.start((0, "running"), (100, "succeeded")) for _ in range(20)]
    jobs = await asyncio.gather(*map(world.watch, ids))
    assert {"succeeded"} == {job.status.word for job in jobs}
    assert world.requests["fetch_job"] >= 20


async def test_a_list_that_ignores_the_filter_is_done_without(world):
    """It would be read from the beginning of time, again and again."""
    world.remote.see = lambda query: replace(query, updated_since=None)
    world.start((0, "running"), (1, "succeeded"))
    await world.clock.sleep(HOUR)
    await world.keep_busy(20)
    world.forget_requests()
    await world.clock.sleep(MINUTE)
    assert world.requests["fetch_job"] >= 20
    assert world.requests["find_jobs"] <= 2


async def test_a_list_without_the_servers_time_is_done_without(world):
    """There is nothing to count from."""
    world.remote.show = lambda query, page: replace(page, server_time=None)
    ids = [world.start((0, "running"), (100, "succeeded")) for _ in range(9)]
    jobs = await asyncio.gather(*map(world.watch, ids))
    assert {"succeeded"} == {job.status.word for job in jobs}
    assert world.requests["fetch_job"] > 9


async def test_a_bug_of_a_transport_opens_the_breaker(world, caplog):
    """A bug of a transport is logged, with where it is, and each job is polled alone."""
    waiting = world.watch(world.start((0, "running"), (100, "succeeded")))
    await world.keep_busy(9)
    world.remote.fail(RuntimeError("Session is closed"), "find_jobs")
    world.forget_requests()
    assert "succeeded" == (await waiting).status.word
    assert world.requests["failed"] <= 3
    assert "Session is closed" in caplog.text


async def test_the_breaker_opens_for_longer_each_time(world):
    """A list that is wrong whenever it is trusted is tried ever more rarely."""
    world.start((0, "running"), (1, "succeeded"))
    await world.clock.sleep(HOUR)
    world.remote.see = lambda query: replace(query, updated_since=None)
    await world.keep_busy(20)
    world.forget_requests()
    await world.clock.sleep(HOUR)
    assert 6 <= world.requests["find_jobs"] <= 14


@pytest.mark.parametrize("newcomers", [0, 20], ids=["reconciliation", "initial read"])
async def test_a_page_under_way_does_not_close_the_breaker(world, newcomers):
    """A list that was just proven wrong is not trusted again for a page that it sent before."""
    job_id = world.start((0, "running"), (100, "succeeded"))
    await world.keep_busy(9)
    world.watch(job_id)
    await world.clock.sleep(2 * SECOND)
    world.remote.show = blind
    await world.clock.sleep(4.5 * MINUTE)

    async def read_meanwhile(query):
        if query.updated_since is None:
            world.remote.trouble.clear()
            await world.feed.fetch_job(job_id)

    world.remote.trouble["find_jobs"] = read_meanwhile
    for _ in range(newcomers):
        world.watch(world.start())
    while world.remote.trouble:
        await world.clock.sleep(SECOND)
    await world.clock.sleep(SECOND)
    world.forget_requests()
    await world.clock.sleep(30 * SECOND)
    assert 0 == world.requests["find_jobs"]


async def test_an_incremental_poll_under_way_does_not_close_the_breaker(world):
    """A GET may prove the list wrong while the list is being read."""

    world.remote.show = blind
    await world.keep_busy(6)
    job_id = world.start((0, "running"), (5, "succeeded"))
    await world.feed.recent_job(job_id)
    await world.clock.sleep(2 * MINUTE)
    for _ in range(100):  # some of these come while a poll is under way
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(world.feed.fetch_job(job_id), 10)
        if world.remote.inside:
            break
    await world.clock.sleep(10 * SECOND)
    world.forget_requests()
    await world.clock.sleep(30 * SECOND)
    assert 0 == world.requests["find_jobs"]


@pytest.mark.parametrize("error", [ServerTrouble("500", status=500), Forbidden("no", status=403)])
async def test_the_loss_of_the_list_ends_long_waits(world, error):
    """All waiters go on at their own pace."""
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


@pytest.mark.parametrize("error", [RequestNotSent("down"), Throttled("429", status=429)])
async def test_a_server_that_cannot_be_reached_is_left_alone(world, error):
    """GETs would fare no better than the list, so none is made."""
    waiting = await world.keep_busy(20)
    world.forget_requests()
    world.airbyte.fail("find_jobs", *[CallFault(error=error)] * 5)
    await world.clock.sleep(30 * SECOND)
    assert 0 == world.requests["fetch_job"]
    assert 1 <= world.requests["find_jobs"] <= 6
    await world.clock.sleep(10 * MINUTE)
    assert not any(task.done() for task in waiting)
    assert 0 == world.requests["fetch_job"]


async def test_a_server_in_trouble_is_asked_by_one_at_a_time(world):
    """The list and a single job, with growing pauses; thousands of waiters add nothing to it."""
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


async def test_a_server_that_hangs_keeps_no_waiter_from_giving_up(world):
    """A queue of its few requests at a time would take hours; no waiter stands in it."""
    waiting = [world.watch(world.start()) for _ in range(100)]
    await world.clock.sleep(MINUTE)
    timed_out = ResponseNotReceived("no answer within 30 s")
    world.remote.fail(timed_out, "find_jobs", "fetch_job", after=30 * SECOND)
    given_up = await asyncio.wait_for(
        asyncio.gather(*waiting, return_exceptions=True), (20 * MINUTE).total_seconds()
    )
    assert {ServerUnreachable} == {type(error) for error in given_up}


async def test_changes_are_told_while_polls_still_fail(world):
    """After an outage there are changes before it is known that the server is back."""
    stages = (0, "pending"), (65, "running"), (300, "succeeded")
    waiting = [world.watch(world.start(*stages)) for _ in range(30)]
    await world.clock.sleep(MINUTE)
    world.remote.fail(RequestNotSent("refused"), "find_jobs", "fetch_job")
    await world.clock.sleep(20 * SECOND)
    world.remote.trouble.clear()
    jobs = await asyncio.gather(*waiting)
    assert {"succeeded"} == {job.status.word for job in jobs}


async def test_a_poll_in_the_middle_of_a_ban_tells_what_is_left_of_it(world):
    """Otherwise one hour's ban would be another for a poll at its end."""
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
    assert 10 * MINUTE == ban.retry_after


async def test_all_may_leave_while_the_list_is_refused(world):
    """Then there is no job to try a GET with."""
    waiting = await world.keep_busy(9)
    world.remote.fail(Forbidden("no list", status=403), "find_jobs", after=5 * SECOND)
    while not world.requests["failed"]:
        await world.clock.sleep(SECOND)
    world.forget_requests()
    await abandon(waiting)
    await world.clock.sleep(MINUTE)
    assert {} == world.requests


def test_a_gateway_that_is_closed_first_is_told_quietly(world, caplog):
    """It is no bug of a transport: nothing is logged, and each waiter is told what was closed."""

    async def scene():
        watches = [world.watch(world.start((0, "running"))) for _ in range(5)]
        await world.keep_busy(5)
        world.remote.fail(AlreadyClosed("this gateway was closed"), "fetch_job", "find_jobs")
        ends = await asyncio.gather(*watches, return_exceptions=True)
        assert [AlreadyClosed] * 5 == [type(end) for end in ends]

    world.play(scene)
    assert "" == caplog.text
