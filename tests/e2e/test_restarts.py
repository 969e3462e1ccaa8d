"""Whatever comes and goes while tasks wait, of Airflow or Airbyte itself: every sync stays as it is."""

import pytest
import restarts

STEPS = [name for name in restarts.STEPS if name not in restarts.ENDS]


@pytest.mark.parametrize("step", STEPS)
def test_no_sync_is_cancelled_when_something_comes_and_goes(restarted, step):
    """Tasks wait in every mode; afterwards their jobs are polled again, and none was cancelled."""
    assert {} == restarted.steps[step].get()


@pytest.mark.parametrize("onlooker", restarts.ONLOOKERS)
def test_tasks_that_waited_through_all_of_it_succeed_with_the_sync_they_began_with(
    restarted, onlooker
):
    """One POST from the beginning to the end, and the result is that sync's id."""
    is_deferred = onlooker in restarts.DEFERRED
    restarted.steps["deferred_tasks_end" if is_deferred else "blocking_tasks_end"].get()
    run = restarted.onlookers.run(onlooker)
    assert {"success"} == set(run.states().values())
    assert (1, 0) == (run.submissions(), run.cancels())
    task_id = restarted.onlookers.task_id(onlooker)
    assert run.job.job_id == run.xcoms(task_id)["airbyte_job"]["job_id"]
