"""The Airbyte in memory keeps the rules that a policy has to live with."""

import inspect
from datetime import timedelta

import pytest

from airbyte_sync import JobNotRunning, JobQuery, JobType, NotFound, SyncAlreadyRunning
from airbyte_sync.ports import AsyncSyncGateway, SyncGateway
from airbyte_sync_local import JobScript
from airbyte_sync_testkit import AsyncInMemoryAirbyte, InMemoryAirbyte, VirtualClock

CONNECTION = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"


@pytest.fixture
def airbyte():
    airbyte = InMemoryAirbyte(clock=VirtualClock())
    airbyte.add_connection(CONNECTION)
    return airbyte


def test_both_faces_are_what_the_ports_ask_for(airbyte):
    """They stand in for the gateways; every method of the async one is a coroutine."""
    other = AsyncInMemoryAirbyte(airbyte)
    assert isinstance(airbyte, SyncGateway)
    assert isinstance(other, AsyncSyncGateway)
    ports = [name for name in vars(AsyncInMemoryAirbyte) if not name.startswith("_")]
    assert all(inspect.iscoroutinefunction(getattr(other, name)) for name in ports)


def test_one_job_at_a_time_runs_on_a_connection(airbyte):
    """A second submission is refused, and the refusal names no job."""
    airbyte.submit(CONNECTION, JobType.SYNC)
    with pytest.raises(SyncAlreadyRunning) as refusal:
        airbyte.submit(CONNECTION, JobType.SYNC)
    assert "1" not in str(refusal.value).replace(CONNECTION, "")


def test_an_old_id_cancels_the_job_that_runs_now(airbyte):
    """Airbyte cancels per connection: what careless callers would do is done."""
    first = airbyte.submit(CONNECTION, JobType.SYNC)
    airbyte.clock.advance_to(airbyte.clock.now().replace(hour=12))
    second = airbyte.submit(CONNECTION, JobType.SYNC)
    airbyte.clock.advance_to(airbyte.clock.now().replace(second=10))
    airbyte.cancel(first.job_id)
    assert "cancelled" == airbyte.fetch_job(second.job_id).status.word


def test_what_is_not_there_is_said_in_the_ports_words(airbyte):
    """An unknown job, and nothing to cancel."""
    with pytest.raises(NotFound):
        airbyte.fetch_job(4711)
    with pytest.raises(JobNotRunning):
        airbyte.cancel(4711)


def test_the_list_tells_what_has_changed(airbyte):
    """Of every connection, in the order of the last change; a cancellation is one."""
    began = airbyte.clock.now()
    never_ends = JobScript.of((0, "running"))
    first, cancelled, _ = (airbyte.start_external_job(str(n), never_ends) for n in range(3))
    airbyte.job_scripts.append(JobScript.of((0, "running"), (5, "succeeded")))
    last = airbyte.submit(CONNECTION, JobType.SYNC)
    airbyte.clock.advance(timedelta(seconds=3))
    airbyte.cancel(cancelled.job_id)
    airbyte.clock.advance(timedelta(seconds=3))
    query = JobQuery(updated_since=began + timedelta(seconds=1))
    changed = airbyte.find_jobs(query).jobs
    assert [cancelled.job_id, last.job_id] == [job.job_id for job in changed]
    assert ["cancelled", "succeeded"] == [job.status.word for job in changed]
    assert first.job_id in [job.job_id for job in airbyte.find_jobs(JobQuery()).jobs]
