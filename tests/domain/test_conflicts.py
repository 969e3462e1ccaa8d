"""409: another client's job runs, the server's state is stale, or the connection takes no jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    ConnectionStatus,
    ConnectionUnavailable,
    Forbidden,
    JobType,
    NotFound,
    OnConflict,
    Origin,
    QueueTimedOut,
    RefusedOnTheWay,
    RequestNotSent,
    ResponseNotReceived,
    ServerUnreachable,
    StateConflict,
    SubmitInDoubt,
    SyncAlreadyRunning,
    SyncFailed,
    SyncPolicy,
    SyncSkipped,
    resume,
    sync,
)
from airbyte_sync.events import SubmitUncertain, WaitingForOther
from airbyte_sync_testkit.memory import CallFault, InMemoryAirbyte

POLICY = SyncPolicy()
LOST = ResponseNotReceived("the connection was reset")
BUSY = SyncAlreadyRunning("A sync is already running for: it", status=409)
CONFLICT = StateConflict("Could not fulfill request", status=409)


def policy(on_conflict, **settings):
    return replace(POLICY, on_conflict=OnConflict(on_conflict), **settings)


@pytest.fixture
def foreign(world):
    """A sync of another client that began a minute before the request."""
    job = world.foreign((0, "running"), (200, "succeeded"))
    world.pass_time(60)
    return job


def test_queue_waits_and_then_starts_ours(world, foreign):
    """The running sync may have read older data: wait for it, then start our own."""
    result = world.run(sync(world.request, policy("queue")))
    assert result.origin is Origin.STARTED
    assert result.job.job_id == foreign.job_id + 1
    assert world.event(WaitingForOther).job.job_id == foreign.job_id
    assert 0 == world.airbyte.count("cancel")


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_queue_does_not_care_how_the_other_ended(world, end):
    """Another client's failure is not ours."""
    world.foreign((0, "running"), (100, end))
    world.pass_time(60)
    assert world.run(sync(world.request, policy("queue"))).origin is Origin.STARTED


def test_queue_follows_the_next_one(world, foreign):
    """A sync that began after our request, while we queued, is as fresh as ours: it is followed."""
    world.later(141, lambda: world.foreign((0, "running"), (50, "succeeded")))
    result = world.run(sync(world.request, policy("queue")))
    assert result.origin is Origin.ATTACHED
    assert result.job.job_id == foreign.job_id + 1
    assert 1 == world.airbyte.count("submit")


def test_queue_takes_the_end_of_a_fresh_one_for_its_own(world, foreign):
    """A sync that came and failed while we queued may be ours, put there before a crash: not run twice."""
    world.later(141, lambda: world.foreign((0, "running"), (1, "failed")))
    with pytest.raises(SyncFailed) as e:
        world.run(
            sync(world.request, policy("queue", poll=POLICY.poll.fixed(timedelta(seconds=150))))
        )
    assert e.value.job.job_id == foreign.job_id + 1
    assert 1 == world.airbyte.count("submit")  # refused: the connection was busy


def test_queue_ends_at_the_deadline_without_cancelling(world, foreign):
    """The connection stays busy for too long: the error names the job that is in the way, and the clock."""
    with pytest.raises(
        QueueTimedOut,
        match=r"within 100 s \(queue_timeout, by default the value of timeout\): connection .* busy with "
        r"job 1 .running., which is not ours. .*set queue_timeout to more than that",
    ) as e:
        world.run(sync(world.request, policy("queue", timeout=timedelta(seconds=100))))
    assert e.value.job.job_id == foreign.job_id
    assert 0 == world.airbyte.count("cancel")
    assert 160 == world.seconds()


def test_queue_survives_failed_looks(world, foreign):
    """Looks at another client's job may fail as ours may."""
    world.airbyte.fail("fetch_job", *[CallFault(error=LOST)] * 4)
    assert world.run(sync(world.request, policy("queue"))).job.job_id == foreign.job_id + 1


def test_queue_gives_up_an_unreachable_server(world, foreign):
    """Nothing of ours runs, and the error says so."""
    world.airbyte.fail("fetch_job", *[CallFault(error=LOST)] * 99)
    with pytest.raises(ServerUnreachable, match="none is running for this request"):
        world.run(sync(world.request, policy("queue")))
    assert foreign is not None


def test_queue_at_the_deadline_with_a_failing_server(world, foreign):
    """The deadline passes on a failed look: nothing was started, and the last error is told."""
    world.airbyte.fail("fetch_job", *[CallFault(error=LOST)] * 99)
    with pytest.raises(QueueTimedOut, match=r"none is running for this request.*was reset"):
        world.run(sync(world.request, policy("queue", timeout=timedelta(seconds=100))))
    assert foreign is not None


def test_queue_begins_its_own_series_of_failures(world, foreign):
    """A late wake-up with one failed look is no series, whatever failed before the queue."""
    world.airbyte.fail("fetch_job", CallFault(error=LOST))
    pause = world.first_pause(sync(world.request, policy("queue", timeout=None)))
    world.pass_time(3600)
    assert 2 == world.run(resume(pause.checkpoint, policy("queue", timeout=None))).job.job_id
    assert 1 == foreign.job_id


