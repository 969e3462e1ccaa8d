"""A task that is tried again, or cleared: it goes on with the sync that an earlier try started."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from airbyte_sync import Checkpoint
from airbyte_sync_airflow.exceptions import AirbyteServerUnreachable, AirbyteSyncFailed
from airbyte_sync_airflow.worker.earlier_tries import LATEST_DETECTION, earlier_tries
from airbyte_sync_local import Fault, answers, job_scripts

try:
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor
except ImportError:
    TaskStateStoreAccessor = None
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
try:
    import airflow.sdk
except ImportError:
    airflow = None

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
UNREACHABLE = 15 * MINUTE
LONG = job_scripts.succeeds(lasts=20 * MINUTE)
AT_ONCE = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))

only_with_a_store = pytest.mark.skipif(
    TaskStateStoreAccessor is None, reason="this Airflow has no task_state_store"
)


@pytest.fixture
def try_in(clock, task_instance):
    """Make the context of another try: Airflow forgets XComs between tries."""

    def make(context, **attributes):
        attributes = {"start_date": clock.now(), **attributes}
        return context | {"ti": task_instance(**attributes)}

    return make


class Died(BaseException):
    """The worker is gone."""


@pytest.fixture
def die_after(clock):
    """Execute a task in a worker that dies when some time has passed."""

    def run(task, context, duration):
        def die():
            raise Died

        clock.at(clock.now() + duration, die)
        with pytest.raises(Died):
            task.execute(context)

    return run


# --------------------------------------------------------------------------------------------------
# Where Airflow keeps what a try leaves behind (3.3)


@pytest.fixture
def stored(context, state_store):
    """A context with Airflow's store."""
    context["task_state_store"] = state_store
    return context


def test_another_try_goes_on_with_the_same_job(
    airbyte, connection, operator, stored, try_in, die_after, submissions
):
    """One request, one job; and a success leaves nothing behind."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    die_after(operator(), stored, MINUTE)
    assert 1 == stored["task_state_store"]["airbyte_sync"]["job_id"]
    assert 1 == operator().execute(try_in(stored))
    assert 1 == len(submissions())
    assert {} == stored["task_state_store"]


def test_deferred_another_try_goes_on_with_the_same_job(
    airbyte, connection, operator, stored, try_in, defer, event_of, submissions
):
    """As when a task is cleared while it waits in the triggerer."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    defer(operator(deferrable=True).execute, stored)
    second = try_in(stored)
    trigger = defer(operator(deferrable=True).execute, second)
    assert 1 == second["ti"].xcoms["airbyte_job"]["job_id"]
    operator(deferrable=True).execute_complete(second, event_of(trigger))
    assert 1 == second["ti"].xcoms["return_value"]
    assert 1 == len(submissions())
    assert {} == stored["task_state_store"]


@pytest.fixture
def queued(airbyte, connection, start_job, operator, stored, defer, event_of, clock):
    """
    Defer a task whose connection is busy, and let its trigger submit; return the trigger's event.

    Args:
        *job_scripts: What becomes of the task's own jobs.
    """

    def run(*scripts):
        airbyte.add_connection(connection, job_scripts=scripts)
        start_job(job_scripts.succeeds(lasts=MINUTE))
        clock.advance(10 * SECOND)
        event = event_of(defer(operator(deferrable=True).execute, stored))
        assert 2 == event["job"]["job_id"]
        return event

    return run


