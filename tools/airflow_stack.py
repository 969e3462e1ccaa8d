"""A real Airflow for as long as a ``with`` block: what the demo and the end-to-end tests run on.

It is the Airflow of the environment that runs this file, 2.11 or 3.x: all of its processes, with a home,
a database (SQLite or PostgreSQL) and ports of their own, bound to 127.0.0.1. Nothing of a user's Airflow is
read or written, and nothing is sent anywhere. Standard library only; Airflow is talked to by its REST API.

    with AirflowStack(home=Path("home"), dags=Path("dags"), env={}) as airflow:
        airflow.unpause("my_dag")
        run_id = airflow.trigger("my_dag")
        print(airflow.tasks("my_dag", run_id))
"""

from __future__ import annotations

import ast
import base64
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import quote, urlsplit

from postgresql import PostgreSQL, free_port
from processes import Processes, ProcessFailed, parent_of, signal_session
from proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

Database = Literal["sqlite", "postgresql"]

USER = "admin"
NOT_MAPPED = -1
"""The map index of a task that is not mapped."""
START_SECONDS = 600.0
"""How long a start may take; the first one compiles Airflow's bytecode, and the machine may be busy."""
DAG_SECONDS = 300.0
"""How long Airflow may take to find a DAG file."""
ANSWER_SECONDS = 120.0
"""How long Airflow may take to answer one request."""

TRIES_ON_SQLITE = 5
"""When two write at once, one of them is told that the database is locked, and nothing was done for it."""

_NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "PYTHON")
"""Prefixes of variables that would make another Airflow, or a slower one, of ours."""


_LONGEST_TRANSACTION = 2.0
"""Seconds for which no process that works leaves a transaction idle."""
_TRIES_TO_PAUSE = 5


class AirflowTrouble(Exception):
    """Airflow did not come to what was waited for, or refused; the text says what, and where to look."""


