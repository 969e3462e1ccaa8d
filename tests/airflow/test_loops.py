"""Airflow 3.4: a task of a loop is more than its four names, and a clear drops what it has kept.

Airflow 3.4 cannot be installed here yet. The stand-ins behave as its documentation says: the state of a task
is told for the latest iteration, an XCom that cannot be resolved is answered with 400 or 409, and a clear
empties the store, while a retry keeps it.
"""

import json
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from airbyte_sync_airflow.compat.task_states import NOTHING_SAID, TaskKey, ask
from airbyte_sync_airflow.exceptions import AirbyteInputInvalid
from airbyte_sync_local import job_scripts

MINUTE = timedelta(minutes=1)
LONG = job_scripts.succeeds(lasts=20 * MINUTE)


class Died(BaseException):
    """The worker is gone."""


@pytest.fixture
def operator(operator):
    """Make operators whose tasks are tried again."""
    operator.defaults["retries"] = 2
    return operator


@pytest.fixture
def try_of(context, clock, task_instance, state_store, uuid7):
    """Make the context of a try of Airflow 3.4; ``stores`` holds one store for each iteration."""
    run = SimpleNamespace(start_date=clock.now(), run_after=clock.now())
    stores = {}

    def make(try_number=1, *, iteration=None, max_tries=2, was_cleared=False):
        if was_cleared:  # in 3.4 a clear drops what a task has kept
            stores.pop(iteration, None)
        store = stores.setdefault(iteration, type(state_store)())
        attributes = {
            "id": uuid7(clock.now()),
            "try_number": try_number,
            "max_tries": max_tries,
            "start_date": clock.now(),
            "region_id": UUID(int=0 if iteration is None else 7),
            "region_index": -1 if iteration is None else iteration,
        }
        made = {"ti": task_instance(**attributes), "dag_run": run, "task_state_store": store}
        if iteration is not None:
            made["loop"] = SimpleNamespace(index=iteration)
        return made

    return make


@pytest.fixture
def die(clock, monkeypatch):
    """Execute a task in a worker that dies before it has submitted anything."""

    def run(task, context):
        def died(*_, **__):
            raise Died

        with monkeypatch.context() as patched:
            patched.setattr(type(task), "render_template", died)
            task.connection_name, task.connection_id = "orders", None
            with pytest.raises(Died):
                task.execute(context)

    return run


def lists(airbyte):
    return [each for each in airbyte.requests if each.operation == "GET /jobs"]


# --------------------------------------------------------------------------------------------------
# E2: inside a loop nothing is guessed


def test_the_sync_of_the_iteration_before_is_not_taken_for_ones_own(
    airbyte, connection, operator, try_of, clock, submissions
):
    """It was quick, and a try of the next iteration died before it kept anything."""
    airbyte.add_connection(
        connection, job_scripts=[job_scripts.succeeds(starts=timedelta(0), lasts=MINUTE)]
    )
    assert 1 == operator().execute(try_of(iteration=0))
    clock.advance(MINUTE)
    again = try_of(2, iteration=1)
    assert {} == again["task_state_store"]
    assert 2 == operator().execute(again)
    assert 2 == len(submissions())


def test_outside_of_a_loop_a_try_without_a_mark_is_looked_for(start_job, operator, try_of, clock):
    """It may have been the official provider's, or an earlier release's: that leaves no mark."""
    start_job(LONG)
    clock.advance(MINUTE)
    assert 1 == operator().execute(try_of(2))


def test_the_first_act_of_a_try_is_a_mark(operator, try_of):
    """Before a name is looked up, which may take long."""
    context = try_of()
    kept = []

    def found(self, *_, **__):
        kept.append(dict(context["task_state_store"]))
        raise Died

    task = operator()
    task.connection_name, task.connection_id = "orders", None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("airbyte_sync.find_connection", found)
        with pytest.raises(Died):
            task.execute(context)
    assert ["asked"] == [each["airbyte_sync"]["phase"] for each in kept]


def test_after_a_mark_alone_nothing_is_looked_for(airbyte, operator, try_of, die, submissions):
    """A checkpoint is kept before each submission: there was none."""
    context = try_of()
    context["task_state_store"].set(
        "airbyte_sync", {"version": 1, "phase": "submit", "asked_at": "2026-01-05T09:00:00+00:00"}
    )
    assert 1 == operator().execute(context | {"ti": try_of(2)["ti"]})
    assert 1 == len(submissions())
    assert [] == lists(airbyte)


# --------------------------------------------------------------------------------------------------
# E3: a clear drops the state in 3.4, a retry keeps it


def test_where_the_state_was_kept_the_earlier_sync_goes_on(
    airbyte, connection, operator, try_of, defer, submissions
):
    """A retry; and a clear with ``keep_task_state``, or of 3.3."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    defer(operator(deferrable=True).execute, try_of())
    trigger = defer(operator(deferrable=True).execute, try_of(2, max_tries=3))
    assert 1 == trigger.checkpoint["job_id"]
    assert 1 == len(submissions())


def test_where_a_clear_dropped_it_a_new_request_is_made(
    airbyte, connection, operator, try_of, defer, submissions, clock
):
    """By default the running sync is waited for, and then ours starts."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    defer(operator(deferrable=True).execute, try_of())
    clock.advance(MINUTE)
    again = try_of(2, max_tries=3, was_cleared=True)
    assert 2 == operator().execute(again)
    assert 2 == len([each for each in submissions() if each.status == 200])
    assert ["succeeded", "succeeded"] == [job.status for job in airbyte.jobs]


