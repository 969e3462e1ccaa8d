"""A sensor's ending means the same in every mode, on Airflow's own processes."""

import pytest

ENDINGS = {
    # without a flag, with soft_fail: the state, and in which try
    "failed": (("failed", 2), ("failed", 2)),
    "timeout": (("failed", 1), ("skipped", 1)),
    "execution_timeout": (("failed", 2), ("skipped", 1)),
}
MODES = ("poke", "reschedule", "deferrable")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_sensor_ends_alike_in_every_mode(played, ending, mode):
    """With and without ``soft_fail``, where another try is allowed."""
    scene = "sensors_of_a_failed_sync" if ending == "failed" else "sensors_in_a_hurry"
    run = played.scene(scene).run
    tasks = [run.task(f"{ending}_{mode}_{flag}") for flag in ("plain", "soft_fail")]
    assert list(ENDINGS[ending]) == [(task.state, task.try_number) for task in tasks]


def test_no_time_limit_of_a_sensor_cancels_the_job(played):
    """The job is another task's."""
    run = played.scene("sensors_in_a_hurry").run
    assert 0 == run.cancels()
    assert "running" == run.job.status
