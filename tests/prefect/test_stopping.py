"""Flow runs that are cancelled, killed and stopped, in processes of their own."""

import os
import signal
from datetime import timedelta

import pytest
from prefect.deployments import run_deployment
from stage import Run, Stage, until

from airbyte_sync_local import Fault

EVERY_STYLE = ["blocking", "submitted", "asynchronous"]


@pytest.fixture
def connection_id(airbyte):
    """Its syncs run until a test says that they are done."""
    return airbyte.add_connection().connection_id


@pytest.fixture(scope="session")
def served(processes, prefect_server):
    """A process that runs the deployments of ``flows.py``."""
    name = Stage(None, None, processes).start("serve")
    until(lambda: "are being served" in processes.log(name).read_text(), "flows are served")
    yield name
    processes.stop(name)


def is_resumed(run):
    return lambda: any("which an earlier try started" in each for each in run.log)


@pytest.mark.parametrize("style", EVERY_STYLE)
def test_a_killed_run_goes_on_with_its_job(stage, connection_id, style):
    """kill -9, and the same flow run again: it follows the same job, and nothing is started."""
    process = stage.start(style, connection_id)
    job = stage.polled_job()
    stage.processes.kill(process)
    run = Run.newest()
    restarted = stage.start("again", style, str(run.id))
    until(is_resumed(run), "it goes on")
    stage.engine.succeed(job.job_id)
    stage.end_of(restarted)
    assert ("Completed", 1) == (run.state.name, len(stage.submissions))


@pytest.mark.parametrize("style", EVERY_STYLE)
def test_a_run_that_is_cancelled_cancels_its_sync_once(stage, connection_id, style, served):
    """As by the button in the UI, for a run of a deployment."""
    given = {"connection_id": connection_id}
    started = run_deployment(f"{style}/local", parameters=given, timeout=0, as_subflow=False)
    run = Run(started.id)
    stage.polled_job()
    run.cancel()
    run.wait_for("Cancelled")
    assert (["cancelled"], 1) == (stage.statuses, len(stage.cancellations))
    assert 1 == len(stage.submissions)
    assert run.whole_log(last="Interrupted: cancelling Airbyte job 1")
    assert ": cancelled" in run.artifacts[0].data


@pytest.mark.parametrize("style", EVERY_STYLE)
def test_a_run_without_a_runner_cancels_its_sync_once(stage, connection_id, style):
    """A script, which Prefect signals nothing."""
    process = stage.start(style, connection_id)
    stage.polled_job()
    run = Run.newest()
    run.cancel()
    text = stage.end_of(process)
    assert (["cancelled"], 1) == (stage.statuses, len(stage.cancellations))
    assert "The flow run was cancelled, and its sync with it" in text
    assert "Cancelled" == run.state.name


@pytest.mark.parametrize("style", ["blocking", "asynchronous"])
def test_a_process_that_is_told_to_end_leaves_its_sync(stage, connection_id, style):
    """SIGTERM is no word about the sync: a node is drained, and another try goes on with the job."""
    process = stage.start(style, connection_id)
    job = stage.polled_job()
    os.kill(stage.processes.pid(process), signal.SIGTERM)
    stage.end_of(process)
    run = Run.newest()
    assert (["running"], []) == (stage.statuses, stage.cancellations)
    restarted = stage.start("again", style, str(run.id))
    until(is_resumed(run), "it goes on")
    stage.engine.succeed(job.job_id)
    stage.end_of(restarted)
    assert ("Completed", 1) == (run.state.name, len(stage.submissions))


@pytest.mark.parametrize("style", ["blocking", "asynchronous"])
def test_a_run_that_is_killed_while_it_submits_starts_one_sync(stage, connection_id, style):
    """Airbyte has the job, and its answer is lost: the next try finds it, and submits nothing."""
    stage.airbyte.inject(Fault(on="POST /jobs", do="stall_after", wait=timedelta(seconds=60)))
    process = stage.start(style, connection_id)
    until(lambda: stage.airbyte.jobs, "the job is there")
    stage.processes.kill(process)
    run = Run.newest()
    restarted = stage.start("again", style, str(run.id))
    job = stage.polled_job()
    stage.engine.succeed(job.job_id)
    stage.end_of(restarted)
    assert ("Completed", 1, 1) == (run.state.name, len(stage.submissions), len(stage.airbyte.jobs))


@pytest.mark.parametrize("style", ["blocking", "asynchronous"])
def test_a_prefect_that_restarts_does_no_harm(stage, connection_id, style, prefect_server):
    """A sync that runs is followed while Prefect's API is away, and its end is told when it is back."""
    process = stage.start(style, connection_id)
    job = stage.polled_job()
    run = Run.newest()
    stage.processes.kill("server")
    polls = len(stage.requests("GET /jobs/{jobId}"))
    until(lambda: len(stage.requests("GET /jobs/{jobId}")) > polls + 3, "polls go on")
    prefect_server()
    stage.engine.succeed(job.job_id)
    stage.end_of(process)
    assert ("Completed", 1) == (run.state.name, len(stage.submissions))
