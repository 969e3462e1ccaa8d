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
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

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
from dependency_injector import providers  # noqa: E402

import airbyte_sync_airflow.compat.airflow  # noqa: E402, F401 - what Airflow warns of when imported is not ours

CLIENT_ID = "the-client-id"
CLIENT_SECRET = "the-client-secret"


@pytest.fixture(autouse=True)
def nothing_is_masked():
    """
    Airflow's maskers are empty, as where a task's process begins; each part of Airflow has one.

    A masker compiles all that it knows anew for each new secret: the tokens of a thousand tests take minutes.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("airflow.") and name.endswith("secrets_masker"):
            masker = module._secrets_masker()
            masker.patterns.clear()
            masker.replacer = None


@pytest.fixture
def redact():
    """What Airflow does to a text before it logs it."""
    for place in ("sdk._shared", "sdk.execution_time", "utils.log"):
        try:
            return importlib.import_module(f"airflow.{place}.secrets_masker").redact
        except ImportError:
            continue
    raise LookupError("Airflow has moved it again")


@pytest.fixture
def clock():
    """The one clock that the server and whatever runs share."""
    from airbyte_sync_testkit.clock import VirtualClock

    return VirtualClock()


@pytest.fixture
def feed():
    """No feed: on a real loop its own tasks would move the virtual time on for everybody."""
    from airbyte_sync_airflow.composition import Container

    with Container.open_feed.override(providers.Object(None)):
        yield


@pytest.fixture
def parts(clock, feed):
    """The container with clocks in virtual time."""
    from airbyte_sync_airflow.composition import Container
    from airbyte_sync_airflow.worker.gateway_keeper import GatewayKeeper
    from airbyte_sync_http import TokenCache
    from airbyte_sync_testkit.clock import AsyncVirtualClock

    with (
        Container.clock.override(clock),
        Container.async_clock.override(AsyncVirtualClock(clock)),
        # On a real loop a watch would move the virtual time on for everybody.
        Container.open_watch.override(providers.Object(None)),
        # The next test's server may get the port of an earlier one, which knew other tokens.
        Container.tokens.override(TokenCache()),
        Container.gateway_keeper.override(providers.Singleton(GatewayKeeper)),
    ):
        yield Container


@pytest.fixture
def airbyte(clock, parts):
    """An Airbyte on loopback that asks for client credentials."""
    from airbyte_sync_local import LocalAirbyte, RequireClientCredentials

    auth = RequireClientCredentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
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
def connect_with(airbyte, connect):
    """Let the Airflow connection ``airbyte_default`` lead to the server, with options in its extra."""

    def define(**extra):
        fields = {"login": CLIENT_ID, "password": CLIENT_SECRET, "schema": "v1/applications/token"}
        connect(host=airbyte.base_url, extra=extra, **fields)

    return define


@pytest.fixture
def connection(airbyte, connect_with):
    """An Airbyte connection, reachable through the Airflow connection ``airbyte_default``."""
    connect_with()
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


@pytest.fixture
def start_job(airbyte, connection):
    """Start a job as another task does, or a person; it may follow a script."""
    return partial(airbyte.start_external_job, connection.connection_id)


@pytest.fixture
def uuid7():
    """Make ids as Airflow 3 gives them to tries: each begins with the moment it was made."""

    def make(moment):
        milliseconds = int(moment.timestamp() * 1000)
        return UUID(int=(milliseconds << 80) | (0x7 << 76) | (0b10 << 62) | 0x1234)

    return make


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
def context(clock, monkeypatch):
    """What Airflow passes to a task that has just begun."""
    task_instance = TaskInstance(start_date=clock.now())
    try:
        from airflow.sdk.execution_time.xcom import XCom
    except ImportError:
        pass
    else:  # Airflow 3 stores links in the database, past any XCom backend

        def store(key, value, **_):
            task_instance.xcom_push(key, value)

        monkeypatch.setattr(XCom, "_set_xcom_in_db", store)
    return {"ti": task_instance}


@pytest.fixture
def task_instance():
    """Make stand-ins of task instances."""
    return TaskInstance


@pytest.fixture
def row_of_airflow_2(request, clock):
    """Write a task instance into Airflow 2's own table; return its DAG run's id and the ORM object."""

    def write(state, *, try_number=1, history=()):
        request.getfixturevalue("database")
        from airflow import DAG
        from airflow.models import DagRun, TaskInstance
        from airflow.models.taskinstancehistory import TaskInstanceHistory
        from airflow.operators.empty import EmptyOperator
        from airflow.utils.session import create_session
        from airflow.utils.timezone import utcnow

        run_id = f"run-{uuid4()}"
        with DAG("d", schedule=None, start_date=clock.now()):
            task = EmptyOperator(task_id="sync")
        with create_session() as session:
            run = DagRun(dag_id="d", run_id=run_id, run_type="manual", execution_date=utcnow())
            row = TaskInstance(task, run_id=run_id, state=state)
            row.try_number = try_number
            session.add_all([run, row])
            session.flush()
            for number, (start_date, end_date, ended) in history:
                tried = TaskInstanceHistory(row, state=ended)
                tried.try_number, tried.start_date, tried.end_date = number, start_date, end_date
                session.add(tried)
        mine = TaskInstance(task, run_id=run_id)
        mine.try_number = 1
        return mine

    return write


class SaidByAirflow2:
    """What Airflow 2's database tells of one task instance."""

    def __init__(self, write_row, task_instance, monkeypatch):
        self.row = None
        self._write_row = write_row
        self._make = task_instance
        self._monkeypatch = monkeypatch

    def say(self, state):
        from airflow.models import DagRun, TaskInstance
        from airflow.utils import session

        self._monkeypatch.undo()
        if self.row is None:
            self.row = self._write_row(None)
        mine = {"dag_id": "d", "run_id": self.row.run_id}
        with session.create_session() as opened:
            rows = opened.query(TaskInstance).filter_by(**mine)
            if state == "gone":
                rows.delete()
                opened.query(DagRun).filter_by(**mine).delete()
            elif state == "missing":
                rows.update({"task_id": "elsewhere"})
            elif state != "silent":
                rows.update({"task_id": "sync", "state": state})
        if state == "silent":
            self._monkeypatch.setattr(session, "create_session", _refuse)

    def instance(self, map_index=-1):
        return self._make(dag_id="d", run_id=self.row.run_id, try_number=1, map_index=map_index)


