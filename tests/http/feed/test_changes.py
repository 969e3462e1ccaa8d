"""Incremental polls: every change is told, once an interval, however many jobs are followed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

import pytest

from airbyte_sync import JobType, PollSchedule, SyncPolicy
from tests.http.feed.world import HOUR, MINUTE, SECOND, World, late


def test_a_thousand_waiters_cost_what_ten_cost():
    """Requests grow with time and with pages of changes, not with polls."""

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
    # the initial read, four polls that tell all changes again, and the reconciliation: ten pages each
    assert many_lists - few_lists < 8 * pages_of_all
    assert few_lists < 70
    assert few_gets <= 8
    assert many_gets <= 2


async def test_quiet_jobs_cost_one_request_an_interval(world):
    """An hour without changes is some requests a minute, however many wait."""
    for _ in range(200):
        world.watch(world.start())
    await world.clock.sleep(HOUR)
    world.forget_requests()
    await world.clock.sleep(HOUR)
    assert 0 == world.requests["fetch_job"]
    assert 60 <= world.requests["find_jobs"] <= 60 * 4


async def test_hundreds_of_changes_at_once_are_all_told(world):
    """Pages go by offset until one is short."""
    ids = [world.start((0, "running"), (100, "failed")) for _ in range(250)]
    await world.follow(*ids)
    waiting = [world.wait(job_id, HOUR) for job_id in ids]
    await world.clock.sleep(98 * SECOND)
    world.forget_requests()
    await world.clock.sleep(30 * SECOND)
    assert all(task.done() and task.result() for task in waiting)
    assert 3 <= world.requests["find_jobs"] <= 6


async def test_a_change_that_is_committed_late_is_told(world):
    """By a poll that goes back further than the others: a change may bear a time of a minute ago."""

    def late_commits(query, page):
        if query.updated_since is None:
            return page
        visible = [job for job in page.jobs if not committed or world.time.now() >= committed[0]]
        return replace(page, jobs=tuple(visible))

    world.remote.show, committed = late_commits, []
    await world.keep_busy()
    job_id = world.start((0, "running"), (100, "succeeded"))
    committed.append(world.time.now() + 150 * SECOND)
    job = await world.watch(job_id)
    assert 50 * SECOND <= late(world, job) <= 50 * SECOND + 2.5 * MINUTE
    assert 0 == world.requests["fetch_job"] - 3


async def test_a_row_that_slips_from_one_page_to_another_is_not_lost(world):
    """A page begins with the last row of the one before; where it does not, the next poll tells."""
    slips = []

    def slip(query):
        slipped = query.updated_since is not None and query.offset and slips
        return replace(query, offset=query.offset + slips.pop()) if slipped else query

    world.remote.see = slip
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


async def test_a_page_that_repeats_is_the_last(world):
    """A proxy that drops the offset does not keep the feed busy for ever."""
    world.remote.see = lambda query: replace(query, offset=0)
    ids = [world.start((0, "running"), (100, "failed")) for _ in range(100)]
    await world.follow(*ids)
    waiting = [world.wait(job_id, HOUR) for job_id in ids]
    await world.clock.sleep(130 * SECOND)
    assert all(task.done() and task.result() for task in waiting)


async def test_pages_without_an_end_are_given_up(world, caplog):
    """A list that always has another page of other jobs opens the breaker; each job is polled alone."""
    numbers = count(10**6, -1)

    def endless(query, page):
        if query.updated_since is None:
            return page
        pattern = world.airbyte.jobs()[0]
        return replace(page, jobs=tuple(replace(pattern, job_id=next(numbers)) for _ in range(100)))

    world.remote.show = endless
    await world.keep_busy(3)
    job_id = world.start((0, "running"), (200, "succeeded"))
    job = await world.watch(job_id)
    assert late(world, job) < MINUTE
    assert world.requests["find_jobs"] < 1000
    assert "did not come to an end after 300 pages" in caplog.text


def test_more_than_ten_thousand_changes_at_once_are_read(world, caplog):
    """A crowd of jobs that begin or end together is no list without an end."""
    total, others = 12_345, range(10**6, 10**6 + 12_345)

    def crowded(query, page):
        if query.updated_since is None:
            return page
        pattern = world.airbyte.jobs()[0]
        ids = others[query.offset : query.offset + query.limit]
        return replace(page, jobs=tuple(replace(pattern, job_id=each) for each in ids))

    async def scene():
        await world.keep_busy(3)
        await world.clock.sleep(MINUTE)
        world.remote.show = crowded
        world.forget_requests()
        await world.clock.sleep(MINUTE)
        world.remote.show = lambda _query, page: page
        assert world.requests["find_jobs"] > total // 100
        assert 0 == world.requests["fetch_job"]

    world.play(scene)
    assert "" == caplog.text


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


async def test_a_slow_list_is_taken_to_know_nothing_newer_than_the_question(world):
    """What changes while an answer is on its way is in the next one."""

    async def answer_later(query):
        asked.append(world.airbyte.find_jobs(query))
        await world.clock.sleep(12 * SECOND)

    def as_it_was(query, page):
        return replace(asked.pop(), server_time=page.server_time)

    asked = []
    world.remote.trouble["find_jobs"] = answer_later
    world.remote.show = as_it_was
    pace = SyncPolicy(timeout=None, poll=PollSchedule.fixed(5 * SECOND))
    ids = [world.start((0, "running"), (100 + 7 * each, "succeeded")) for each in range(40)]

    async def lateness(job_id):
        return late(world, await world.watch(job_id, pace))

    assert max(await asyncio.gather(*map(lateness, ids))) < 45 * SECOND


async def test_jobs_that_old_servers_do_not_list_are_read_one_by_one(world):
    """Servers up to v2.0.0 leave refreshes out of a list of all types."""

    def old(query, page):
        return replace(page, jobs=tuple(job for job in page.jobs if job.job_type == "sync"))

    world.remote.show = old
    await world.keep_busy(20)
    job_id = world.start((0, "running"), (100, "succeeded"), job_type=JobType.REFRESH)
    job = await world.watch(job_id)
    assert late(world, job) <= 12 * SECOND
