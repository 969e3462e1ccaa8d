"""The deadline and cancelling: look, then judge; cancel our own, until the server says that it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    CancelUnconfirmed,
    Forbidden,
    InvalidCheckpoint,
    JobNotRunning,
    JobStatus,
    JobType,
    NotFound,
    OnConflict,
    Origin,
    ResponseNotReceived,
    ServerUnreachable,
    StateConflict,
    SyncAlreadyRunning,
    SyncFailed,
    SyncPolicy,
    SyncTimedOut,
    Throttled,
    cancel,
    resume,
    sync,
    watch,
)
from airbyte_sync.events import CancelRequested, JobEnded
from airbyte_sync.phases import Cancelling
from airbyte_sync_testkit.memory import CallFault, InMemoryAirbyte, about_another_connection

POLICY = SyncPolicy(timeout=timedelta(minutes=5))
MAY_QUEUE = replace(POLICY, queue_timeout=timedelta(hours=1))
LOST = ResponseNotReceived("the connection was reset")
ENDLESS = ((0, "pending"), (2, "running"))


def statuses(world):
    return [job.status.word for job in world.airbyte.jobs()]


def test_our_own_job_is_cancelled_at_the_deadline(world):
    """The timeout passes: the sync that we started is cancelled, and the error says so."""
    world.life(*ENDLESS)
    with pytest.raises(
        SyncTimedOut, match=r"did not end within 300 s .timeout. and was cancelled"
    ) as e:
        world.run(sync(world.request, POLICY))
    assert "cancelled" == e.value.job.status.word
    assert ["cancelled"] == statuses(world)
    assert 300 == world.seconds()


def test_an_adopted_job_is_cancelled_at_the_deadline(world):
    """What was started by our lost request is ours as well."""
    world.life(*ENDLESS)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    with pytest.raises(SyncTimedOut):
        world.run(sync(world.request, POLICY))
    assert ["cancelled"] == statuses(world)


def test_an_attached_job_is_never_cancelled(world):
    """We only followed it: at the deadline it is left running, and the error carries it."""
    foreign = world.foreign(*ENDLESS)
    world.pass_time(60)
    with pytest.raises(
        SyncTimedOut, match=r"left running. Raise timeout if it needs longer"
    ) as caught:
        world.run(sync(world.request, replace(POLICY, on_conflict=OnConflict.ATTACH)))
    assert caught.value.job.job_id == foreign.job_id
    assert 0 == world.airbyte.count("cancel")


def test_a_watched_job_is_never_cancelled(world):
    """A sensor cancels nothing."""
    job = world.foreign(*ENDLESS)
    with pytest.raises(SyncTimedOut, match="left running"):
        world.run(watch(job.job_id, POLICY))
    assert 0 == world.airbyte.count("cancel")


def test_the_policy_may_leave_a_late_job_running(world):
    """cancel_on_timeout=False gives up waiting, not the sync."""
    world.life(*ENDLESS)
    with pytest.raises(SyncTimedOut, match="left running"):
        world.run(sync(world.request, replace(POLICY, cancel_on_timeout=False)))
    assert ["running"] == statuses(world)


@pytest.mark.parametrize("hours", [1, 24, 24 * 30])
def test_a_late_wake_up_does_not_kill_a_finished_sync(world, hours):
    """The scheduler slept over the deadline; the sync had succeeded: that is what counts."""
    pause = world.first_pause(sync(world.request, POLICY))
    world.pass_time(hours * 3600)
    assert "succeeded" == world.run(resume(pause.checkpoint, POLICY)).job.status.word
    assert 0 == world.airbyte.count("cancel")


@pytest.mark.parametrize("failed_looks", [1, 3])
def test_a_late_wake_up_needs_a_look_that_succeeds(world, failed_looks):
    """The first looks after the deadline fail: that is no reason to call a finished sync late."""
    pause = world.first_pause(sync(world.request, POLICY))
    world.pass_time(3600)
    world.airbyte.fail("fetch_job", *[CallFault(error=LOST)] * failed_looks)
    assert "succeeded" == world.run(resume(pause.checkpoint, POLICY)).job.status.word
    assert 0 == world.airbyte.count("cancel")


@pytest.mark.parametrize("failed_looks", [1, 3])
def test_a_late_look_at_another_clients_job_is_repeated(world, failed_looks):
    """The same holds for a job that we only watch."""
    job = world.foreign((0, "running"), (100, "succeeded"))
    pause = world.first_pause(watch(job.job_id, POLICY))
    world.pass_time(3600)
    world.airbyte.fail("fetch_job", *[CallFault(error=LOST)] * failed_looks)
    assert "succeeded" == world.run(resume(pause.checkpoint, POLICY)).job.status.word


def test_a_late_wake_up_tells_a_failure_from_a_time_out(world):
    """The sync failed long ago: SyncFailed, not SyncTimedOut."""
    world.life((0, "running"), (20, "failed"))
    pause = world.first_pause(sync(world.request, POLICY))
    world.pass_time(3600)
    with pytest.raises(SyncFailed):
        world.run(resume(pause.checkpoint, POLICY))


def test_late_looks_at_another_clients_job_have_an_end(world):
    """It cannot be seen for cancel_timeout after the deadline: the error says what we know."""
    job = world.foreign(*ENDLESS)
    pause = world.first_pause(watch(job.job_id, POLICY))
    world.pass_time(3600)
    world.airbyte.fail("fetch_job", *[CallFault(error=LOST)] * 99)
    with pytest.raises(
        SyncTimedOut, match=r"as far as we know.*The last error: the connection was"
    ):
        world.run(resume(pause.checkpoint, POLICY))
    assert 3600 + 120 == world.seconds()


@pytest.mark.parametrize("error", [NotFound("404"), Forbidden("403")], ids=repr)
def test_a_refused_late_poll_is_no_verdict(world, error):
    """The job was seen before: it is polled once more before the timeout is declared."""
    job = world.foreign(*ENDLESS)
    pause = world.first_pause(watch(job.job_id, POLICY))
    world.pass_time(3600)
    world.airbyte.fail("fetch_job", CallFault(error=LOST), CallFault(error=error))
    with pytest.raises(SyncTimedOut, match="it was left running") as caught:
        world.run(resume(pause.checkpoint, POLICY))
    assert caught.value.job.job_id == job.job_id


def test_a_sync_that_ends_in_the_last_moment_has_succeeded(world):
    """It succeeded between the last look and the cancellation: nothing is cancelled."""
    world.life((0, "running"), (300, "succeeded"))
    assert "succeeded" == world.run(sync(world.request, POLICY)).job.status.word
    assert 0 == world.airbyte.count("cancel")


def test_a_sync_that_succeeds_despite_the_cancellation_has_succeeded(world):
    """The cancellation was lost, and the sync succeeded meanwhile: a finished sync is never called failed."""
    world.life((0, "running"), (303, "succeeded"))
    world.airbyte.fail("cancel", CallFault(error=LOST), CallFault(error=LOST))
    assert "succeeded" == world.run(sync(world.request, POLICY)).job.status.word


def test_a_sync_that_fails_by_itself_before_the_cancellation_has_failed(world):
    """The cancellation came too late: the failure is Airbyte's own."""
    world.life((0, "running"), (301, "failed"))
    world.airbyte.fail("cancel", CallFault(error=LOST))
    with pytest.raises(SyncFailed):
        world.run(sync(world.request, POLICY))