@pytest.mark.parametrize(
    "error",
    [Forbidden("no", status=403), NotFound("gone"), RefusedOnTheWay("no route", status=404)],
    ids=repr,
)
def test_a_refusal_in_the_queue_is_no_verdict(world, foreign, error):
    """The job in the way was seen before: it is polled again, and ours starts when it has ended."""
    world.airbyte.fail("fetch_job", CallFault(error=error))
    result = world.run(sync(world.request, policy("queue")))
    assert (result.job.job_id, result.origin) == (foreign.job_id + 1, Origin.STARTED)
    assert 2 == world.airbyte.count("submit")


def test_a_job_in_the_way_that_is_deleted_is_not_in_the_way(world, foreign):
    """The job list says that nothing is left of it: ours starts."""
    world.later(30, lambda: world.airbyte.forget(foreign.job_id))
    result = world.run(sync(world.request, policy("queue")))
    assert (result.job.job_id, result.origin) == (foreign.job_id + 1, Origin.STARTED)


def test_a_job_in_the_way_that_may_not_be_polled_is_given_up(world, foreign):
    """After unreachable_timeout the refusal is told."""
    world.airbyte.fail("fetch_job", *[CallFault(error=Forbidden("no", status=403))] * 99)
    with pytest.raises(ServerUnreachable, match=r"none is running for this request.*no"):
        world.run(sync(world.request, policy("queue")))
    assert foreign is not None
    assert 900 <= world.seconds() < 1100


def test_attach_follows_the_running_sync(world, foreign):
    """The running sync will do: it is followed to its end and nothing is started."""
    result = world.run(sync(world.request, policy("attach")))
    assert (result.job.job_id, result.origin) == (foreign.job_id, Origin.ATTACHED)
    assert 1 == len(world.airbyte.jobs())


def test_attach_fails_with_the_running_sync(world):
    """Its failure is ours then."""
    world.foreign((0, "running"), (100, "failed"))
    world.pass_time(60)
    with pytest.raises(SyncFailed):
        world.run(sync(world.request, policy("attach")))


def test_attach_queues_behind_a_job_of_another_type(world):
    """A reset brings no data: attaching to it would report a sync that never was."""
    world.foreign((0, "running"), (100, "succeeded"), job_type=JobType.RESET)
    world.pass_time(60)
    result = world.run(sync(world.request, policy("attach")))
    assert ("sync", Origin.STARTED) == (result.job.job_type, result.origin)


def test_skip_raises_what_a_scheduler_turns_into_a_skip(world, foreign):
    """Skipping tells which job was in the way."""
    with pytest.raises(SyncSkipped, match=r"busy with job 1 .sync, running.: skipped") as caught:
        world.run(sync(world.request, policy("skip")))
    assert caught.value.job.job_id == foreign.job_id
    assert 1 == world.airbyte.count("submit")


def test_fail_raises_with_the_choices(world, foreign):
    """Failing tells which job was in the way and what else could be asked for."""
    with pytest.raises(
        SyncAlreadyRunning, match=r"job 1 .*set on_conflict to queue, attach or skip"
    ):
        world.run(sync(world.request, policy("fail")))
    assert foreign is not None


@pytest.mark.parametrize("on_conflict", OnConflict)
def test_a_sync_that_began_after_the_request_is_adopted(world, on_conflict):
    """Started after this request was first made, it is as fresh as our own, whatever on_conflict says."""
    world.airbyte.fail("submit", CallFault(error=BUSY))
    pause = world.first_pause(sync(world.request, policy(on_conflict)))
    world.foreign((0, "running"), (100, "succeeded"))
    result = world.run(resume(pause.checkpoint, policy(on_conflict)))
    assert (1, Origin.ATTACHED) == (result.job.job_id, result.origin)


def test_a_busy_connection_without_an_active_job_is_asked_again(world):
    """A job that has just ended may still count as running: submit again after a moment."""
    world.airbyte.fail("submit", CallFault(error=BUSY))
    assert world.run(sync(world.request, POLICY)).origin is Origin.STARTED
    assert 2 == world.airbyte.count("submit")


def test_a_stale_conflict_is_given_up_with_advice(world):
    """The server says "running" for ever and lists nothing: its own state is stale."""
    world.airbyte.fail("submit", *[CallFault(error=BUSY)] * 999)
    with pytest.raises(SyncAlreadyRunning, match=r"stale. Cancel or reset the connection"):
        world.run(sync(world.request, POLICY))
    assert 900 <= world.seconds() < 1000
    assert world.airbyte.count("submit") < 30


