"""The operator: three modes, one sync each, and the specification's face."""

import inspect
from datetime import timedelta
from itertools import pairwise

import pytest

from airbyte_sync_airflow.compat.airflow import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)
from airbyte_sync_airflow.exceptions import AirbyteTransientError
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_local import Fault, job_scripts

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred


def cancelled(airbyte):
    return [job.job_id for job in airbyte.jobs if job.status == "cancelled"]


# --------------------------------------------------------------------------------------------------
# The face


def test_its_signature_is_the_specified_one():
    """The specified arguments come first, with their defaults; extra options are keyword-only."""
    parameters = inspect.signature(AirbyteTriggerSyncOperator.__init__).parameters
    positional = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name != "self"
    }
    assert {
        "connection_id": None,  # where there is a connection_name
        "airbyte_conn_id": "airbyte_default",
        "asynchronous": False,
        "deferrable": False,
        "api_version": "v1",
        "wait_seconds": 3,
        "timeout": 3600,
    } == positional
    assert list(positional) == list(parameters)[1 : len(positional) + 1]


# --------------------------------------------------------------------------------------------------
# Blocking


def test_blocking_it_returns_the_id_of_the_job_that_succeeded(
    operator, connection, airbyte, context
):
    """The task ends when the job has succeeded, with the job's id as its result."""
    result = operator(connection.connection_id).execute(context)
    assert [(result, "succeeded")] == [(job.job_id, job.status) for job in airbyte.jobs]
    assert type(result) is int


def test_blocking_it_looks_every_wait_seconds(operator, airbyte, connection, context):
    """The poll interval is fixed, as documented."""
    airbyte.add_connection(
        connection, job_scripts=[job_scripts.succeeds(lasts=timedelta(seconds=40))]
    )
    operator(connection.connection_id, wait_seconds=10).execute(context)
    looks = [
        record.received_at for record in airbyte.requests if record.operation == "GET /jobs/{jobId}"
    ]
    assert {timedelta(seconds=10)} == {after - before for before, after in pairwise(looks)}


def test_a_job_that_somebody_cancelled_fails_the_task(operator, airbyte, connection, context):
    """A cancelled job is not a success."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.is_cancelled_by_server()])
    with pytest.raises(AirflowException, match="cancelled"):
        operator(connection.connection_id).execute(context)


# --------------------------------------------------------------------------------------------------
# Asynchronous


def test_asynchronous_wins_over_deferrable(operator, connection, context):
    """Nothing is left to wait for, so nothing is deferred."""
    task = operator(connection.connection_id, asynchronous=True, deferrable=True)
    assert isinstance(task.execute(context), int)


# --------------------------------------------------------------------------------------------------
# Deferrable


def test_deferred_the_sync_is_submitted_once(
    operator, airbyte, connection, context, submissions, defer, event_of
):
    """The trigger goes on with the job that the task has submitted, also when it is started twice."""
    trigger = defer(operator(connection.connection_id, deferrable=True).execute, context)
    first, second = event_of(trigger), event_of(trigger)
    assert first == second
    assert 1 == len(submissions())


def test_deferred_a_lost_answer_to_the_submission_is_no_second_sync(
    operator, airbyte, connection, context, submissions, defer, event_of
):
    """The job is found on the server and adopted."""
    airbyte.inject(Fault(on="POST /jobs", do="drop_after"))
    task = operator(connection.connection_id, deferrable=True)
    try:
        event = event_of(defer(task.execute, context))
        task.execute_complete(context, event)
    except TaskDeferred:
        raise AssertionError("it deferred twice") from None
    assert 1 == len(submissions()) == len(airbyte.jobs)


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"status": "success"},
        {"job_id": "1"},
        {"job_id": True},
        "done",
        {"error": None, "job_id": 1},
    ],
)
def test_an_event_that_is_not_ours_is_never_a_success(operator, connection, context, event):
    """What cannot be read fails the task."""
    with pytest.raises(AirflowException, match="cannot be read"):
        operator(connection.connection_id).execute_complete(context, event)


def test_a_triggerer_of_an_older_release_costs_a_retry_and_starts_nothing(
    operator, connection, context, submissions, defer, event_of
):
    """A checkpoint that it cannot read is no reason to fail for good: the sync may be running."""
    trigger = defer(operator(connection.connection_id, deferrable=True).execute, context)
    trigger.checkpoint["version"] = 99
    before = len(submissions())
    with pytest.raises(AirbyteTransientError, match="upgrade the triggerers first") as caught:
        operator(connection.connection_id).execute_complete(context, event_of(trigger))
    assert not isinstance(caught.value, AirflowFailException)
    assert before == len(submissions())


# --------------------------------------------------------------------------------------------------
# Kill


def test_a_kill_cancels_the_own_job(
    operator, airbyte, connection, context, monkeypatch, clock, in_worker, airflow_says
):
    """A task that is killed while it waits does not leave its sync running."""
    airflow_says("failed")
    airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
    task = operator(connection.connection_id)

    def killed(duration):
        clock.advance(duration)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(clock, "sleep", killed)
        with pytest.raises(KeyboardInterrupt):
            task.execute(context)
    with in_worker(context):
        task.on_kill()
    assert [1] == cancelled(airbyte)


# --------------------------------------------------------------------------------------------------
# Conflict


def test_a_busy_connection_can_skip_the_task(operator, start_job, connection, context, clock):
    """``on_conflict="skip"`` skips."""
    start_job(job_scripts.never_ends())
    clock.advance(timedelta(minutes=1))
    with pytest.raises(AirflowSkipException):
        operator(connection.connection_id, on_conflict="skip").execute(context)


# --------------------------------------------------------------------------------------------------
# Templates


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ('{{ dag_run.conf["connection_id"] }}', "from-conf"),
        ("{{ var.value.my_connection_id }}", "from-variable"),
        ("{{ ds }}_connection", "2026-01-05_connection"),
    ],
)
def test_the_specified_templates_render(operator, template, rendered):
    """The three examples of templated connection ids."""
    from types import SimpleNamespace as Some

    context = {
        "dag_run": Some(conf={"connection_id": "from-conf"}),
        "var": Some(value=Some(my_connection_id="from-variable")),
        "ds": "2026-01-05",
    }
    task = operator(template)
    task.render_template_fields(context)
    assert rendered == task.connection_id
