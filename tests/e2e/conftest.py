"""An Airflow of real processes and an Airbyte for one machine, in real time.

Everything happens once: the scenes of ``scenes.py`` at the same time, then what is done to
Airflow's own processes (``restarts.py``), its silences (``silences.py``) and its crowds
(``crowds.py``). Each test looks at what came of its part. How long everything may take follows
from the machine (``pace.py``).
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import ClassVar

import pytest

from airbyte_sync_local import RequireClientCredentials

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]

import crowds  # noqa: E402 - neither these tests nor the tools are a package
import restarts  # noqa: E402
import silences  # noqa: E402
import steps  # noqa: E402
from directed_engine import DirectedEngine  # noqa: E402
from pace import measure  # noqa: E402
from scenes import SCENES  # noqa: E402
from stage import (  # noqa: E402
    CLIENT_ID,
    CLIENT_SECRET,
    CREDENTIALS,
    Stage,
    open_airbyte,
    open_airflow,
)

SETTINGS = {
    "CORE__PARALLELISM": 24,
    "DATABASE__SQL_ALCHEMY_POOL_SIZE": 40,  # with 5, so many tasks that start at once block each other
    "AIRBYTE_SYNC__LONGEST_WAIT_SECONDS": 1,
    # How often Airflow looks. What it takes for dead depends on the machine, see pace.py.
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 5,
    "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": 2,
    "TRIGGERER__JOB_HEARTBEAT_SEC": 2,
}


def pytest_addoption(parser):
    parser.addoption(
        "--airflow-database",
        choices=["sqlite", "postgresql"],
        default="postgresql",
        help="what the end-to-end tests' Airflow keeps its state in",
    )
    parser.addoption(
        "--airflows",
        type=int,
        default=1,
        help="how many Airflows play their scenes on this machine at the same time",
    )
    parser.addoption(
        "--scenes",
        help="the scenes to play, with commas between them; without it all are played",
    )


LAST_OF_ALL = ("test_silences.py", "test_crowds.py")
"""They need an Airflow on PostgreSQL, and leave the least of it whole."""


def pytest_ignore_collect(collection_path, config):
    """On SQLite there is no connection to be silent on, and no place for a hundred tasks at once."""
    is_on_sqlite = config.getoption("--airflow-database") == "sqlite"
    return True if is_on_sqlite and collection_path.name in LAST_OF_ALL else None


def pytest_collection_modifyitems(items):
    names = ("", *LAST_OF_ALL)
    items.sort(key=lambda item: names.index(item.path.name) if item.path.name in names else 0)


PACE = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter, config):
    """Tell what was measured: it explains a scene that was late."""
    if PACE in config.stash:
        terminalreporter.section("the pace of the scenes")
        terminalreporter.write_line(config.stash[PACE])


@pytest.fixture(scope="session")
def tell(request):
    """Write a line to the screen at once: everything is played before the first test is told of."""
    plugins = request.config.pluginmanager
    reporter, capture = (plugins.get_plugin(n) for n in ("terminalreporter", "capturemanager"))
    one_at_a_time = Lock()

    def tell(line):
        with one_at_a_time, capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line, flush=True)

    return tell


class Credentials(RequireClientCredentials):
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
        client_id=CLIENT_ID, client_secret=CLIENT_SECRET, lifetime=timedelta(seconds=10)
    )
    with open_airbyte(engine, auth=credentials) as server:
        yield server


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="session")
def loop_watch_file(tmp_path_factory):
    return tmp_path_factory.mktemp("loops") / "slow_callbacks.jsonl"


@pytest.fixture(scope="session")
def machine(tmp_path_factory, request):
    airflows = request.config.getoption("--airflows")
    return measure(tmp_path_factory.mktemp("measured"), airflows=airflows)


@pytest.fixture(scope="session")
def airflow(home, airbyte, machine, loop_watch_file, request):
    stack = open_airflow(
        airbyte,
        connection=CREDENTIALS,
        home=home,
        dags=HERE / "dags",
        settings={**SETTINGS, **machine.settings},
        env=machine.for_dags,
        triggerer_env={
            "PYTHONPATH": str(HERE / "loop_watch"),
            "PYTHONASYNCIODEBUG": "1",
            "LOOP_WATCH_FILE": str(loop_watch_file),
        },
        database=request.config.getoption("--airflow-database"),
        proxies=True,
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
def stage(airflow, airbyte, engine, machine, tell, request):
    """The stage, when its first task has run and its pace is known."""
    stage = Stage(airflow, airbyte, engine, machine, tell)
    stage.warm_up()
    request.config.stash[PACE] = str(stage.pace)
    tell(str(stage.pace))
    return stage


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of everything; asking for a part that did not come to its end raises why."""

    scenes: dict
    triggerer_log: str
    """Until the scenes were over; from then on processes are killed."""
    loop_watch: str
    """What held up the triggerer's loop until then."""

    def scene(self, name):
        return self.scenes[name].get()


@pytest.fixture(scope="session")
def played(stage, loop_watch_file, request):
    """Every scene that is asked for, as many at the same time as the machine bears."""
    chosen = request.config.getoption("--scenes")
    names = SCENES if chosen is None else chosen.split(",")
    with ThreadPoolExecutor(max_workers=stage.pace.at_once) as pool, stage:
        scenes = {
            name: pool.submit(steps.play, name, SCENES[name], stage, stage=stage, restores=False)
            for name in names
        }
    return Played(
        scenes={name: future.result() for name, future in scenes.items()},
        triggerer_log=stage.airflow.process_log("triggerer").read_text(),
        loop_watch=loop_watch_file.read_text(),
    )


@dataclass(frozen=True, kw_only=True)
class Restarted:
    """What came of each step, and the tasks that waited through all of them."""

    steps: dict
    onlookers: restarts.Onlookers


@pytest.fixture(scope="session")
def restarted(stage, played):
    """What is done to Airflow's own processes when the scenes are over."""
    with ThreadPoolExecutor(max_workers=len(restarts.ONLOOKERS)) as pool, stage:
        onlookers = restarts.Onlookers(stage, pool)
        return Restarted(steps=restarts.play(stage, onlookers), onlookers=onlookers)


@pytest.fixture(scope="session")
def silent(stage):
    """What came of each silence."""
    return play_all(silences.STEPS, stage)


@pytest.fixture(scope="session")
def crowded(stage):
    """What came of each step with a crowd."""
    return play_all(crowds.STEPS, stage)


def play_all(these, stage):
    with stage:
        return {name: steps.play(name, step, stage, stage=stage) for name, step in these.items()}


@pytest.fixture
def secrets(restarted):
    """The secrets that Airflow's processes knew, after the restarts: the application's, and its tokens."""
    assert Credentials.sold
    return [CLIENT_SECRET, *Credentials.sold]
