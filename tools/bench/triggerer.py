"""Run a thousand deferred tasks in a real triggerer, and add what it cost to ``docs/benchmarks.json``.

    .dev/envs/airflow-3.3/bin/python tools/bench/triggerer.py [NUMBER] [SECONDS_OF_A_SYNC] [sqlite|postgresql]

It starts a whole Airflow 3.3, of which a machine should have one at a time, and takes a quarter of an hour:
starting a task costs Airflow a process. The triggerer has its default capacity. Its event loops are watched
as the end-to-end tests watch them (``tests/e2e/loop_watch``): callbacks of more than 50 ms, and whose code
they ran.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

import page  # noqa: E402 - it is beside this file
from airbyte import Airbyte, by_kind  # noqa: E402
from airflow_stack import AirflowStack  # noqa: E402 - tools are no package

PATIENCE = 1800.0
WINDOW = 60.0


def main(number: int, seconds: float, database: Any) -> None:
    """Run, measure, and write the page."""
    home = Path(tempfile.mkdtemp(prefix="airbyte-sync-bench-"))
    watched, connections = home / "loops.jsonl", home / "connections.json"
    with Airbyte() as airbyte:
        connections.write_text(json.dumps(airbyte.connections(number, seconds)))
        env = {
            "AIRFLOW_CONN_AIRBYTE_DEFAULT": airbyte.connection(),
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(2 * number),
            "AIRFLOW__CORE__MAX_MAP_LENGTH": str(2 * number),
            "BENCH_CONNECTIONS": str(connections),
        }
        watch = {
            "PYTHONPATH": str(ROOT / "tests" / "e2e" / "loop_watch"),
            "LOOP_WATCH_FILE": str(watched),
        }
        with AirflowStack(
            home=home / "airflow",
            dags=HERE / "dags",
            env=env,
            triggerer_env=watch,
            database=database,
        ) as airflow:
            airflow.unpause("many")
            run_id = airflow.trigger("many")
            most = _until_all_wait(airflow, run_id, number)
            before, began, cpu = len(airbyte.requests()), time.time(), _cpu(airflow)
            time.sleep(WINDOW)
            in_window = by_kind(airbyte.requests()[before:])
            cpu, window = _cpu(airflow) - cpu, time.time() - began
            memory = _memory(airflow)
            states = _until_none_waits(airflow, run_id)
        requests = by_kind(airbyte.requests())
    rows = [json.loads(line) for line in watched.read_text(encoding="utf-8").splitlines()]
    stalls = [row for row in rows if "held_up" in row]
    ours = [row for row in stalls if any("airbyte_sync" in str(stack) for stack in row["stacks"])]
    found = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    found["triggerer"] = {
        "measured_on": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "what": f"{number:,} deferred tasks of {seconds:g} s on {database}, one triggerer of Airflow 3.3 "
        "with its default capacity, all other processes of Airflow beside it.",
        "figures": {
            "most tasks deferred at the same time": most,
            "memory of the triggerer's process, at most": f"{memory:.0f} MB",
            "CPU of the triggerer while all wait": f"{100 * cpu / window:.0f} %",
            "requests to Airbyte a minute while all wait": _listed(in_window),
            "requests to Airbyte in all": _listed(requests),
            "callbacks that held a loop up for more than 50 ms": len(stalls),
            "of which in our code": len(ours),
            "the longest": _longest(stalls),
            "the longest in our code": _longest(ours),
            "how the tasks ended, as far as they were waited for": _listed(dict(states)),
        },
    }
    page.RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page.write()


def _states(airflow: AirflowStack, run_id: str) -> Counter[str]:
    airflow.check()
    tasks = airflow.mapped_tasks("many", run_id, "sync")
    return Counter(str(task.state) for task in tasks.values())


def _until_all_wait(airflow: AirflowStack, run_id: str, number: int) -> int:
    deadline, most = time.monotonic() + PATIENCE, 0
    while time.monotonic() < deadline:
        states = _states(airflow, run_id)
        print("bench:", dict(states), flush=True)
        most = max(most, states["deferred"])
        if most >= number or states["success"]:
            return most
        time.sleep(10)
    return most


def _until_none_waits(airflow: AirflowStack, run_id: str) -> Counter[str]:
    deadline, states = time.monotonic() + PATIENCE, Counter[str]()
    while time.monotonic() < deadline:
        states = _states(airflow, run_id)
        print("bench:", dict(states), flush=True)
        if not states["deferred"]:
            break
        time.sleep(10)
    return states


def _processes(airflow: AirflowStack) -> list[Path]:
    """Return the triggerer and what it has started."""
    session = os.getsid(airflow.pid("triggerer"))
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(process.name)) == session:
                found.append(process)
        except ProcessLookupError:
            continue
    return found


def _memory(airflow: AirflowStack) -> float:
    """Return the peak of the process that holds the triggers, the largest one: MB."""
    peaks = [
        int(line.split()[1]) / 1000
        for process in _processes(airflow)
        for line in (process / "status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmHWM")
    ]
    return max(peaks)


def _cpu(airflow: AirflowStack) -> float:
    """Return the CPU time of the triggerer's processes: seconds."""
    ticks = 0
    for process in _processes(airflow):
        fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _longest(stalls: list[dict[str, Any]]) -> str:
    return f"{1000 * max((row['held_up'] for row in stalls), default=0):.0f} ms"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) or "none"


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *("1000", "600", "sqlite")[len(sys.argv) - 1 :]]
    main(int(arguments[0]), float(arguments[1]), arguments[2])
