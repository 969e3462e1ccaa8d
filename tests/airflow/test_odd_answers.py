"""Answers that are not Airbyte's word, seen from a task: no single one ends a wait or doubles a sync."""

from datetime import timedelta

import pytest

from airbyte_sync_airflow.exceptions import (
    AirbyteJobGone,
    AirbyteServerUnreachable,
    AirbyteSubmitInDoubt,
    AirbyteWrongAddress,
)
from airbyte_sync_local import Change, Fault, answers, gateway, job_scripts

MINUTE = timedelta(minutes=1)
LONG = job_scripts.succeeds(lasts=20 * MINUTE)
OTHER_JOB = {"jobId": 999, "connectionId": "00000000-0000-4000-8000-0000000000ff"}
ODD = {
    "no route": Fault(on="*", do="answer", answer=answers.no_route()),
    "not found page": Fault(on="*", do="answer", answer=answers.not_found_page()),
    "bad request": Fault(on="*", do="answer", answer=answers.bad_request_json()),
    "firewall": Fault(on="*", do="answer", answer=answers.firewall_page()),
    "method not allowed": Fault(on="*", do="answer", answer=answers.method_not_allowed_page()),
    "login": Fault(on="*", do="answer", answer=answers.login_redirect("https://sso.test/login")),
    "web page": Fault(on="*", do="answer", answer=answers.login_page()),
    "other job": Fault(on="*", do="alter", change=Change(set=OTHER_JOB | {"status": "succeeded"})),
    "unknown job": Fault(on="*", do="answer", answer=answers.job_not_running()),
}


@pytest.fixture
def run_to_the_end(operator, context, defer, event_of):
    """Run a task in a worker, or in a worker and a triggerer; faults strike when the sync has begun."""

    def run(airbyte, *faults, deferrable, before=False):
        def strike():
            for fault in faults:
                airbyte.inject(fault)

        task = operator(deferrable=deferrable)
        if not deferrable or before:
            strike()
        if not deferrable:
            return task.execute(context)
        trigger = defer(task.execute, context)
        if not before:
            strike()
        operator(deferrable=True).execute_complete(context, event_of(trigger))
        return context["ti"].xcoms["return_value"]

    return run


def odd(name, on, **options):
    fault = ODD[name]
    return Fault(on=on, do=fault.do, answer=fault.answer, change=fault.change, times=1, **options)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("skip", [0, 3])
def test_one_odd_poll_ends_no_blocking_wait(
    airbyte, connection, operator, context, submissions, name, skip
):
    """The job was started a moment before: the wait goes on to its end."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    airbyte.inject(odd(name, "GET /jobs/{jobId}", skip=skip))
    assert 1 == operator(wait_seconds=30).execute(context)
    assert 1 == len(submissions())


@pytest.mark.parametrize("name", ODD)
def test_one_odd_poll_ends_no_deferred_wait(
    airbyte, connection, operator, context, defer, event_of, submissions, name
):
    """Neither in the triggerer."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    trigger = defer(operator(deferrable=True).execute, context)
    airbyte.inject(odd(name, "GET /jobs/{jobId}"))
    operator(deferrable=True).execute_complete(context, event_of(trigger))
    assert 1 == context["ti"].xcoms["return_value"]
    assert 1 == len(submissions())


@pytest.mark.parametrize("name", [name for name in ODD if name not in {"web page", "other job"}])
def test_one_odd_answer_to_a_submission_starts_one_sync(
    airbyte, connection, operator, context, submissions, name
):
    """Nothing was started, so it is made again; where that is open, the job is searched for first."""
    del connection
    airbyte.inject(odd(name, "POST /jobs"))
    assert 1 == operator().execute(context)
    assert 1 == len(airbyte.jobs)


