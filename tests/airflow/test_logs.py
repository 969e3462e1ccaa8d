"""What a person reads: how it began, what changed, how it ended; and nothing for each look."""

import re
from datetime import timedelta

import pytest

from airbyte_sync_airflow.compat.airflow import AirflowException
from airbyte_sync_local import Fault, answers, job_scripts

MINUTE = timedelta(minutes=1)
SLOWLY = job_scripts.succeeds(lasts=timedelta(seconds=50))
REASON = "The source answered: invalid credentials"
STARTED = (
    "Started Airbyte sync job 1 of connection 'Faker to DuckDB' (<uuid>) (pending): "
    "<page>1&openLogs=true"
)
FOLLOWING = (
    "Following Airbyte sync job 1 of connection 'Faker to DuckDB' (<uuid>) (pending): "
    "<page>1&openLogs=true"
)
BUSY = (
    "The connection is busy with Airbyte job 1 (sync, running), begun before this request; ours "
    "starts when it ends"
)
GOING_ON = (
    "Going on with Airbyte sync job 1 of connection 'Faker to DuckDB' (<uuid>) (running), which an "
    "earlier try started: <page>1&openLogs=true"
)
RUNNING = "Airbyte job 1: pending -> running"
ENDED = "Airbyte job 1 ended: succeeded, 1,000 rows, 65.5 kB in 0:00:51"
SUCCEEDED = "Airbyte job 1 succeeded, 1,000 rows, 65.5 kB in 0:00:51"


@pytest.fixture
def lines(airbyte, log):
    """The lines so far, without what differs from test to test."""

    def read():
        page = re.escape(airbyte.base_url) + r"/workspaces/\S+/timeline\?jobId="
        return [
            re.sub(
                r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>", re.sub(page, "<page>", line)
            )
            for line in log.lines
        ]

    return read


@pytest.fixture
def operator(operator, airbyte, connection):
    """Make operators whose job takes a while."""
    airbyte.add_connection(connection, job_scripts=[SLOWLY])
    return operator


# --------------------------------------------------------------------------------------------------
# One sync, in each mode


def test_blocking(operator, context, lines):
    """How it began, with a name and a link; what changed; how it ended, with totals."""
    operator().execute(context)
    assert [STARTED, RUNNING, ENDED] == lines()


def test_asynchronous(operator, context, lines):
    """There is nothing to tell after the beginning."""
    operator(asynchronous=True).execute(context)
    assert [STARTED] == lines()


def test_deferred(operator, context, lines, run_deferred):
    """The same lines in the same order, from task and trigger."""
    run_deferred(lambda: operator(deferrable=True), context)
    assert [STARTED, RUNNING, ENDED, SUCCEEDED] == lines()


def test_deferred_behind_another_sync(start_job, operator, context, lines, run_deferred, clock):
    """The other is named, and ours is introduced by the task."""
    start_job(job_scripts.succeeds(lasts=2 * MINUTE))
    clock.advance(MINUTE)
    run_deferred(lambda: operator(deferrable=True), context)
    ours = [
        line.replace("job 1", "job 2").replace("<page>1", "<page>2")
        for line in (STARTED, RUNNING, ENDED, SUCCEEDED)
    ]
    assert [BUSY, *ours] == lines()


def test_the_sensor(start_job, sensor, context, lines, clock):
    """It names the job that it follows, and where to look at it."""
    start_job(SLOWLY)
    task = sensor(poke_interval=10)
    while not task.poke(context):
        clock.advance(timedelta(seconds=10))
    assert [FOLLOWING, RUNNING, ENDED] == lines()


def test_the_deferred_sensor(start_job, sensor, context, lines, defer, event_of):
    """The same from task and trigger."""
    start_job(SLOWLY)
    task = sensor(deferrable=True, poke_interval=10)
    task.execute_complete(context, event_of(defer(task.execute, context)))
    assert [FOLLOWING, RUNNING, ENDED, SUCCEEDED] == lines()


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensor_introduces_a_job_that_has_ended_before_it_tells_its_end(
    start_job, sensor, context, lines, clock, deferrable
):
    """Also when the first poll shows the end."""
    start_job(SLOWLY)
    clock.advance(timedelta(minutes=5))
    sensor(deferrable=deferrable).execute(context)
    assert [FOLLOWING.replace("(pending)", "(succeeded)"), ENDED] == lines()[:2]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensor_introduces_a_job_that_has_failed_before_it_tells_its_end(
    start_job, sensor, context, lines, clock, deferrable
):
    """A person wants to know which job it was."""
    start_job(job_scripts.fails())
    clock.advance(timedelta(minutes=5))
    with pytest.raises(AirflowException):
        sensor(deferrable=deferrable).execute(context)
    introduced, ended = lines()
    assert introduced == FOLLOWING.replace("(pending)", "(failed)")
    assert ended.startswith("Airbyte job 1 ended: failed")


# --------------------------------------------------------------------------------------------------
# No line for each look


