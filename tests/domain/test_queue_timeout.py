"""``queue_timeout`` bounds the wait until a sync begins, ``timeout`` the wait for its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    Checkpoint,
    DeadlinePassed,
    OnConflict,
    Origin,
    PortInterpreter,
    QueueTimedOut,
    RequestNotSent,
    ResponseNotReceived,
    SyncPolicy,
    SyncTimedOut,
    obtain,
    resume,
    run,
    submit,
    sync,
)
from airbyte_sync_testkit.memory import CallFault, InMemoryStore

POLICY = SyncPolicy(queue_timeout=timedelta(minutes=10))


def test_a_sync_that_stays_queued_is_cancelled(world):
    """Airbyte has no room for it: it is cancelled until it ends, and the text names the setting."""
    world.life(
        (0, "pending"), (5, "queued"), (620, "running")
    )  # a queued one ignores the first cancel
    with pytest.raises(QueueTimedOut, match=r"did not begin within 600 s \(queue_timeout\)") as end:
        world.run(sync(world.request, POLICY))
    assert "cancelled" == end.value.job.status.word
    assert 600 <= world.seconds() < 660


def test_a_sync_that_began_may_take_its_time(world):
    """Once it runs, only the total timeout counts, also while it waits between attempts."""
    world.life(
        (0, "queued"), (500, "running"), (700, "incomplete"), (900, "running"), (1500, "succeeded")
    )
    assert 1 == world.run(sync(world.request, POLICY)).job.job_id


def test_it_holds_while_another_sync_is_waited_for(world):
    """The connection is busy for too long: nothing of ours was started, nothing is cancelled."""
    world.foreign((0, "running"))
    world.pass_time(60)
    with pytest.raises(QueueTimedOut, match="raise queue_timeout"):
        world.run(sync(world.request, POLICY))
    assert 0 == world.airbyte.count("cancel")


def test_a_queued_sync_of_another_client_is_left_alone(world):
    """We only attached to it."""
    world.foreign((0, "queued"))
    world.pass_time(60)
    with pytest.raises(QueueTimedOut, match="left running"):
        world.run(sync(world.request, replace(POLICY, on_conflict=OnConflict.ATTACH)))
    assert 0 == world.airbyte.count("cancel")


def test_a_long_queue_is_only_a_long_wait(world):
    """By default a sync may wait for as long as it may take."""
    world.life((0, "queued"), (3000, "running"), (3100, "succeeded"))
    assert 1 == world.run(sync(world.request, SyncPolicy())).job.job_id


def test_by_default_it_is_as_long_as_timeout(world):
    """A sync for which Airbyte has no room is cancelled then, and the text says which clock ran out."""
    world.life((0, "queued"), (3610, "running"))
    with pytest.raises(
        QueueTimedOut,
        match=r"did not begin within 3600 s \(queue_timeout, by default the value of timeout\) and was "
        r"cancelled; Airbyte says cancelled. Set queue_timeout to more than that if it needs longer",
    ):
        world.run(sync(world.request, SyncPolicy()))


def test_without_any_timeout_there_is_no_end_to_the_wait(world):
    """``timeout=None`` waits without end, to begin as well as to end."""
    assert None is SyncPolicy(timeout=None).time_to_begin
    checkpoint = world.run(submit(world.request, SyncPolicy(timeout=None))).checkpoint
    assert (None, None) == (checkpoint.deadline, checkpoint.queue_deadline)


# --- timeout counts from the moment that the request has its job ---

HOUR = timedelta(hours=1)


def test_a_sync_that_queued_behind_another_has_its_whole_time(world):
    """It waited fifty minutes, and its hour begins when it is started."""
    world.foreign((0, "running"), (3060, "succeeded"))
    world.pass_time(60)
    world.life((0, "running"), (3500, "succeeded"))
    assert 2 == world.run(sync(world.request, SyncPolicy())).job.job_id
    assert 6500 <= world.seconds() < 6700


def test_and_no_more_than_that(world):
    """The text names ``timeout``, and the sync is cancelled an hour after it was started."""
    world.foreign((0, "running"), (1860, "succeeded"))
    world.pass_time(60)
    world.life((0, "running"))
    with pytest.raises(
        SyncTimedOut, match=r"job 2 did not end within 3600 s \(timeout\)"
    ) as caught:
        world.run(sync(world.request, SyncPolicy()))
    started = caught.value.job.created_at
    assert timedelta(0) <= world.clock.now() - started - HOUR < timedelta(seconds=5)


def test_a_job_that_is_attached_to_has_the_whole_time(world):
    """It counts from the attachment, not from the job's own start."""
    world.foreign((0, "running"), (7000, "succeeded"))
    world.pass_time(3600)
    policy = SyncPolicy(on_conflict=OnConflict.ATTACH)
    assert world.run(sync(world.request, policy)).origin is Origin.ATTACHED