class AirflowRefused(AirflowTrouble):
    """
    The API answered with an error.

    Attributes:
        status: The answer's.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A task of a DAG run, as Airflow's API shows it."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    pid: int | None
    """The process that runs it or, when it does not run, that ran it last."""

    @property
    def has_ended(self) -> bool:
        """Whether this state is the last one."""
        return self.state in {"success", "failed", "skipped", "upstream_failed", "removed"}


class AirflowStack:
    """
    Starts Airflow and stops all of it.

    Args:
        home: A folder of its own; it is emptied.
        dags: The folder with the DAG files.
        env: Variables for every process, such as ``AIRFLOW_CONN_AIRBYTE_DEFAULT``, and settings in place
            of those that are made here.
        triggerer_env: Variables for the triggerers alone.
        database: What Airflow keeps its state in. On SQLite, Airflow 2 runs one task at a time.
        proxies: Whether proxies stand between the processes that run tasks and what those ask, so that
            Airflow can be silent to them. Every other process, and this class, reaches Airflow directly.

    Attributes:
        url: Where a browser finds it.
        user: Who may log in.
        password: With what; made up for each stack.
        database: As given.
        database_url: Where the database is, for SQLAlchemy.
        api_proxy: On Airflow 3 with proxies: between workers and the api-server.
        database_proxy: On PostgreSQL with proxies: between triggerers and the database. On Airflow 2 the
            scheduler and its workers are behind it, too.
    """

    def __init__(
        self,
        *,
        home: Path,
        dags: Path,
        env: Mapping[str, str],
        triggerer_env: Mapping[str, str] | None = None,
        database: Database = "sqlite",
        proxies: bool = False,
    ) -> None:
        self.home = home.absolute()
        self.user = USER
        self.password = secrets.token_hex(12)  # never begins with a dash, as an argument must not
        self.database = database
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.is_airflow_2 = version("apache-airflow").startswith("2.")
        self._release: _Release = _Airflow2(port) if self.is_airflow_2 else _Airflow3(port)
        self._proxies = proxies
        self.api_proxy = Proxy(port=port) if proxies and not self.is_airflow_2 else None
        self.database_proxy: Proxy | None = None
        self._processes = Processes(self.home / "processes")
        self.database_url = f"sqlite:///{self.home}/airflow.db"
        self._dags = dags.absolute()
        self._own_env = dict(env)
        self._triggerer_env = dict(triggerer_env or {})
        self._env: Mapping[str, str] = {}
        self._authorization = ""
        self._everything = ExitStack()

    def __enter__(self) -> AirflowStack:
        """
        Start everything, and wait until all of it is healthy.

        Raises:
            ProcessFailed: A process ended; the text has the end of its log.
            AirflowTrouble: It was not healthy in time.
        """
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        with ExitStack() as everything:
            if self.database == "postgresql":
                server = everything.enter_context(PostgreSQL(self.home / "postgresql"))
                self.database_url = server.url
                if self._proxies:
                    self.database_proxy = everything.enter_context(Proxy(port=server.port))
            if self.api_proxy is not None:
                everything.enter_context(self.api_proxy)
            everything.enter_context(self._processes)
            self._start()
            self._everything = everything.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop everything, the database last."""
        self._everything.__exit__(kind, error, traceback)

    # --- what a test or a person does ---------------------------------------------------------------

    def unpause(self, dag_id: str) -> None:
        """
        Wait until Airflow knows a DAG, and let it run.

        Raises:
            AirflowTrouble: It did not find the DAG in time, or cannot import the file.
        """
        deadline = time.monotonic() + DAG_SECONDS
        while True:
            try:
                self._api("PATCH", f"/dags/{dag_id}", {"is_paused": False})
            except AirflowRefused as error:
                if error.status != http.client.NOT_FOUND:
                    raise
                self._look_for_import_errors()
                if time.monotonic() > deadline:
                    raise AirflowTrouble(
                        f"Airflow did not find the DAG {dag_id}. {self._where_logs_are()}"
                    ) from error
            else:
                return
            self.check()
            time.sleep(0.3)

    @contextmanager
    def starting_nothing_of(self, *dag_ids: str) -> Iterator[None]:
        """Start no task of these DAGs within the block. Tasks that run go on, and their ends are noted."""
        for dag_id in dag_ids:
            self._api("PATCH", f"/dags/{dag_id}", {"is_paused": True})
        try:
            yield
        finally:
            for dag_id in dag_ids:
                self.unpause(dag_id)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a DAG and return the run's id."""
        body = self._release.run_body | {"conf": dict(conf or {})}
        run: str = self._api("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return run

    def tasks(self, dag_id: str, run_id: str) -> dict[str, Task]:
        """Return the tasks of a run by their ids; of a mapped task, any of its instances."""
        return {task.task_id: task for task in self._tasks(_run(dag_id, run_id))}

    def mapped_tasks(self, dag_id: str, run_id: str, task_id: str) -> dict[int, Task]:
        """Return the instances of a mapped task by their map indices."""
        found = self._tasks(_run(dag_id, run_id))
        return {task.map_index: task for task in found if task.task_id == task_id}

    def all_tasks(self) -> list[Task]:
        """Return the tasks of all runs of all DAGs, in one question."""
        return self._tasks("/dags/~/dagRuns/~")

    def _tasks(self, where: str) -> list[Task]:
        found: list[Any] = []
        total = 1
        while len(found) < total:
            page = self._api("GET", f"{where}/taskInstances?limit=100&offset={len(found)}")
            total = page["total_entries"]
            found += page["task_instances"]
        return [
            Task(
                dag_id=row["dag_id"],
                run_id=row["dag_run_id"],
                task_id=row["task_id"],
                map_index=row["map_index"],
                state=row["state"],
                try_number=row["try_number"],
                pid=row["pid"],
            )
            for row in found
        ]

    def xcoms(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = NOT_MAPPED
    ) -> dict[str, Any]:
        """Return everything that a task left for others, by key."""
        entries = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries"
        where = f"map_index={map_index}"
        keys = [row["key"] for row in self._api("GET", f"{entries}?{where}")["xcom_entries"]]
        return {
            key: self._api("GET", f"{entries}/{quote(key, safe='')}?stringify=false&{where}")[
                "value"
            ]
            for key in keys
        }

    def links(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str | None]:
        """Return the addresses behind a task's extra links, by name; None for one that has none yet."""
        links = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/links?map_index={NOT_MAPPED}"
        answer: dict[str, Any] = self._api("GET", links)
        found: dict[str, str | None] = answer.get("extra_links", answer)
        return found

    def task_log(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        try_number: int = 1,
        map_index: int = NOT_MAPPED,
    ) -> list[str]:
        """Return the lines that the log view of a task shows; empty while there are none."""
        log = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{try_number}"
        try:
            return self._release.log_lines(
                self._api("GET", f"{log}?full_content=true&map_index={map_index}")
            )
        except AirflowRefused as error:
            if error.status == http.client.NOT_FOUND:
                return []
            raise

    def mark(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        state: Literal["failed", "success"],
        map_index: int = NOT_MAPPED,
    ) -> None:
        """Give a task another state, as a person does in the UI."""
        task = f"{_run(dag_id, run_id)}/taskInstances/{task_id}"
        if map_index != NOT_MAPPED:
            task += f"/{map_index}"
        self._api("PATCH", task, self._release.mark_body | {"new_state": state})

    def mark_run(self, dag_id: str, run_id: str, state: Literal["failed", "success"]) -> None:
        """Give a whole run another state, as a person does in the UI."""
        self._api("PATCH", _run(dag_id, run_id), {"state": state})

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Let a task run again, as a person does in the UI."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        self._api("POST", f"/dags/{dag_id}/clearTaskInstances", body)

    # --- what may happen to processes ---------------------------------------------------------------

    def pid(self, name: str) -> int:
        """Return the id of a process: of ``triggerer``, ``scheduler`` and so on."""
        return self._processes.pid(name)

    def stop(self, name: str) -> None:
        """Ask a process to end, as a deployment does, and wait until all that it started has ended."""
        self._processes.stop(name)

    def kill(self, name: str, *, alone: bool = False) -> None:
        """
        End a process without a word, with all that it started, as a machine that is lost does.

        Args:
            name: Which one.
            alone: Leave what it started, as the kernel does when memory is short.
        """
        self._processes.kill(name, alone=alone)

    def start(self, name: str, *, like: str | None = None) -> None:
        """
        Start a process: again, or one more.

        Args:
            name: What to call it.
            like: Which of the processes it is, if its name does not tell.
        """
        command = next(each for each in self._release.processes if each[0] == (like or name))
        extra = dict(self._triggerer_env) if command[0] == "triggerer" else {}
        if self.database_proxy is not None and command[0] in self._release.behind_database_proxy:
            port = urlsplit(self.database_url).port
            extra["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = self.database_url.replace(
                f":{port}/", f":{self.database_proxy.port}/"
            )
        self._processes.start(name, [_program(), *command], env={**self._env, **extra})

    @property
    def process_names(self) -> list[str]:
        """Return the names of the processes that an Airflow of this release has."""
        return [name for name, *_options in self._release.processes]

    @property
    def names(self) -> list[str]:
        """Return the names of the processes that run, those that stand still among them."""
        return self._processes.names

    def pause(self, name: str) -> None:
        """
        Let a process and all that it started stand still, as on a machine that is too busy.

        Not in the middle of a transaction: PostgreSQL would end its session, and Airflow ends with that.
        """
        for _ in range(_TRIES_TO_PAUSE):
            signal_session(self.pid(name), signal.SIGSTOP)
            if not self._has_open_transactions():
                return
            self.resume(name)
            time.sleep(1)
        signal_session(self.pid(name), signal.SIGSTOP)

    def _has_open_transactions(self) -> bool:
        """Whether a session of PostgreSQL has stood still in a transaction for longer than work takes."""
        if self.database != "postgresql":
            return False
        time.sleep(2 * _LONGEST_TRANSACTION)
        sqlalchemy: Any = import_module("sqlalchemy")  # it comes with Airflow
        engine = sqlalchemy.create_engine(self.database_url)
        try:
            with engine.connect() as connection:
                idle_for = sqlalchemy.text(
                    "SELECT max(extract(epoch FROM now() - state_change)) FROM pg_stat_activity "
                    "WHERE state LIKE 'idle in transaction%'"
                )
                return float(connection.execute(idle_for).scalar() or 0) > _LONGEST_TRANSACTION
        finally:
            engine.dispose()

    def resume(self, name: str) -> None:
        """Let it go on."""
        signal_session(self.pid(name), signal.SIGCONT)

    def kill_worker(self, task: Task) -> None:
        """
        End the process that runs a task, and the one that watches over it, as a node that is lost does.

        Raises:
            AirflowTrouble: No process runs the task.
        """
        for pid in _worker_of(task):
            os.kill(pid, signal.SIGKILL)

    @contextmanager
    def paused_worker(self, task: Task) -> Iterator[None]:
        """
        Let the process that runs a task, and the one that watches over it, stand still within the block.

        Raises:
            AirflowTrouble: No process runs the task.
        """
        pids = _worker_of(task)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):  # it was killed meanwhile
                    os.kill(pid, signal.SIGCONT)

    def process_log(self, name: str) -> Path:
        """Return the log file of a process: ``triggerer``, ``scheduler`` and so on."""
        return self._processes.log(name)

    @property
    def dead(self) -> list[str]:
        """The names of the processes that have ended although they were not ended on purpose."""
        return self._processes.dead

    def check(self) -> None:
        """Raise :class:`ProcessFailed` when a process has ended that was not ended on purpose."""
        self._processes.check()

    @property
    def url_for_workers(self) -> str:
        """Where workers find the api-server."""
        return self.url if self.api_proxy is None else f"http://127.0.0.1:{self.api_proxy.port}"

    # --- how it starts ------------------------------------------------------------------------------

    def _start(self) -> None:
        self._env = self._environment() | self._own_env
        for name, *arguments in self._release.preparations(self):
            self._processes.run(name, [_program(), *arguments], env=self._env)
        if self.database == "sqlite":
            _never_give_an_id_twice(self.home / "airflow.db", "trigger")
        for name, *_options in self._release.processes:
            self.start(name)
        self.wait_until_healthy()
        self._authorization = self._release.log_in(self)

    def wait_until_healthy(self) -> None:
        """
        Wait until every component calls itself healthy.

        Raises:
            ProcessFailed: A process ended; the text has the end of its log.
            AirflowTrouble: One was not healthy in time.
        """
        deadline = time.monotonic() + START_SECONDS
        sick = set(self._release.components)
        while sick:
            self.check()
            if time.monotonic() > deadline:
                raise AirflowTrouble(
                    f"Airflow is not healthy after {START_SECONDS:g} s: {', '.join(sorted(sick))}. "
                    + self._where_logs_are()
                )
            time.sleep(0.3)
            try:
                health = self.call("GET", self._release.health_path)
            except (OSError, http.client.HTTPException, AirflowRefused):  # it is not ready yet
                continue
            sick = {
                name
                for name in self._release.components
                if (health.get(name) or {}).get("status") != "healthy"
            }

    def _environment(self) -> dict[str, str]:
        programs = str(Path(sys.executable).parent)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(_NOT_INHERITED)
        }
        return {
            **inherited,
            "PATH": programs + os.pathsep + inherited.get("PATH", ""),
            "PYTHONUNBUFFERED": "1",
            "no_proxy": "127.0.0.1,localhost",
            "NO_PROXY": "127.0.0.1,localhost",
            "DO_NOT_TRACK": "1",
            "SCARF_ANALYTICS": "false",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database_url,
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
            **self._release.environment(self),
        }

    # --- talking to it ------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """
        Make a request and return the JSON of the answer.

        Raises:
            AirflowRefused: The answer is an error.
        """
        request = urllib.request.Request(  # noqa: S310 - the address is ours
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        if self._authorization:
            request.add_header("Authorization", self._authorization)
        try:
            with _WITHOUT_PROXY.open(request, timeout=ANSWER_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise AirflowRefused(
                f"Airflow answered {method} {path} with {error.code}: {text}", status=error.code
            ) from None

    def _api(self, method: str, path: str, body: Any = None) -> Any:
        tries_left = TRIES_ON_SQLITE if self.database == "sqlite" else 1
        while True:
            tries_left -= 1
            try:
                return self.call(method, self._release.api_path + path, body)
            except AirflowRefused as error:
                if not (tries_left and "Database error" in str(error)):
                    raise

    def _look_for_import_errors(self) -> None:
        broken = self._api("GET", "/importErrors")["import_errors"]
        if broken:
            raise AirflowTrouble(
                f"Airflow cannot import {broken[0]['filename']}:\n{broken[0]['stack_trace']}"
            )

    def _where_logs_are(self) -> str:
        return f"Its logs are in {self.home / 'processes'}"


def _never_give_an_id_twice(database: Path, table: str) -> None:
    """
    Make an empty table of SQLite anew, with ids that are not given again after a row was deleted.

    Airflow does so for its assets, and not for its triggers: a triggerer that runs a trigger takes the next
    one of the same id for it, never starts it, and does not see that the first was to be stopped.
    """
    with closing(sqlite3.connect(database)) as connection:
        made_by = connection.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL", [table]
        )
        first, *indexes = (sql for (sql,) in made_by)
        column = first.replace("id INTEGER NOT NULL", "id INTEGER PRIMARY KEY AUTOINCREMENT", 1)
        anew = re.sub(r",\s*CONSTRAINT \w+ PRIMARY KEY \(id\)", "", column)
        connection.executescript(";\n".join([f'DROP TABLE "{table}"', anew, *indexes]))


# --- what differs between releases --------------------------------------------------------------------


class _Release(Protocol):
    """One way to run Airflow, and to talk to it."""

    processes: tuple[tuple[str, ...], ...]
    """The subcommand of each process, with its options."""
    behind_database_proxy: tuple[str, ...]
    """The processes that run tasks or triggers and ask the database themselves."""
    components: tuple[str, ...]
    """What the health page must call healthy."""
    health_path: str
    api_path: str
    run_body: dict[str, Any]
    """What a request for a run says besides its ``conf``."""
    mark_body: dict[str, Any]
    """What a request for another state of a task says besides that state."""

    def environment(self, stack: AirflowStack) -> dict[str, str]:
        """Return the variables that this release wants."""
        ...

    def preparations(self, stack: AirflowStack) -> list[tuple[str, ...]]:
        """Return a name and the arguments of ``airflow`` for each step before the start."""
        ...

    def log_in(self, stack: AirflowStack) -> str:
        """Return the header that tells who we are."""
        ...

    def log_lines(self, answer: Any) -> list[str]:
        """Read a task's log."""
        ...