@pytest.mark.parametrize(
    ("first", "origin"),
    [(LOST, Origin.ADOPTED), (RequestNotSent("no route"), Origin.ATTACHED)],
)
def test_a_conflict_after_a_late_wake_up_is_looked_at(world, first, origin):
    """Resumed hours after a single failure and then told "running": look with what before judging."""
    settings = policy("queue", timeout=None)
    world.airbyte.fail("submit", CallFault(error=first), CallFault(error=BUSY))
    pause = world.first_pause(sync(world.request, settings))
    world.pass_time(3 * 3600)
    job_id = []
    world.later(1, lambda: job_id.append(world.foreign((0, "running"), (50, "succeeded")).job_id))
    result = world.run(resume(pause.checkpoint, settings))
    assert ([result.job.job_id], result.origin) == (job_id, origin)


def test_the_job_in_the_way_is_never_taken_for_ours(world):
    """The times of a slow reply are vague: what was queued behind is not adopted afterwards."""

    class Vague(InMemoryAirbyte):
        def find_jobs(self, query):
            page = super().find_jobs(query)
            if self.count("find_jobs") > 1:
                self.clock.advance(timedelta(seconds=30))
            return page

    world.airbyte.__class__ = Vague
    foreign = world.foreign((0, "running"), (100, "succeeded"))
    world.pass_time(10)
    result = world.run(sync(world.request, policy("queue")))
    assert (result.job.job_id, result.origin) == (foreign.job_id + 1, Origin.STARTED)


def test_a_stale_conflict_after_a_doubt_remains_a_doubt(world):
    """The first answer was lost, and "running" may mean the sync that it started."""
    world.airbyte.fail("submit", CallFault(error=LOST), *[CallFault(error=BUSY)] * 999)
    with pytest.raises(SubmitInDoubt):
        world.run(sync(world.request, POLICY))


def test_a_stale_conflict_ends_at_the_deadline_too(world):
    """The time to begin is the caller's last word."""
    world.airbyte.fail("submit", *[CallFault(error=BUSY)] * 999)
    with pytest.raises(QueueTimedOut, match="none is running for this request"):
        world.run(sync(world.request, replace(POLICY, timeout=timedelta(minutes=5))))
    assert 300 == world.seconds()


def test_doubt_ends_when_another_clients_job_is_in_the_way(world, foreign):
    """An older job is still active, so ours cannot have been started: queue behind it."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    result = world.run(sync(world.request, policy("queue")))
    assert (result.job.job_id, result.origin) == (foreign.job_id + 1, Origin.STARTED)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (ConnectionStatus.INACTIVE, "is switched off .*Switch it on in Airbyte"),
        (ConnectionStatus.LOCKED, "is locked .*Unlock it in Airbyte"),
        (ConnectionStatus.DEPRECATED, "was deleted. Use the id of the connection that replaces it"),
    ],
)
def test_a_connection_that_takes_no_jobs_is_explained(world, status, advice):
    """The server does not say why it refuses: the connection's status does, and no retry can mend it."""
    world.airbyte.add_connection(world.connection_id, status=status)
    with pytest.raises(ConnectionUnavailable, match=advice) as caught:
        world.run(sync(world.request, POLICY))
    assert caught.value.connection.status is status
    assert isinstance(caught.value.__cause__, StateConflict)
    assert 0 == world.seconds()


@pytest.mark.parametrize(
    "explanation", [None, CallFault(error=LOST), CallFault(error=NotFound("404"))]
)
def test_a_conflict_that_nothing_explains_is_a_doubt(world, explanation):
    """The same words mean that Airbyte waited in vain for its own job: look for it."""
    world.airbyte.fail("submit", CallFault(error=CONFLICT, carried_out=True))
    world.airbyte.fail("fetch_connection", explanation)
    result = world.run(sync(world.request, POLICY))
    assert result.origin is Origin.ADOPTED
    assert world.event(SubmitUncertain).error is CONFLICT
    assert 1 == len(world.airbyte.jobs())


def test_a_conflict_with_an_active_connection_is_submitted_again(world):
    """No job came of it: submit again."""
    world.airbyte.fail("submit", CallFault(error=CONFLICT))
    assert world.run(sync(world.request, POLICY)).origin is Origin.STARTED
    assert world.seconds() >= 90


def test_a_doubt_outlives_the_other_sync(world):
    """The answer was lost while another sync ran: when that ends, ours may still come, and does."""
    world.foreign((0, "queued"), (70, "cancelled"))
    world.pass_time(60)
    world.airbyte.fail("submit", CallFault(error=ResponseNotReceived("lost")))
    world.later(50, lambda: world.foreign((0, "running"), (20, "succeeded")))
    result = world.run(sync(world.request, policy("queue")))
    assert 2 == result.job.job_id
    assert 1 == world.airbyte.count("submit")


@pytest.mark.parametrize("on_conflict", ["attach", "skip", "fail"])
def test_a_doubt_is_settled_before_a_conflict(world, on_conflict):
    """The answer was lost while another sync ran: nothing is decided as long as ours may still come."""
    world.foreign((0, "queued"), (70, "cancelled"))
    world.pass_time(60)
    world.airbyte.fail("submit", CallFault(error=ResponseNotReceived("lost")))
    world.later(50, lambda: world.foreign((0, "running"), (20, "succeeded")))
    assert 2 == world.run(sync(world.request, policy(on_conflict))).job.job_id
    assert 1 == world.airbyte.count("submit")
