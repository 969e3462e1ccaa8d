"""An Airflow of real processes and an Airbyte for one machine, in real time.

Everything happens once: the scenes of ``scenes.py`` at the same time, then what is done to Airflow's own
processes (``restarts.py``). Each test looks at what came of its part.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from airbyte_sync_local import ClientCredentials, LocalAirbyte

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]

import restarts  # noqa: E402 - neither these tests nor the tools are a package
from airflow_stack import AirflowStack  # noqa: E402
from directed_engine import DirectedEngine  # noqa: E402
from scenes import SCENES  # noqa: E402
from stage import Stage  # noqa: E402

AT_ONCE_ON_SQLITE = 6
"""More scenes than that, and Airflow answers that its database is locked."""
CLIENT_SECRET = "a-client-secret-that-must-not-be-seen"

SETTINGS = {
    "CORE__PARALLELISM": 24,
    "DATABASE__SQL_ALCHEMY_POOL_SIZE": 40,  # with 5, so many tasks that start at once block each other
    "AIRBYTE_SYNC__LONGEST_WAIT_SECONDS": 1,
    # What Airflow takes minutes to notice, it notices in seconds here. First both releases, then one each.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 30,
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 5,
    "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": 2,
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 8,
    "TRIGGERER__JOB_HEARTBEAT_SEC": 2,
    "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": 30,
    "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": 3,
    "SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": 2,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 3,
}


def pytest_addoption(parser):
    parser.addoption(
        "--airflow-database",
        choices=["sqlite", "postgresql"],
        default="postgresql",
        help="what the end-to-end tests' Airflow keeps its state in",
    )


class Credentials(ClientCredentials):
    """Those of an application; they remember the tokens that were sold."""

    sold: ClassVar[list[str]] = []

    def issue(self, *, now):
        answer = super().issue(now=now)
        self.sold.append(answer["access_token"])
        return answer


@pytest.fixture(scope="session")
def engine():
    return DirectedEngine()


@pytest.fixture(scope="session")
def airbyte(engine):
    """An Airbyte whose tokens end often, so that they are renewed during a wait."""
    credentials = Credentials(
        client_id="airflow", client_secret=CLIENT_SECRET, lifetime=timedelta(seconds=10)
    )
    with LocalAirbyte(auth=credentials, engine=engine, recorded_requests=1_000_000) as server:
        yield server


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="session")
def loop_watch_file(tmp_path_factory):
    return tmp_path_factory.mktemp("loops") / "slow_callbacks.jsonl"


@pytest.fixture(scope="session")
def airflow(home, airbyte, loop_watch_file, request):
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
        env={
            "AIRFLOW_CONN_AIRBYTE_DEFAULT": json.dumps(connection),
            **{f"AIRFLOW__{name}": str(value) for name, value in SETTINGS.items()},
        },
        triggerer_env={
            "PYTHONPATH": str(HERE / "loop_watch"),
            "PYTHONASYNCIODEBUG": "1",
            "LOOP_WATCH_FILE": str(loop_watch_file),
        },
        database=request.config.getoption("--airflow-database"),
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
def stage(airflow, airbyte, engine):
    return Stage(airflow, airbyte, engine)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of everything; asking for a part that did not come to its end raises why."""

    scenes: dict
    restarts: dict
    onlookers: restarts.Onlookers
    triggerer_log: str
    """Until the scenes were over; from then on processes are killed."""
    loop_watch: str
    """What held up the triggerer's loop until then."""

    def scene(self, name):
        return self.scenes[name].result()

    def restart(self, name):
        return self.restarts[name].result()


@pytest.fixture(scope="session")
def played(stage, loop_watch_file):
    """Every scene, played at the same time, and then the restarts."""
    at_once = AT_ONCE_ON_SQLITE if stage.airflow.database == "sqlite" else len(SCENES) + 5
    with ThreadPoolExecutor(max_workers=at_once) as pool, stage:
        scenes = {name: pool.submit(play, stage) for name, play in SCENES.items()}
        onlookers = restarts.Onlookers(stage, pool)
        for future in scenes.values():
            future.exception()  # wait for its end; a test raises it
        log = stage.airflow.process_log("triggerer").read_text()
        loop_watch = loop_watch_file.read_text()
        return Played(
            scenes=scenes,
            restarts=restarts.play(stage, pool, onlookers),
            onlookers=onlookers,
            triggerer_log=log,
            loop_watch=loop_watch,
        )


@pytest.fixture
def secrets(played):
    """The secrets that Airflow's processes knew: the application's, and its tokens."""
    assert Credentials.sold
    return [CLIENT_SECRET, *Credentials.sold]