def test_a_lost_cancellation_is_repeated(world):
    """Airbyte drops a cancellation without a word before the first attempt: repeat until it has ended."""
    world.life((0, "pending"), (320, "running"))
    with pytest.raises(SyncTimedOut, match="was cancelled"):
        world.run(sync(world.request, MAY_QUEUE))
    assert ["cancelled"] == statuses(world)
    assert world.airbyte.count("cancel") > 1


def test_a_cancellation_whose_answer_is_lost_is_confirmed_by_a_look(world):
    """A DELETE often times out although it was carried out."""
    world.life(*ENDLESS)
    world.airbyte.fail("cancel", CallFault(error=LOST, carried_out=True))
    with pytest.raises(SyncTimedOut, match="was cancelled; Airbyte says cancelled"):
        world.run(sync(world.request, POLICY))
    assert 1 == world.airbyte.count("cancel")


def test_not_running_is_settled_by_the_next_look(world):
    """The job ended between the look and the request; how, only a look tells."""
    world.life((0, "running"), (301, "succeeded"))
    world.airbyte.fail("cancel", CallFault(error=JobNotRunning("Job is not currently running")))
    assert "succeeded" == world.run(sync(world.request, POLICY)).job.status.word
    assert 1 == world.airbyte.count("cancel")


def test_insisting_has_an_end(world):
    """A job that never ends, whatever we ask: the error says that it may still run."""
    world.life((0, "pending"))
    with pytest.raises(
        SyncTimedOut, match=r"cancellation is not confirmed.*Check the job in Airbyte"
    ) as e:
        world.run(sync(world.request, MAY_QUEUE))
    assert isinstance(e.value.__cause__, CancelUnconfirmed)
    assert "pending" == e.value.job.status.word
    assert 420 == world.seconds()
    assert world.airbyte.count("cancel") < 25


