"""A real Airflow, with its own home and database, and an Airbyte in virtual time beside it."""

import atexit
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="airbyte-sync-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
DAGS = HOME / "dags"
DAGS.mkdir()
os.environ.update(
    {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(HOME / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
    }
)

import pytest  # noqa: E402 - Airflow reads its settings from the environment at import

CLIENT_ID = "the-client-id"
CLIENT_SECRET = "the-client-secret"


@pytest.fixture
def clock():
    """The one clock that the server and whatever runs share."""
    from airbyte_sync_testkit.clock import VirtualClock

    return VirtualClock()


@pytest.fixture
def parts(clock):
    """The container with clocks in virtual time."""
    from airbyte_sync_airflow.composition import Container
    from airbyte_sync_testkit.clock import AsyncVirtualClock

    with Container.clock.override(clock), Container.async_clock.override(AsyncVirtualClock(clock)):
        yield Container


@pytest.fixture
def airbyte(clock, parts):
    """An Airbyte on loopback that asks for client credentials."""
    from airbyte_sync_local import ClientCredentials, LocalAirbyte

    auth = ClientCredentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    with LocalAirbyte(clock=clock.now, auth=auth) as server:
        yield server


@pytest.fixture
def connect(monkeypatch):
    """Define an Airflow connection, field by field."""

    def define(conn_id="airbyte_default", **fields):
        document = {"conn_type": "airbyte", **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(document))

    return define


@pytest.fixture
def connection(airbyte, connect):
    """An Airbyte connection, reachable through the Airflow connection ``airbyte_default``."""
    connect(
        host=airbyte.base_url,
        login=CLIENT_ID,
        password=CLIENT_SECRET,
        schema="v1/applications/token",
    )
    return airbyte.add_connection()


@pytest.fixture
def submissions(airbyte):
    """Every request for a job that reached the server."""

    def made():
        return [
            record
            for record in airbyte.requests
            if record.method == "POST" and record.path.endswith("/jobs")
        ]

    return made


class TaskInstance:
    """Remembers what a task pushes, where no Airflow runs it."""

    def __init__(self):
        self.xcoms = {}

    def xcom_push(self, key, value):
        self.xcoms[key] = value


@pytest.fixture
def context():
    return {"ti": TaskInstance()}


@pytest.fixture(scope="session")
def database():
    """Airflow's own tables, which ``dag.test()`` needs."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)


@pytest.fixture
def load_dag_file(database, monkeypatch):
    """Put a DAG file where Airflow finds it, and return it as a module."""
    monkeypatch.syspath_prepend(str(DAGS))

    def load(name, text):
        (DAGS / f"{name}.py").write_text(text)
        return importlib.import_module(name)

    return load
