"""Events that the official provider's trigger had fired before the switch: the job itself is judged."""

from datetime import timedelta
from functools import partial

import pytest

from airbyte_sync_airflow.compat.airflow import AirflowException, AirflowSkipException
from airbyte_sync_airflow.exceptions import (
    AirbyteRefused,
    AirbyteSensorTimedOut,
    AirbyteSyncCancelled,
    AirbyteSyncFailed,
    AirbyteSyncTimedOut,
    AirbyteTransientError,
)
from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_local import job_scripts

MINUTE = timedelta(minutes=1)
LONG = job_scripts.succeeds(lasts=20 * MINUTE)
STATUSES = pytest.mark.parametrize("status", ["success", "error", "cancelled"])


@pytest.fixture
def job(start_job, clock):
    """Start a job, as the official operator did; some minutes pass before anything resumes."""

    def start(life, passed=5 * MINUTE):
        started = start_job(life)
        clock.advance(passed)
        return started

    return start


def event(status, job_id=1):
    """What ``triggers/airbyte.py`` of the official provider 6.2.0 fires."""
    return {"status": status, "message": f"Job run {job_id} ...", "job_id": job_id}


@pytest.fixture
def operator(operator):
    return partial(operator, "x", deferrable=True)


@pytest.fixture
def sensor(sensor):
    return partial(sensor, "1", deferrable=True)


@pytest.fixture(params=["operator", "sensor"])
def make(request):
    """Make tasks of either kind."""
    return request.getfixturevalue(request.param)


@STATUSES
def test_a_job_that_has_succeeded_is_a_success_whatever_the_event_says(job, context, make, status):
    """The official trigger says ``error`` after one failed poll."""
    job(job_scripts.succeeds(lasts=MINUTE))
    task = make()
    task.execute_complete(context, event(status))
    told = context["ti"].xcoms["airbyte_job"]
    assert (1, "succeeded") == (told["job_id"], told["status"])
    assert told["url"].endswith("jobId=1&openLogs=true")
    if isinstance(task, AirbyteTriggerSyncOperator):
        assert 1 == context["ti"].xcoms["return_value"] == task.job_id


@STATUSES
def test_a_job_that_has_failed_fails_the_task_whatever_the_event_says(job, context, make, status):
    """Only the job itself is believed."""
    job(job_scripts.fails())
    with pytest.raises(AirbyteSyncFailed, match="job 1 failed"):
        make().execute_complete(context, event(status))


def test_a_job_that_was_cancelled_fails_the_task(job, context, make):
    """As our own trigger would have told it."""
    started = job(job_scripts.never_ends())
    AirbyteHook().cancel_job(started.job_id)
    with pytest.raises(AirbyteSyncCancelled):
        make().execute_complete(context, event("cancelled"))


def test_a_job_that_still_runs_is_waited_for_again(
    job, context, make, defer, event_of, cancellations
):
    """The official trigger gave up after one failed poll."""
    job(LONG)
    trigger = defer(make().execute_complete, context, event("error"))
    assert context["ti"].xcoms["airbyte_job"]["url"] is not None
    make().execute_complete(context, event_of(trigger))
    assert "succeeded" == context["ti"].xcoms["airbyte_job"]["status"]
    assert [] == cancellations()


def test_the_operator_waits_until_its_own_timeout_has_passed_since_the_start(
    job, operator, context, defer, event_of, cancellations, clock
):
    """Not for the whole of it once more; then it cancels."""
    began = clock.now()
    job(job_scripts.never_ends())
    trigger = defer(operator(timeout=900).execute_complete, context, event("error"))
    assert (began + 15 * MINUTE).isoformat() == trigger.checkpoint["deadline"]
    with pytest.raises(AirbyteSyncTimedOut, match=r"within 900 s \(timeout\) and was cancelled"):
        operator(timeout=900).execute_complete(context, event_of(trigger))
    assert [1] == cancellations()


def test_after_its_timeout_the_operator_cancels_at_once(
    job, operator, context, defer, event_of, cancellations
):
    """``error`` is also what the official trigger says at its ``end_time``."""
    job(job_scripts.never_ends(), passed=20 * MINUTE)
    task = operator(timeout=900, deferrable=False)
    with pytest.raises(AirbyteSyncTimedOut, match="and was cancelled"):
        task.execute_complete(context, event("error"))
    assert [1] == cancellations()


def test_the_sensor_leaves_the_job_when_its_timeout_has_passed(job, sensor, context, cancellations):
    """The job is another task's."""
    job(job_scripts.never_ends(), passed=20 * MINUTE)
    task = sensor(timeout=900)
    with pytest.raises(AirbyteSensorTimedOut):
        task.execute_complete(context, event("error"))
    assert [] == cancellations()


def test_the_word_timeout_cancels(job, operator, context, cancellations):
    """The ``execution_timeout`` of the official operator had passed."""
    job(job_scripts.never_ends())
    task = operator(deferrable=False)
    with pytest.raises(AirbyteSyncTimedOut, match=r"\(execution_timeout\) and was cancelled"):
        task.execute_complete(context, event("timeout"))
    assert [1] == cancellations()


def test_the_word_timeout_fails_no_job_that_has_succeeded(job, operator, context, cancellations):
    """A late event is no verdict about the job."""
    job(job_scripts.succeeds(lasts=MINUTE))
    operator().execute_complete(context, event("timeout"))
    assert 1 == context["ti"].xcoms["return_value"]
    assert [] == cancellations()


def test_the_word_timeout_leaves_the_job_of_a_sensor(job, sensor, context, cancellations):
    """No time limit of a sensor cancels."""
    job(job_scripts.never_ends())
    with pytest.raises(AirbyteSyncTimedOut, match="left running"):
        sensor().execute_complete(context, event("timeout"))
    assert [] == cancellations()


def test_a_job_that_airbyte_does_not_know_fails_the_task(connection, context, make):
    """There is nothing to wait for."""
    with pytest.raises(AirbyteRefused):
        make().execute_complete(context, event("success"))


def test_an_event_about_another_job_than_the_sensors_fails_it(job, sensor, context):
    """It is no answer about the job that this task waits for."""
    job(job_scripts.succeeds(lasts=MINUTE))
    with pytest.raises(AirbyteTransientError, match="this task waits for job 1"):
        sensor().execute_complete(context, event("success", job_id=2))


def test_the_official_sensor_passes_on_the_text_of_its_template(job, sensor, context):
    """``job_id`` is then a text."""
    job(job_scripts.succeeds(lasts=MINUTE))
    sensor().execute_complete(context, event("success", job_id="1"))
    assert "succeeded" == context["ti"].xcoms["airbyte_job"]["status"]


def test_never_fail_skips_here_too(job, sensor, context):
    """An event of the official trigger obeys the sensor's own table."""
    job(job_scripts.fails())
    with pytest.raises(AirflowSkipException):
        sensor(never_fail=True).execute_complete(context, event("error"))


def test_another_try_goes_on_with_the_job(job, operator, context, state_store, defer):
    """Where Airflow keeps a task's state, the job of the official operator is in it from now on."""
    context["task_state_store"] = state_store
    job(LONG)
    defer(operator().execute_complete, context, event("error"))
    assert 1 == state_store["airbyte_sync"]["job_id"]


def test_an_event_that_only_looks_like_an_official_one_is_none(connection, operator, context):
    """What cannot be read is never a success."""
    for job_id in ("one", "", None, -1, True):
        odd = event("success", job_id=job_id)
        with pytest.raises(AirflowException):
            operator().execute_complete(context, odd)
