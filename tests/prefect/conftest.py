"""A Prefect server of its own on loopback, before anything imports Prefect, and an Airbyte."""

import os
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(Path(__file__).parent)]
HOME = Path(tempfile.mkdtemp(prefix="airbyte-sync-prefect-"))


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


PORT = free_port()
os.environ.update(
    {
        "PREFECT_HOME": str(HOME),
        "PREFECT_API_URL": f"http://127.0.0.1:{PORT}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_CLI_COLORS": "false",
    }
)

from directed_engine import DirectedEngine  # noqa: E402 - it is in tools
from prefect.events.worker import EventsWorker  # noqa: E402 - it reads its settings at import
from prefect.logging.handlers import APILogWorker  # noqa: E402 - the same
from processes import Processes  # noqa: E402 - it is in tools
from stage import Stage, until  # noqa: E402 - it imports Prefect

from airbyte_sync_local import LocalAirbyte, RequireClientCredentials  # noqa: E402
from airbyte_sync_prefect import AirbyteServer  # noqa: E402

SECRET = "a-secret-of-tests"


@pytest.fixture(scope="session")
def processes():
    with Processes(HOME / "logs") as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def prefect_server(processes):
    """Start the server, and return what starts it again."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", PORT]

    def start():
        processes.start("server", command, env=dict(os.environ))
        until(answers, f"Prefect's server answers; see {processes.log('server')}")

    start()
    yield start
    for worker in (
        EventsWorker,
        APILogWorker,
    ):  # at exit they would wait a minute for a server that is gone
        worker.drain_all(timeout=5)


def answers():
    with suppress(requests.RequestException):
        return requests.get(f"{os.environ['PREFECT_API_URL']}/health", timeout=5).ok
    return False


@pytest.fixture
def engine():
    """Its jobs run until a test says that they are done."""
    return DirectedEngine()


@pytest.fixture
def airbyte(engine):
    """Wants credentials."""
    auth = RequireClientCredentials(client_id="me", client_secret=SECRET)
    with LocalAirbyte(auth=auth, engine=engine) as server:
        yield server


@pytest.fixture
def block(airbyte, prefect_server):
    """The server's block, saved as ``local``."""
    made = AirbyteServer(url=airbyte.base_url, client_id="me", client_secret=SECRET)
    made.save("local", overwrite=True)
    return made


@pytest.fixture
def stage(airbyte, engine, block, processes):
    return Stage(airbyte, engine, processes)
