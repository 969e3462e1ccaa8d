"""Syncs in every mode, through the real scheduler, workers and triggerer of Airflow."""

import pytest
from directed_engine import ROWS

MODES = ("blocking", "asynchronous", "deferrable")
WAITING_MODES = ("blocking", "deferrable")
SENSORS = ("blocking_sensor", "rescheduling_sensor", "deferrable_sensor")
EVERY_TASK = [
    ("blocking", "sync"),
    ("deferrable", "sync"),
    ("asynchronous", "sync"),
    *(("asynchronous", sensor) for sensor in SENSORS),
]
DESCRIPTION = {
    *("job_id", "job_type", "status", "connection_id", "connection_name", "rows", "bytes"),
    *("started_at", "duration_seconds", "url", "attached", "failure_reason"),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_task_succeeds_in_every_mode(played, mode):
    """The sync succeeds, and so does the task; so do the sensors of the asynchronous mode."""
    run = played.scene(mode).run
    assert {"success"} == set(run.states().values())
    assert "succeeded" == run.job.status


@pytest.mark.parametrize("sensor", SENSORS)
def test_sensors_wait_for_the_job_of_an_asynchronous_task(played, sensor):
    """A sensor in a worker, one that comes back and one in the triggerer see the same job end."""
    run = played.scene("asynchronous").run
    assert f"Airbyte job {run.job.job_id}" in run.log(sensor)


@pytest.mark.parametrize("mode", MODES)
def test_the_result_of_a_task_is_the_job_id(played, mode):
    """The return value is the job's id as a number, whichever process found it out."""
    run = played.scene(mode).run
    assert run.job.job_id == run.xcoms()["return_value"]


@pytest.mark.parametrize(("mode", "task_id"), EVERY_TASK)
def test_a_description_of_the_job_is_there_before_the_wait_and_after_it(played, mode, task_id):
    """It has the same keys in all modes; in the end, it tells how the sync came out."""
    scene = played.scene(mode)
    before = scene.xcoms[task_id]["airbyte_job"]
    assert DESCRIPTION == set(before)
    assert scene.run.job.job_id == before["job_id"]
    if task_id == "sync" and mode == "asynchronous":  # its task has ended long before the sync
        return
    after = scene.run.xcoms(task_id)["airbyte_job"]
    assert DESCRIPTION == set(after)
    assert ("succeeded", ROWS) == (after["status"], after["rows"])


@pytest.mark.parametrize(("mode", "task_id"), EVERY_TASK)
def test_a_link_leads_to_the_job_before_the_wait_is_over_and_after_it(played, mode, task_id):
    """Whoever looks at a task that waits can go to Airbyte from there."""
    scene = played.scene(mode)
    url = scene.xcoms[task_id]["airbyte_job"]["url"]
    assert url
    assert url == scene.links[task_id]
    assert url == scene.run.link(task_id)


@pytest.mark.parametrize("name", [*MODES, "blocking_failed", "deferrable_failed"])
def test_a_task_submits_exactly_once(played, name):
    """One task is one POST, also where a task hands its wait over to another process."""
    assert 1 == played.scene(name).run.submissions()


@pytest.mark.parametrize("name", MODES)
def test_a_trigger_or_task_that_is_done_cancels_nothing(played, name):
    """What is cleaned up after a wait that has ended is Airflow's, not Airbyte's."""
    assert 0 == played.scene(name).run.cancels()


@pytest.mark.parametrize("mode", WAITING_MODES)
def test_a_failed_sync_fails_the_task_and_the_log_says_why(played, mode):
    """Whoever opens the log of the failed task reads which job failed."""
    run = played.scene(f"{mode}_failed").run
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
def test_looks_that_show_nothing_new_leave_no_line_in_the_log(played, mode, task_id):
    """A short wait is told by its beginning, its changes and its end."""
    log = played.scene(mode).run.log(task_id)
    assert "succeeded" in log
    assert "still" not in log
