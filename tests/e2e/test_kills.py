"""What a kill does to the sync: a task that waits for it takes it along, and only then, and only once."""

import pytest

KILLS = {
    "marked_failed": "failed",
    "marked_success": "success",
    "run_marked_failed": "failed",
    "run_timed_out": "skipped",
}
"""What happens to a deferred task, and the state that Airflow gives it."""


@pytest.mark.parametrize("kill", KILLS)
def test_a_deferred_task_that_is_killed_cancels_its_sync_once(played, kill):
    """The worker is long gone: it is the trigger that ends the sync."""
    run = played.scene(kill).run
    assert "cancelled" == run.job.status
    assert 1 == run.cancels()


@pytest.mark.parametrize("kill", KILLS)
def test_a_deferred_task_that_is_killed_stays_what_the_user_made_of_it(played, kill):
    """The cancel is not a failure of the task, and nothing starts a sync again."""
    run = played.scene(kill).run
    assert {"sync": KILLS[kill]} == run.states()
    assert 1 == run.submissions()


def test_of_a_mapped_task_the_instance_that_is_killed_cancels_its_sync_and_the_others_go_on(played):
    """Each instance has a sync of its own."""
    run = played.scene("mapped_index_marked_failed").run
    assert ["succeeded", "cancelled", "succeeded"] == [
        job.status for number in range(3) for job in run.jobs(number)
    ]
    assert [0, 1, 0] == [run.cancels(number) for number in range(3)]
    assert {("sync", 0): "success", ("sync", 1): "failed", ("sync", 2): "success"} == {
        key: task.state for key, task in run.tasks().items()
    }


def test_a_blocking_task_that_is_killed_cancels_its_sync_at_once_and_its_worker_ends(
    played, machine
):
    """Airflow asks the worker to end; it cancels within seconds and does not wait to be shot."""
    scene = played.scene("blocking_marked_failed")
    assert {"sync": "failed"} == scene.run.states()
    assert "cancelled" == scene.run.job.status
    assert 1 == scene.run.cancels()
    assert scene.cancelled_after < machine.kill_seconds
    assert scene.worker_gone_after < 2 * machine.kill_seconds


@pytest.mark.parametrize(
    "name", ["deferrable_that_leaves_it_running", "blocking_that_leaves_it_running"]
)
def test_a_task_with_cancel_on_kill_off_leaves_its_sync_running(played, name):
    """The user wanted it so."""
    run = played.scene(name).run
    assert {"sync": "failed"} == run.states()
    assert "running" == run.job.status
    assert 0 == run.cancels()


def test_a_sensor_that_is_killed_leaves_the_sync_running(played):
    """The sync is not the sensor's."""
    run = played.scene("sensor_that_only_looks").run
    assert "failed" == run.states()["sensor"]
    assert "running" == run.job.status
    assert 0 == run.cancels()


def test_a_sensor_with_cancel_on_kill_cancels_the_sync_once(played):
    """Unless it was told to."""
    run = played.scene("sensor_that_cancels").run
    assert "failed" == run.states()["sensor"]
    assert "cancelled" == run.job.status
    assert 1 == run.cancels()


def test_a_deferred_task_that_is_cleared_goes_on_with_its_sync(played):
    """The next try finds the sync of the one before, and the trigger of that one leaves it alone."""
    run = played.scene("cleared").run
    assert {"sync": "success"} == run.states()
    assert (1, 0) == (run.submissions(), run.cancels())
    assert run.job.job_id == run.xcoms()["return_value"]
