"""Waiting for the end: what ends a wait, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from airbyte_sync import (
    BadRequest,
    Forbidden,
    JobGone,
    JobStatus,
    NotFound,
    Origin,
    PollSchedule,
    RefusedOnTheWay,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    ServerUnreachable,
    StateConflict,
    SyncCancelled,
    SyncFailed,
    SyncPolicy,
    SyncRequest,
    Throttled,
    Unauthorized,
    UnexpectedReply,
    Unprocessable,
    abandon,
    resume,
    submit,
    sync,
    watch,
    watching,
)
from airbyte_sync.events import JobEnded, JobPolled, PollFailed, StatusChanged
from airbyte_sync_testkit.memory import CallFault, InMemoryAirbyte

CONNECTION_ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
OTHER = "5d1c3f9e-0f7e-4d8a-9a55-7b8c1d7e1099"
POLICY = SyncPolicy()
LOST = ResponseNotReceived("the connection was reset")
TRANSIENT = [
    LOST,
    RequestNotSent("no route to host"),
    ServerTrouble("bad gateway", status=502),
    Throttled("slow down", status=429),
    UnexpectedReply("a login page", status=200),
]


@pytest.mark.parametrize("word", ["queued", "incomplete", "hibernating", ""])
def test_a_status_that_does_not_end_a_job_waits(world, word):
    """A job that is queued, between attempts, or in a status that does not exist yet is waited for."""
    world.life((0, word), (50, "running"), (100, "succeeded"))
    assert "succeeded" == world.run(sync(world.request, POLICY)).job.status.word


def test_a_failed_job_raises_with_advice(world):
    """Airbyte has made all its attempts; the error carries the job and says where the logs are."""
    world.life((0, "running"), (10, "incomplete"), (20, "failed"))
    with pytest.raises(SyncFailed, match="Open the job in Airbyte for the logs") as caught:
        world.run(sync(world.request, POLICY))
    assert "failed" == caught.value.job.status.word


def test_a_cancelled_job_raises_with_advice(world):
    """It is unknown who cancelled it; the error names the likely causes."""
    world.life((0, "running"), (10, "cancelled"))
    with pytest.raises(SyncCancelled, match="by a person, or by Airbyte itself") as caught:
        world.run(sync(world.request, POLICY))
    assert "cancelled" == caught.value.job.status.word


def test_changes_are_reported_and_so_are_looks_without_one(world):
    """A watcher hears of every look: as a change, as a sight or as the end."""
    world.life((0, "pending"), (4, "running"), (20, "succeeded"))
    world.run(sync(world.request, replace(POLICY, poll=PollSchedule.fixed(timedelta(seconds=5)))))
    changed = world.event(StatusChanged)
    assert ("pending", "running") == (changed.previous.word, changed.job.status.word)
    assert [type(event) for event in world.events[1:]] == [
        StatusChanged,
        JobPolled,
        JobPolled,
        JobEnded,
    ]


def test_a_fixed_schedule_looks_at_the_documented_moments(world):
    """Blocking mode looks every wait_seconds, exactly."""
    world.run(sync(world.request, replace(POLICY, poll=PollSchedule.fixed(timedelta(seconds=7)))))
    assert [timedelta(seconds=7)] * 5 == world.clock.slept


def test_a_long_sync_costs_a_look_a_minute(world):
    """Hours of waiting are cheap: the interval grows to the cap."""
    world.life((0, "running"), (6 * 3600, "succeeded"))
    world.run(sync(world.request, replace(POLICY, timeout=None)))
    assert world.airbyte.count("fetch_job") < 460
    assert timedelta(seconds=60) == max(world.clock.slept)


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_transient_errors_never_end_a_wait(world, error):
    """Minutes of trouble pass; the sync is seen to its end."""
    world.life((0, "running"), (600, "succeeded"))
    world.airbyte.fail("fetch_job", *[CallFault(error=error), None] * 5)
    assert "succeeded" == world.run(sync(world.request, POLICY)).job.status.word


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_not_seeing_the_job_for_too_long_does(world, error):
    """After unreachable_timeout we give up on seeing it, leave it running and say so."""
    world.airbyte.fail("fetch_job", *[CallFault(error=error)] * 999)
    with pytest.raises(
        ServerUnreachable, match="It may well be running, and was left alone"
    ) as caught:
        world.run(sync(world.request, POLICY))
    assert caught.value.__cause__ is error
    assert 900 <= world.seconds() < 1000
    assert 0 == world.airbyte.count("cancel")


def test_the_series_ends_with_a_look_that_succeeds(world):
    """Two outages of ten minutes are not one of twenty."""
    world.life((0, "running"), (3000, "succeeded"))
    outage = [CallFault(error=LOST)] * 15
    world.airbyte.fail("fetch_job", *outage, None, *outage)
    assert "succeeded" == world.run(sync(world.request, POLICY)).job.status.word


def test_failed_looks_are_reported(world):
    """The event tells since when it fails and when the next look comes."""
    world.airbyte.fail("fetch_job", CallFault(error=LOST))
    world.run(sync(world.request, POLICY))
    failed = world.event(PollFailed)
    assert failed.error is LOST
    assert failed.failing_since < failed.next_poll
    assert failed.next_poll in {at for at, _ in world.trace}


def test_a_429_while_waiting_honours_retry_after(world):
    """The server asked for two minutes: no look before."""
    world.airbyte.fail(
        "fetch_job", CallFault(error=Throttled("", retry_after=timedelta(minutes=2)))
    )
    world.run(sync(world.request, POLICY))
    assert world.clock.slept[1] >= timedelta(minutes=2)


@pytest.mark.parametrize(
    "error",
    [NotFound("404"), Forbidden("403"), Unauthorized("401")],
    ids=lambda e: type(e).__name__,
)
def test_refusals_end_a_wait_at_once(world, error):
    """What no retry can mend is raised as it is, at the first look."""
    world.airbyte.fail("fetch_job", CallFault(error=error))
    with pytest.raises(type(error)) as caught:
        world.run(watch(1, POLICY))
    assert caught.value is error
    assert 1 == world.airbyte.count("fetch_job")


@pytest.mark.parametrize("error", [Forbidden("403"), Unauthorized("401")], ids=repr)
def test_who_has_seen_the_job_waits_for_the_door_to_open_again(world, error):
    """A login page that comes and goes, or a secret that is renewed, does not lose a running sync."""
    world.life((0, "running"), (60, "succeeded"))
    world.airbyte.fail("fetch_job", CallFault(error=error), CallFault(error=error))
    assert 1 == world.run(sync(world.request, POLICY)).job.job_id


REFUSALS = [
    NotFound("404", status=404),
    BadRequest("400", status=400),
    Unprocessable("422", status=422),
    StateConflict("409", status=409),
    RefusedOnTheWay("no Route matched with those values", status=404),
]


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
@pytest.mark.parametrize("at_poll", [1, 3])
def test_one_refusal_of_a_job_that_was_seen_is_no_verdict(world, error, at_poll):
    """A gateway that reloads its routes says so, or one odd answer does: the wait goes on."""
    world.life((0, "running"), (60, "succeeded"))
    world.airbyte.fail("fetch_job", *[None] * (at_poll - 1), CallFault(error=error))
    assert 1 == world.run(sync(world.request, POLICY)).job.job_id
    assert 1 == world.airbyte.count("submit")


def test_a_job_that_is_gone_ends_a_wait(world):
    """Airbyte says so at three polls over a minute, and does not list the job: then it is believed."""
    world.life((0, "running"), (600, "succeeded"))
    world.later(20, lambda: world.airbyte.forget(1))
    with pytest.raises(JobGone, match=r"job 1 of connection .* is gone.*a retry starts a new one"):
        world.run(sync(world.request, POLICY))
    assert 60 <= world.seconds() < 120
    assert 1 == world.airbyte.count("submit")


def test_a_job_that_is_listed_is_not_gone(world):
    """Polls say that it is unknown, and the list has it: only unreachable_timeout ends the wait."""
    world.life((0, "running"), (6000, "succeeded"))
    world.airbyte.fail("fetch_job", *[CallFault(error=NotFound("404"))] * 99)
    with pytest.raises(ServerUnreachable, match="was left alone"):
        world.run(sync(world.request, POLICY))
    assert 900 <= world.seconds() < 1100


def test_a_job_is_searched_for_back_to_where_it_belongs(world):
    """A hundred newer jobs do not hide it: the list is read page by page."""
    job = world.foreign((0, "running"), (9_000, "succeeded"))
    for _ in range(250):
        world.foreign((0, "failed"))
    checkpoint = world.first_pause(watch(job.job_id, POLICY)).checkpoint
    world.airbyte.fail("fetch_job", *[CallFault(error=NotFound("404"))] * 99)
    with pytest.raises(ServerUnreachable):
        world.run(resume(checkpoint, POLICY))
    offsets = {query.offset for method, query in world.airbyte.calls if method == "find_jobs"}
    assert {0, 100, 200} == offsets


@pytest.mark.parametrize("error", [LOST, RefusedOnTheWay("404", status=404)], ids=repr)
def test_a_list_that_cannot_be_read_proves_nothing(world, error):
    """The job may be there: it is polled until unreachable_timeout."""
    world.life((0, "running"), (6000, "succeeded"))
    world.later(20, lambda: world.airbyte.forget(1))
    world.airbyte.fail("find_jobs", *[CallFault(error=error)] * 99)
    with pytest.raises(ServerUnreachable):
        world.run(sync(world.request, POLICY))


def test_a_job_that_comes_back_was_never_gone(world):
    """An old database answers for a while: what it said is forgotten when the job is seen again."""
    world.life((0, "running"), (300, "succeeded"))
    missing = [CallFault(error=NotFound("404"))] * 4
    world.airbyte.fail("fetch_job", *missing, None, *missing, None, *missing)
    assert "succeeded" == world.run(sync(world.request, POLICY)).job.status.word


@pytest.mark.parametrize("fate", ["watch", "cancel", "queue"])
def test_a_job_of_another_connection_is_no_answer(world, fate):
    """A reply is about the job that was asked for, on its connection, or it is no answer."""

    class Confused(InMemoryAirbyte):
        def fetch_job(self, job_id):
            job = super().fetch_job(job_id)
            is_confused = self.count("fetch_job") in {1, 2}
            word = JobStatus.SUCCEEDED if is_confused else job.status
            return replace(job, status=word, connection_id=OTHER if is_confused else CONNECTION_ID)

    world.airbyte.__class__ = Confused
    if fate == "queue":
        world.foreign((0, "running"), (100, "succeeded"))
        world.pass_time(60)
    world.life((0, "running"), (7200 if fate == "cancel" else 100, "succeeded"))
    if fate == "cancel":
        submission = world.run(submit(world.request, POLICY))
        assert "cancelled" == world.run(abandon(submission.checkpoint, POLICY)).status.word
    else:
        result = world.run(sync(world.request, POLICY))
        assert CONNECTION_ID == result.job.connection_id
    assert world.airbyte.count("fetch_job") > 2


def test_ids_are_compared_without_regard_to_case(world):
    """People write UUIDs in upper case, Airbyte answers in lower case."""

    class Lower(InMemoryAirbyte):
        def fetch_job(self, job_id):
            job = super().fetch_job(job_id)
            return replace(job, connection_id=job.connection_id.lower())

    world.airbyte.__class__ = Lower
    world.airbyte.add_connection(CONNECTION_ID.upper())
    request = SyncRequest(connection_id=CONNECTION_ID.upper())
    assert CONNECTION_ID == world.run(sync(request, POLICY)).job.connection_id


def test_a_flow_that_is_resumed_too_early_pauses_again(world):
    """An early wake-up asks the server nothing."""
    pause = world.first_pause(sync(world.request, POLICY))
    calls = len(world.airbyte.calls)
    assert world.first_pause(resume(pause.checkpoint, POLICY)) == pause
    assert len(world.airbyte.calls) == calls


def test_a_pause_says_which_job_it_is_about(world):
    """A shell may show the job's id while it waits; in the queue it is the one in the way."""
    assert 1 == world.first_pause(sync(world.request, POLICY)).job_id
    world.pass_time(10)
    queueing = world.first_pause(sync(world.request, POLICY))
    assert (1, None) == (queueing.job_id, queueing.checkpoint.job_id)
    world.airbyte.fail("submit", CallFault(error=LOST))
    world.pass_time(60)
    assert world.first_pause(sync(world.request, POLICY)).job_id is None


