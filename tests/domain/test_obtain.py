"""``obtain``: going on with a submission from wherever it was put away."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from airbyte_sync import (
    Checkpoint,
    InvalidCheckpoint,
    OnConflict,
    Origin,
    ResponseNotReceived,
    SubmitInDoubt,
    SyncPolicy,
    Throttled,
    obtain,
    resume,
    step,
    submit,
    sync,
)
from airbyte_sync.drivers import Done
from airbyte_sync.phases import Asked, Cancelling, ConnectionBusy, FindingJob, Submitting, Watching
from airbyte_sync_testkit.memory import CallFault

POLICY = SyncPolicy(timeout=timedelta(minutes=10))
LOST = ResponseNotReceived("the connection was reset")
FOR_EVER = (0, "running")


def put_away(pause):
    return Checkpoint.from_json(json.loads(json.dumps(pause.checkpoint.to_json())))


def test_from_submit_it_looks_first(world):
    """A process that died before the first pause may have submitted: that job is found."""
    checkpoint = Checkpoint(
        phase=Submitting(connection_id=world.connection_id), asked_at=world.clock.now()
    )
    world.foreign(FOR_EVER, (300, "succeeded"))
    world.pass_time(60)
    submission = world.run(obtain(checkpoint, POLICY))
    assert (1, Origin.ATTACHED) == (submission.job_id, submission.origin)
    assert 0 == world.airbyte.count("submit")


def test_from_submit_it_submits_where_there_is_nothing(world):
    """Nothing was started: one look, one submission."""
    checkpoint = Checkpoint(
        phase=Submitting(connection_id=world.connection_id), asked_at=world.clock.now()
    )
    assert world.run(obtain(checkpoint, POLICY)).origin is Origin.STARTED
    assert ["find_jobs", "submit"] == [method for method, _ in world.airbyte.calls]


@pytest.mark.parametrize(
    ("carried_out", "origin"), [(True, Origin.ADOPTED), (False, Origin.STARTED)]
)
def test_from_look_it_settles_the_doubt(world, carried_out, origin):
    """The answer was lost and the process put away: the job is found, or started after all."""
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=carried_out))
    world.airbyte.fail("find_jobs", CallFault(error=LOST))
    checkpoint = put_away(world.first_pause(submit(world.request, POLICY)))
    assert isinstance(checkpoint.phase, FindingJob)
    submission = world.run(obtain(checkpoint, POLICY))
    assert (submission.job_id, submission.origin) == (1, origin)
    assert isinstance(submission.checkpoint.phase, Watching)


def test_from_look_it_may_end_in_doubt(world):
    """As submit does."""
    world.airbyte.fail("submit", *[CallFault(error=LOST)] * 99)
    checkpoint = put_away(world.first_pause(submit(world.request, POLICY)))
    with pytest.raises(SubmitInDoubt):
        world.run(obtain(checkpoint, POLICY))


def test_from_queue_it_waits_for_the_other(world):
    """It comes back once ours has begun, and does not wait for its end."""
    foreign = world.foreign(FOR_EVER, (200, "succeeded"))
    world.pass_time(60)
    checkpoint = put_away(world.first_pause(submit(world.request, POLICY)))
    assert isinstance(checkpoint.phase, ConnectionBusy)
    world.life(FOR_EVER)
    submission = world.run(obtain(checkpoint, POLICY))
    assert (submission.job_id, submission.origin) == (foreign.job_id + 1, Origin.STARTED)
    assert "running" == world.airbyte.fetch_job(submission.job_id).status.word


@pytest.mark.parametrize("seconds", [0, 3600])
def test_from_watch_there_is_nothing_left_to_do(world, seconds):
    """The request has its job: it comes back without a call and without a wait."""
    checkpoint = put_away(world.first_pause(sync(world.request, POLICY)))
    assert isinstance(checkpoint.phase, Watching)
    world.pass_time(seconds)
    world.airbyte.calls.clear()
    submission = world.run(obtain(checkpoint, POLICY))
    assert (1, Origin.STARTED) == (submission.job_id, submission.origin)
    assert submission.checkpoint == checkpoint
    assert [] == world.airbyte.calls


def test_from_cancel_there_is_nothing_left_to_do(world):
    """It has a job, which is being cancelled: resume goes on with that."""
    world.life((0, "pending"), (620, "running"))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    while not isinstance(checkpoint.phase, Cancelling):
        world.clock.advance_to(checkpoint.wake_at)
        checkpoint = world.first_pause(resume(checkpoint, POLICY)).checkpoint
    world.airbyte.calls.clear()
    assert world.run(obtain(checkpoint, POLICY)).checkpoint == checkpoint
    assert [] == world.airbyte.calls


@pytest.mark.parametrize(
    "phase",
    [Asked(), Cancelling(job_id=1, origin=None, cancel_until=datetime.now(timezone.utc))],
)
def test_what_is_no_request_yet_or_any_more_is_refused_before_any_call(world, phase):
    """The mark of a request without a connection, and a cancellation of a job by its id."""
    checkpoint = Checkpoint(phase=phase, asked_at=world.clock.now())
    with pytest.raises(InvalidCheckpoint, match="needs a"):
        world.run(obtain(checkpoint, POLICY))
    assert [] == world.airbyte.calls


def test_pause_by_pause_it_gives_what_submit_gives(new_world):
    """Every pause in a life of its own: the same job, after the same calls, at the same moment."""

    def trouble():
        world = new_world()
        world.foreign(FOR_EVER, (100, "succeeded"))
        world.pass_time(60)
        world.airbyte.fail("submit", CallFault(error=Throttled("slow down")), CallFault(error=LOST))
        return world

    policy = replace(POLICY, on_conflict=OnConflict.QUEUE)
    world, other = trouble(), trouble()
    expected = other.run(submit(other.request, policy))
    turn = step(submit(world.request, policy), world)
    while not isinstance(turn, Done):
        world.clock.advance_to(turn.until)
        turn = step(obtain(put_away(turn), policy), world)
    assert turn.result == expected
    assert world.airbyte.calls == other.airbyte.calls
    assert world.clock.now() == other.clock.now()
