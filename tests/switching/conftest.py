"""An Airflow whose provider for Airbyte is another one after a switch, while its tasks go on."""

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from airbyte_sync_local import RequireClientCredentials

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parents[1] / "tools")]

import environments as envs  # noqa: E402 - neither the scenes nor the tools are a package
import swapping  # noqa: E402
from directed_engine import DirectedEngine  # noqa: E402
from pace import measure  # noqa: E402
from stage import (  # noqa: E402
    CLIENT_ID,
    CLIENT_SECRET,
    CREDENTIALS,
    Run,
    Stage,
    open_airbyte,
    open_airflow,
)

LOADED = ("dag-processor", "triggerer", "scheduler")
"""The processes that have loaded a provider, beside the api-server."""

PATIENT = {
    # The api-server is away during a switch, on any machine: a worker may be silent, and bears it.
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 3600,
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 3600,
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 3600,
    "WORKERS__MAX_FAILED_HEARTBEATS": 100,
}


def pytest_addoption(parser):
    parser.addoption("--airflow-database", choices=["postgresql"], default="postgresql")


@pytest.fixture(scope="session")
def engine():
    return DirectedEngine()


@pytest.fixture(scope="session")
def airbyte(engine):
    credentials = RequireClientCredentials(
        client_id=CLIENT_ID, client_secret=CLIENT_SECRET, lifetime=timedelta(minutes=3)
    )
    with open_airbyte(engine, auth=credentials) as server:
        yield server


@pytest.fixture(scope="session")
def stage(airbyte, engine, tmp_path_factory):
    """An Airflow with the official provider."""
    swapping.put_official_in_place(envs.SWITCHING, tmp_path_factory.mktemp("official"))
    machine = measure(tmp_path_factory.mktemp("measured"))
    stack = open_airflow(
        airbyte,
        # The official provider needs the address with its version.
        connection={"host": f"{airbyte.base_url}/api/public/v1", **CREDENTIALS},
        home=tmp_path_factory.mktemp("airflow"),
        dags=HERE / "dags",
        settings=PATIENT,
        database="postgresql",
    )
    with stack:
        stage = Stage(stack, airbyte, engine, machine)
        with stage:
            stage.warm_up()
            yield stage


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """A task of every kind that a switch meets; each follows a sync of its own."""

    deferred: Run
    sensor: Run
    fired: Run
    """Deferred, and its trigger has fired, but nothing has resumed it."""
    running: Run


def tasks_of_every_kind(stage):
    """Start them, and stop everything that would resume what has fired."""
    running = stage.start("blocking")
    deferred, sensor, fired = map(stage.start, ("deferrable", "sensor", "deferrable"))
    running.wait_for("running")
    running.wait_for_looks()
    for run, task_id in ((deferred, "sync"), (sensor, "sensor"), (fired, "sync")):
        run.wait_for("deferred", task_id)
        run.wait_for_trigger(task_id)
    stage.airflow.kill("scheduler", alone=True)  # its workers go on
    fired.finish()
    fired.wait_for("scheduled")
    return Tasks(deferred=deferred, sensor=sensor, fired=fired, running=running)


def switch(stage, swap, *arguments):
    """Put another provider in the place of the present one, and start Airflow's processes again."""
    for name in stage.airflow.names:
        stage.airflow.stop(name)
    swap(envs.SWITCHING, *arguments)
    stage.airflow.start("api-server")
    # A task that begins while nothing answers it is failed by Airflow.
    stage.wait_until(stage.airflow.all_tasks, "the api-server")
    for name in LOADED:
        stage.airflow.start(name)
    stage.airflow.wait_until_healthy()


@pytest.fixture(scope="session")
def switched(stage):
    """The official provider's tasks, when they have ended under ours."""
    tasks = tasks_of_every_kind(stage)
    switch(stage, swapping.put_ours_in_place)
    for run in (tasks.running, tasks.deferred, tasks.sensor):
        run.finish()
    for run in (tasks.running, tasks.deferred, tasks.sensor, tasks.fired):
        run.wait_for_end()
    return tasks


@pytest.fixture(scope="session")
def switched_back(stage, switched, tmp_path_factory):
    """Our tasks under the official provider, against the advice to wait for them first."""
    tasks = tasks_of_every_kind(stage)
    switch(stage, swapping.put_official_in_place, tmp_path_factory.mktemp("back"))
    for run in (tasks.deferred, tasks.fired):
        run.wait_for_end()
    return tasks


@pytest.fixture(scope="session")
def drained(stage, switched_back):
    """A sync of the official provider, when nothing of ours is left."""
    for run in (switched_back.deferred, switched_back.sensor, switched_back.running):
        run.finish()
    switched_back.running.wait_for_end()
    run = stage.start("deferrable")
    run.wait_for("deferred")
    run.finish()
    run.wait_for_end()
    return run
