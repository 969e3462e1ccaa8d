"""The queue time-out: how long a sync may wait to begin, apart from how long it may take."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import OnConflict, QueueTimedOut, SyncPolicy, sync

POLICY = SyncPolicy(queue_timeout=timedelta(minutes=10))


def test_a_sync_that_stays_queued_is_cancelled(world):
    """Airbyte has no room for it: it is cancelled until it ends, and the text names the setting."""
    world.life(
        (0, "pending"), (5, "queued"), (620, "running")
    )  # a queued one ignores the first cancel
    with pytest.raises(QueueTimedOut, match=r"did not begin within 600 s \(queue_timeout\)") as end:
        world.run(sync(world.request, POLICY))
    assert end.value.job.status.word == "cancelled"
    assert 600 <= world.seconds() < 660


def test_a_sync_that_began_may_take_its_time(world):
    """Once it runs, only the total time-out counts, also while it waits between attempts."""
    world.life(
        (0, "queued"), (500, "running"), (700, "incomplete"), (900, "running"), (1500, "succeeded")
    )
    assert world.run(sync(world.request, POLICY)).job.job_id == 1


def test_it_holds_while_another_sync_is_waited_for(world):
    """The connection is busy for too long: nothing of ours was started, nothing is cancelled."""
    world.foreign((0, "running"))
    world.pass_time(60)
    with pytest.raises(QueueTimedOut, match="raise queue_timeout"):
        world.run(sync(world.request, POLICY))
    assert world.airbyte.count("cancel") == 0


def test_a_queued_sync_of_somebody_else_is_left_alone(world):
    """We only attached to it."""
    world.foreign((0, "queued"))
    world.pass_time(60)
    with pytest.raises(QueueTimedOut, match="left running"):
        world.run(sync(world.request, replace(POLICY, on_conflict=OnConflict.ATTACH)))
    assert world.airbyte.count("cancel") == 0


def test_it_is_off_by_default(world):
    """Nobody asked for it, so a long queue is only a long wait."""
    world.life((0, "queued"), (3000, "running"), (3100, "succeeded"))
    assert world.run(sync(world.request, SyncPolicy())).job.job_id == 1
