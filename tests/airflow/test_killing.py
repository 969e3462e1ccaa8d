"""A task that is killed in a worker, or whose wait in the triggerer failed."""

import threading
from datetime import timedelta

import pytest

from airbyte_sync_airflow.exceptions import AirbyteTaskKilled
from airbyte_sync_airflow.worker import cancel as abandoning
from airbyte_sync_local import Fault, answers, job_scripts

try:
    from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralError, TaskDeferralTimeout
except ImportError:
    from airflow.exceptions import AirflowTaskTimeout, TaskDeferralError

    TaskDeferralTimeout = TaskDeferralError

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def operator(operator, airbyte, connection):
    """Make operators; each is as a process of Airflow makes it."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
    return operator


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """An Airflow that does answer has as long as it needs on a slow machine."""
    monkeypatch.setattr(abandoning, "ANSWER_WITHIN", timedelta(seconds=30))


@pytest.fixture
def impatient(patient, monkeypatch):
    """An Airflow that says nothing is given up after a moment."""
    monkeypatch.setattr(abandoning, "ANSWER_WITHIN", timedelta(seconds=0.3))


@pytest.fixture
def kill_after(clock, context, in_worker, airflow_says):
    """Execute a task, and let Airflow call ``on_kill`` when some time has passed."""

    def run(task, duration, state="failed"):
        airflow_says(state)
        clock.at(clock.now() + duration, task.on_kill)
        with in_worker(context), pytest.raises(AirbyteTaskKilled) as killed:
            task.execute(context)
        return str(killed.value)

    return run


# --------------------------------------------------------------------------------------------------
# In the middle of a try


def test_a_kill_before_there_is_a_job_does_nothing(operator, context, in_worker, airbyte, log):
    """Nothing was asked of Airbyte, so there is nothing to cancel and nothing to complain about."""
    with in_worker(context):
        operator().on_kill()
    assert [] == list(airbyte.requests)
    assert [] == log.lines


def test_a_kill_while_waiting_cancels_and_ends_the_wait_at_once(
    operator, kill_after, clock, cancellations, airbyte
):
    """Airflow 3 goes on with a task after it has called ``on_kill``, and kills it five seconds later."""
    began = clock.now()
    text = kill_after(operator(wait_seconds=60), 90 * SECOND)
    assert [1] == cancellations()
    assert ["cancelled"] == [job.status for job in airbyte.jobs]
    assert clock.now() - began <= 91 * SECOND
    told, _, link = text.partition(" (http://")
    assert "this process was told to stop, and waits no longer: Airbyte job 1" == told
    assert "jobId=1" in link


def test_a_kill_while_waiting_for_another_sync_ends_the_wait(
    start_job, airbyte, operator, kill_after, clock, submissions, cancellations
):
    """The other is not ours to cancel, and ours is not started any more."""
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    kill_after(operator(), 90 * SECOND)
    assert ["running"] == [job.status for job in airbyte.jobs]
    assert [] == cancellations()
    assert 0 == len(submissions()) or [409] == [each.status for each in submissions()]


def test_nothing_is_submitted_once_a_process_was_told_to_stop(
    operator, context, in_worker, state_store, submissions, airflow_says
):
    """Airflow's signal comes right before the request: Airflow 3 goes on with the task all the same."""
    airflow_says("failed")
    task = operator()
    context["task_state_store"] = state_store
    keep = state_store.set

    def kill_after_the_note(key, value):
        keep(key, value)
        if "in_doubt" in str(value):
            task.on_kill()

    state_store.set = kill_after_the_note
    with in_worker(context), pytest.raises(AirbyteTaskKilled, match="before it submitted"):
        task.execute(context)
    assert [] == submissions()


