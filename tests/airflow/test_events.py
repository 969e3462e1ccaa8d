"""What a trigger's event is worth: only one that says that the awaited job has succeeded is a success."""

import pytest

from airbyte_sync_airflow.exceptions import AirbyteSyncFailed, AirbyteTransientError
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor
from airbyte_sync_local import job_scripts

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred


def operator(**options):
    return AirbyteTriggerSyncOperator(task_id="sync", connection_id="x", deferrable=True, **options)


def sensor(job_id=7, **options):
    return AirbyteJobSensor(task_id="sync", airbyte_job_id=job_id, deferrable=True, **options)


BOTH = pytest.mark.parametrize("make", [operator, sensor])


def event(job_id=7, status="succeeded"):
    return {"job": {"job_id": job_id, "status": status}}


def resume(task, context, event, **noted):
    kwargs = {"event": event, "try_number": 1, **noted}
    return task.resume_execution("execute_complete", kwargs, context)


@BOTH
@pytest.mark.parametrize("status", ["failed", "cancelled", "running", "SUCCEEDED", "", None, 1])
def test_an_event_that_does_not_say_succeeded_is_no_success(make, context, status):
    """Whatever it says in its place; another try may help."""
    with pytest.raises(AirbyteTransientError, match="job 7"):
        resume(make(), context, event(status=status), job_id=7)
    assert "return_value" not in context["ti"].xcoms


@BOTH
def test_an_event_about_another_job_is_no_success(make, context):
    """Nor does it leave that job's XCom."""
    with pytest.raises(
        AirbyteTransientError, match=r"about Airbyte job 8, but this task waits for job 7"
    ):
        resume(make(), context, event(job_id=8), job_id=7)
    assert {} == context["ti"].xcoms


@BOTH
def test_an_error_about_another_job_is_still_an_error(make, context):
    """It fails the task, with its own reason."""
    failed = {"error": "SyncFailed", "message": "Airbyte job 8 failed", "job": {"job_id": 8}}
    with pytest.raises(AirbyteSyncFailed, match="job 8"):
        resume(make(), context, failed, job_id=7)
    assert {} == context["ti"].xcoms


@BOTH
def test_an_event_of_a_task_that_noted_no_job_still_counts(make, context):
    """The present release notes it; ``dag.test()`` drops what is noted."""
    resume(make(), context, event())
    assert 7 == context["ti"].xcoms["airbyte_job"]["job_id"]


def test_a_sensor_knows_its_job_by_its_argument_too(context):
    """Where nothing was noted."""
    with pytest.raises(AirbyteTransientError, match="this task waits for job 7"):
        sensor().execute_complete(context, event(job_id=8))


def test_what_was_noted_wins_over_a_template_that_has_changed(context):
    """The task before may have been run again meanwhile."""
    resume(sensor(job_id=9), context, event(job_id=7), job_id=7)
    assert 7 == context["ti"].xcoms["airbyte_job"]["job_id"]


def test_a_checkpoint_of_another_job_is_no_event_of_ours(context):
    """The job that a trigger came to is the one to wait for."""
    checkpoint = {
        "version": 1,
        "phase": "watch",
        "asked_at": "2026-01-05T09:00:00+00:00",
        "job_id": 8,
        "origin": "started",
    }
    with pytest.raises(AirbyteTransientError, match="an event that is not ours"):
        resume(operator(), context, event() | {"checkpoint": checkpoint})


@pytest.mark.parametrize("kind", ["operator", "sensor"])
def test_a_deferral_notes_its_job(airbyte, connection, context, kind):
    """In its own arguments, which the trigger does not touch."""
    if kind == "sensor":
        airbyte.start_external_job(connection.connection_id, job_scripts.never_ends())
        task = sensor(job_id=1)
    else:
        task = AirbyteTriggerSyncOperator(
            task_id="sync", connection_id=connection.connection_id, deferrable=True
        )
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    assert {"job_id": 1, "try_number": 1} == deferral.value.kwargs