def test_watch_follows_another_clients_job(world):
    """A sensor sees a job through and comes back with it."""
    job = world.foreign((0, "running"), (100, "succeeded"))
    assert "succeeded" == world.run(watch(job.job_id, POLICY)).status.word
    assert {method for method, _ in world.airbyte.calls} <= {"fetch_job", "find_jobs"}


def test_watch_raises_how_it_ended(world):
    """A sensor on a failed job fails."""
    job = world.foreign((0, "running"), (100, "failed"))
    with pytest.raises(SyncFailed):
        world.run(watch(job.job_id, POLICY))


def test_a_watch_is_resumed_as_attached(world):
    """The result of a resumed watch says that the job was never ours."""
    job = world.foreign((0, "running"), (100, "succeeded"))
    pause = world.first_pause(watch(job.job_id, POLICY))
    result = world.run(resume(pause.checkpoint, POLICY))
    assert (result.job.job_id, result.origin) == (job.job_id, Origin.ATTACHED)


@settings(max_examples=50, deadline=None)
@given(
    faults=some.lists(some.none() | some.sampled_from(TRANSIENT), max_size=20),
    end=some.integers(1, 3000),
)
def test_polling_keeps_its_bounds(new_world, faults, end):
    """No pause of a wait is shorter than a second or longer than the policy allows, whatever fails."""
    world = new_world()
    world.life((0, "running"), (end, "succeeded"))
    world.airbyte.fail("fetch_job", *(fault and CallFault(error=fault) for fault in faults))
    world.run(
        sync(world.request, replace(POLICY, timeout=None, unreachable_timeout=timedelta(days=9)))
    )
    assert all(
        timedelta(seconds=1) <= slept <= timedelta(seconds=72) for slept in world.clock.slept
    )


def test_a_wait_that_began_in_another_program_counts_from_there():
    """Its timeout is not granted once more; a deadline of the caller's own may come first."""
    began = datetime(2026, 1, 5, 9, tzinfo=timezone.utc)
    policy = SyncPolicy(timeout=timedelta(hours=1))
    checkpoint = watching(7, policy, began=began)
    assert (began, began + timedelta(hours=1)) == (checkpoint.asked_at, checkpoint.deadline)
    assert (7, Origin.ATTACHED) == (checkpoint.job_id, checkpoint.origin)
    sooner = began + timedelta(minutes=5)
    ours = watching(
        7, policy, began=began, deadline=sooner, deadline_name="execution_timeout", is_ours=True
    )
    assert (sooner, "execution_timeout") == (ours.deadline, ours.deadline_name)
    assert Origin.ADOPTED is ours.origin
    assert watching(7, SyncPolicy(timeout=None), began=began).deadline is None