class SaidByAirflow3:
    """What Airflow 3's API tells of one task instance, and what it was asked."""

    def __init__(self, task_instance, monkeypatch):
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        self.state = None
        self.asked = []
        self._make = task_instance
        monkeypatch.setattr(
            RuntimeTaskInstance, "get_task_states", staticmethod(self._get_task_states)
        )
        monkeypatch.setattr(RuntimeTaskInstance, "get_dr_count", staticmethod(self._get_dr_count))

    def say(self, state):
        self.state = state

    def instance(self, map_index=-1):
        return self._make(id=uuid4(), map_index=map_index, try_number=1, max_tries=0)

    def _get_task_states(self, **asked):
        self.asked.append(asked)
        if self.state == "silent":
            _refuse()
        map_index = asked.get("map_index", -1)
        expected = {"dag_id": "d", "task_ids": ["sync"], "run_ids": ["r"]}
        assert expected | ({"map_index": map_index} if map_index >= 0 else {}) == asked
        key = "sync" if map_index < 0 else f"sync_{map_index}"
        return {} if self.state in {"missing", "gone"} else {"r": {key: self.state}}

    def _get_dr_count(self, **asked):
        assert {"dag_id": "d", "run_ids": ["r"]} == asked
        return 0 if self.state == "gone" else 1


def _refuse(**_):
    raise RuntimeError("Airflow does not answer")


@pytest.fixture
def airflow(request):
    """
    What Airflow says of a task instance: ``airflow.say(state)``, as often as it changes.

    ``missing``: the answer does not contain it; ``gone``: its run was deleted; ``silent``: no answer.
    """
    with pytest.MonkeyPatch.context() as patching:
        try:
            import airflow.sdk  # noqa: F401
        except ImportError:
            write_row = request.getfixturevalue("row_of_airflow_2")
            yield SaidByAirflow2(write_row, TaskInstance, patching)
        else:
            yield SaidByAirflow3(TaskInstance, patching)


@pytest.fixture
def instance_in(airflow):
    """Return a task instance, of which Airflow says that it is in a state; see ``airflow``."""

    def make(state, map_index=-1):
        airflow.say(state)
        return airflow.instance(map_index)

    return make


@pytest.fixture
def airflow_says(airflow, context):
    """Let Airflow say something of the task of ``context``."""

    def say(state):
        airflow.say(state)
        vars(context["ti"]).update(vars(airflow.instance()) | {"xcoms": context["ti"].xcoms})

    return say


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
        path, options = deferral.value.trigger.serialize()
        assert "airbyte_sync_airflow.triggers.AirbyteSyncTrigger" == path
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
        if "cannot be called outside" not in message:  # Airflow about a test
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


@pytest.fixture
def run_deferred(defer, event_of):
    """Run a deferrable task to its end; return how often it deferred."""

    def run(make, context):
        event = event_of(defer(make().execute, context))
        deferrals = 1
        while "checkpoint" in event:
            event = event_of(defer(make().execute_complete, context, event))
            deferrals += 1
        make().execute_complete(context, event)
        return deferrals

    return run


@pytest.fixture
def operator(request):
    """
    Make operators; each is as a process of Airflow makes it.

    They sync ``connection``, where a test names no other one; ``make.defaults`` holds for all of a module.
    """
    from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator

    def make(connection_id=None, **options):
        options = {"task_id": "sync", **make.defaults, **options}
        if connection_id is not None:
            options["connection_id"] = connection_id
        elif not {"connection_id", "connection_name"} & options.keys():
            options["connection_id"] = request.getfixturevalue("connection").connection_id
        return AirbyteTriggerSyncOperator(**options)

    make.defaults = {}
    return make


@pytest.fixture
def sensor():
    """Make sensors, as ``operator`` makes operators; they follow job 1, where a test names no other one."""
    from airbyte_sync_airflow.sensors import AirbyteJobSensor

    def make(airbyte_job_id=1, **options):
        return AirbyteJobSensor(**{"task_id": "sync", "airbyte_job_id": airbyte_job_id, **options})

    return make