def test_a_process_that_was_told_to_stop_leaves_no_submission_in_doubt(
    operator, context, in_worker, state_store, submissions, airflow_says
):
    """The next try need not search for a job that cannot be."""
    airflow_says("failed")
    task = operator()
    context["task_state_store"] = state_store
    with in_worker(context):
        task.on_kill()
        with pytest.raises(AirbyteTaskKilled, match="before it submitted"):
            task.execute(context)
    assert [] == submissions()
    assert "in_doubt" not in str(state_store)


@pytest.fixture
def in_the_middle(parts):
    """Let something happen while a submission is on its way: before it arrives, or before its answer does."""
    from dependency_injector import providers

    from airbyte_sync import PortInterpreter
    from airbyte_sync.commands import SubmitSync

    def let(happen, *, arrives_first):
        class Interpreter(PortInterpreter):
            def answer(self, command):
                if not isinstance(command, SubmitSync):
                    return super().answer(command)
                if arrives_first:
                    job = super().answer(command)
                    happen()
                    return job
                happen()
                return super().answer(command)

        override.append(parts.make_interpreter.override(providers.Factory(Interpreter)))

    override = []
    yield let
    if override:
        parts.make_interpreter.reset_last_overriding()


def test_a_kill_in_the_middle_of_a_submission_cancels_its_job(
    operator, context, in_worker, in_the_middle, cancellations, airbyte, clock, airflow_says
):
    """Airflow's signal comes between request and answer: the job is cancelled once it is known."""
    airflow_says("failed")
    task = operator()
    in_the_middle(task.on_kill, arrives_first=True)
    with in_worker(context), pytest.raises(AirbyteTaskKilled):
        task.execute(context)
    assert [1] == sorted(set(cancellations()))
    clock.advance(MINUTE)
    assert ["cancelled"] == [job.status for job in airbyte.jobs]


def test_a_kill_in_the_middle_of_a_submission_that_shows_no_job_yet_says_so(
    operator, context, in_worker, in_the_middle, log, airflow_says, connection
):
    """Airflow may end the process before the answer comes; then this line is the last one."""
    airflow_says("failed")
    task = operator()
    seen = []

    def kill():
        task.on_kill()
        seen.extend(log.lines)

    in_the_middle(kill, arrives_first=False)
    with in_worker(context), pytest.raises(AirbyteTaskKilled):
        task.execute(context)
    told = (
        "This process was told to stop while it submitted a sync of Airbyte connection "
        f"{connection.connection_id}, which Airbyte does not show yet"
    )
    assert told in seen[-1]


def test_a_kill_after_the_job_was_attached_to_leaves_it_alone(
    start_job, operator, kill_after, clock, cancellations
):
    """Somebody else started it."""
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    kill_after(operator(on_conflict="attach"), MINUTE)
    assert [] == cancellations()


def test_a_kill_of_a_task_that_does_not_want_it_leaves_the_sync_alone(
    operator, kill_after, cancellations
):
    """``cancel_on_kill=False``: only the wait ends."""
    kill_after(operator(cancel_on_kill=False), MINUTE)
    assert [] == cancellations()


def test_the_airflow_connection_can_say_so_for_all_tasks(
    operator, connect_with, kill_after, cancellations
):
    """Where the task itself says nothing."""
    connect_with(cancel_on_kill=False)
    kill_after(operator(), MINUTE)
    assert [] == cancellations()


def test_a_task_wins_over_its_airflow_connection(operator, connect_with, kill_after, cancellations):
    """As every option of a task does."""
    connect_with(cancel_on_kill=False)
    kill_after(operator(cancel_on_kill=True), MINUTE)
    assert [1] == cancellations()


def test_two_kills_cancel_once(operator, kill_after, context, in_worker, cancellations):
    """A person may be impatient."""
    task = operator()
    kill_after(task, MINUTE)
    with in_worker(context):
        task.on_kill()
    assert [1] == cancellations()