class _Airflow3(_Release):
    processes = (
        ("api-server",),
        ("scheduler", "--skip-serve-logs"),  # it would listen on every interface
        ("dag-processor",),
        ("triggerer", "--skip-serve-logs"),
    )
    behind_database_proxy = ("triggerer",)
    components = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    health_path = "/api/v2/monitor/health"
    api_path = "/api/v2"

    def __init__(self, port: int) -> None:
        self._port = port
        self.run_body = {"logical_date": None}
        self.mark_body = {}

    def environment(self, stack: AirflowStack) -> dict[str, str]:
        return {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{stack.url_for_workers}/execution/",
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple."
            "simple_auth_manager.SimpleAuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{stack.user}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords(stack)),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__BASE_URL": stack.url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__API_AUTH__JWT_ISSUER": "airflow-stack",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }

    def preparations(self, stack: AirflowStack) -> list[tuple[str, ...]]:
        passwords = self._passwords(stack)
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({stack.user: stack.password}) + "\n", encoding="utf-8")
        return [("migrate", "db", "migrate")]

    def log_in(self, stack: AirflowStack) -> str:
        credentials = {"username": stack.user, "password": stack.password}
        return f"Bearer {stack.call('POST', '/auth/token', credentials)['access_token']}"

    def log_lines(self, answer: Any) -> list[str]:
        return [line for entry in answer["content"] for line in _structured(entry)]

    def _passwords(self, stack: AirflowStack) -> Path:
        return stack.home / "passwords.json"


