"""``deadline``: the caller's own time is over before the policy's timeout, or after it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    Checkpoint,
    DeadlinePassed,
    OnConflict,
    QueueTimedOut,
    SyncPolicy,
    SyncTimedOut,
    end_now,
    resume,
    submit,
    sync,
    watch,
)
from airbyte_sync.phases import Watching

POLICY = SyncPolicy(timeout=timedelta(minutes=5))
NO_END = replace(POLICY, timeout=None)
ENDLESS = ((0, "pending"), (2, "running"))


def in_seconds(world, seconds):
    return world.clock.now() + timedelta(seconds=seconds)


def ending(world, seconds):
    """Return the request of a caller who has so many seconds."""
    return replace(world.request, deadline=in_seconds(world, seconds))


@pytest.mark.parametrize("policy", [POLICY, NO_END])
def test_the_callers_time_may_end_first(world, policy):
    """Our own job is cancelled then, and the text says whose time it was."""
    world.life(*ENDLESS)
    with pytest.raises(
        SyncTimedOut,
        match=r"job 1 did not end by 09:02:00 UTC .deadline. and was cancelled",
    ) as caught:
        world.run(sync(ending(world, 120), policy))
    assert "(timeout)" not in str(caught.value)
    assert ["cancelled"] == [job.status.word for job in world.airbyte.jobs()]
    assert 120 == world.seconds()


@pytest.mark.parametrize("seconds", [300, 301, 3600])
def test_the_policys_time_out_may_end_first(world, seconds):
    """A caller who has more time changes nothing; where both end together it is the policy's."""
    world.life(*ENDLESS)
    with pytest.raises(SyncTimedOut, match=r"did not end within 300 s \(timeout\) and was cancel"):
        world.run(sync(ending(world, seconds), POLICY))
    assert 300 == world.seconds()


def test_without_either_there_is_no_end(world):
    """None is set."""
    checkpoint = world.run(submit(world.request, NO_END)).checkpoint
    assert (None, None) == (checkpoint.deadline, checkpoint.deadline_name)


@pytest.mark.parametrize("seconds", [0, -60])
def test_a_caller_without_time_starts_nothing(world, seconds):
    """The task waited so long for its worker that its time is over: no sync is started to be cancelled."""
    with pytest.raises(SyncTimedOut, match="none is running for this request") as caught:
        world.run(sync(ending(world, seconds), POLICY))
    assert "raise timeout" not in str(caught.value)
    assert [] == world.airbyte.calls


def test_a_sync_that_ends_in_time_has_succeeded(world):
    """Neither deadline comes to pass."""
    assert "succeeded" == world.run(sync(ending(world, 120), POLICY)).job.status.word


def test_it_survives_the_process(world):
    """The checkpoint carries the deadline and whose it is: another process ends it as this one would."""
    world.life(*ENDLESS)
    deadline = in_seconds(world, 120)
    pause = world.first_pause(sync(replace(world.request, deadline=deadline), POLICY))
    stored = json.dumps(pause.checkpoint.to_json())
    restored = Checkpoint.from_json(json.loads(stored))
    assert (restored.deadline, restored.deadline_name) == (deadline, "deadline")
    with pytest.raises(SyncTimedOut, match=r"deadline. and was cancelled"):
        world.run(resume(restored, POLICY))
    assert 120 == world.seconds()


def test_a_late_wake_up_after_it_does_not_kill_a_finished_sync(world):
    """It is a deadline as any other: look, then judge."""
    pause = world.first_pause(sync(ending(world, 20), POLICY))
    world.pass_time(3600)
    assert "succeeded" == world.run(resume(pause.checkpoint, POLICY)).job.status.word
    assert 0 == world.airbyte.count("cancel")


def test_an_attached_job_is_left_running(world):
    """The caller's time is over, and the job is another client's."""
    world.foreign(*ENDLESS)
    world.pass_time(60)
    policy = replace(POLICY, on_conflict=OnConflict.ATTACH)
    with pytest.raises(SyncTimedOut, match=r"deadline.; it was left running"):
        world.run(sync(ending(world, 120), policy))
    assert 0 == world.airbyte.count("cancel")


def test_it_ends_a_queue(world):
    """Nothing of ours was started, and nothing is cancelled."""
    world.foreign(*ENDLESS)
    world.pass_time(60)
    with pytest.raises(SyncTimedOut, match="busy with job 1"):
        world.run(sync(ending(world, 120), POLICY))
    assert 180 == world.seconds()
    assert 0 == world.airbyte.count("cancel")