@pytest.mark.parametrize(
    "answer", [answers.bad_gateway(), answers.rate_limited(), answers.forbidden(), None]
)
def test_a_kill_while_airbyte_is_down_raises_nothing_and_says_what_to_do(
    airbyte, operator, kill_after, clock, log, answer
):
    """Airflow would log no more than a traceback."""
    began = clock.now()
    clock.at(
        began + 59 * SECOND,
        lambda: airbyte.inject(
            Fault(on="*/jobs/{jobId}", do="drop", times=None)
            if answer is None
            else Fault(on="*/jobs/{jobId}", do="answer", answer=answer, times=None)
        ),
    )
    kill_after(operator(wait_seconds=60), 59 * SECOND)
    assert "Could not cancel Airbyte job 1 (http://" in str(log)
    assert clock.now() - began < MINUTE + 5 * SECOND


def test_a_kill_outside_of_a_task_does_nothing(operator, airbyte, log):
    """Airflow 2.11 may call it on an operator that never ran."""
    operator().on_kill()
    assert [] == list(airbyte.requests)
    assert [] == log.lines


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "gone"])
def test_a_process_that_is_stopped_with_its_task_cancels(
    operator, kill_after, cancellations, state
):
    """Airflow says that no process is to do the task any more."""
    kill_after(operator(), MINUTE, state)
    assert [1] == cancellations()


@pytest.mark.parametrize("state", ["running", "queued", "restarting", "up_for_retry", None])
def test_a_process_that_is_stopped_without_its_task_leaves_the_sync_alone(
    operator, kill_after, cancellations, log, state
):
    """The task was cleared, or the worker shuts down: the next try goes on with it."""
    kill_after(operator(), MINUTE, state)
    assert [] == cancellations()
    (line,) = [line for line in log.lines if "told to stop, but not its task" in line]
    assert "Airbyte job 1 (http://" in line
    assert "goes on. If no try of this task follows it, clear the task" in line
    assert "Cancelling" not in str(log)


@pytest.mark.parametrize("state", ["silent", "missing"])
def test_a_process_whose_airflow_says_nothing_leaves_the_sync_alone_and_names_it(
    airbyte, operator, kill_after, cancellations, log, impatient, state
):
    """An error and an answer without the task are no kill; the log has the job's link."""
    kill_after(operator(), MINUTE, state)
    assert [] == cancellations()
    (line,) = [line for line in log.lines if "did not say in time" in line]
    assert "Airbyte job 1 (http://" in line
    assert "jobId=1&openLogs=true) was left alone" in line


def test_an_answer_that_comes_before_the_cancellation_is_sent_counts(
    operator, kill_after, airflow, cancellations, monkeypatch
):
    """Airflow stumbles at first, and says in time that the task was killed."""
    monkeypatch.setattr(abandoning, "ASK_AGAIN_SECONDS", 0.01)
    asked, ask = [], abandoning.ask

    def mending(keys):
        asked.append(keys)
        if len(asked) == 3:
            airflow.say("failed")
        return ask(keys)

    monkeypatch.setattr(abandoning, "ask", mending)
    kill_after(operator(), MINUTE, "silent")
    assert [1] == cancellations()


def test_a_state_that_airflow_does_not_tell_in_time_holds_nothing_up(
    operator, kill_after, cancellations, monkeypatch, impatient
):
    """Airflow kills the process five seconds later."""
    goes_on = threading.Event()
    monkeypatch.setattr(abandoning, "ask", lambda _: goes_on.wait(10))
    kill_after(operator(), MINUTE, "failed")
    goes_on.set()
    assert [] == cancellations()


@pytest.mark.parametrize("state", ["running", "silent"])
def test_a_task_that_airflow_ends_for_its_execution_timeout_cancels(
    operator, context, defer, airflow_says, in_worker, clock, cancellations, state
):
    """It still counts as running then; it is our own clock, and nothing is asked."""
    airflow_says(state)
    task = operator(deferrable=True)
    defer(task.execute, context)
    clock.advance(MINUTE)

    def run_out_of_time():
        raise AirflowTaskTimeout

    with in_worker(context):
        try:
            run_out_of_time()
        except AirflowTaskTimeout:
            task.on_kill()
    assert [1] == cancellations()


