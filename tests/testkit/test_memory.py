"""The Airbyte in memory says in the words of the ports what the platform of the local server decides.

That the platform decides as Airbyte does is shown in tests/local.
"""

import asyncio
import inspect
from datetime import timedelta

import pytest

from airbyte_sync import (
    ConnectionStatus,
    JobDetails,
    JobNotRunning,
    JobQuery,
    JobStatus,
    JobStreams,
    JobType,
    NotFound,
    StateConflict,
    StreamTotals,
    SyncAlreadyRunning,
    Unprocessable,
)
from airbyte_sync.ports import AsyncSyncGateway, SyncGateway
from airbyte_sync_local import JobScript
from airbyte_sync_testkit import AsyncInMemoryAirbyte, InMemoryAirbyte, VirtualClock

CONNECTION = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"
INACTIVE = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e11"
RUNS = JobScript.of((0, "running"))
ENDS = JobScript.of((0, "running"), (10, "succeeded"))


@pytest.fixture
def airbyte():
    airbyte = InMemoryAirbyte(clock=VirtualClock())
    airbyte.add_connection(CONNECTION)
    return airbyte


def test_both_are_what_the_ports_ask_for(airbyte):
    """They stand in for the gateways; every method of the async one is a coroutine."""
    other = AsyncInMemoryAirbyte(airbyte)
    assert isinstance(airbyte, SyncGateway)
    assert isinstance(other, AsyncSyncGateway)
    ports = [name for name in vars(AsyncInMemoryAirbyte) if not name.startswith("_")]
    assert all(inspect.iscoroutinefunction(getattr(other, name)) for name in ports)
    [found] = asyncio.run(other.find_connections("Faker to DuckDB", None))
    assert airbyte.fetch_connection(CONNECTION) == found


def test_lists_what_there_is(airbyte):
    """Connections and active jobs, everywhere or in one place."""
    other = airbyte.add_connection(INACTIVE, workspace_id="elsewhere")
    airbyte.add_connection("gone", status=ConnectionStatus.DEPRECATED)
    assert [CONNECTION, INACTIVE] == [each.connection_id for each in airbyte.list_connections()]
    assert (other,) == airbyte.list_connections("elsewhere")
    one = airbyte.start_external_job(CONNECTION, RUNS)
    two = airbyte.start_external_job(INACTIVE, RUNS)
    assert (two, one) == airbyte.list_active_jobs()
    assert (one,) == airbyte.list_active_jobs(CONNECTION, "elsewhere")
    assert (two,) == airbyte.list_active_jobs(workspace_id="elsewhere")
    assert (two,) == airbyte.find_jobs(JobQuery(workspace_id="elsewhere")).jobs
    assert () == airbyte.find_jobs(JobQuery(status=JobStatus.PENDING)).jobs
    asynchronous = AsyncInMemoryAirbyte(airbyte)
    assert (two, one) == asyncio.run(asynchronous.list_active_jobs())
    assert (other,) == asyncio.run(asynchronous.list_connections("elsewhere"))


def test_tells_what_a_job_did(airbyte):
    """Where a test has said so."""
    details = JobDetails(streams=JobStreams.of([StreamTotals(name="orders", rows=7)]))
    airbyte.details[1] = details
    assert details == airbyte.fetch_details(1, CONNECTION)
    assert JobDetails() == airbyte.fetch_details(2, CONNECTION)
    assert details == asyncio.run(AsyncInMemoryAirbyte(airbyte).fetch_details(1, CONNECTION))


