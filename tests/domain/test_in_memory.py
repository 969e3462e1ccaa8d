"""The Airbyte in memory keeps the rules of a real server that a policy must live with."""

import asyncio

import pytest

from airbyte_sync import (
    AsyncSyncGateway,
    ConnectionStatus,
    JobNotRunning,
    JobType,
    NotFound,
    StateConflict,
    SyncAlreadyRunning,
    SyncGateway,
)
from airbyte_sync_testkit.memory import AsyncInMemoryAirbyte


def test_it_is_a_gateway(world):
    """It has every port, in both colours."""
    assert isinstance(world.airbyte, SyncGateway)
    twin = AsyncInMemoryAirbyte(world.airbyte)
    assert isinstance(twin, AsyncSyncGateway)
    [found] = asyncio.run(twin.find_connections("faker to duckdb", None))
    assert found == asyncio.run(twin.fetch_connection(world.connection_id))


def test_one_active_job_per_connection(world):
    """A second submission is refused, without saying which job is in the way."""
    world.airbyte.submit(world.connection_id, JobType.SYNC)
    with pytest.raises(SyncAlreadyRunning):
        world.airbyte.submit(world.connection_id, JobType.SYNC)


def test_the_id_of_an_old_job_cancels_the_current_one(world):
    """Cancelling is per connection, and the reply is about the old job."""
    old = world.foreign((0, "running"), (1, "succeeded"))
    world.pass_time(5)
    current = world.foreign((0, "running"))
    assert world.airbyte.cancel(old.job_id).status.word == "succeeded"
    assert world.airbyte.fetch_job(current.job_id).status.word == "cancelled"


def test_a_cancellation_before_the_first_attempt_is_lost(world):
    """The reply shows a pending job, and it runs."""
    job = world.foreign((0, "pending"), (5, "running"))
    assert world.airbyte.cancel(job.job_id).status.word == "pending"
    world.pass_time(10)
    assert world.airbyte.fetch_job(job.job_id).status.word == "running"


def test_an_idle_connection_has_nothing_to_cancel(world):
    """409, "not currently running", also for an id nobody knows."""
    job = world.foreign((0, "running"), (1, "succeeded"))
    world.pass_time(5)
    for job_id in (job.job_id, 99):
        with pytest.raises(JobNotRunning):
            world.airbyte.cancel(job_id)


def test_a_reset_cancels_the_running_sync(world):
    """A reset is not refused; it is checked neither for a running sync nor for an inactive connection."""
    sync = world.airbyte.submit(world.connection_id, JobType.SYNC)
    world.airbyte.add_connection(world.connection_id, status=ConnectionStatus.INACTIVE)
    assert world.airbyte.submit(world.connection_id, JobType.CLEAR).job_type == "reset"
    assert world.airbyte.fetch_job(sync.job_id).status.word == "cancelled"


def test_an_inactive_connection_takes_no_syncs_and_does_not_say_why(world):
    """409 state-conflict: "Could not fulfill request"."""
    world.airbyte.add_connection(world.connection_id, status=ConnectionStatus.INACTIVE)
    with pytest.raises(StateConflict, match="Could not fulfill request"):
        world.airbyte.submit(world.connection_id, JobType.SYNC)


def test_an_ended_job_does_not_change(world):
    """Two looks at an ended job are equal, whenever they come."""
    job = world.foreign((0, "running"), (10, "succeeded"))
    world.pass_time(20)
    look = world.airbyte.fetch_job(job.job_id)
    world.pass_time(3600)
    assert world.airbyte.fetch_job(job.job_id) == look
    assert (look.ended_at - look.created_at).total_seconds() == 10


def test_what_is_unknown_is_not_found(world):
    """Unknown connections and jobs are 404."""
    with pytest.raises(NotFound):
        world.airbyte.fetch_connection("elsewhere")
    with pytest.raises(NotFound):
        world.airbyte.fetch_job(1)


def test_a_job_is_pending_until_its_script_says_more(world):
    """A script need not begin at once."""
    job = world.foreign((1, "running"))
    assert job.status.word == "pending"
    world.pass_time(1)
    assert world.airbyte.fetch_job(job.job_id).status.word == "running"