# --------------------------------------------------------------------------------------------------
# After a deferral: a new process, with a new operator


def test_a_kill_after_a_deferral_finds_the_job(
    operator, context, in_worker, defer, clock, cancellations, airflow_says
):
    """The XCom tells it."""
    airflow_says("failed")
    defer(operator(deferrable=True).execute, context)
    clock.advance(MINUTE)
    with in_worker(context):
        operator(deferrable=True).on_kill()
    assert [1] == cancellations()


def test_a_kill_after_the_end_cancels_nothing(
    start_job, airbyte, connection, operator, context, in_worker, defer, event_of, cancellations
):
    """Airbyte would cancel whatever runs on the connection by then."""
    airbyte.add_connection(
        connection, job_scripts=[job_scripts.succeeds(), job_scripts.never_ends()]
    )
    event = event_of(defer(operator(deferrable=True).execute, context))
    start_job()
    task = operator(deferrable=True)
    with in_worker(context):
        task.execute_complete(context, event)
        task.on_kill()
    assert [] == cancellations()
    assert ["succeeded", "pending"] == [job.status for job in airbyte.jobs]


def test_a_kill_after_a_deferral_leaves_an_attached_job_alone(
    start_job, operator, context, in_worker, defer, clock, cancellations
):
    """The XCom tells that, too."""
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    defer(operator(deferrable=True, on_conflict="attach").execute, context)
    with in_worker(context):
        operator(deferrable=True).on_kill()
    assert [] == cancellations()


# --------------------------------------------------------------------------------------------------
# A trigger that died, or a deferral that took too long


DIED = "Trigger failure"
LATE = ["Trigger timeout", "Trigger/execution timeout"]


@pytest.fixture
def fail(context):
    """Resume a task as Airflow does to let it fail."""

    def run(task, error):
        is_timeout = error == "Trigger timeout"
        with pytest.raises(TaskDeferralTimeout if is_timeout else TaskDeferralError, match=error):
            task.resume_execution("__fail__", {"error": error, "traceback": ["x"]}, context)

    return run


def test_a_trigger_that_died_is_no_kill(operator, context, defer, fail, clock, cancellations, log):
    """Nobody decided to end the sync: the log says that it goes on, with its link."""
    defer(operator(deferrable=True).execute, context)
    clock.advance(MINUTE)
    fail(operator(deferrable=True), DIED)
    assert [] == cancellations()
    assert "Airbyte job 1 (http://" in str(log)
    assert "goes on, and no task follows it. Clear this task to follow it again" in str(log)


def test_the_next_try_follows_the_sync_of_a_trigger_that_died(
    operator, context, defer, fail, clock, cancellations, log
):
    """Where another try is left."""
    vars(context["ti"]).update(try_number=1, max_tries=1)
    defer(operator(deferrable=True).execute, context)
    clock.advance(MINUTE)
    fail(operator(deferrable=True), DIED)
    assert [] == cancellations()
    assert "goes on, and the next try follows it" in str(log)


@pytest.mark.parametrize("error", LATE)
def test_a_deferral_that_took_too_long_cancels_the_own_job(
    operator, context, defer, fail, clock, cancellations, error
):
    """It is a limit of the task's own; Airflow's own error is still raised."""
    defer(operator(deferrable=True).execute, context)
    clock.advance(MINUTE)
    fail(operator(deferrable=True), error)
    assert [1] == cancellations()


def test_a_deferral_that_took_too_long_leaves_an_attached_job_alone(
    start_job, operator, context, defer, fail, clock, cancellations
):
    """It is not ours."""
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    defer(operator(deferrable=True, on_conflict="attach").execute, context)
    fail(operator(deferrable=True), LATE[0])
    assert [] == cancellations()