@pytest.mark.parametrize("deferrable", [True, False])
def test_looks_that_show_nothing_new_are_summed_up_once_a_minute(
    airbyte, connection, operator, context, lines, run_deferred, deferrable
):
    """A sync of ten minutes is no reason for two hundred lines."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds_slowly()])
    if deferrable:
        run_deferred(lambda: operator(deferrable=True), context)
    else:
        operator().execute(context)
    told = [line for line in lines() if "is still running" in line]
    assert 7 <= len(told) <= 10
    assert len(lines()) <= 14
    assert re.fullmatch(r"Airbyte job 1 is still running, \d00 rows, [\d.]+ kB so far", told[-1])


def test_the_sensor_sums_them_up_over_all_pokes(start_job, sensor, context, lines, clock):
    """Every five seconds a poke, every minute a line."""
    start_job(job_scripts.succeeds_slowly())
    task = sensor(poke_interval=5)
    while not task.poke(context):
        clock.advance(timedelta(seconds=5))
    assert 8 <= sum("is still running" in line for line in lines()) <= 10
    assert len(lines()) <= 14


# --------------------------------------------------------------------------------------------------
# When it goes wrong


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_failed_task_says_why_and_what_to_do(
    airbyte, connection, operator, context, lines, run_deferred, deferrable
):
    """Airflow writes the exception's text at the end of the log."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails(REASON)])
    execute = (
        (run_deferred, lambda: operator(deferrable=True), context)
        if deferrable
        else (operator().execute, context)
    )
    call, *arguments = execute
    with pytest.raises(AirflowException) as failure:
        call(*arguments)
    assert (
        f"Airbyte job 1 failed: {REASON} (source, config_error). Open the job in Airbyte for the logs; "
        "Airbyte has already made all its own attempts." == str(failure.value)
    )
    assert [STARTED, "Airbyte job 1 ended: failed, 0 rows, 0 B in 0:00:02"] == lines()


def test_a_task_that_took_too_long_says_which_limit_to_raise(
    airbyte, connection, operator, context, lines
):
    """And that its job was cancelled."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
    with pytest.raises(AirflowException) as failure:
        operator(timeout=30).execute(context)
    assert (
        "Airbyte job 1 did not end within 30 s (timeout) and was cancelled; Airbyte says cancelled. "
        "Raise timeout if it needs longer." == str(failure.value)
    )
    assert [
        STARTED,
        RUNNING,
        "Cancelling Airbyte job 1 (running)",
        "Airbyte job 1 ended: cancelled in 0:00:30",
    ] == lines()


def test_a_server_that_is_away_for_a_moment_is_told_once_for_each_failed_look(
    airbyte, operator, context, lines
):
    """With the moment of the next one; the sync goes on."""
    airbyte.inject(
        Fault(on="GET /jobs/{jobId}", do="answer", answer=answers.bad_gateway(), times=2)
    )
    assert 1 == operator().execute(context)
    failed = [line for line in lines() if "Could not poll Airbyte" in line]
    assert 2 == len(failed)
    assert all("polling again at 09:00:" in line and "502" in line for line in failed)
    assert [STARTED, *failed, RUNNING, ENDED] == lines()


def test_a_lost_answer_is_told(airbyte, operator, context, lines):
    """And that the sync was found."""
    airbyte.inject(Fault(on="POST /jobs", do="drop_after"))
    assert 1 == operator().execute(context)
    first, second, *others = lines()
    assert first.startswith(
        "Airbyte's answer was lost, so the sync may have started; looking for it until 09:02:30 UTC "
        "before anything else: "
    )
    assert (
        "Found Airbyte sync job 1 of connection 'Faker to DuckDB' (<uuid>) (pending), begun since this "
        "request: following it as our own: <page>1&openLogs=true" == second
    )
    assert [RUNNING, ENDED] == others


def test_an_attached_job_is_told_as_somebody_elses(
    airbyte, connection, operator, context, lines, clock
):
    """So that nobody wonders why it is not cancelled."""
    airbyte.start_external_job(
        connection.connection_id, job_scripts.succeeds(lasts=119 * MINUTE / 60)
    )
    clock.advance(MINUTE)
    operator(on_conflict="attach").execute(context)
    assert (
        "Following Airbyte sync job 1 of connection 'Faker to DuckDB' (<uuid>) (running), which "
        "was started elsewhere: <page>1&openLogs=true" == lines()[0]
    )


def test_a_job_of_an_earlier_try_is_told_as_such(
    airbyte, operator, context, state_store, defer, lines, log, clock
):
    """So that nobody wonders when it began."""
    context["task_state_store"] = state_store
    defer(operator(deferrable=True).execute, context)
    log.lines.clear()
    clock.advance(timedelta(seconds=20))
    operator().execute(context)
    assert [GOING_ON, ENDED] == lines()  # it is introduced as running; that is not news again


def test_no_line_holds_a_secret(airbyte, operator, context, log, run_deferred):
    """Not even where something went wrong."""
    airbyte.inject(Fault(on="*", do="answer", answer=answers.unauthorized_problem(), times=3))
    with pytest.raises(AirflowException) as failure:
        run_deferred(lambda: operator(deferrable=True), context)
    assert "the-client-secret" not in f"{log}{failure.value}"
