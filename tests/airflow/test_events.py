"""What a trigger's event is worth: only one that says that the awaited job has succeeded is a success."""

import pytest

from airbyte_sync_airflow.exceptions import AirbyteSyncFailed, AirbyteTransientError
from airbyte_sync_local import job_scripts

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred


@pytest.fixture
def sync(operator):
    return operator("x", deferrable=True)


@pytest.fixture
def follow(sensor):
    return sensor(7, deferrable=True)


@pytest.fixture(params=["sync", "follow"])
def task(request):
    """A task of either kind."""
    return request.getfixturevalue(request.param)


def event(job_id=7, status="succeeded"):
    return {"job": {"job_id": job_id, "status": status}}


def resume(task, context, event, **noted):
    kwargs = {"event": event, "try_number": 1, **noted}
    return task.resume_execution("execute_complete", kwargs, context)


@pytest.mark.parametrize("status", ["failed", "cancelled", "running", "SUCCEEDED", "", None, 1])
def test_an_event_that_does_not_say_succeeded_is_no_success(task, context, status):
    """Whatever it says in its place; another try may help."""
    with pytest.raises(AirbyteTransientError, match="job 7"):
        resume(task, context, event(status=status), job_id=7)
    assert "return_value" not in context["ti"].xcoms


def test_an_event_about_another_job_is_no_success(task, context):
    """Nor does it leave that job's XCom."""
    with pytest.raises(
        AirbyteTransientError, match=r"about Airbyte job 8, but this task waits for job 7"
    ):
        resume(task, context, event(job_id=8), job_id=7)
    assert {} == context["ti"].xcoms


def test_an_error_about_another_job_is_still_an_error(task, context):
    """It fails the task, with its own reason."""
    failed = {"error": "SyncFailed", "message": "Airbyte job 8 failed", "job": {"job_id": 8}}
    with pytest.raises(AirbyteSyncFailed, match="job 8"):
        resume(task, context, failed, job_id=7)
    assert {} == context["ti"].xcoms


def test_an_event_of_a_task_that_noted_no_job_still_counts(task, context):
    """The present release notes it; ``dag.test()`` drops what is noted."""
    resume(task, context, event())
    assert 7 == context["ti"].xcoms["airbyte_job"]["job_id"]


def test_a_sensor_knows_its_job_by_its_argument_too(follow, context):
    """Where nothing was noted."""
    with pytest.raises(AirbyteTransientError, match="this task waits for job 7"):
        follow.execute_complete(context, event(job_id=8))


def test_what_was_noted_wins_over_a_template_that_has_changed(sensor, context):
    """The task before may have been run again meanwhile."""
    resume(sensor(9, deferrable=True), context, event(job_id=7), job_id=7)
    assert 7 == context["ti"].xcoms["airbyte_job"]["job_id"]


def test_a_checkpoint_of_another_job_is_no_event_of_ours(sync, context):
    """The job that a trigger came to is the one to wait for."""
    checkpoint = {
        "version": 1,
        "phase": "watch",
        "asked_at": "2026-01-05T09:00:00+00:00",
        "job_id": 8,
        "origin": "started",
    }
    with pytest.raises(AirbyteTransientError, match="an event that cannot be read"):
        resume(sync, context, event() | {"checkpoint": checkpoint})


@pytest.mark.parametrize("kind", ["operator", "sensor"])
def test_a_deferral_notes_its_job(start_job, operator, sensor, context, kind):
    """In its own arguments, which the trigger does not touch."""
    if kind == "sensor":
        start_job(job_scripts.never_ends())
    make = {"operator": operator, "sensor": sensor}[kind]
    with pytest.raises(TaskDeferred) as deferral:
        make(deferrable=True).execute(context)
    assert {"job_id": 1, "try_number": 1} == deferral.value.kwargs