@pytest.mark.parametrize("name", ODD)
def test_one_odd_poll_ends_no_sensor(airbyte, connection, operator, sensor, context, clock, name):
    """Once it has seen the job."""
    airbyte.add_connection(connection, job_scripts=[LONG])
    job_id = operator(asynchronous=True).execute(context)
    airbyte.inject(odd(name, "GET /jobs/{jobId}", skip=1))
    task = sensor(job_id, poke_interval=30)
    for _ in range(80):
        if task.poke(context):
            break
        clock.advance(timedelta(seconds=30))
    else:
        pytest.fail("the sensor has not seen the end of the job")


def test_a_look_up_by_name_outlives_one_odd_answer(operator, airbyte, connection, context):
    """A gateway that reloads its routes fails no task before it began."""
    airbyte.inject(odd("no route", "GET /connections"))
    task = operator(connection_name=connection.name)
    assert 1 == task.execute(context)


@pytest.mark.parametrize(
    "answer",
    [
        answers.login_page(),
        answers.method_not_allowed_page(),
        answers.no_route(),
        answers.login_redirect("https://sso.test/login"),
    ],
    ids=lambda answer: str(answer.status),
)
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_wrong_address_is_told_within_about_a_minute(
    airbyte, run_to_the_end, clock, answer, deferrable
):
    """A web application or a gateway that answers everything is no Airbyte: another try may help."""
    began = clock.now()
    with pytest.raises(AirbyteWrongAddress, match="never answered as Airbyte does"):
        run_to_the_end(airbyte, gateway(answer), deferrable=deferrable, before=True)
    assert MINUTE <= clock.now() - began <= 1.5 * MINUTE


def test_an_upgrade_of_airbyte_is_no_wrong_address(airbyte, operator, context, clock):
    """An ingress that answers 502 keeps the whole unreachable_timeout."""
    airbyte.inject(gateway(answers.bad_gateway(), lasts=10 * MINUTE))
    began = clock.now()
    assert 1 == operator().execute(context)
    assert clock.now() - began >= 10 * MINUTE


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_that_is_gone_fails_the_try_and_the_next_one_starts_another(
    airbyte,
    connection,
    operator,
    context,
    state_store,
    run_to_the_end,
    clock,
    deferrable,
):
    """Airbyte says it repeatedly, and its list does not have the job: the text says so truthfully."""
    airbyte.add_connection(connection, job_scripts=[LONG, job_scripts.succeeds()])
    context["task_state_store"] = state_store
    gone = (
        Fault(on="GET /jobs/{jobId}", do="answer", answer=answers.job_not_running(), times=None),
        Fault(on="GET /jobs", do="alter", change=Change(hide=True), times=None),
    )
    with pytest.raises(AirbyteJobGone, match=r"job 1 of connection .* is gone"):
        run_to_the_end(airbyte, *gone, deferrable=deferrable)
    airbyte.clear_faults()
    clock.advance(30 * MINUTE)
    assert 2 == operator().execute(context)
    assert 2 == len(airbyte.jobs)


def test_a_retry_after_one_odd_poll_starts_no_second_sync(
    airbyte, connection, operator, context, state_store, submissions
):
    """The first poll of the next try is answered with a gateway's 404: the first sync is followed."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds(lasts=60 * MINUTE)])
    context["task_state_store"] = state_store
    airbyte.inject(
        Fault(on="GET /jobs/{jobId}", do="answer", answer=answers.no_route(), times=None)
    )
    with pytest.raises(AirbyteServerUnreachable):
        operator(timeout=7200).execute(context)
    airbyte.clear_faults()
    for name in ("no route", "unknown job"):
        airbyte.inject(odd(name, "GET /jobs/{jobId}"))
    assert 1 == operator(timeout=7200).execute(context)
    assert 1 == len(submissions())


def test_a_second_lost_submission_names_the_status_and_the_connection(
    airbyte, connection, operator, context, submissions
):
    """A gateway that answers 504 to every submission is told after the second one."""
    timed_out = answers.gateway_timeout()
    airbyte.inject(Fault(on="POST /jobs", do="answer", answer=timed_out, times=None))
    with pytest.raises(AirbyteSubmitInDoubt, match="HTTP status 504") as caught:
        operator().execute(context)
    assert connection.connection_id in str(caught.value)
    assert 2 == len(submissions())
