"""Airflow that does not answer is no kill, and a kill that it tells of later still cancels."""


def test_no_sync_is_cancelled_when_airflow_is_away_and_stops_its_workers(silent):
    """The next try goes on with the same sync, in an operator as in a sensor."""
    for run in silent["airflow_is_away_and_workers_are_stopped"].get():
        assert {"success"} == set(run.states().values())
        assert (1, 0) == (run.submissions(), run.cancels())


def test_no_sync_is_cancelled_while_airflow_is_silent(silent):
    """Tasks wait through it in both modes, and end well."""
    for run in silent["airflow_is_silent_while_tasks_wait"].get():
        assert {"success"} == set(run.states().values())
        assert (1, 0) == (run.submissions(), run.cancels())


def test_a_task_that_is_killed_while_airflow_is_silent_cancels_its_sync_once_it_answers(silent):
    """A blocking task, a deferred one, and a deferred sensor that was told to cancel."""
    for run in silent["tasks_are_killed_while_airflow_is_silent"].get():
        assert "failed" in run.states().values()
        assert "cancelled" == run.job.status
        assert (1, 1) == (run.submissions(), run.cancels())