@pytest.mark.parametrize("error", [DIED, *LATE])
def test_a_failed_wait_of_which_nothing_is_known_asks_airbyte_nothing(
    operator, fail, airbyte, log, error
):
    """The task may have waited for another sync, or pushes no XComs."""
    fail(operator(deferrable=True), error)
    assert [] == list(airbyte.requests)
    assert "Airbyte job" not in str(log)


def test_a_deferral_that_took_too_long_finds_the_job_in_airflows_state_store(
    operator, context, state_store, defer, fail, clock, cancellations
):
    """Airflow 3.3 has one, and then XComs are not needed."""
    context["task_state_store"] = state_store
    defer(operator(deferrable=True, do_xcom_push=False).execute, context)
    assert {} == context["ti"].xcoms
    clock.advance(MINUTE)
    fail(operator(deferrable=True, do_xcom_push=False), LATE[0])
    assert [1] == cancellations()


def test_a_deferral_that_took_too_long_finds_a_sync_in_doubt(
    airbyte, operator, context, state_store, defer, fail, clock, cancellations
):
    """What the store says of it is enough to look for it."""
    context["task_state_store"] = state_store
    airbyte.inject(Fault(on="POST /jobs", do="drop_after"))
    airbyte.inject(Fault(on="GET /jobs", do="answer", answer=answers.bad_gateway()))
    defer(operator(deferrable=True).execute, context)
    clock.advance(MINUTE)
    fail(operator(deferrable=True), LATE[0])
    assert [1] == cancellations()


def test_a_deferral_that_took_too_long_while_airbyte_is_down_is_still_airflows_own(
    airbyte, operator, context, defer, fail, log
):
    """The log says what is left to do, with the job's link."""
    defer(operator(deferrable=True).execute, context)
    airbyte.inject(
        Fault(on="*/jobs/{jobId}", do="answer", answer=answers.bad_gateway(), times=None)
    )
    fail(operator(deferrable=True), LATE[0])
    assert "Could not cancel Airbyte job 1 (http://" in str(log)


def test_a_deferral_that_took_too_long_counts_where_kills_do_not(
    operator, context, defer, fail, clock, cancellations
):
    """``cancel_on_kill`` is about people; this is a clock."""
    defer(operator(deferrable=True, cancel_on_kill=False).execute, context)
    clock.advance(MINUTE)
    fail(operator(deferrable=True, cancel_on_kill=False), LATE[0])
    assert [1] == cancellations()


def test_a_good_end_is_resumed_as_ever(airbyte, connection, operator, context, defer, event_of):
    """Airflow names the method, and passes the event by name."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds()])
    event = event_of(defer(operator(deferrable=True).execute, context))
    assert (
        operator(deferrable=True).resume_execution("execute_complete", {"event": event}, context)
        is None
    )
    assert 1 == context["ti"].xcoms["return_value"]


# --------------------------------------------------------------------------------------------------
# The sensor


@pytest.mark.parametrize(("option", "cancelled"), [(True, [1]), (False, [])])
def test_a_killed_sensor_cancels_where_it_is_asked_to(
    start_job, sensor, context, in_worker, clock, cancellations, airflow_says, option, cancelled
):
    """By default the job belongs to whoever started it."""
    airflow_says("failed")
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    task = sensor(cancel_on_kill=option)
    with in_worker(context):
        assert task.poke(context) is False
        task.on_kill()
    assert cancelled == cancellations()


def test_a_sensor_that_is_killed_before_its_first_poke_raises_nothing(
    start_job, sensor, context, in_worker, cancellations
):
    """It has seen nothing yet."""
    start_job(job_scripts.never_ends())
    task = sensor(cancel_on_kill=True)
    with in_worker(context):
        task.on_kill()
    assert [] == cancellations()


# --------------------------------------------------------------------------------------------------
# A process that is done


def test_a_process_that_has_come_to_its_result_cancels_nothing(operator, context, cancellations):
    """Airflow stops a process that lingers after its task has succeeded; the sync goes on."""
    task = operator(asynchronous=True)
    task.execute(context)
    task.on_kill()
    assert [] == cancellations()
