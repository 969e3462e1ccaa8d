"""Two limits of time: the task's own ``timeout``, and Airflow's ``execution_timeout``."""

from datetime import datetime, timedelta

import pytest

from airbyte_sync_airflow.compat.airflow import AirflowException
from airbyte_sync_airflow.compat.task_instance import deadline_of
from airbyte_sync_airflow.exceptions import (
    AirbyteQueueTimedOut,
    AirbyteSensorTimedOut,
    AirbyteSyncTimedOut,
)
from airbyte_sync_local import job_scripts

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def operator(operator, airbyte, connection):
    """Make operators whose job runs until it is cancelled."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
    return operator


@pytest.fixture
def sensor(sensor, start_job):
    """Make sensors of a job that runs until it is cancelled."""
    start_job(job_scripts.never_ends())
    return sensor


def deadline_in(trigger):
    return datetime.fromisoformat(trigger.checkpoint["deadline"])


def queue_deadline_in(trigger):
    return datetime.fromisoformat(trigger.checkpoint["queue_deadline"])


@pytest.mark.parametrize(
    ("execution_timeout", "timeout", "expected"),
    [
        (10 * MINUTE, 3600, 570 * SECOND),
        (20 * SECOND, 3600, 18 * SECOND),
        (10 * MINUTE, 300, 300 * SECOND),
        (None, 300, 300 * SECOND),
    ],
)
def test_the_earlier_one_travels_with_the_trigger(
    operator, context, defer, clock, execution_timeout, timeout, expected
):
    """A little before Airflow's own, so that the sync is cancelled by somebody who knows it."""
    began = clock.now()
    task = operator(deferrable=True, execution_timeout=execution_timeout, timeout=timeout)
    assert began + expected == deadline_in(defer(task.execute, context))


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("execution_timeout", "timeout", "patience", "text"),
    [
        (10 * MINUTE, 3600, 570 * SECOND, "did not end by 09:09:30 UTC"),
        (10 * MINUTE, 300, 300 * SECOND, r"did not end within 300 s \(timeout\)"),
    ],
)
def test_the_earlier_one_cancels_the_job_and_fails_the_task(
    operator,
    context,
    defer,
    event_of,
    clock,
    cancellations,
    deferrable,
    execution_timeout,
    timeout,
    patience,
    text,
):
    """In a worker as in the triggerer, and the text says which it was."""
    began = clock.now()
    task = operator(deferrable=deferrable, execution_timeout=execution_timeout, timeout=timeout)
    ending = (
        (task.execute_complete, context, event_of(defer(task.execute, context)))
        if deferrable
        else (task.execute, context)
    )
    end, *arguments = ending
    with pytest.raises(AirbyteSyncTimedOut, match=text):
        end(*arguments)
    assert [1] == cancellations()
    assert began + patience <= clock.now() < began + patience + 2 * SECOND


def test_the_time_of_a_try_counts_from_its_beginning(
    start_job, operator, context, defer, event_of, clock
):
    """Not from a second deferral, behind another sync."""
    began = clock.now()
    start_job(job_scripts.succeeds(lasts=5 * MINUTE))
    clock.advance(MINUTE)

    def make():
        return operator(deferrable=True, execution_timeout=10 * MINUTE)

    first = defer(make().execute, context)
    second = defer(make().execute_complete, context, event_of(first))
    assert 2 == second.checkpoint["job_id"]
    assert [began + 570 * SECOND] * 2 == [deadline_in(first), deadline_in(second)]


def test_timeout_counts_from_when_a_deferred_task_has_its_sync(
    start_job, operator, context, defer, event_of, clock
):
    """The wait for another sync has a clock of its own, which the trigger keeps."""
    start_job(job_scripts.succeeds(lasts=5 * MINUTE))
    clock.advance(MINUTE)
    asked = clock.now()
    first = defer(operator(deferrable=True, timeout=600).execute, context)
    assert "deadline" not in first.checkpoint
    assert asked + 600 * SECOND == queue_deadline_in(first)
    event = event_of(first)
    started = clock.now()
    second = defer(operator(deferrable=True, timeout=600).execute_complete, context, event)
    assert started >= asked + 3 * MINUTE
    assert started + 600 * SECOND == deadline_in(second)


