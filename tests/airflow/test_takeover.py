"""Tasks that the official provider has deferred go on with our trigger once the drop-in is there."""

import asyncio
import inspect
from datetime import timedelta

import pytest

from airbyte_sync_airflow.exceptions import AirbyteSyncFailed, AirbyteSyncTimedOut
from airbyte_sync_local import job_scripts

try:
    from airflow.sdk.module_loading import import_string
except ImportError:
    from airflow.utils.module_loading import import_string

PATH = "airflow.providers.airbyte.triggers.airbyte.AirbyteSyncTrigger"


@pytest.fixture
def now(clock):
    return clock.now().timestamp()


def event_of(now, job, seconds=3600, execution_seconds=None):
    """Make the trigger as the triggerer does, from what the official one has stored; run it."""
    trigger = import_string(PATH)(
        job_id=job.job_id,
        conn_id="airbyte_default",
        end_time=now + seconds,
        poll_interval=60,
        execution_deadline=None if execution_seconds is None else now + execution_seconds,
    )

    async def first():
        return [event.payload async for event in trigger.run()]

    [payload] = asyncio.run(first())
    return payload


@pytest.fixture
def resume(operator, context):
    """Let the task of an operator go on."""
    return lambda event: operator("x", deferrable=True).execute_complete(context, event)


def test_the_trigger_takes_what_the_official_one_has_stored():
    """``tests/clients`` shows that these are the arguments of the official one."""
    assert ["self", "job_id", "conn_id", "end_time", "poll_interval", "execution_deadline"] == list(
        inspect.signature(import_string(PATH).__init__).parameters
    )


def test_a_job_that_succeeds_is_the_tasks_result(start_job, now, context, resume):
    """The result that the official provider does not leave."""
    resume(event_of(now, start_job(job_scripts.succeeds(lasts=timedelta(minutes=3)))))
    assert 1 == context["ti"].xcoms["return_value"]


def test_a_task_that_was_taken_over_has_a_link(start_job, now, context, resume):
    """The official trigger carries the job's id only: the rest is asked for."""
    resume(event_of(now, start_job(job_scripts.succeeds(lasts=timedelta(minutes=3)))))
    told = context["ti"].xcoms["airbyte_job"]
    assert told["url"].endswith("jobId=1&openLogs=true")
    assert "Faker to DuckDB" == told["connection_name"]


def test_a_sensor_that_was_taken_over_has_a_link(start_job, now, sensor, context):
    """The same for it."""
    event = event_of(now, start_job(job_scripts.succeeds(lasts=timedelta(minutes=3))))
    sensor().execute_complete(context, event)
    assert context["ti"].xcoms["airbyte_job"]["url"].endswith("jobId=1&openLogs=true")


def test_a_link_that_cannot_be_found_fails_no_task(start_job, now, context, connect, resume):
    """The sync has succeeded."""
    event = event_of(now, start_job(job_scripts.succeeds(lasts=timedelta(minutes=3))))
    connect(host="http://127.0.0.1:1")
    resume(event)
    assert 1 == context["ti"].xcoms["return_value"]


def test_a_job_that_fails_fails_the_task(start_job, now, resume):
    """With the exception of our own trigger."""
    event = event_of(now, start_job(job_scripts.fails()))
    with pytest.raises(AirbyteSyncFailed):
        resume(event)


def test_after_the_end_time_the_job_is_left_alone(start_job, now, airbyte, resume):
    """As the official trigger does."""
    event = event_of(now, start_job(job_scripts.never_ends()), seconds=120)
    with pytest.raises(AirbyteSyncTimedOut, match="did not end by"):
        resume(event)
    assert ["running"] == [each.status for each in airbyte.jobs]


def test_after_the_execution_deadline_the_job_is_cancelled(start_job, now, airbyte, resume):
    """As the official operator does."""
    event = event_of(now, start_job(job_scripts.never_ends()), execution_seconds=120)
    with pytest.raises(AirbyteSyncTimedOut, match="and was cancelled"):
        resume(event)
    assert ["cancelled"] == [each.status for each in airbyte.jobs]
