"""The next try of a task goes on with the sync of the one before, unless that sync has failed."""

import pytest


@pytest.mark.parametrize(
    ("name", "task_id"),
    [
        ("blocking_worker_killed", "sync"),
        ("sensor_worker_killed", "sensor"),
        ("blocking_worker_stands_still", "sync"),
    ],
)
def test_the_next_try_goes_on_with_the_sync_of_a_worker_that_was_lost(played, name, task_id):
    """Killed, or paused until its task was another's: one POST, and no DELETE."""
    run = played.scene(name).run
    assert {"success"} == set(run.states().values())
    assert 2 == run.task(task_id).try_number
    assert (1, 0) == (run.submissions(), run.cancels())
    assert run.job.job_id == run.xcoms(task_id)["airbyte_job"]["job_id"]


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_the_next_try_starts_a_sync_of_its_own_when_the_one_before_failed(played, mode):
    """There is nothing to go on with."""
    run = played.scene(f"{mode}_failed_once").run
    assert {"sync": "success"} == run.states()
    first, second = run.jobs()
    assert ("failed", "succeeded") == (first.status, second.status)
    assert 2 == run.submissions()
    assert second.job_id == run.xcoms()["return_value"]