class _Airflow2(_Release):
    processes = (
        ("webserver",),
        ("scheduler", "--skip-serve-logs"),
        ("triggerer", "--skip-serve-logs"),
    )
    behind_database_proxy = ("scheduler", "triggerer")  # the scheduler starts the workers
    components = ("metadatabase", "scheduler", "triggerer")
    health_path = "/health"
    api_path = "/api/v1"

    def __init__(self, port: int) -> None:
        self._port = port
        self.run_body = {}
        self.mark_body = {"dry_run": False}

    def environment(self, stack: AirflowStack) -> dict[str, str]:
        return {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor"
            if stack.database == "postgresql"
            else "SequentialExecutor",  # the only one that SQLite allows
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth",
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self._port),
            "AIRFLOW__WEBSERVER__BASE_URL": stack.url,
            "AIRFLOW__WEBSERVER__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
        }

    def preparations(self, stack: AirflowStack) -> list[tuple[str, ...]]:
        return [
            ("migrate", "db", "migrate"),
            (
                *("create-user", "users", "create", "--role", "Admin", "--username", stack.user),
                *("--password", stack.password, "--email", "admin@example.org"),
                *("--firstname", "Ad", "--lastname", "Min"),
            ),
        ]

    def log_in(self, stack: AirflowStack) -> str:
        return "Basic " + base64.b64encode(f"{stack.user}:{stack.password}".encode()).decode()

    def log_lines(self, answer: Any) -> list[str]:
        # The content is the text of a Python list of pairs: a host, and its log.
        return [
            line
            for _host, text in ast.literal_eval(answer["content"])
            for line in text.splitlines()
        ]


def _structured(entry: Any) -> list[str]:
    """Write an entry of a structured log as Airflow's log view does: the event, then an error."""
    if isinstance(entry, str):
        return entry.splitlines()
    moment = str(entry.get("timestamp") or "")[11:19]
    level = str(entry.get("level") or "").upper()
    errors = [f"{row['exc_type']}: {row['exc_value']}" for row in entry.get("error_detail") or ()]
    return [f"{moment} {level} {entry['event']}".strip(), *(f"{moment} {row}" for row in errors)]


def _worker_of(task: Task) -> tuple[int, int]:
    """Return the process that watches over the one that runs a task, and that one."""
    if task.pid is None or (watcher := parent_of(task.pid)) is None:
        raise AirflowTrouble(f"no process runs {task.task_id}, which is {task.state}")
    # The watcher first, or else it would tell Airflow how its task ended.
    return watcher, task.pid


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _program() -> Path:
    return Path(sys.executable).with_name("airflow")


_WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

__all__ = ["AirflowRefused", "AirflowStack", "AirflowTrouble", "Database", "ProcessFailed", "Task"]
