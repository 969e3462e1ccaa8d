"""A deadline ends the sync, not only the task that waits for it."""

import pytest

MODES = ("blocking", "deferrable")


@pytest.mark.parametrize("mode", MODES)
def test_a_timeout_cancels_the_job_and_fails_the_task(played, machine, mode):
    """A sync that is not done in time is ended in Airbyte, and the task says so."""
    run = played.scene(f"{mode}_late").run
    assert {"sync": "failed"} == run.states()
    assert 1 == run.cancels()
    assert "cancelled" == run.job.status
    assert f"did not end within {machine.hurry} s (timeout) and was cancelled" in run.log()


@pytest.mark.parametrize("mode", MODES)
def test_an_execution_timeout_cancels_the_job_and_fails_the_task(played, mode):
    """Airflow's own deadline holds also in a deferral, where Airflow 3 forgets it."""
    run = played.scene(f"{mode}_execution_timeout").run
    assert {"sync": "failed"} == run.states()
    assert 1 == run.cancels()
    assert "cancelled" == run.job.status
    assert "execution_timeout" in run.log()