def test_execution_timeout_bounds_the_wait_for_another_sync_too(
    start_job, operator, context, defer, event_of, clock
):
    """It is one deadline from the beginning to the end, whatever ``timeout`` says."""
    began = clock.now()
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    task = operator(deferrable=True, timeout=3600, execution_timeout=600 * SECOND)
    trigger = defer(task.execute, context)
    assert began + 570 * SECOND == deadline_in(trigger)
    with pytest.raises(AirbyteSyncTimedOut, match="raise execution_timeout"):
        task.execute_complete(context, event_of(trigger))


def test_a_task_that_waits_for_another_sync_for_too_long_says_which_clock_has_run_out(
    start_job, operator, context, clock
):
    """``queue_timeout`` is as long as ``timeout`` where it is not set."""
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    with pytest.raises(
        AirbyteQueueTimedOut, match=r"600 s .queue_timeout, by default the value of"
    ):
        operator(timeout=600).execute(context)


def test_without_a_time_limit_of_airflows_there_is_none(context):
    """Only ``timeout`` counts then."""
    assert deadline_of(context, None) is None


def test_the_queue_time_out_cancels_a_job_that_does_not_begin(
    airbyte, connection, operator, context, defer, event_of, cancellations
):
    """``queue_timeout`` ends only the wait for the beginning."""
    airbyte.add_connection(
        connection, job_scripts=[job_scripts.queues_then_succeeds(queued=60 * MINUTE)]
    )
    task = operator(deferrable=True, queue_timeout=300)
    event = event_of(defer(task.execute, context))
    with pytest.raises(AirbyteQueueTimedOut, match="did not begin within 300 s"):
        task.execute_complete(context, event)
    assert [1] == cancellations()


def test_the_queue_time_out_leaves_a_job_that_has_begun_alone(
    airbyte, connection, operator, context, cancellations
):
    """However long it then runs."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds(lasts=30 * MINUTE)])
    assert 1 == operator(queue_timeout=300).execute(context)
    assert [] == cancellations()


def test_a_job_that_is_not_to_be_cancelled_is_left_running(
    connect_with, operator, context, cancellations
):
    """``cancel_on_timeout`` of the Airflow connection."""
    connect_with(cancel_on_timeout=False)
    with pytest.raises(AirbyteSyncTimedOut, match="it was left running"):
        operator(timeout=60).execute(context)
    assert [] == cancellations()


# --------------------------------------------------------------------------------------------------
# The sensor


@pytest.mark.parametrize(
    ("execution_timeout", "timeout", "expected", "raised"),
    [
        (10 * MINUTE, 3600, 570 * SECOND, AirbyteSyncTimedOut),
        (10 * MINUTE, 300, 300 * SECOND, AirbyteSensorTimedOut),
        (None, 300, 300 * SECOND, AirbyteSensorTimedOut),
    ],
)
def test_a_deferred_sensor_ends_at_the_earlier_one(
    sensor,
    context,
    defer,
    event_of,
    clock,
    cancellations,
    execution_timeout,
    timeout,
    expected,
    raised,
):
    """The job is left running. Only ``execution_timeout`` may be tried again, as in any task."""
    began = clock.now()
    task = sensor(deferrable=True, execution_timeout=execution_timeout, timeout=timeout)
    trigger = defer(task.execute, context)
    assert began + expected == deadline_in(trigger)
    with pytest.raises(raised, match="it was left running"):
        task.execute_complete(context, event_of(trigger))
    assert [] == cancellations()


def test_a_poking_sensor_ends_with_its_own_try(sensor, context, clock, cancellations):
    """``timeout`` is Airflow's business between pokes; ``execution_timeout`` is watched here, too."""
    task = sensor(execution_timeout=10 * MINUTE, poke_interval=60)
    for _ in range(9):
        assert task.poke(context) is False
        clock.advance(MINUTE)
    clock.advance(MINUTE)
    with pytest.raises(AirflowException, match="did not end by 09:09:30 UTC"):
        task.poke(context)
    assert [] == cancellations()
