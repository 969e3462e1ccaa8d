"""Airflow is silent to the processes that run tasks: no silence is a kill, and no kill is lost in one.

On Airflow 3 workers reach it by its api-server, and a triggerer by the database. On Airflow 2
everything is the database. A proxy stands in front of each, which hands on nothing for as long as a
step wants.
"""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from scenes import wait_until_left_alone, waiting

STEPS = {}
AT_MOST = 600
"""Seconds after which a silence ends, whatever a step does."""
SILENCE = 25
"""Seconds. PostgreSQL ends a session whose transaction stands still for longer than 45."""


def step(play):
    STEPS[play.__name__] = play
    return play


def all_waiting(stage, *tasks):
    """Start a run of each DAG at once, and return the runs when its task waits in the state."""

    def start(dag_id, state, task_id):
        return waiting(stage, dag_id, state, task_id=task_id).run

    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        return list(pool.map(start, *zip(*tasks, strict=True)))


def way_of_workers(airflow):
    return airflow.database_proxy if airflow.is_airflow_2 else airflow.api_proxy


@step
def airflow_is_away_and_workers_are_stopped(stage):
    """
    As with a rolling restart of the api-server.

    Airflow 3's supervisor stops a task after three heartbeats that failed. On 3.0 and 3.1 the supervisor
    itself fails and leaves the process behind, so what counts is that Airflow has given the try up. Airflow 2
    is told to stop it, as by the shutdown of a node, while its database is silent.
    """
    airflow = stage.airflow
    runs = all_waiting(
        stage,
        ("blocking_with_retries", "running", "sync"),
        ("sensor_with_retries", "running", "sensor"),
    )
    runs = dict(zip(("sync", "sensor"), runs, strict=True))
    tasks = {task_id: run.task(task_id) for task_id, run in runs.items()}
    if airflow.is_airflow_2:
        with airflow.database_proxy.silent(at_most=AT_MOST):
            for task in tasks.values():
                os.kill(task.pid, signal.SIGTERM)
            pause(stage, stage.machine.alone_seconds)
    else:
        # A next try that began while Airflow is still away would fail.
        with (
            airflow.starting_nothing_of(*(run.dag_id for run in runs.values())),
            airflow.api_proxy.refusing(at_most=AT_MOST),
        ):
            for task_id, run in runs.items():
                run.wait_for("up_for_retry", task_id)
    for task_id, run in runs.items():
        run.wait_for("running", task_id, try_number=2)
        run.wait_for_looks(4)
    for run in runs.values():
        run.finish()
    for run in runs.values():
        run.wait_for_end()
    return list(runs.values())


@step
def airflow_is_silent_while_tasks_wait(stage):
    """In both modes, for so long that no process is stopped and none is taken for dead."""
    runs = all_waiting(
        stage,
        ("blocking_with_retries", "running", "sync"),
        ("deferrable_with_retries", "deferred", "sync"),
    )
    with (
        way_of_workers(stage.airflow).silent(at_most=AT_MOST),
        stage.airflow.database_proxy.silent(at_most=AT_MOST),
    ):
        pause(stage, SILENCE)
    for run in runs:
        run.wait_for_looks(8)
        run.finish()
    for run in runs:
        run.wait_for_end()
    return runs


@step
def tasks_are_killed_while_airflow_is_silent(stage):
    """The silence ends later: then each sync is cancelled once."""
    runs = all_waiting(
        stage,
        ("blocking", "running", "sync"),
        ("deferrable", "deferred", "sync"),
        ("sensor_that_cancels", "deferred", "sensor"),
    )
    with (
        way_of_workers(stage.airflow).silent(at_most=AT_MOST),
        stage.airflow.database_proxy.silent(at_most=AT_MOST),
    ):
        for run, task_id in zip(runs, ("sync", "sync", "sensor"), strict=True):
            run.mark("failed", task_id)
        # The kill arrives before three heartbeats have failed and Airflow 3 gives the worker up.
        pause(stage, 12)
    for run in runs:
        run.wait_until_cancelled()
        wait_until_left_alone(run)
    return runs


def pause(stage, seconds):
    """Let time pass in which nothing is to happen."""
    until = time.monotonic() + seconds
    stage.wait_until(lambda: time.monotonic() >= until, "the time to pass", patience=2 * seconds)