def test_a_job_that_the_trigger_started_is_known_before_anything_can_fail(
    queued, operator, stored, try_in, monkeypatch, submissions
):
    """The worker that is told of it cannot read the Airflow connection: the next try follows the job."""
    event = queued(LONG)
    before = len(submissions())
    task = operator(deferrable=True)
    monkeypatch.setattr(task, "_session", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        task.execute_complete(stored, event)
    assert 2 == stored["task_state_store"]["airbyte_sync"]["job_id"]
    assert 2 == operator().execute(try_in(stored))
    assert before == len(submissions())


def test_a_job_that_the_trigger_started_is_found_where_no_worker_was_told_of_it(
    queued, operator, stored, try_in, submissions
):
    """The task was marked before a worker was free, and cleared."""
    queued(LONG)
    before = len(submissions())
    assert 2 == operator().execute(try_in(stored))
    assert before == len(submissions())


def test_a_job_that_the_trigger_may_have_started_is_searched_for_as_after_a_lost_answer(
    airbyte, connection, start_job, operator, stored, try_in, defer, clock, submissions
):
    """Airbyte may take two minutes to show it."""
    airbyte.add_connection(connection, job_scripts=[AT_ONCE])
    start_job(job_scripts.succeeds(lasts=MINUTE))
    clock.advance(10 * SECOND)
    defer(operator(deferrable=True).execute, stored)
    clock.advance(5 * MINUTE)
    before, began = len(submissions()), clock.now()
    assert 2 == operator().execute(try_in(stored))
    assert before + 1 == len(submissions())
    assert clock.now() - began >= 150 * SECOND


def test_a_job_that_the_trigger_started_and_that_failed_meanwhile_is_run_again(
    queued, operator, stored, try_in, clock
):
    """As a retry after a failed job is."""
    queued(job_scripts.fails(lasts=MINUTE), AT_ONCE)
    clock.advance(10 * MINUTE)
    assert 3 == operator().execute(try_in(stored))


def test_a_try_that_died_submitting_looks_for_its_job(
    airbyte, connection, operator, stored, try_in, die_after, submissions
):
    """The request may have been on its way."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    airbyte.inject(Fault(on="POST /jobs", do="drop_after"))
    airbyte.inject(Fault(on="GET /jobs", do="answer", answer=answers.bad_gateway(), times=None))
    die_after(operator(), stored, 10 * SECOND)
    assert "job_id" not in stored["task_state_store"]["airbyte_sync"]
    airbyte.clear_faults()
    assert 1 == operator().execute(try_in(stored))
    assert 1 == len(submissions())


def test_after_a_failed_job_another_try_starts_a_new_one(
    airbyte, connection, operator, stored, try_in, submissions
):
    """That is what a retry is for."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails(), job_scripts.succeeds()])
    with pytest.raises(AirbyteSyncFailed):
        operator().execute(stored)
    assert 2 == operator().execute(try_in(stored))
    assert 2 == len(submissions())


def test_a_job_that_ended_well_meanwhile_is_the_result(
    airbyte, connection, operator, stored, try_in, die_after, submissions, clock
):
    """The worker that died did not see it."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    die_after(operator(), stored, MINUTE)
    clock.advance(60 * MINUTE)
    assert 1 == operator().execute(try_in(stored))
    assert 1 == len(submissions())


def test_a_task_that_is_cleared_after_its_success_runs_anew(operator, stored, try_in, submissions):
    """Airflow keeps the store when a task is cleared; a success has emptied it."""
    assert 1 == operator().execute(stored)
    assert 2 == operator().execute(try_in(stored))
    assert 2 == len(submissions())


def test_asynchronous_a_task_that_is_cleared_runs_anew(operator, stored, try_in, clock):
    """It had succeeded, too."""
    assert 1 == operator(asynchronous=True).execute(stored)
    assert {} == stored["task_state_store"]
    clock.advance(MINUTE)
    assert 2 == operator(asynchronous=True).execute(try_in(stored))


def test_what_another_connection_left_behind_is_passed_over(
    airbyte, connection, operator, stored, try_in, die_after, submissions
):
    """Airflow keys the store by the index of a mapped task, and the list may have changed."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    other = airbyte.add_connection()
    die_after(operator(), stored, MINUTE)
    assert 2 == operator(other.connection_id).execute(try_in(stored))
    assert [connection.connection_id, other.connection_id] == [
        each.body["connectionId"] for each in submissions()
    ]


def test_what_cannot_be_read_is_ignored(operator, stored, log):
    """Another release may have written it."""
    stored["task_state_store"]["airbyte_sync"] = {"version": 99}
    assert 1 == operator().execute(stored)
    assert log.lines[0].startswith(
        "The checkpoint of an earlier try is ignored: this release reads checkpoints of versions 1 and 2"
    )


def test_each_try_has_its_own_time_out(
    airbyte, connection, operator, stored, try_in, die_after, clock
):
    """Else a retry would only be there to cancel the job."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    die_after(operator(timeout=900), stored, 10 * MINUTE)
    clock.advance(4 * MINUTE)
    assert 1 == operator(timeout=900).execute(try_in(stored))


@pytest.mark.parametrize("failing", ["get", "set"])
def test_a_store_that_fails_before_the_submission_stops_it(
    operator, stored, submissions, monkeypatch, failing
):
    """Nobody would find the job again."""
    store = stored["task_state_store"]
    monkeypatch.setattr(store, failing, broken, raising=False)
    with pytest.raises(RuntimeError, match="store is down"):
        operator().execute(stored)
    assert [] == submissions()


def test_a_store_that_fails_after_the_submission_loses_no_job(
    operator, stored, submissions, monkeypatch, log
):
    """The sync runs: the task follows it, and says what it could not keep."""
    store = stored["task_state_store"]
    keep = store.set

    def set_once(key, value):
        if "job_id" in value:
            broken()
        keep(key, value)

    monkeypatch.setattr(store, "set", set_once, raising=False)
    assert 1 == operator().execute(stored)
    assert 1 == len(submissions())
    assert (
        "Airflow could not save the id of Airbyte job 1: another try looks for it in Airbyte"
        in log.lines
    )


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_store_that_fails_after_the_success_fails_no_task(
    operator, stored, defer, event_of, monkeypatch, deferrable
):
    """The data has arrived; there is nothing for a retry to mend."""
    monkeypatch.setattr(stored["task_state_store"], "delete", broken, raising=False)
    if deferrable:
        event = event_of(defer(operator(deferrable=True).execute, stored))
        operator(deferrable=True).execute_complete(stored, event)
        assert 1 == stored["ti"].xcoms["return_value"]
    else:
        assert 1 == operator().execute(stored)


def broken(*_):
    raise RuntimeError("the store is down")


DAG_FILE = """
import os
from airflow.sdk import DAG
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from datetime import datetime, timedelta
with DAG("retried", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    AirbyteTriggerSyncOperator(
        task_id="sync",
        connection_id=os.environ["THE_CONNECTION"],
        retries=1,
        retry_delay=timedelta(0),
    )
"""


@only_with_a_store
@pytest.mark.filterwarnings("default")  # dag.test() warns of its own parts
def test_in_a_real_run_another_try_goes_on_with_the_same_job(
    airbyte, connect_with, connection, load_dag_file, monkeypatch, submissions
):
    """Airflow's own store, through its own API."""
    connect_with(unreachable_timeout=10)
    airbyte.add_connection(connection, job_scripts=[LONG])
    airbyte.inject(
        Fault(on="GET /jobs/{jobId}", do="answer", answer=answers.bad_gateway(), times=5)
    )
    monkeypatch.setenv("THE_CONNECTION", connection.connection_id)
    run = load_dag_file("retried", DAG_FILE).dag.test()
    (instance,) = run.get_task_instances()
    assert ("success", 2) == (str(instance.state), instance.try_number)
    assert 1 == len(submissions())
    assert ["succeeded"] == [job.status for job in airbyte.jobs]


# --------------------------------------------------------------------------------------------------
# Airflow 3 without a store: the time of a try is in its id


@pytest.fixture
def first_try(context, clock, uuid7):
    """The context of a first try, as Airflow 3.0 to 3.2 give it."""
    vars(context["ti"]).update(id=uuid7(clock.now()), try_number=1, max_tries=1)
    return context | {"dag_run": SimpleNamespace(start_date=clock.now())}


@pytest.fixture
def retry(try_in, clock, uuid7):
    """The context of a retry that begins now."""

    def make(context, *, try_number=2, max_tries=1):
        identifier = uuid7(clock.now())
        return try_in(context, id=identifier, try_number=try_number, max_tries=max_tries)

    return make


def test_a_first_try_looks_for_nothing(airbyte, operator, first_try):
    """There is no earlier one."""
    assert earlier_tries(first_try, operator(retries=1), "c", UNREACHABLE) is None
    operator(retries=1).execute(first_try)
    assert [] == [each for each in airbyte.requests if each.operation == "GET /jobs"]


def test_without_a_store_a_retry_goes_on_with_the_same_job(
    airbyte, connection, operator, first_try, retry, die_after, submissions
):
    """The server's own list tells which it is."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    die_after(operator(retries=1), first_try, MINUTE)
    assert 1 == operator(retries=1).execute(retry(first_try))
    assert 1 == len(submissions())


def test_without_a_store_a_retry_finds_a_job_that_ended_well_meanwhile(
    airbyte, connection, operator, first_try, retry, die_after, submissions, clock
):
    """Airflow notices after five minutes that a worker is gone."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds(lasts=3 * MINUTE)])
    die_after(operator(retries=1), first_try, MINUTE)
    clock.advance(5 * MINUTE)
    assert 1 == operator(retries=1).execute(retry(first_try))
    assert 1 == len(submissions())


def test_without_a_store_a_retry_after_a_failed_job_starts_a_new_one(
    airbyte, connection, operator, first_try, retry, submissions, clock
):
    """That is what a retry is for."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails(), job_scripts.succeeds()])
    with pytest.raises(AirbyteSyncFailed):
        operator(retries=1).execute(first_try)
    clock.advance(5 * MINUTE)
    assert 2 == operator(retries=1).execute(retry(first_try))
    assert 2 == len(submissions())


def test_without_a_store_a_task_that_is_cleared_after_its_success_runs_anew(
    operator, first_try, retry, submissions, clock
):
    """Airflow adds all retries to the tries that were made; that tells a clear from a retry."""
    assert 1 == operator(retries=1).execute(first_try)
    clock.advance(MINUTE)
    cleared = retry(first_try, try_number=2, max_tries=2)
    assert 2 == operator(retries=1).execute(cleared)
    assert 2 == len(submissions())


def test_without_a_store_a_task_that_is_cleared_while_it_runs_goes_on(
    airbyte, connection, operator, first_try, retry, defer, submissions
):
    """The job is active: it is the one that was asked for."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    defer(operator(retries=1, deferrable=True).execute, first_try)
    cleared = retry(first_try, try_number=2, max_tries=2)
    trigger = defer(operator(retries=1, deferrable=True).execute, cleared)
    assert 1 == trigger.checkpoint["job_id"]
    assert 1 == len(submissions())


@pytest.mark.parametrize(
    ("retries", "try_number", "max_tries", "was_cleared"),
    [
        (1, 2, 1, False),
        (3, 3, 3, False),
        (0, 2, 1, True),  # cleared after one try
        (1, 2, 2, True),
        (1, 3, 2, False),  # the retry after it
        (2, 4, 5, True),  # cleared after three
    ],
)
def test_a_clear_is_told_from_a_retry(
    operator, first_try, retry, clock, retries, try_number, max_tries, was_cleared
):
    """A success of a task that was cleared is none of the new request's."""
    clock.advance(30 * MINUTE)
    again = retry(first_try, try_number=try_number, max_tries=max_tries)
    tries = earlier_tries(again, operator(retries=retries), "c", UNREACHABLE)
    assert first_try["dag_run"].start_date == tries.since
    assert clock.now() == tries.over_at
    blind_for = timedelta(0) if was_cleared else LATEST_DETECTION + UNREACHABLE
    assert clock.now() - blind_for == tries.succeeded_after
    assert try_number - 1 == tries.tries


def test_a_job_of_a_task_before_this_one_is_none_of_its_own(first_try, retry, connection, operator):
    """Both may run the same connection in one run."""
    with DAG("d", schedule=None):
        first, second, third = (operator(task_id=name, retries=1) for name in ("a", "b", "c"))
        first >> second >> third
    asked = []

    def xcom_pull(*, task_ids, key):
        asked.append((task_ids, key))
        mine = {"job_id": 7, "connection_id": connection.connection_id}
        return [mine, None, {"job_id": 50, "connection_id": "another, maybe on another server"}]

    again = retry(first_try)
    again["ti"].xcom_pull = xcom_pull
    assert 7 == earlier_tries(again, third, third.connection_id, UNREACHABLE).after_job
    assert [(["a", "b"], "airbyte_job")] == asked
    assert earlier_tries(again, first, first.connection_id, UNREACHABLE).after_job is None


def test_without_a_store_a_retry_says_that_it_looks(
    airbyte, operator, first_try, retry, log, submissions, clock
):
    """A person who waits for a sync wonders why it does not start."""
    airbyte.inject(Fault(on="POST /jobs", do="answer", answer=answers.forbidden()))
    with pytest.raises(Exception, match="no sync of connection"):
        operator(retries=1).execute(first_try)
    began = clock.now()
    log.lines.clear()
    assert 1 == operator(retries=1).execute(retry(first_try))
    assert (
        "An earlier try may have started a sync: looking in Airbyte for a job that began since 09:00:00 "
        "UTC; if there is none by 09:02:30 UTC, a new one is started" == log.lines[0]
    )
    assert timedelta(seconds=150) <= clock.now() - began


# --------------------------------------------------------------------------------------------------
# Airflow 2.11: there is a history of tries


@pytest.fixture
def history(row_of_airflow_2):
    """Write tries into Airflow's own table, and return the context of the next one."""
    if airflow is not None:
        pytest.skip("Airflow 3 keeps no such history")

    def make(*tries):
        row = row_of_airflow_2("running", history=enumerate(tries, start=1))
        return {"run_id": row.run_id, "try_number": len(tries) + 1}

    return make


def test_on_airflow_2_a_retry_goes_on_with_the_same_job(
    airbyte, connection, operator, context, try_in, history, die_after, submissions, clock
):
    """The history says since when to look."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    began = clock.now()
    die_after(operator(retries=1), context, MINUTE)
    second = try_in(context, **history((began, clock.now(), "failed")))
    assert 1 == operator(retries=1).execute(second)
    assert 1 == len(submissions())


def test_on_airflow_2_a_retry_after_a_failed_job_starts_a_new_one(
    airbyte, connection, operator, context, try_in, history, submissions, clock
):
    """That is what a retry is for."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails(), job_scripts.succeeds()])
    began = clock.now()
    with pytest.raises(AirbyteSyncFailed):
        operator(retries=1).execute(context)
    clock.advance(5 * MINUTE)
    second = try_in(context, **history((began, clock.now(), "failed")))
    assert 2 == operator(retries=1).execute(second)
    assert 2 == len(submissions())


def test_on_airflow_2_a_task_that_is_cleared_after_its_success_runs_anew(
    operator, context, try_in, history, submissions, clock
):
    """The history says that the last try succeeded."""
    began = clock.now()
    assert 1 == operator().execute(context)
    second = try_in(context, **history((began, clock.now(), "success")))
    assert 2 == operator().execute(second)
    assert 2 == len(submissions())


def test_on_airflow_2_the_history_goes_back_to_the_last_success(
    operator, context, try_in, history, clock
):
    """What was asked for before that has been answered."""
    at = [clock.now() + number * MINUTE for number in range(7)]
    clock.advance(10 * MINUTE)
    fourth = try_in(
        context,
        **history(
            (at[0], at[1], "success"),
            (at[2], at[3], "failed"),
            (at[4], at[5], "failed"),
        ),
    )
    tries = earlier_tries(fourth, operator(retries=2), "c", UNREACHABLE)
    assert (at[2], at[5]) == (tries.since, tries.over_at)


def test_on_airflow_2_a_scheduler_that_died_leaves_no_record_of_a_try(
    operator, context, try_in, history, clock
):
    """The try before may even go on: what it started counts, and so does what has just ended."""
    at = [clock.now() + number * MINUTE for number in range(5)]
    context["dag_run"] = SimpleNamespace(start_date=at[0])
    clock.advance(10 * MINUTE)
    unknown = try_in(context, **history((at[1], at[2], "failed")) | {"try_number": 3})
    tries = earlier_tries(unknown, operator(retries=2), "c", UNREACHABLE)
    assert (at[1], clock.now()) == (tries.since, tries.over_at)
    assert clock.now() - LATEST_DETECTION == tries.succeeded_after
    without_any = try_in(context, **history() | {"try_number": 2})
    assert at[0] == earlier_tries(without_any, operator(retries=2), "c", UNREACHABLE).since


def test_on_airflow_2_tries_that_never_began_count_for_nothing(
    operator, context, try_in, history, clock
):
    """A worker that never started the task has asked Airbyte nothing."""
    second = try_in(context, **history((None, clock.now(), "failed")))
    assert earlier_tries(second, operator(retries=1), "c", UNREACHABLE) is None


def test_a_checkpoint_in_the_store_is_one_of_the_domains(
    airbyte, connection, operator, stored, die_after
):
    """So that what is documented of checkpoints holds for it."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    die_after(operator(), stored, MINUTE)
    saved = stored["task_state_store"]["airbyte_sync"]
    assert saved == Checkpoint.from_json(saved).to_json()


def test_a_server_that_was_out_of_sight_too_long_is_followed_by_the_next_try(
    airbyte, connection, operator, stored, try_in, submissions
):
    """The job may well run."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    airbyte.inject(
        Fault(on="GET /jobs/{jobId}", do="answer", answer=answers.bad_gateway(), times=None)
    )
    with pytest.raises(AirbyteServerUnreachable):
        operator().execute(stored)
    airbyte.clear_faults()
    assert 1 == operator().execute(try_in(stored))
    assert 1 == len(submissions())


# --------------------------------------------------------------------------------------------------
# Airflow 3.0 resumes a new try where the failed one had ended


def test_a_new_try_that_airflow_resumes_begins_at_its_beginning(
    operator, airbyte, connection, context, state_store
):
    """The event of the try that failed is not judged again."""
    airbyte.add_connection(connection, job_scripts=[AT_ONCE])
    context["ti"].try_number, context["task_state_store"] = 2, state_store
    nothing_started = {
        "version": 1,
        "phase": "submit",
        "connection_id": connection.connection_id,
        "asked_at": "2026-01-05T09:00:00+00:00",
    }
    state_store.set("airbyte_sync", nothing_started)
    event = {"error": "SyncFailed", "message": "Airbyte job 1 failed"}
    result = operator().resume_execution(
        "execute_complete", {"event": event, "try_number": 1}, context
    )
    assert [(result, "succeeded")] == [(job.job_id, job.status) for job in airbyte.jobs]


def test_so_does_a_sensor(start_job, sensor, context):
    """It looks again, and the job may be another one by now."""
    start_job(AT_ONCE)
    context["ti"].try_number = 2
    event = {"error": "SyncFailed", "message": "Airbyte job 1 failed"}
    task = sensor()
    task.resume_execution("execute_complete", {"event": event, "try_number": 1}, context)
    assert "succeeded" == context["ti"].xcoms["airbyte_job"]["status"]


def test_the_same_try_is_resumed_where_it_was(operator, context):
    """Its event is the one that counts."""
    task = operator()
    context["ti"].try_number = 2
    event = {"error": "SyncFailed", "message": "Airbyte job 1 failed"}
    with pytest.raises(AirbyteSyncFailed):
        task.resume_execution("execute_complete", {"event": event, "try_number": 2}, context)
