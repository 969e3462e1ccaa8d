"""A real Airflow, with its own home and database, and an Airbyte in virtual time beside it."""

import asyncio
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

    dag_id = "d"
    task_id = "sync"
    run_id = "r"
    map_index = -1

    def __init__(self, **attributes):
        self.xcoms = {}
        vars(self).update(attributes)

    def xcom_push(self, key, value):
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, task_ids, key, map_indexes):
        assert (self.task_id, self.map_index) == (task_ids, map_indexes)
        return self.xcoms.get(key)


@pytest.fixture
def context(clock):
    """What Airflow passes to a task that has just begun."""
    return {"ti": TaskInstance(start_date=clock.now())}


@pytest.fixture
def task_instance():
    """Make stand-ins of task instances."""
    return TaskInstance


@pytest.fixture
def in_worker():
    """Let code run as if within the task of a context."""
    try:
        from airflow.sdk.execution_time.context import set_current_context
    except ImportError:
        from airflow.models.taskinstance import set_current_context
    return set_current_context


class StateStore(dict):
    """Stands in for Airflow 3.3's ``task_state_store``."""

    def set(self, key, value):
        self[key] = json.loads(json.dumps(value))

    def delete(self, key):
        self.pop(key, None)


@pytest.fixture
def state_store():
    return StateStore()


@pytest.fixture
def defer():
    """Let a call defer its task; return the trigger as the triggerer makes it."""
    from airbyte_sync_airflow.triggers import AirbyteSyncTrigger

    try:
        from airflow.sdk.exceptions import TaskDeferred
    except ImportError:
        from airflow.exceptions import TaskDeferred

    def run(call, *arguments):
        with pytest.raises(TaskDeferred) as deferral:
            call(*arguments)
        assert "execute_complete" == deferral.value.method_name
        _, options = deferral.value.trigger.serialize()
        return AirbyteSyncTrigger(**json.loads(json.dumps(options)))

    return run


@pytest.fixture
def event_of():
    """Run a trigger to its one event."""

    def run(trigger):
        async def events():
            return [event.payload async for event in trigger.run()]

        (payload,) = asyncio.run(events())
        return json.loads(json.dumps(payload))

    return run


@pytest.fixture
def cancellations(airbyte):
    """The ids of the jobs that somebody asked Airbyte to cancel, one for each time."""

    def made():
        return [
            int(record.path.rpartition("/")[2])
            for record in airbyte.requests
            if record.method == "DELETE"
        ]

    return made


class Log:
    """Stands in for Airflow's loggers, which differ between releases: keeps what a person reads."""

    def __init__(self):
        self.lines = []

    def _write(self, message, *arguments, **options):
        self.lines.append(message % arguments if arguments else message)

    info = warning = error = exception = _write

    def debug(self, *arguments, **options):
        pass

    def __str__(self):
        return "\n".join(self.lines)


@pytest.fixture
def log(monkeypatch):
    """What operator, sensor and trigger write at level INFO and above, in order."""
    from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
    from airbyte_sync_airflow.sensors import AirbyteJobSensor
    from airbyte_sync_airflow.triggers import AirbyteSyncTrigger

    written = Log()
    for kind in (AirbyteTriggerSyncOperator, AirbyteJobSensor, AirbyteSyncTrigger):
        monkeypatch.setattr(kind, "log", property(lambda _: written))
    return written


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
