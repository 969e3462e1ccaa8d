"""The sensor: follows somebody else's job, in the worker or in the triggerer."""

from datetime import timedelta

import pytest

from airbyte_sync_airflow.compat.airflow import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
)
from airbyte_sync_local import Fault, job_scripts

MINUTE = timedelta(minutes=1)


@pytest.fixture
def wait_in_triggerer(context, defer, event_of):
    """Run a deferrable sensor up to its end."""
    return lambda task: task.execute_complete(context, event_of(defer(task.execute, context)))


def test_it_waits_poke_by_poke(start_job, sensor, context, clock):
    """A poke tells whether the job has succeeded; between pokes time passes."""
    task = sensor(start_job(job_scripts.succeeds(lasts=MINUTE)).job_id)
    assert not task.poke(context)
    clock.advance(2 * MINUTE)
    assert task.poke(context)


@pytest.mark.parametrize("spelling", [1, "1", " 1 "])
def test_the_job_id_may_be_a_rendered_template(start_job, sensor, context, clock, spelling):
    """XComs render as text."""
    assert 1 == start_job(job_scripts.succeeds()).job_id
    clock.advance(MINUTE)
    assert sensor(spelling).poke(context)


@pytest.mark.parametrize("nonsense", ["None", "", "latest", "1_0", "-1"])
def test_what_is_not_a_job_id_fails_at_once(connection, airbyte, sensor, context, nonsense):
    """A task that pushed nothing renders as None; the text says what to pass."""
    with pytest.raises(AirflowFailException, match="expected the number of an Airbyte job"):
        sensor(nonsense).poke(context)
    assert [] == [record for record in airbyte.requests if "/jobs" in record.path]


def test_a_failed_look_is_no_failed_job(airbyte, start_job, sensor, context, clock):
    """A poke that cannot see the job tries again at the next one."""
    task = sensor(start_job(job_scripts.succeeds()).job_id, poke_interval=60)
    airbyte.inject(Fault(on="GET /jobs/{jobId}", do="drop"))
    clock.advance(MINUTE)
    assert not task.poke(context)
    clock.advance(MINUTE)
    assert task.poke(context)


def test_deferred_it_waits_in_the_triggerer(start_job, wait_in_triggerer, clock, sensor):
    """The wait goes on in the trigger from the first look."""
    job_id = start_job(job_scripts.succeeds(lasts=10 * MINUTE)).job_id
    started = clock.now()
    assert wait_in_triggerer(sensor(job_id, deferrable=True)) is None
    assert 10 * MINUTE < clock.now() - started < 12 * MINUTE


def test_deferred_a_job_that_has_ended_needs_no_triggerer(start_job, sensor, context, clock):
    """One look is enough."""
    task = sensor(start_job(job_scripts.succeeds()).job_id, deferrable=True)
    clock.advance(MINUTE)
    assert task.execute(context) is None


def test_deferred_its_time_out_leaves_the_job_alone(airbyte, start_job, wait_in_triggerer, sensor):
    """The job belongs to whoever started it."""
    task = sensor(start_job(job_scripts.never_ends()).job_id, deferrable=True, timeout=600)
    with pytest.raises(AirflowSensorTimeout):
        wait_in_triggerer(task)
    assert ["running"] == [job.status for job in airbyte.jobs]
    assert [] == [record for record in airbyte.requests if record.method == "DELETE"]


def test_with_growing_intervals_every_poke_looks(start_job, airbyte, sensor, context, clock):
    """Airflow may poke sooner than ``poke_interval``; such a poke is a look, too."""
    task = sensor(start_job(job_scripts.succeeds(lasts=10 * MINUTE)).job_id, poke_interval=60)
    for _ in range(3):
        task.poke(context)
        clock.advance(timedelta(seconds=10))
    looks = [record for record in airbyte.requests if record.operation == "GET /jobs/{jobId}"]
    assert 3 == len(looks)


@pytest.mark.parametrize("option", [{"poke_interval": -1}, {"timeout": -1}])
def test_options_that_cannot_be_right_are_refused_when_the_dag_is_parsed(option, sensor):
    """By us, or by Airflow itself."""
    with pytest.raises((AirflowException, ValueError)):
        sensor(1, **option)


SENSORS_FILE = """
from datetime import datetime
from airbyte_sync_airflow.sensors import AirbyteJobSensor
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

with DAG("guarded", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    AirbyteJobSensor(task_id="wait", airbyte_job_id=1, allow_nested_operators=False)
"""


@pytest.mark.filterwarnings("default")  # dag.test() itself warns of its own parts
def test_airflows_guard_against_nested_operators_takes_it_for_a_task(
    airbyte, connection, load_dag_file, clock
):
    """On 2.11 it warns of a subclass that calls its parent's ``execute``, and refuses where it is told to."""
    airbyte.start_external_job(connection.connection_id, job_scripts.succeeds())
    clock.advance(timedelta(hours=1))
    run = load_dag_file("guarded", SENSORS_FILE).dag.test()
    assert ["success"] == [str(task.state) for task in run.get_task_instances()]
