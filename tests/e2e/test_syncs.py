"""Syncs in every mode, through the real scheduler, workers and triggerer of Airflow."""

from datetime import timedelta

import pytest

from airbyte_sync_local import Fault, answers, lives

MODES = ("blocking", "asynchronous", "deferrable")
WAITING_MODES = ("blocking", "deferrable")
TROUBLE = "Could not look at Airbyte"


@pytest.mark.parametrize("mode", MODES)
def test_a_task_succeeds_in_every_mode(runs, mode):
    """The sync succeeds, and so does the task; so do the sensors of the asynchronous mode."""
    assert {"success"} == set(runs[mode].states().values())
    assert "succeeded" == runs[mode].job.status


def test_sensors_wait_for_the_job_of_an_asynchronous_task_in_both_ways(runs):
    """A sensor in a worker and one in the triggerer see the same job end."""
    run = runs["asynchronous"]
    assert {"sync", "blocking_sensor", "deferrable_sensor"} == set(run.states())
    for sensor in ("blocking_sensor", "deferrable_sensor"):
        assert f"Airbyte job {run.job.job_id}" in run.log(sensor)


@pytest.mark.parametrize("mode", MODES)
def test_the_result_of_a_task_is_the_job_id(runs, mode):
    """The return value is the job's id as a number, whichever process found it out."""
    assert runs[mode].job.job_id == runs[mode].xcoms()["return_value"]


@pytest.mark.parametrize("name", ["blocking", "asynchronous", "deferrable", "deferrable, failed"])
def test_a_task_submits_exactly_once(runs, name):
    """One task is one POST, also where a task hands its wait over to another process."""
    assert 1 == len(runs[name].requests("POST /jobs"))


@pytest.mark.parametrize("mode", WAITING_MODES)
def test_a_failed_sync_fails_the_task_and_the_log_says_why(runs, mode):
    """Whoever opens the log of the failed task reads which job failed."""
    run = runs[f"{mode}, failed"]
    assert {"sync": "failed"} == run.states()
    assert f"Airbyte job {run.job.job_id} failed" in run.log()


@pytest.mark.parametrize(
    ("mode", "task_id"),
    [
        ("blocking", "sync"),
        ("deferrable", "sync"),
        ("asynchronous", "blocking_sensor"),
        ("asynchronous", "deferrable_sensor"),
    ],
)
def test_looks_that_show_nothing_new_leave_no_line_in_the_log(runs, mode, task_id):
    """A short wait is told by its beginning, its changes and its end."""
    log = runs[mode].log(task_id)
    assert "succeeded" in log
    assert "still" not in log


@pytest.mark.parametrize("mode", WAITING_MODES)
def test_a_timeout_cancels_the_job_and_fails_the_task(runs, mode):
    """A sync that is not done in time is ended in Airbyte, and the task says so."""
    run = runs[f"{mode}, late"]
    assert {"sync": "failed"} == run.states()
    assert 1 <= len(run.requests("DELETE /jobs/{jobId}"))
    assert "cancelled" == run.job.status
    assert "did not end within 12 s (timeout) and was cancelled" in run.log()


def test_waits_go_on_when_airbyte_cannot_be_reached_for_a_while(runner, airbyte):
    """Two triggers wait through a server that restarts: no job is lost, none is started twice."""
    life = lives.succeeds(lasts=timedelta(seconds=20))
    runs = [runner.start("deferrable", life), runner.start("deferrable", life)]
    for run in runs:
        runner.wait_until(lambda run=run: "deferred" in run.states().values(), "the deferral")
    asked_before = len(airbyte.requests)

    airbyte.inject(Fault(on="*", do="drop", times=None))
    for run in runs:
        runner.wait_until(lambda run=run: TROUBLE in run.log(), "a look that fails")
    airbyte.clear_faults()
    airbyte.inject(Fault(on="*", do="answer", answer=answers.unavailable(), times=None))
    runner.wait_until(
        lambda: 503 in {record.status for record in airbyte.requests[asked_before:]}, "a refusal"
    )
    airbyte.clear_faults()
    runner.wait_for_end(*runs)

    for run in runs:
        assert {"sync": "success"} == run.states()
        assert run.job.job_id == run.xcoms()["return_value"]
        assert 1 == len(run.requests("POST /jobs"))
