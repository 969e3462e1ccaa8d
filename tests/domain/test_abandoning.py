"""The sync is not wanted any more: what the request has started is cancelled, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    CancelUnconfirmed,
    EarlierTries,
    Forbidden,
    InvalidCheckpoint,
    NotFound,
    OnConflict,
    Origin,
    PortInterpreter,
    RefusedOnTheWay,
    RequestNotSent,
    ResponseNotReceived,
    SubmitInDoubt,
    SyncPolicy,
    Throttled,
    abandon,
    cancel,
    resume,
    run,
    submit,
    sync,
    watch,
)
from airbyte_sync.checkpoint import Checkpoint
from airbyte_sync.events import CancelRequested, JobEnded
from airbyte_sync.phases import Cancelling, ConnectionBusy, FindingJob, Submitting, Watching
from airbyte_sync_testkit.memory import CallFault, InMemoryStore

POLICY = SyncPolicy(timeout=timedelta(minutes=5))
LOST = ResponseNotReceived("the connection was reset")
FOR_EVER = (0, "running")


def statuses(world):
    return [job.status.word for job in world.airbyte.jobs()]


def abandoned(world, checkpoint):
    """Abandon a request, and return the status of its job and the calls that it took."""
    world.airbyte.calls.clear()
    job = world.run(abandon(checkpoint, POLICY))
    return job and job.status.word, [method for method, _ in world.airbyte.calls]


@pytest.fixture
def watching(world):
    """A sync of ours that has been running for ten seconds."""
    world.life((0, "pending"), (2, "running"))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    world.pass_time(10)
    return checkpoint


def test_our_own_job_is_cancelled(world, watching):
    """It is cancelled, and the ended job comes back."""
    assert isinstance(watching.phase, Watching)
    assert "cancelled" == abandoned(world, watching)[0]
    assert ["cancelled"] == statuses(world)
    assert 1 == world.event(CancelRequested).job.job_id
    assert "cancelled" == world.event(JobEnded).job.status.word


def test_it_is_insisted_on(world):
    """A cancellation before the first attempt is dropped without a word: repeat until it has ended."""
    world.life((0, "pending"), (8, "running"))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    status, calls = abandoned(world, checkpoint)
    assert "cancelled" == status
    assert calls.count("cancel") > 1


def test_an_adopted_job_is_cancelled(world):
    """What our lost submission started is ours."""
    world.life(FOR_EVER)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    submission = world.run(submit(world.request, POLICY))
    assert submission.origin is Origin.ADOPTED
    assert "cancelled" == abandoned(world, submission.checkpoint)[0]


def test_an_attached_job_is_left_alone(world):
    """Another client started it: the server is not even asked."""
    world.foreign(FOR_EVER)
    world.pass_time(60)
    policy = replace(POLICY, on_conflict=OnConflict.ATTACH)
    checkpoint = world.run(submit(world.request, policy)).checkpoint
    assert checkpoint.origin is Origin.ATTACHED
    assert (None, []) == abandoned(world, checkpoint)
    assert ["running"] == statuses(world)


@pytest.mark.parametrize(("is_ours", "expected"), [(True, "cancelled"), (False, "running")])
def test_a_watched_job_is_cancelled_where_it_is_the_callers(world, is_ours, expected):
    """A sensor that cancels on kill says so when it begins."""
    job = world.foreign(FOR_EVER)
    checkpoint = world.first_pause(watch(job.job_id, POLICY, is_ours=is_ours)).checkpoint
    abandoned(world, checkpoint)
    assert statuses(world) == [expected]


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_an_ended_job_is_left_alone(world, end):
    """A DELETE for it would cancel what runs on its connection now."""
    world.life(FOR_EVER, (20, end))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    world.pass_time(60)
    world.foreign(FOR_EVER)
    assert abandoned(world, checkpoint) == (end, ["fetch_job"])
    assert statuses(world) == [end, "running"]


def test_a_cancellation_under_way_is_finished(world):
    """The deadline had passed and the process was killed while it insisted."""
    world.life((0, "pending"), (320, "running"))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    while not isinstance(checkpoint.phase, Cancelling):
        world.clock.advance_to(checkpoint.wake_at)
        checkpoint = world.first_pause(resume(checkpoint, POLICY)).checkpoint
    assert "cancelled" == abandoned(world, checkpoint)[0]


@pytest.mark.parametrize("phase", [Submitting, FindingJob])
def test_where_nothing_was_started_nothing_is_asked(world, phase):
    """The request was killed before its submission, or that had surely not arrived."""
    world.foreign(FOR_EVER)
    checkpoint = Checkpoint(
        phase=phase(connection_id=world.connection_id), asked_at=world.clock.now()
    )
    assert (None, []) == abandoned(world, checkpoint)
    assert ["running"] == statuses(world)


def test_a_postponed_submission_has_started_nothing(world):
    """It was refused for now, so there is nothing to cancel."""
    world.airbyte.fail("submit", CallFault(error=Throttled("slow down", status=429)))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    assert (type(checkpoint.phase), checkpoint.in_doubt) == (FindingJob, False)
    assert (None, []) == abandoned(world, checkpoint)


def test_a_queue_has_started_nothing(world):
    """The job that is in the way is not ours."""
    world.foreign(FOR_EVER)
    world.pass_time(60)
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    assert isinstance(checkpoint.phase, ConnectionBusy)
    assert (None, []) == abandoned(world, checkpoint)
    assert ["running"] == statuses(world)


@pytest.fixture
def in_doubt(world):
    """A request whose submission was carried out, and which was killed before it knew."""
    world.life(FOR_EVER)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", CallFault(error=LOST))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    assert (type(checkpoint.phase), checkpoint.in_doubt) == (FindingJob, True)
    return checkpoint


def test_a_job_in_doubt_is_found_and_cancelled(world, in_doubt):
    """The list tells which it is, and once more before it is cancelled that it is no leftover."""
    world.pass_time(10)
    status, calls = abandoned(world, in_doubt)
    assert "cancelled" == status
    assert 2 == calls.count("find_jobs")
    assert ["cancelled"] == statuses(world)


def test_a_kill_in_the_middle_of_a_submission_is_in_doubt(world):
    """The checkpoint that was kept before the request left finds what came of it."""
    store = InMemoryStore()
    task = PortInterpreter(world.airbyte, world.clock, world.events.append, store)
    world.life(FOR_EVER)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", *[CallFault(error=LOST)] * 99)
    with pytest.raises(SubmitInDoubt, match="may be running"):
        run(submit(world.request, POLICY), task)
    world.airbyte.recover()
    assert "cancelled" == abandoned(world, store.load())[0]


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_server_clock_that_goes_wrong_does_not_fool_it(world, minutes, is_ours):
    """Job times are the server's: a skew neither hides our job nor makes an older one ours."""
    world.skew_server(minutes)
    if not is_ours:
        world.foreign(FOR_EVER)
        world.pass_time(60)
    world.life(FOR_EVER)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=is_ours))
    world.airbyte.fail("find_jobs", CallFault(error=LOST))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    assert abandoned(world, checkpoint)[0] == ("cancelled" if is_ours else None)
    assert statuses(world) == ["cancelled" if is_ours else "running"]


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_a_job_in_doubt_that_has_ended_is_left_alone(world, end):
    """What came of it is over."""
    world.life(FOR_EVER, (5, end))
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", CallFault(error=LOST))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    world.pass_time(10)
    assert (None, ["find_jobs"]) == abandoned(world, checkpoint)