def test_a_refused_cancellation_is_told(world):
    """We may look but not cancel: a timeout, caused by the refusal, and the job may still run."""
    world.life(*ENDLESS)
    refusal = Forbidden("read only", status=403)
    world.airbyte.fail("cancel", CallFault(error=refusal))
    with pytest.raises(SyncTimedOut, match="not confirmed: read only Check the job") as caught:
        world.run(sync(world.request, POLICY))
    assert caught.value.__cause__ is refusal


@pytest.mark.parametrize(
    "error",
    [NotFound("404", status=404), StateConflict("409", status=409), SyncAlreadyRunning("409")],
    ids=lambda error: type(error).__name__,
)
def test_one_refusal_of_a_cancellation_that_the_poll_before_contradicts_may_pass(world, error):
    """The job was seen running a moment ago: the cancellation is repeated."""
    world.life(*ENDLESS)
    world.airbyte.fail("cancel", CallFault(error=error))
    with pytest.raises(SyncTimedOut, match="and was cancelled"):
        world.run(sync(world.request, POLICY))
    assert ["cancelled"] == statuses(world)
    assert 2 == world.airbyte.count("cancel")


def test_a_cancellation_is_not_confirmed_by_a_reply_about_another_connection(world):
    """It said that another job had succeeded: it is no answer, and the job is polled again."""

    def another(job):
        return about_another_connection(replace(job, status=JobStatus.SUCCEEDED))

    world.life(*ENDLESS)
    job = world.airbyte.submit(world.connection_id, JobType.SYNC)
    world.airbyte.fail("cancel", CallFault(change=another))
    assert JobStatus.CANCELLED == world.run(cancel(job.job_id, POLICY)).status


def test_an_unreachable_server_at_the_deadline_is_told(world):
    """Neither looks nor cancellations come through: a timeout that is not confirmed."""
    world.life(*ENDLESS)
    pause = world.first_pause(sync(world.request, POLICY))
    world.pass_time(299)
    world.airbyte.fail("fetch_job", *[CallFault(error=LOST)] * 99)
    with pytest.raises(SyncTimedOut, match=r"not confirmed.*had not ended 120 s after"):
        world.run(resume(pause.checkpoint, POLICY))


def test_an_unreachable_server_before_the_deadline_is_no_time_out(world):
    """The wait fails for unreachable_timeout first: the sync is left alone."""
    world.life(*ENDLESS)
    world.airbyte.fail("fetch_job", *[CallFault(error=LOST)] * 99)
    with pytest.raises(ServerUnreachable):
        world.run(sync(world.request, replace(POLICY, timeout=timedelta(hours=1))))
    assert 0 == world.airbyte.count("cancel")