def test_the_queue_time_out_keeps_its_own_words(world):
    """The job has not begun in time, whichever time would have ended next."""
    world.life((0, "queued"), (70, "running"))
    policy = replace(POLICY, queue_timeout=timedelta(seconds=60))
    with pytest.raises(QueueTimedOut, match=r"did not begin within 60 s \(queue_timeout\)"):
        world.run(sync(ending(world, 120), policy))


@pytest.mark.parametrize("policy", [POLICY, NO_END])
def test_a_watched_job_is_left_running_then(world, policy):
    """A sensor's time is over: it cancels nothing."""
    job = world.foreign(*ENDLESS)
    with pytest.raises(SyncTimedOut, match=r"by 09:02:00 UTC .deadline.; it was left running"):
        world.run(watch(job.job_id, policy, deadline=in_seconds(world, 120)))
    assert 120 == world.seconds()
    assert 0 == world.airbyte.count("cancel")


def test_the_policys_time_out_may_end_a_watch_first(world):
    """The text names the setting that ended it."""
    job = world.foreign(*ENDLESS)
    with pytest.raises(SyncTimedOut, match=r"within 300 s \(timeout\); it was left running"):
        world.run(watch(job.job_id, POLICY, deadline=in_seconds(world, 3600)))
    assert 300 == world.seconds()


@pytest.mark.parametrize("deadline", [None, 120])
def test_a_watched_job_of_ours_is_cancelled(world, deadline):
    """Who answers for a job may watch it as its own: any deadline cancels it."""
    job = world.foreign(*ENDLESS)
    deadline = deadline and in_seconds(world, deadline)
    with pytest.raises(SyncTimedOut, match="and was cancelled; Airbyte says cancelled"):
        world.run(watch(job.job_id, POLICY, deadline=deadline, is_ours=True))
    assert ["cancelled"] == [seen.status.word for seen in world.airbyte.jobs()]


def test_a_watch_of_ours_survives_its_process(world):
    """Its checkpoint knows whose the job is, and until when."""
    job = world.foreign(*ENDLESS)
    deadline = in_seconds(world, 120)
    pause = world.first_pause(watch(job.job_id, POLICY, deadline=deadline, is_ours=True))
    restored = Checkpoint.from_json(json.loads(json.dumps(pause.checkpoint.to_json())))
    assert isinstance(restored.phase, Watching)
    assert (restored.deadline, restored.deadline_name) == (deadline, "deadline")
    with pytest.raises(SyncTimedOut, match=r"deadline. and was cancelled"):
        world.run(resume(restored, POLICY))


def test_a_watched_job_of_ours_may_succeed(world):
    """Being responsible changes nothing as long as there is time."""
    job = world.foreign((0, "running"), (100, "succeeded"))
    assert "succeeded" == world.run(watch(job.job_id, POLICY, is_ours=True)).status.word
    assert 0 == world.airbyte.count("cancel")


@pytest.mark.parametrize(("seconds", "kind"), [(120, DeadlinePassed), (3600, SyncTimedOut)])
def test_the_error_tells_whose_time_is_over(world, seconds, kind):
    """A program can tell the caller's own deadline from the policy's timeout."""
    job = world.foreign(*ENDLESS)
    with pytest.raises(SyncTimedOut) as caught:
        world.run(watch(job.job_id, POLICY, deadline=in_seconds(world, seconds)))
    assert kind is type(caught.value)


def paused(world, *life):
    """Return the checkpoint of a watch that has polled once."""
    job = world.foreign(*life)
    return world.first_pause(watch(job.job_id, POLICY)).checkpoint


@pytest.mark.parametrize(
    ("limit", "kind", "text"),
    [
        (None, SyncTimedOut, r"did not end within 300 s \(timeout\); it was left running"),
        ("mine", DeadlinePassed, r"did not end by 09:01:00 UTC \(mine\); it was left running"),
    ],
)
def test_a_caller_whose_clock_has_run_out_ends_the_wait(world, limit, kind, text):
    """After one more poll, whenever the next one was due."""
    checkpoint = paused(world, *ENDLESS)
    world.clock.advance(timedelta(minutes=1))
    polls = world.airbyte.count("fetch_job")
    with pytest.raises(kind, match=text):
        world.run(
            end_now(checkpoint, replace(POLICY, cancel_on_timeout=False), deadline_name=limit)
        )
    assert polls + 1 <= world.airbyte.count("fetch_job") <= polls + 2
    assert 60 == world.seconds()


def test_a_job_that_has_succeeded_when_the_clock_runs_out_is_a_success(world):
    """Look, then judge."""
    checkpoint = paused(world, (0, "running"), (30, "succeeded"))
    world.clock.advance(timedelta(minutes=1))
    assert world.run(end_now(checkpoint, POLICY, deadline_name="mine")).job.status.is_success