@pytest.mark.parametrize(
    ("method", "arguments", "error", "text"),
    [
        ("fetch_connection", ["elsewhere"], NotFound, "elsewhere is unknown"),
        ("fetch_job", [4711], NotFound, "Could not find job"),
        ("cancel", [4711], JobNotRunning, "Job is not currently running"),
        ("cancel", [1], JobNotRunning, "Job is not currently running"),
        ("submit", ["elsewhere", JobType.SYNC], NotFound, "elsewhere is unknown"),
        ("submit", [CONNECTION, JobType.REFRESH], Unprocessable, "Refreshes are not supported"),
        ("submit", [INACTIVE, JobType.SYNC], StateConflict, "^Could not fulfill request"),
        ("submit", [CONNECTION, JobType.SYNC], SyncAlreadyRunning, f"running for: {CONNECTION}$"),
    ],
)
def test_refusals_are_said_in_the_words_of_the_ports(airbyte, method, arguments, error, text):
    """What is unknown, idle, switched off or busy; the refusal of a busy one names no job."""
    airbyte.add_connection(INACTIVE, status=ConnectionStatus.INACTIVE)
    airbyte.start_external_job(INACTIVE, JobScript.of((0, "running"), (0, "failed")))
    airbyte.submit(CONNECTION, JobType.SYNC)
    with pytest.raises(error, match=text):
        getattr(airbyte, method)(*arguments)


def test_replies_to_submissions_and_cancellations_have_no_statistics(airbyte):
    """As with the real API; the reply to a cancellation is about the job that was asked for."""
    old = airbyte.start_external_job(CONNECTION, ENDS)
    airbyte.clock.advance(timedelta(seconds=10))
    airbyte.job_scripts.append(RUNS)
    current = airbyte.submit(CONNECTION, JobType.SYNC)
    reply = airbyte.cancel(old.job_id)
    assert [(None, None)] * 2 == [(job.rows, job.bytes) for job in (current, reply)]
    assert (old.job_id, "succeeded") == (reply.job_id, reply.status.word)
    cancelled = airbyte.fetch_job(current.job_id)
    assert ("cancelled", 0) == (cancelled.status.word, cancelled.rows)


@pytest.mark.parametrize("word", ["pending", "queued"])
def test_a_cancellation_before_the_first_attempt_is_lost(airbyte, word):
    """The reply shows the job as it is, and it runs."""
    job = airbyte.start_external_job(CONNECTION, JobScript.of((0, word), (5, "running")))
    assert word == airbyte.cancel(job.job_id).status.word
    airbyte.clock.advance(timedelta(seconds=5))
    assert "running" == airbyte.fetch_job(job.job_id).status.word


def test_a_reset_cancels_the_running_sync(airbyte):
    """Also on a connection that is not active; its job is called a reset."""
    sync = airbyte.submit(CONNECTION, JobType.SYNC)
    airbyte.add_connection(CONNECTION, status=ConnectionStatus.INACTIVE)
    assert "reset" == airbyte.submit(CONNECTION, JobType.CLEAR).job_type
    assert "cancelled" == airbyte.fetch_job(sync.job_id).status.word


def test_an_ended_job_does_not_change(airbyte):
    """Its end is when its script says, in whole seconds."""
    job = airbyte.start_external_job(CONNECTION, ENDS)
    assert "running" == job.status.word
    airbyte.clock.advance(timedelta(seconds=20))
    ended = airbyte.fetch_job(job.job_id)
    assert timedelta(seconds=10) == ended.ended_at - ended.created_at
    airbyte.clock.advance(timedelta(hours=1))
    assert ended == airbyte.fetch_job(job.job_id)


def test_a_job_is_pending_until_its_script_says_more(airbyte):
    """A script need not begin at once."""
    job = airbyte.start_external_job(CONNECTION, JobScript.of((1, "running")))
    assert "pending" == job.status.word
    airbyte.clock.advance(timedelta(seconds=1))
    assert "running" == airbyte.fetch_job(job.job_id).status.word


def test_a_crash_is_set_up(airbyte):
    """An external job leaves another over; a deleted job is unknown, and its id is not used again."""
    left_over = airbyte.start_external_job(CONNECTION, RUNS)
    newer = airbyte.start_external_job(CONNECTION, ENDS)
    airbyte.clock.advance(timedelta(seconds=10))
    assert "running" == airbyte.fetch_job(left_over.job_id).status.word
    with pytest.raises(JobNotRunning):
        airbyte.cancel(left_over.job_id)
    airbyte.forget(newer.job_id)
    with pytest.raises(NotFound):
        airbyte.fetch_job(newer.job_id)
    assert newer.job_id + 1 == airbyte.submit(CONNECTION, JobType.SYNC).job_id


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
