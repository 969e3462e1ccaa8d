"""An Airflow of real processes and an Airbyte for one machine, in real time.

Starting a task takes seconds, so everything that tests look at is run once, at the same time, and each test
looks at what came of its part.
"""

import json
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from airbyte_sync_local import ClientCredentials, LocalAirbyte, lives

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))

from airflow_stack import AirflowStack  # noqa: E402 - tools are no package

CLIENT_SECRET = "a-client-secret-that-must-not-be-seen"
SECONDS_FOR_A_RUN = 150


class Credentials(ClientCredentials):
    """Those of an application; they remember the tokens that were sold."""

    sold: ClassVar[list[str]] = []

    def issue(self, *, now):
        answer = super().issue(now=now)
        self.sold.append(answer["access_token"])
        return answer


@dataclass(frozen=True, kw_only=True)
class Run:
    """A DAG run that has ended, and what Airbyte saw of it."""

    airflow: AirflowStack
    airbyte: LocalAirbyte
    dag_id: str
    run_id: str
    connection_id: str

    def states(self):
        return {
            task.task_id: task.state
            for task in self.airflow.tasks(self.dag_id, self.run_id).values()
        }

    def xcoms(self, task_id="sync"):
        return self.airflow.xcoms(self.dag_id, self.run_id, task_id)

    def log(self, task_id="sync"):
        return "\n".join(self.airflow.task_log(self.dag_id, self.run_id, task_id))

    @property
    def job(self):
        """The job of the connection; each connection is there for one run."""
        [job] = [job for job in self.airbyte.jobs if job.connection_id == self.connection_id]
        return job

    def requests(self, operation):
        """What was asked about the connection or its job."""
        return [
            record
            for record in self.airbyte.requests
            if record.operation == operation
            and (
                record.path.endswith(f"/{self.job.job_id}")
                or (record.body or {}).get("connectionId") == self.connection_id
            )
        ]


class Runner:
    """Starts DAG runs, each for a connection of its own, and waits for their end."""

    def __init__(self, airflow, airbyte):
        self.airflow = airflow
        self.airbyte = airbyte

    def start(self, dag_id, life):
        connection_id = self.airbyte.add_connection(lives=[life]).connection_id
        self.airflow.unpause(dag_id)
        return Run(
            airflow=self.airflow,
            airbyte=self.airbyte,
            dag_id=dag_id,
            run_id=self.airflow.trigger(dag_id, {"connection_id": connection_id}),
            connection_id=connection_id,
        )

    def wait_until(self, holds, what):
        deadline = time.monotonic() + SECONDS_FOR_A_RUN
        while not holds():
            self.airflow.check()
            assert time.monotonic() < deadline, f"not in time: {what}"
            time.sleep(0.3)

    def wait_for_end(self, *runs):
        for run in runs:
            self.wait_until(
                lambda run=run: all(
                    task.has_ended for task in self.airflow.tasks(run.dag_id, run.run_id).values()
                ),
                f"the end of {run.dag_id}",
            )


@pytest.fixture(scope="session")
def airbyte():
    """An Airbyte whose tokens end often, so that they are renewed during a wait."""
    credentials = Credentials(
        client_id="airflow", client_secret=CLIENT_SECRET, lifetime=timedelta(seconds=10)
    )
    with LocalAirbyte(auth=credentials) as server:
        yield server


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="session")
def loop_watch_file(tmp_path_factory):
    return tmp_path_factory.mktemp("loops") / "slow_callbacks.jsonl"


@pytest.fixture(scope="session")
def airflow(home, airbyte, loop_watch_file):
    connection = {
        "conn_type": "airbyte",
        "host": f"{airbyte.base_url}/api/public",
        "login": "airflow",
        "password": CLIENT_SECRET,
        "schema": "v1/applications/token",
    }
    stack = AirflowStack(
        home=home,
        dags=HERE / "dags",
        env={"AIRFLOW_CONN_AIRBYTE_DEFAULT": json.dumps(connection)},
        triggerer_env={
            "PYTHONPATH": str(HERE / "loop_watch"),
            "PYTHONASYNCIODEBUG": "1",
            "LOOP_WATCH_FILE": str(loop_watch_file),
        },
    )
    with stack:
        yield stack
    assert [] == list(processes_with_home(home)), "processes of Airflow are left"


def processes_with_home(home):
    """Yield the command lines of the living processes of an Airflow home, where /proc tells."""
    marker = f"AIRFLOW_HOME={home}\0".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "environ").read_bytes():
                yield (folder / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue


@pytest.fixture(scope="session")
def runner(airflow, airbyte):
    return Runner(airflow, airbyte)


@pytest.fixture(scope="session")
def runs(runner):
    """Every run that tests look at, ended, by the name of what it shows."""
    # Airflow 3 takes a task for killed when its deferral is over before the scheduler saw that it began.
    lasts = timedelta(seconds=12)
    succeeds = lives.succeeds(rows=1234, lasts=lasts)
    fails = lives.fails("The source answered: invalid credentials", lasts=lasts)
    started = {
        "blocking": runner.start("blocking", succeeds),
        "asynchronous": runner.start("asynchronous", succeeds),
        "deferrable": runner.start("deferrable", succeeds),
        "blocking, failed": runner.start("blocking", fails),
        "deferrable, failed": runner.start("deferrable", fails),
        "blocking, late": runner.start("blocking_in_a_hurry", lives.never_ends()),
        "deferrable, late": runner.start("deferrable_in_a_hurry", lives.never_ends()),
    }
    runner.wait_for_end(*started.values())
    return started


@pytest.fixture
def secrets(runs):
    """The secrets that Airflow's processes knew in the runs: the application's, and its tokens."""
    assert runs
    assert Credentials.sold
    return [CLIENT_SECRET, *Credentials.sold]