def test_cancelling_honours_retry_after(world):
    """Insisting does not mean storming a server that asks for a pause."""
    world.life(*ENDLESS)
    world.airbyte.fail(
        "cancel", *[CallFault(error=Throttled("", retry_after=timedelta(seconds=45)))] * 99
    )
    with pytest.raises(SyncTimedOut):
        world.run(sync(world.request, POLICY))
    assert world.airbyte.count("cancel") <= 4


def test_cancel_cancels_until_the_end(world):
    """Cancel-on-kill is a flow of its own: it comes back with the ended job."""
    job = world.foreign((0, "pending"), (5, "running"))
    assert "cancelled" == world.run(cancel(job.job_id, POLICY)).status.word
    assert isinstance(world.events[-1], JobEnded)
    assert any(isinstance(event, CancelRequested) for event in world.events)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_an_old_job_id_is_never_cancelled(world, end):
    """A DELETE for an ended job would cancel whatever runs on its connection now."""
    old = world.foreign((0, "running"), (10, end))
    world.pass_time(60)
    current = world.foreign(*ENDLESS)
    assert world.run(cancel(old.job_id, POLICY)).status.word == end
    assert 0 == world.airbyte.count("cancel")
    world.pass_time(10)
    assert "running" == world.airbyte.fetch_job(current.job_id).status.word


def test_cancel_is_unconfirmed_when_the_server_never_says_so(world):
    """The error carries the job as it was last seen."""
    job = world.foreign((0, "pending"))
    with pytest.raises(CancelUnconfirmed, match="120 s after it was to be cancelled") as caught:
        world.run(cancel(job.job_id, POLICY))
    assert "pending" == caught.value.job.status.word


def test_cancel_is_refused_at_once(world):
    """An unknown job cannot be cancelled."""
    with pytest.raises(NotFound):
        world.run(cancel(7, POLICY))


def test_cancel_is_put_away_by_calling_it_again(world):
    """resume is for syncs: it refuses the checkpoint of a cancellation before any call."""
    job = world.foreign((0, "pending"), (5, "running"))
    pause = world.first_pause(cancel(job.job_id, POLICY))
    assert isinstance(pause.checkpoint.phase, Cancelling)
    calls = len(world.airbyte.calls)
    with pytest.raises(InvalidCheckpoint, match="needs an origin"):
        world.run(resume(pause.checkpoint, POLICY))
    assert len(world.airbyte.calls) == calls
    assert "cancelled" == world.run(cancel(job.job_id, POLICY)).status.word


def test_a_late_resume_in_phase_cancel_looks_first(world):
    """The deadline passed, the process died while it cancelled, and the sync succeeded meanwhile."""
    world.life((0, "pending"), (400, "running"), (500, "succeeded"))
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    while not isinstance(checkpoint.phase, Cancelling):
        world.clock.advance_to(checkpoint.wake_at)
        checkpoint = world.first_pause(resume(checkpoint, POLICY)).checkpoint
    world.pass_time(1000)
    result = world.run(resume(checkpoint, POLICY))
    assert ("succeeded", Origin.STARTED) == (result.job.status.word, result.origin)


def test_a_deadline_during_a_slow_submission_cancels_what_it_started(world):
    """The submission took longer than the whole timeout: its job is ours and is cancelled."""

    class Slow(InMemoryAirbyte):
        def submit(self, connection_id, job_type):
            job = super().submit(connection_id, job_type)
            self.clock.advance(timedelta(seconds=400))
            return job

    world.airbyte.__class__ = Slow
    world.life(*ENDLESS)
    with pytest.raises(SyncTimedOut, match="was cancelled"):
        world.run(sync(world.request, POLICY))
    assert ["cancelled"] == statuses(world)
