"""Real syncs by a real connector, run from a real Airflow: ``python3 tools/dev.py demo [--keep]``.

On one side is an Airbyte for one machine (``airbyte-sync-local``), which runs the connector
``source-faker`` by PyAirbyte and loads the rows into DuckDB; on the other is Airflow with the DAG
``demo_dags/airbyte_demo.py``. At the end the rows are counted again, by DuckDB itself. Everything listens on
127.0.0.1 only, is written to ``.dev/demo``, and is stopped before this program ends.

Runs with the Python of the environment ``airflow-3.3``; standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_stack import AirflowStack, AirflowTrouble
from environments import DEV, PYAIRBYTE, ROOT
from processes import Processes, ProcessFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DAG_ID = "airbyte_demo"
DAGS = ROOT / "tools" / "demo_dags"
DAG_FILE = DAGS / f"{DAG_ID}.py"
HOME = DEV / "demo"
RUN_SECONDS = 300.0
"""How long the DAG run may take before something is surely wrong."""
LINES_OF_LOG = 12
SECONDS_BETWEEN_ROWS = 2.0
"""How often the rows of a job are worth a line."""

CONNECTIONS = {  # as in the DAG
    "6f3c1b52-8a0e-4d67-b1f4-2c9d7e5a0b11": ("Berlin shop", 1000),
    "a2d94e07-5c3b-4f18-9e6a-7b0c8d1f2e22": ("Lisbon shop", 1500),
    "d81f6ca3-0b7e-4295-8c4d-3e5a9f7b6c33": ("Oslo shop", 2000),
}
"""The name of each connection, and how many customers its source makes up."""

MODES = {
    "blocking": "waits in its worker",
    "asynchronous": "starts the sync and ends",
    "follow": "sensor: follows that job",
    "deferrable": "waits in the triggerer",
}
"""The tasks of the DAG."""

COUNT_ROWS = """
import sys, duckdb
for path in sys.argv[1:]:
    with duckdb.connect(path, read_only=True) as database:
        tables = database.execute(
            "select table_name from information_schema.tables where not starts_with(table_name, '_')"
        ).fetchall()
        print(sum(database.table(name).count("*").fetchone()[0] for (name,) in tables))
"""
"""Run with the Python that has DuckDB: the rows in each file."""


class DemoFailed(Exception):
    """Something did not come out as it should; the text says what, and where to look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a task."""

    task_id: str
    state: str | None
    job: Mapping[str, Any]
    """The Airbyte job, as Airbyte's API shows it; empty if there is none."""
    rows_in_duckdb: int | None

    @property
    def agrees(self) -> bool:
        """Whether Airbyte and DuckDB tell the same number of rows, and one above zero."""
        return bool(self.rows_in_duckdb) and self.rows_in_duckdb == self.job.get("rowsSynced")


