"""DAGs and subclasses that were written for the official provider find what they need."""

import warnings
from datetime import timedelta

import pytest

from airbyte_sync_airflow.compat.airflow import AirflowException
from airbyte_sync_airflow.exceptions import AirbyteSensorTimedOut, AirbyteSyncFailed
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_local import job_scripts

MINUTE = timedelta(minutes=1)


# --------------------------------------------------------------------------------------------------
# Zeros


@pytest.mark.parametrize("zero", [0, 0.0, timedelta(0), "0"])
def test_a_timeout_of_zero_is_none_and_warns(airbyte, connection, operator, context, zero):
    """The official provider takes it so in blocking mode, and the DAG still imports."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds(lasts=timedelta(hours=2))])
    with pytest.warns(UserWarning, match="timeout=0 means no timeout"):
        task = operator(timeout=zero, wait_seconds=60)
    assert 1 == task.execute(context)


def test_the_warning_points_to_the_dag():
    """Its author finds the line."""
    with pytest.warns(UserWarning, match="timeout=0") as caught:
        AirbyteTriggerSyncOperator(task_id="sync", connection_id="x", timeout=0)
    assert __file__ == caught[0].filename


def test_no_timeout_can_be_said_plainly(airbyte, connection, operator, context):
    """Without a warning."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds(lasts=timedelta(hours=2))])
    assert 1 == operator(timeout=None, wait_seconds=60).execute(context)


def test_wait_seconds_of_zero_is_one_second_and_warns(airbyte, connection, operator, context):
    """Never a request without a pause."""
    airbyte.add_connection(
        connection, job_scripts=[job_scripts.succeeds(starts=timedelta(0), lasts=MINUTE)]
    )
    with pytest.warns(UserWarning, match="wait_seconds=0 means one second"):
        task = operator(wait_seconds=0)
    assert 1 == task.execute(context)
    polls = [record for record in airbyte.requests if record.path.endswith("/jobs/1")]
    assert 50 < len(polls) < 70


@pytest.mark.parametrize("option", ["timeout", "wait_seconds"])
def test_below_zero_is_still_refused(operator, option):
    """It cannot be right in either provider."""
    with pytest.raises(AirflowException, match=option):
        operator(**{option: -1})


def test_a_sensor_that_pokes_without_a_pause_pokes_each_second(start_job, sensor, context):
    """As the operator does."""
    start_job(job_scripts.succeeds(lasts=MINUTE))
    with pytest.warns(UserWarning, match="poke_interval=0 means one second"):
        task = sensor(poke_interval=0, mode="poke", timeout=600)
    assert task.poke(context) is False


def test_a_sensor_with_a_timeout_of_zero_pokes_once(start_job, sensor, context, event_of, defer):
    """That is what it means in Airflow."""
    start_job(job_scripts.never_ends())
    task = sensor(timeout=0, deferrable=True)
    event = event_of(defer(task.execute, context))
    with pytest.raises(AirbyteSensorTimedOut):
        task.execute_complete(context, event)


@pytest.mark.parametrize("deferrable", [True, False])
def test_airbyte_conn_id_holds_the_rendered_value(operator, context, defer, event_of, deferrable):
    """A subclass that opens a hook after ``super().execute()`` gets its connection."""
    context["which"] = "airbyte_default"
    task = operator(airbyte_conn_id="{{ which }}", deferrable=deferrable)
    if deferrable:
        event = event_of(defer(task.execute, context))
        assert "airbyte_default" == task.airbyte_conn_id
        task = operator(airbyte_conn_id="{{ which }}")
        task.execute_complete(context, event)
    else:
        task.execute(context)
    assert "airbyte_default" == task.airbyte_conn_id
    assert ("connection_id",) == tuple(task.template_fields)


def test_a_sensors_airbyte_conn_id_holds_the_rendered_value(start_job, sensor, context):
    """From its first poke on."""
    start_job(job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0)))
    context["which"] = "airbyte_default"
    task = sensor(airbyte_conn_id="{{ which }}")
    task.execute(context)
    assert "airbyte_default" == task.airbyte_conn_id


def test_a_task_that_runs_again_in_one_process_is_rendered_again(operator, context, connect):
    """From its template, not from what it was."""
    task = operator(airbyte_conn_id="{{ which }}")
    for which in ("airbyte_default", "airbyte_default"):
        task.execute(context | {"which": which})
    with pytest.raises(AirflowException, match="'nowhere'"):
        task.execute(context | {"which": "nowhere"})


def test_a_template_that_has_gone_does_not_lose_a_sync_that_has_ended(operator, context):
    """The Airflow connection is not needed any more."""
    task = operator(airbyte_conn_id="{{ gone }}")
    task.execute_complete(context, {"job": {"job_id": 7, "status": "succeeded"}})
    assert 7 == context["ti"].xcoms["return_value"] == task.job_id


def test_job_id_is_there_as_soon_as_there_is_a_job(airbyte, connection, operator, context):
    """The official operator has it, and ``on_kill`` of subclasses uses it."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails(), job_scripts.succeeds()])
    task = operator()
    assert task.job_id is None
    with pytest.raises(AirbyteSyncFailed):
        task.execute(context)
    assert 1 == task.job_id
    assert 2 == operator(asynchronous=True).execute(context)


def test_job_id_is_there_after_a_deferral(operator, context, defer, event_of):
    """In the process that defers, and in the one that goes on."""
    task = operator(deferrable=True)
    event = event_of(defer(task.execute, context))
    assert 1 == task.job_id
    task = operator(deferrable=True)
    task.execute_complete(context, event)
    assert 1 == task.job_id


# --------------------------------------------------------------------------------------------------
# Without a context


@pytest.mark.parametrize("options", [{}, {"asynchronous": True}])
def test_execute_works_without_a_context(operator, submissions, options):
    """People test their DAGs like this: no store, no XCom, no link, and no warning about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 1 == operator(**options).execute({})
    assert 1 == len(submissions())


def test_a_deferral_works_without_a_context(operator, defer, event_of):
    """Both halves of it."""
    event = event_of(defer(operator(deferrable=True).execute, {}))
    task = operator(deferrable=True)
    assert task.execute_complete({}, event) is None
    assert 1 == task.job_id


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensor_works_without_a_context(start_job, deferrable, sensor):
    """The same for it."""
    start_job(job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0)))
    sensor(deferrable=deferrable).execute({})


def test_execute_without_a_context_has_its_time_limits(airbyte, connection, operator):
    """``execution_timeout`` then counts from the call."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
    with pytest.raises(AirflowException, match="and was cancelled"):
        operator(execution_timeout=10 * MINUTE, wait_seconds=30).execute({})
