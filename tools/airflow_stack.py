"""A real Airflow for as long as a ``with`` block: what the demo and the end-to-end tests run on.

It is the Airflow of the environment that runs this file, 2.11 or 3.x: all of its processes, with a home,
a database (SQLite) and ports of their own, bound to 127.0.0.1. Nothing of a user's Airflow is read or
written, and nothing is sent anywhere. Standard library only; Airflow is talked to by its REST API.

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
import secrets
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from processes import Processes, ProcessFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

USER = "admin"
START_SECONDS = 180.0
"""How long a start may take; the first one compiles Airflow's bytecode."""
DAG_SECONDS = 60.0
"""How long Airflow may take to find a DAG file."""

_NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "PYTHON")
"""Prefixes of variables that would make another Airflow, or a slower one, of ours."""


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

    task_id: str
    state: str | None
    try_number: int

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
        env: Variables for every process, such as ``AIRFLOW_CONN_AIRBYTE_DEFAULT``.
        triggerer_env: Variables for the triggerer alone.

    Attributes:
        url: Where a browser finds it.
        user: Who may log in.
        password: With what; made up for each stack.
    """

    def __init__(
        self,
        *,
        home: Path,
        dags: Path,
        env: Mapping[str, str],
        triggerer_env: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.user = USER
        self.password = secrets.token_urlsafe(12)
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._release: _Release = (
            _Airflow2(port) if version("apache-airflow").startswith("2.") else _Airflow3(port)
        )
        self._processes = Processes(self.home / "processes")
        self._env = self._environment(dags) | dict(env)
        self._triggerer_env = dict(triggerer_env or {})
        self._authorization = ""

    def __enter__(self) -> AirflowStack:
        """
        Start everything, and wait until all of it is healthy.

        Raises:
            ProcessFailed: A process ended; the text has the end of its log.
            AirflowTrouble: It was not healthy in time.
        """
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self._processes.__enter__()
        try:
            self._start()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self._processes.__exit__(kind, error, traceback)

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

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a DAG and return the run's id."""
        body = self._release.run_body | {"conf": dict(conf or {})}
        run: str = self._api("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return run

    def tasks(self, dag_id: str, run_id: str) -> dict[str, Task]:
        """Return the tasks of a run by their ids."""
        found = self._api("GET", f"{_run(dag_id, run_id)}/taskInstances")["task_instances"]
        return {
            row["task_id"]: Task(
                task_id=row["task_id"], state=row["state"], try_number=row["try_number"]
            )
            for row in found
        }

    def xcoms(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """Return everything that a task left for others, by key."""
        entries = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries"
        keys = [row["key"] for row in self._api("GET", entries)["xcom_entries"]]
        return {
            key: self._api("GET", f"{entries}/{quote(key, safe='')}?stringify=false")["value"]
            for key in keys
        }

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> list[str]:
        """Return the lines that the log view of a task shows; empty while there are none."""
        log = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{try_number}"
        try:
            return self._release.log_lines(self._api("GET", f"{log}?full_content=true"))
        except AirflowRefused as error:
            if error.status == http.client.NOT_FOUND:
                return []
            raise

    def process_log(self, name: str) -> Path:
        """Return the log file of a process: ``triggerer``, ``scheduler`` and so on."""
        return self._processes.log(name)

    def check(self) -> None:
        """Raise :class:`ProcessFailed` when one of the processes has ended."""
        self._processes.check()

    # --- how it starts ------------------------------------------------------------------------------

    def _start(self) -> None:
        program = Path(sys.executable).with_name("airflow")
        for name, *arguments in self._release.preparations(self):
            self._processes.run(name, [program, *arguments], env=self._env)
        for name, *options in self._release.processes:
            extra = self._triggerer_env if name == "triggerer" else {}
            self._processes.start(name, [program, name, *options], env=self._env | extra)
        self._wait_until_healthy()
        self._authorization = self._release.log_in(self)

    def _wait_until_healthy(self) -> None:
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

    def _environment(self, dags: Path) -> dict[str, str]:
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
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags.absolute()),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
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
            with _WITHOUT_PROXY.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise AirflowRefused(
                f"Airflow answered {method} {path} with {error.code}: {text}", status=error.code
            ) from None

    def _api(self, method: str, path: str, body: Any = None) -> Any:
        return self.call(method, self._release.api_path + path, body)

    def _look_for_import_errors(self) -> None:
        broken = self._api("GET", "/importErrors")["import_errors"]
        if broken:
            raise AirflowTrouble(
                f"Airflow cannot import {broken[0]['filename']}:\n{broken[0]['stack_trace']}"
            )

    def _where_logs_are(self) -> str:
        return f"Its logs are in {self.home / 'processes'}"


# --- what differs between releases --------------------------------------------------------------------


class _Release(Protocol):
    """One way to run Airflow, and to talk to it."""

    processes: tuple[tuple[str, ...], ...]
    """The subcommand of each process, with its options."""
    components: tuple[str, ...]
    """What the health page must call healthy."""
    health_path: str
    api_path: str
    run_body: dict[str, Any]
    """What a request for a run says besides its ``conf``."""

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
    components = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    health_path = "/api/v2/monitor/health"
    api_path = "/api/v2"

    def __init__(self, port: int) -> None:
        self._port = port
        self.run_body = {"logical_date": None}

    def environment(self, stack: AirflowStack) -> dict[str, str]:
        return {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{stack.url}/execution/",
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
    components = ("metadatabase", "scheduler", "triggerer")
    health_path = "/health"
    api_path = "/api/v1"

    def __init__(self, port: int) -> None:
        self._port = port
        self.run_body = {}

    def environment(self, stack: AirflowStack) -> dict[str, str]:
        return {
            "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",  # the only one that SQLite allows
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


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

__all__ = ["AirflowRefused", "AirflowStack", "AirflowTrouble", "ProcessFailed", "Task"]