class Teller:
    """Prints a line for each thing that happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._told: dict[object, object] = {}
        self._rows_told: dict[object, tuple[float, int]] = {}

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._started:5.0f} s  {text}", flush=True)

    def tell_task(self, task_id: str, state: str | None) -> None:
        """Print the state of a task when it is another one."""
        words = {
            "running": "is running",
            "deferred": "is deferred: the triggerer waits, the worker is free",
            "success": "succeeded",
            "failed": "FAILED",
            "upstream_failed": "cannot run: a task before it failed",
        }
        if state in words and self._is_new(task_id, state):
            self.say(f"task {task_id} {words[state]}")

    def tell_job(self, job: Mapping[str, Any]) -> None:
        """Print the status of a job when it is another one, and now and then its rows."""
        job_id, status, rows = job["jobId"], job["status"], job["rowsSynced"]
        now = time.monotonic()
        told_at, told_rows = self._rows_told.get(job_id, (now, 0))
        is_news = rows != told_rows and now - told_at >= SECONDS_BETWEEN_ROWS
        if self._is_new(job_id, status) or is_news:
            self._rows_told[job_id] = now, rows
            name = f"Airbyte job {job_id} ({CONNECTIONS[job['connectionId']][0]})"
            amount = f", {rows:,} rows, {readable_bytes(job['bytesSynced'])}" if rows else ""
            self.say(f"    {name}: {status}{amount}")

    def _is_new(self, subject: object, fact: object) -> bool:
        is_new = self._told.get(subject) != fact
        self._told[subject] = fact
        return is_new


def main(arguments: Sequence[str]) -> int:
    """Run the demo and return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 tools/dev.py demo", description=__doc__)
    parser.add_argument(
        "--keep", action="store_true", help="leave everything running until Ctrl-C, to look around"
    )
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    print(
        "A real Airflow runs real Airbyte syncs, in every mode of the operator. It takes about 90 seconds.\n"
        f"Nothing leaves this machine; everything is written to {_short(HOME)} and stopped at the end.\n",
        flush=True,
    )
    teller = Teller()
    try:
        _demonstrate(teller, keep=options.keep)
    except (DemoFailed, ProcessFailed, AirflowTrouble) as problem:
        print(f"\nThe demo FAILED. {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        teller.say("stopped")
        return 0 if options.keep else 128 + signal.SIGINT
    return 0


def _demonstrate(teller: Teller, *, keep: bool) -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    secret = secrets.token_hex(24)  # never begins with a dash, as an argument must not
    with Processes(HOME / "airbyte") as processes:
        airbyte = _start_airbyte(processes, secret, teller)
        teller.say("starting Airflow: api-server, scheduler, dag-processor, triggerer")
        connection = {
            "conn_type": "airbyte",
            "host": f"{airbyte}/api/public",
            "login": "demo",
            "password": secret,
        }
        env = {"AIRFLOW_CONN_AIRBYTE_DEFAULT": json.dumps(connection)}
        with AirflowStack(home=HOME / "airflow", dags=DAGS, env=env) as airflow:
            teller.say(f"Airflow is healthy at {airflow.url}")
            outcomes = _run_the_dag(airflow, airbyte, teller)
            print("\n" + table(outcomes) + "\n", flush=True)
            if keep:
                _print_where_to_look(airflow)
                _wait_for_ctrl_c(processes.check, airflow.check)
            teller.say("stopping everything")
    teller.say("stopped")
    _print_what_next()


def _start_airbyte(processes: Processes, secret: str, teller: Teller) -> str:
    """Start the Airbyte for one machine and return its base URL."""
    scenario = HOME / "airbyte" / "scenario.json"
    scenario.write_text(json.dumps(_scenario(), indent=1), encoding="utf-8")
    url_file = HOME / "airbyte" / "url.txt"
    processes.start(
        "airbyte-sync-local",
        [
            *(Path(sys.executable).with_name("airbyte-sync-local"), "serve"),
            *("--engine", "connectors", "--connectors-python", PYAIRBYTE.python),
            *("--auth", "client-credentials", "--client-id", "demo", "--client-secret", secret),
            *("--scenario", scenario, "--data-dir", HOME / "data", "--url-file", url_file),
        ],
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    )
    while not url_file.exists():
        processes.check()
        time.sleep(0.05)
    url = url_file.read_text(encoding="utf-8").strip()
    teller.say(f"Airbyte answers at {url}")
    return url


def _scenario() -> dict[str, Any]:
    return {
        "connections": [
            {
                "id": connection_id,
                "name": name,
                "streams": ["users", "products", "purchases"],
                "connector": {
                    "source": "source-faker",
                    "config": {"count": count, "seed": 1, "parallelism": 1},
                    "rows_per_second": 400,
                },
            }
            for connection_id, (name, count) in CONNECTIONS.items()
        ]
    }


def _run_the_dag(airflow: AirflowStack, airbyte: str, teller: Teller) -> list[Outcome]:
    """Run the DAG to its end, and look at what came of it."""
    airflow.unpause(DAG_ID)
    run_id = airflow.trigger(DAG_ID)
    teller.say(f"Airflow runs the DAG {DAG_ID}: {_short(DAG_FILE)}")
    deadline = time.monotonic() + RUN_SECONDS
    is_explained = False
    while True:
        airflow.check()
        tasks = airflow.tasks(DAG_ID, run_id)
        for task_id in MODES:
            teller.tell_task(task_id, tasks[task_id].state)
        jobs = _jobs(airbyte)
        for job in jobs.values():
            teller.tell_job(job)
        if jobs and not is_explained:
            teller.say("    (PyAirbyte and the connector take their time to load)")
            is_explained = True
        if all(task.has_ended for task in tasks.values()):
            break
        if time.monotonic() > deadline:
            late = [task.task_id for task in tasks.values() if not task.has_ended]
            raise _failure_of_tasks(airflow, run_id, late, f"not done after {RUN_SECONDS:g} s")
        time.sleep(0.5)
    failed = [task_id for task_id in MODES if tasks[task_id].state != "success"]
    if failed:
        raise _failure_of_tasks(airflow, run_id, failed, "did not succeed")
    outcomes = _outcomes(airflow, run_id, jobs)
    if not all(outcome.agrees for outcome in outcomes):
        raise DemoFailed(f"Airbyte and DuckDB do not agree about the rows:\n\n{table(outcomes)}")
    return outcomes


def _outcomes(
    airflow: AirflowStack, run_id: str, jobs: Mapping[int, Mapping[str, Any]]
) -> list[Outcome]:
    results: dict[str, Any] = {
        task_id: airflow.xcoms(DAG_ID, run_id, task_id).get("return_value") for task_id in MODES
    }
    results["follow"] = results["asynchronous"]  # what the sensor was given
    rows = _rows_in_duckdb([job["connectionId"] for job in jobs.values()])
    tasks = airflow.tasks(DAG_ID, run_id)
    outcomes = []
    for task_id, job_id in results.items():
        job = jobs.get(job_id, {})
        outcomes.append(
            Outcome(
                task_id=task_id,
                state=tasks[task_id].state,
                job=job,
                rows_in_duckdb=rows.get(job.get("connectionId", "")),
            )
        )
    return outcomes


def _failure_of_tasks(
    airflow: AirflowStack, run_id: str, task_ids: Sequence[str], what: str
) -> DemoFailed:
    parts = [f"Tasks that {what}: {', '.join(task_ids)}."]
    for task_id in task_ids:
        lines = [line for line in airflow.task_log(DAG_ID, run_id, task_id) if "::" not in line]
        parts += [f"\nThe end of the log of {task_id}:", *lines[-LINES_OF_LOG:]]
    parts.append(f"\nAll logs are in {_short(HOME)}.")
    return DemoFailed("\n".join(parts))


def _jobs(airbyte: str) -> dict[int, Mapping[str, Any]]:
    """Ask the server behind the scenes for its jobs, so that the demo's own looks cost no token."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{airbyte}/_local/jobs", timeout=30) as answer:
        return {job["jobId"]: job for job in json.load(answer)["data"]}


def _rows_in_duckdb(connection_ids: Sequence[str]) -> dict[str, int]:
    """Count the rows in the file of each connection, with a program that knows nothing of ours."""
    files = [HOME / "data" / f"{connection_id}.duckdb" for connection_id in connection_ids]
    done = subprocess.run(
        [PYAIRBYTE.python, "-I", "-c", COUNT_ROWS, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoFailed(f"DuckDB cannot count the rows:\n{done.stderr}")
    return dict(zip(connection_ids, map(int, done.stdout.split()), strict=True))


# --- words ------------------------------------------------------------------------------------------


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of what became of each task."""
    rows: list[tuple[str, ...]] = [
        ("task", "mode", "state", "job", "status", "rows", "bytes", "took", "in DuckDB")
    ]
    for outcome in outcomes:
        job = outcome.job
        counted = "none" if outcome.rows_in_duckdb is None else f"{outcome.rows_in_duckdb:,} rows"
        rows.append(
            (
                outcome.task_id,
                MODES[outcome.task_id],
                str(outcome.state),
                str(job.get("jobId", "none")),
                str(job.get("status", "")),
                f"{job.get('rowsSynced', 0):,}",
                readable_bytes(job.get("bytesSynced", 0)),
                readable_duration(job.get("duration", "")),
                f"{counted}: {'they agree' if outcome.agrees else 'they DIFFER'}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def readable_bytes(amount: int) -> str:
    """Return an amount of bytes as a person says it."""
    for unit, size in (("MB", 1_000_000), ("kB", 1000)):
        if amount >= size:
            return f"{amount / size:.1f} {unit}"
    return f"{amount} B"


def readable_duration(written: str) -> str:
    """Return a duration as Airbyte writes it, such as ``PT1M5S``, as a person says it."""
    return " ".join(f"{number} {unit.lower()}" for number, unit in _PART.findall(written))


_PART = re.compile(r"(\d+)([HMS])")


def _print_where_to_look(airflow: AirflowStack) -> None:
    print(
        f"Airflow    {airflow.url}/dags/{DAG_ID}\n"
        f"Log in as  {airflow.user}, password {airflow.password}\n"
        f"The DAG    {_short(DAG_FILE)}: change it, and trigger it again\n"
        "Ctrl-C stops everything.\n",
        flush=True,
    )


def _print_what_next() -> None:
    print(
        f"\nRows and logs stay in {_short(HOME)} until the next demo. What to try next:\n"
        "  python3 tools/dev.py demo --keep  leaves it running, to look around in Airflow\n"
        f"  {_short(DAG_FILE)}   is the DAG that ran\n"
        "  packages/airflow/README.md        tells how to use it in your own Airflow",
        flush=True,
    )


def _short(path: Path) -> Path:
    return path.relative_to(ROOT)


def _wait_for_ctrl_c(*checks: Callable[[], None]) -> NoReturn:
    while True:
        for check in checks:
            check()
        time.sleep(1)


def _leave(number: int, _frame: object) -> NoReturn:
    """End as Ctrl-C does: what was started is stopped on the way out."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