def test_an_adopted_job_has_the_whole_time(world):
    """The search for the job of a lost submission is no part of it."""
    world.airbyte.fail("submit", CallFault(error=ResponseNotReceived("reset"), carried_out=True))
    world.airbyte.fail("find_jobs", *[CallFault(error=ResponseNotReceived("reset"))] * 4)
    checkpoint = world.run(submit(world.request, SyncPolicy())).checkpoint
    assert Origin.ADOPTED is checkpoint.origin
    assert world.seconds() > 5
    assert world.clock.now() + HOUR == checkpoint.deadline


def test_a_longer_time_to_begin_may_be_set(world):
    """Two hours to queue, one hour to run."""
    world.foreign((0, "running"), (6060, "succeeded"))
    world.pass_time(60)
    assert 2 == world.run(sync(world.request, SyncPolicy(queue_timeout=2 * HOUR))).job.job_id


@pytest.mark.parametrize("waits", [True, False])
def test_the_callers_deadline_bounds_both(world, waits):
    """Waiting and running together end then, and the text names the caller's clock."""
    if waits:
        world.foreign((0, "running"), (1260, "succeeded"))
        world.pass_time(60)
    world.life((0, "running"))
    deadline = world.clock.now() + timedelta(minutes=30)
    request = replace(world.request, deadline=deadline, deadline_name="execution_timeout")
    with pytest.raises(
        DeadlinePassed, match=r"\(execution_timeout\) and was .* Raise execution_time"
    ):
        world.run(sync(request, SyncPolicy()))
    assert deadline == world.clock.now()


def test_the_callers_deadline_may_pass_while_another_sync_is_waited_for(world):
    """Its name is in the text, too."""
    world.foreign((0, "running"))
    world.pass_time(60)
    deadline = world.clock.now() + timedelta(minutes=30)
    request = replace(world.request, deadline=deadline, deadline_name="execution_timeout")
    with pytest.raises(
        DeadlinePassed,
        match=r"by 09:31:00 UTC \(execution_timeout\): .*, or raise execution_timeout",
    ):
        world.run(sync(request, SyncPolicy()))


def test_submissions_that_do_not_arrive_are_bounded_by_it_too(world):
    """What keeps a sync from beginning does not matter."""
    world.airbyte.fail("submit", *[CallFault(error=RequestNotSent("no route"))] * 99)
    with pytest.raises(
        QueueTimedOut,
        match=r"could be started within 600 s \(queue_timeout\).*or raise queue_timeout",
    ):
        world.run(sync(world.request, POLICY))
    assert 600 == world.seconds()


def test_a_retry_that_goes_on_with_a_job_has_its_own_clocks(world):
    """It has the whole ``timeout`` for it, and its own time to see it begin."""
    ports = PortInterpreter(world.airbyte, world.clock, store=InMemoryStore())
    world.life((0, "queued"), (5000, "running"), (6500, "succeeded"))
    run(submit(world.request, SyncPolicy()), ports)
    world.pass_time(3000)
    checkpoint = run(submit(world.request, SyncPolicy()), ports).checkpoint
    assert [world.clock.now() + HOUR] * 2 == [checkpoint.deadline, checkpoint.queue_deadline]
    assert 1 == run(sync(world.request, SyncPolicy()), ports).job.job_id


# --- what was put away when timeout counted from the request ---


def put_away(world, **changes):
    """Return a checkpoint as it was written then: with the policy's deadline before there was a job."""
    now = world.clock.now()
    return Checkpoint.from_json(
        {
            "version": 1,
            "phase": "look",
            "connection_id": world.connection_id,
            "asked_at": now.isoformat(),
            "deadline": (now + HOUR).isoformat(),
            **changes,
        }
    )


def test_what_was_put_away_before_keeps_its_deadline(world):
    """It was promised an hour from the request, and nothing tells whether the caller has more."""
    checkpoint = put_away(world)
    world.pass_time(1800)
    world.life((0, "running"))
    with pytest.raises(SyncTimedOut, match=r"within 3600 s \(timeout\) and was cancelled"):
        world.run(resume(checkpoint, SyncPolicy()))
    assert 3600 == world.seconds()


def test_what_was_put_away_while_it_queued_ends_in_the_words_of_its_clock(world):
    """Then ``timeout`` bounded the wait for another sync, too."""
    foreign = world.foreign((0, "running"))
    checkpoint = put_away(world, phase="queue", blocked_by=foreign.job_id)
    with pytest.raises(SyncTimedOut, match=r"within 3600 s \(timeout\): .* or raise timeout"):
        world.run(resume(checkpoint, SyncPolicy()))
    assert 3600 == world.seconds()


def test_a_job_that_was_followed_before_keeps_its_deadline(world):
    """Its clock runs already."""
    checkpoint = world.run(submit(world.request, SyncPolicy())).checkpoint
    assert checkpoint == world.run(obtain(checkpoint, SyncPolicy())).checkpoint