def test_in_doubt_an_older_job_is_left_alone(world):
    """It was there before the request: not ours."""
    world.foreign(FOR_EVER)
    world.pass_time(60)
    world.airbyte.fail("submit", CallFault(error=LOST))
    policy = replace(POLICY, on_conflict=OnConflict.FAIL)
    checkpoint = world.first_pause(sync(world.request, policy)).checkpoint
    assert (type(checkpoint.phase), checkpoint.in_doubt) == (FindingJob, True)
    assert (None, ["find_jobs"]) == abandoned(world, checkpoint)
    assert ["running"] == statuses(world)


def test_in_doubt_with_nothing_there_there_is_nothing_to_cancel(world):
    """One look, and no search: a kill does not wait."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    assert (None, ["find_jobs"]) == abandoned(world, checkpoint)
    assert 0 == world.seconds()


def test_a_doubt_behind_a_queue_is_looked_for(world):
    """Our lost submission came to life after another client's job, and no poll has seen it yet."""
    world.foreign(FOR_EVER, (70, "cancelled"))
    world.pass_time(60)
    world.airbyte.fail("submit", CallFault(error=LOST))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    assert (type(checkpoint.phase), checkpoint.in_doubt) == (ConnectionBusy, True)
    world.pass_time(15)
    ours = world.foreign(FOR_EVER)
    assert "cancelled" == abandoned(world, checkpoint)[0]
    assert "cancelled" == world.airbyte.fetch_job(ours.job_id).status.word


