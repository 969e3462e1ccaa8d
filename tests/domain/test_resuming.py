"""Any pause of any life may be the last one of its process."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    AirbyteSyncError,
    Checkpoint,
    Done,
    OnConflict,
    ResponseNotReceived,
    SyncPolicy,
    Throttled,
    resume,
    step,
    sync,
)
from airbyte_sync.phases import PHASES, Asked, Submitting, Watching
from airbyte_sync_testkit.memory import CallFault

POLICY = SyncPolicy(timeout=timedelta(minutes=10))
LOST = ResponseNotReceived("the connection was reset")


def nothing_special(world):
    del world


def a_lost_answer(world):
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", CallFault(error=LOST))


def a_lost_request(world):
    world.airbyte.fail("submit", CallFault(error=LOST))


def a_throttled_server(world):
    world.airbyte.fail("submit", CallFault(error=Throttled("slow down")))
    world.airbyte.fail("fetch_job", *[CallFault(error=Throttled("slow down"))] * 3)


def a_queue(world):
    world.foreign((0, "running"), (100, "succeeded"))
    world.pass_time(60)


def a_deadline(world):
    world.life((0, "pending"), (620, "running"))


LIVES = [nothing_special, a_lost_answer, a_lost_request, a_throttled_server, a_queue, a_deadline]


def put_away_at_every_pause(world):
    """Run a sync one pause at a time, each in a new life, and return the phases it paused in."""
    flow = sync(world.request, POLICY)
    phases = set()
    while True:
        try:
            turn = step(flow, world)
        except AirbyteSyncError:
            return phases
        if isinstance(turn, Done):
            return phases
        restored = Checkpoint.from_json(json.loads(json.dumps(turn.checkpoint.to_json())))
        assert restored == turn.checkpoint
        assert not isinstance(restored.phase, (Asked, Submitting))
        assert turn.until == restored.wake_at
        phases.add(type(restored.phase))
        world.clock.advance_to(turn.until)
        flow = resume(restored, SyncPolicy.from_json(json.loads(json.dumps(POLICY.to_json()))))


@pytest.mark.parametrize("life", LIVES)
def test_every_checkpoint_of_every_life_survives_json(world, life):
    """Each pause's checkpoint goes through JSON unchanged, is never in phase Submitting, and is resumable."""
    life(world)
    assert Watching in put_away_at_every_pause(world)
    assert len(world.airbyte.jobs()) <= 2


def test_the_lives_above_reach_every_phase(new_world):
    """Between them the lives pause in every phase but Asked and Submitting, where no flow pauses."""
    phases = set()
    for life in LIVES:
        world = new_world()
        life(world)
        phases |= put_away_at_every_pause(world)
    assert phases == set(PHASES.values()) - {Asked, Submitting}


def test_a_retry_of_the_whole_request_finds_its_sync(world):
    """Two processes resume from the same checkpoint, one after the other: one sync."""
    world.airbyte.fail("submit", CallFault(error=Throttled("slow down")))
    pause = world.first_pause(sync(world.request, POLICY))
    world.clock.advance_to(pause.until)
    first = world.first_pause(resume(pause.checkpoint, POLICY))
    assert isinstance(first.checkpoint.phase, Watching)
    world.pass_time(5)
    assert world.run(resume(pause.checkpoint, POLICY)).job.job_id == first.checkpoint.job_id
    assert 1 == len(world.airbyte.jobs())


@pytest.mark.parametrize("on_conflict", OnConflict)
def test_a_retry_of_the_whole_request_is_no_conflict_with_itself(world, on_conflict):
    """The sync that this request has started is not another client's, whatever on_conflict says."""
    policy = replace(POLICY, on_conflict=on_conflict)
    world.airbyte.fail("submit", CallFault(error=Throttled("slow down")))
    pause = world.first_pause(sync(world.request, policy))
    world.clock.advance_to(pause.until)
    world.first_pause(resume(pause.checkpoint, policy))
    assert 1 == world.run(resume(pause.checkpoint, policy)).job.job_id