def test_where_a_clear_dropped_it_on_conflict_rules(
    airbyte, connection, operator, try_of, defer, clock, submissions
):
    """As for any new request."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    defer(operator(deferrable=True).execute, try_of())
    clock.advance(MINUTE)
    again = try_of(2, max_tries=3, was_cleared=True)
    assert 1 == operator(on_conflict="attach").execute(again)
    assert again["ti"].xcoms["airbyte_job"]["attached"]


def test_a_retry_after_such_a_clear_does_not_go_back_behind_it(
    airbyte, connection, operator, try_of, defer, clock
):
    """The first try after the clear has left its mark, even where it died at once."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    defer(operator(deferrable=True).execute, try_of())
    clock.advance(MINUTE)
    cleared = try_of(2, max_tries=4, was_cleared=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("airbyte_sync.submit", _dies)
        with pytest.raises(Died):
            operator().execute(cleared)
    assert 2 == operator().execute(try_of(3, max_tries=4))


def _dies(*_):
    raise Died


# --------------------------------------------------------------------------------------------------
# E1: an answer about another iteration is no answer about this one


@pytest.mark.parametrize("map_index", [-1, 3])
def test_in_a_loop_no_state_is_believed(monkeypatch, map_index):
    """Airflow tells the latest iteration's, which here has succeeded; of a mapped task, too."""
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")

    def states(**_):
        return {"r": {"sync": "success", "sync_3": "success"}}

    monkeypatch.setattr(runner.RuntimeTaskInstance, "get_task_states", staticmethod(states))
    instance = SimpleNamespace(
        id=uuid4(),
        dag_id="d",
        run_id="r",
        task_id="sync",
        region_id=uuid4(),
        map_index=map_index,
    )
    mine = TaskKey.of(instance, in_loop=True)
    assert {mine: NOTHING_SAID} == ask([mine])


def test_a_mapped_task_outside_of_a_loop_is_told_of():
    """Each expansion has a region, too; its states are right."""
    instance = SimpleNamespace(
        id=uuid4(),
        dag_id="d",
        run_id="r",
        task_id="sync",
        region_id=uuid4(),
        map_index=3,
    )
    assert not TaskKey.of(instance).is_in_loop


def test_a_trigger_knows_that_its_task_is_in_a_loop(airbyte, connection, operator, try_of, defer):
    """Only the task's context tells it of a mapped task; other triggers carry nothing new."""
    airbyte.add_connection(connection, job_scripts=[LONG, LONG])
    looped = defer(operator(deferrable=True).execute, try_of(iteration=1))
    assert looped.in_loop
    assert True is looped.serialize()[1]["in_loop"]
    other = airbyte.add_connection(job_scripts=[LONG])
    plain = defer(operator(other.connection_id, deferrable=True).execute, try_of())
    assert "in_loop" not in plain.serialize()[1]


# --------------------------------------------------------------------------------------------------
# E4: XComs of other tasks


@pytest.fixture
def after(operator):
    """A task behind another one."""
    try:
        from airflow.sdk import DAG
    except ImportError:
        from airflow import DAG

    with DAG("d", schedule=None):
        first = operator(task_id="a")
        second = operator()
        first >> second
    return second


def told(context, xcom_pull):
    context["ti"].xcom_pull = xcom_pull
    del context["task_state_store"]
    return context


@pytest.mark.parametrize("status", [400, 409])
def test_an_xcom_that_cannot_be_resolved_fails_no_retry(after, try_of, airbyte, status):
    """The retry goes on without knowing the job of the task before."""

    def xcom_pull(**_):
        raise RuntimeError(f"Execution API answered {status}")

    assert 1 == after.execute(told(try_of(2), xcom_pull))


def test_the_newest_job_of_all_iterations_before_is_none_of_ones_own(
    after, try_of, start_job, connection, clock
):
    """A task in a loop has an XCom for each iteration."""
    start_job(job_scripts.succeeds(lasts=MINUTE))
    clock.advance(2 * MINUTE)
    job = {"job_id": 1, "connection_id": connection.connection_id}

    def xcom_pull(**_):
        return [[json.loads(json.dumps(job))], None]

    assert 2 == after.execute(told(try_of(2), xcom_pull))


@pytest.mark.parametrize("ids", [[1, 2], (1,), "[1, 2]", []])
def test_a_sensor_that_is_given_the_jobs_of_a_loop_says_what_to_do(
    connection, sensor, context, ids
):
    """One sensor follows one job."""
    task = sensor()
    task.airbyte_job_id = ids
    with pytest.raises(AirbyteInputInvalid, match="Put the sensor into the loop"):
        task.execute(context)
