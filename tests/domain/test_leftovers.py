"""An old row that still says running while a newer job of the connection has ended is a leftover."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    CancelUnconfirmed,
    JobType,
    OnConflict,
    Origin,
    PortInterpreter,
    ResponseNotReceived,
    SyncPolicy,
    SyncTimedOut,
    abandon,
    cancel,
    run,
    submit,
    sync,
)
from airbyte_sync.events import CancelRequested, JobLeftOver, WaitingForOther
from airbyte_sync.requests import EarlierTries
from airbyte_sync_testkit.memory import CallFault, InMemoryStore

POLICY = SyncPolicy()
LOST = ResponseNotReceived("the connection was reset")
STUCK = ((0, "running"),)


@pytest.fixture
def leftover(world):
    """A job that a crash left behind, and a newer one that has ended, both before the request."""
    job = world.foreign(*STUCK)
    world.pass_time(60)
    world.foreign((0, "running"), (10, "succeeded"))
    world.pass_time(60)
    return job


@pytest.mark.parametrize("on_conflict", list(OnConflict))
def test_it_is_not_in_the_way(world, leftover, on_conflict):
    """Airbyte's refusal was a race: nothing is queued behind, attached to, skipped or failed."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    result = world.run(sync(world.request, replace(POLICY, on_conflict=on_conflict)))
    assert (leftover.job_id + 2, Origin.STARTED) == (result.job.job_id, result.origin)
    assert not [event for event in world.events if isinstance(event, WaitingForOther)]


@pytest.mark.parametrize("job_type", [JobType.SYNC, JobType.RESET])
def test_it_is_not_adopted(world, job_type):
    """It began after the lost submission, as did the newer job of whatever type that has ended."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    world.later(1, lambda: world.foreign(*STUCK))
    world.later(2, lambda: world.foreign((0, "running"), (0, "succeeded"), job_type=job_type))
    result = world.run(sync(world.request, POLICY))
    expected = 2 if job_type is JobType.SYNC else 3
    assert expected == result.job.job_id


def test_it_is_not_what_an_earlier_try_left(world):
    """The list tells so, and the request is made anew at once."""
    since = world.clock.now()
    world.foreign(*STUCK)
    world.pass_time(10)
    world.foreign((0, "running"), (10, "failed"))
    world.pass_time(60)
    earlier = EarlierTries(since=since, over_at=world.clock.now(), tries=2)
    result = world.run(sync(replace(world.request, earlier=earlier), POLICY))
    assert (3, Origin.STARTED) == (result.job.job_id, result.origin)


def test_it_is_not_followed_by_the_next_try(world):
    """A store remembers its id; the next try lists the connection's jobs, and starts another."""
    world.life(*STUCK)
    store = InMemoryStore()
    task = PortInterpreter(world.airbyte, world.clock, world.events.append, store)
    run(submit(world.request, POLICY), task)
    world.pass_time(60)
    world.foreign((0, "running"), (0, "succeeded"))
    world.pass_time(60)
    assert 3 == run(sync(world.request, POLICY), task).job.job_id


def test_who_queues_behind_a_job_hears_that_it_was_left_over(world):
    """While the queue waits, a newer job comes and ends: ours starts."""
    world.foreign(*STUCK)
    world.pass_time(60)
    world.later(5, lambda: world.foreign((0, "running"), (3, "succeeded"), job_type=JobType.RESET))
    result = world.run(sync(world.request, POLICY))
    assert (3, Origin.STARTED) == (result.job.job_id, result.origin)
    assert (1, 2) == (world.event(JobLeftOver).job.job_id, world.event(JobLeftOver).newer.job_id)


def test_who_follows_it_says_so_once_and_goes_by_the_timeout(world):
    """It is not cancelled then: Airbyte would cancel whatever runs on the connection now."""
    world.life(*STUCK)
    world.later(30, lambda: world.foreign((0, "running"), (0, "succeeded")))
    policy = replace(POLICY, timeout=timedelta(hours=2))
    with pytest.raises(
        SyncTimedOut, match=r"newer job 2 of the connection has ended.*not cancelled"
    ):
        world.run(sync(world.request, policy))
    assert 2 == world.event(JobLeftOver).newer.job_id
    assert 0 == world.airbyte.count("cancel")
    assert world.seconds() >= 7200


def test_it_is_not_cancelled(world, leftover):
    """Neither by a caller nor when its task is killed."""
    live = world.foreign((0, "running"), (500, "succeeded"))
    with pytest.raises(CancelUnconfirmed, match="leftover that nothing works on"):
        world.run(cancel(leftover.job_id, POLICY))
    assert 0 == world.airbyte.count("cancel")
    assert "running" == world.airbyte.fetch_job(live.job_id).status.word
    assert not [event for event in world.events if isinstance(event, CancelRequested)]


def test_a_kill_in_doubt_leaves_it_alone(world):
    """A submission was lost, and what began since then is a leftover: there is nothing to cancel."""
    world.life(*STUCK)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", CallFault(error=LOST))
    pause = world.first_pause(submit(world.request, POLICY))
    world.pass_time(5)
    world.foreign((0, "running"), (0, "succeeded"), job_type=JobType.RESET)
    assert world.run(abandon(pause.checkpoint, POLICY)) is None
    assert 0 == world.airbyte.count("cancel")