def test_while_an_earlier_try_is_looked_for_its_job_is_cancelled(world):
    """Killed before the first look: what the try before has started is wanted as little."""
    began = world.clock.now()
    world.life(FOR_EVER)
    world.first_pause(sync(world.request, POLICY))
    world.pass_time(60)
    earlier = EarlierTries(since=began, over_at=world.clock.now())
    world.airbyte.fail("find_jobs", CallFault(error=LOST))
    request = replace(world.request, earlier=earlier)
    checkpoint = world.first_pause(sync(request, POLICY)).checkpoint
    assert "cancelled" == abandoned(world, checkpoint)[0]


@pytest.mark.parametrize(
    "error", [LOST, RequestNotSent("refused"), Forbidden("no", status=403)], ids=repr
)
def test_a_list_that_cannot_be_read_is_told(world, in_doubt, error):
    """It stays unknown whether there is a job: after cancel_timeout the caller tells a person."""
    world.airbyte.fail("find_jobs", *[CallFault(error=error)] * 99)
    with pytest.raises(type(error)) as caught:
        world.run(abandon(in_doubt, POLICY))
    assert caught.value is error
    assert 0 == world.airbyte.count("cancel")
    assert 120 <= world.seconds() < 180


@pytest.mark.parametrize(
    "error", [LOST, RequestNotSent("refused"), RefusedOnTheWay("no route", status=404)], ids=repr
)
def test_a_list_that_fails_once_is_read_again(world, in_doubt, error):
    """One odd answer does not leave a sync running that is to be cancelled."""
    world.airbyte.fail("find_jobs", CallFault(error=error))
    assert "cancelled" == abandoned(world, in_doubt)[0]


def test_a_refused_cancellation_is_told(world, watching):
    """We may look, but not cancel."""
    world.airbyte.fail("cancel", CallFault(error=Forbidden("read only", status=403)))
    with pytest.raises(Forbidden, match="read only"):
        world.run(abandon(watching, POLICY))


def test_a_job_that_airbyte_forgot_is_told(world, watching):
    """A restored server does not know it: after cancel_timeout that is told."""
    world.airbyte.forget(watching.job_id)
    with pytest.raises(CancelUnconfirmed, match="Could not find job"):
        world.run(abandon(watching, POLICY))


@pytest.mark.parametrize("error", [NotFound("404"), RefusedOnTheWay("404")], ids=repr)
def test_a_job_that_is_missing_once_is_cancelled(world, watching, error):
    """A gateway that reloads its routes does not leave a sync running that is to be cancelled."""
    world.airbyte.fail("fetch_job", CallFault(error=error))
    assert "cancelled" == abandoned(world, watching)[0]


def test_a_server_that_cannot_be_seen_is_asked_again(world, watching):
    """A lost answer is no reason to give up."""
    world.airbyte.fail("fetch_job", CallFault(error=LOST))
    world.airbyte.fail("cancel", CallFault(error=LOST))
    assert "cancelled" == abandoned(world, watching)[0]


def test_it_has_an_end(world, watching):
    """The policy's cancel_timeout bounds it: the job may still be running, and the error says so."""
    world.airbyte.fail("cancel", *[CallFault(error=LOST)] * 99)
    policy = replace(POLICY, cancel_timeout=timedelta(seconds=4))
    with pytest.raises(CancelUnconfirmed, match="had not ended 4 s after") as caught:
        world.run(abandon(watching, policy))
    assert 1 == caught.value.job.job_id
    assert 14 == world.seconds()


def test_a_checkpoint_that_does_not_say_whose_the_job_is_is_refused(world):
    """That of a cancellation is not one of a request."""
    job = world.foreign((0, "pending"))
    checkpoint = world.first_pause(cancel(job.job_id, POLICY)).checkpoint
    world.airbyte.calls.clear()
    with pytest.raises(InvalidCheckpoint, match="needs an origin"):
        world.run(abandon(checkpoint, POLICY))
    assert [] == world.airbyte.calls
