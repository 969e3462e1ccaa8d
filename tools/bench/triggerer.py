"""Run a thousand deferred tasks in a real triggerer, and add what it cost to ``docs/benchmarks.json``.

    nox -s bench_triggerer                       # about twenty minutes
    nox -s bench_triggerer -- 20                 # fewer, to see that it works; writes nothing

It starts a whole Airflow 3.3, of which a machine should have one at a time. Most of the time goes into
starting the tasks: each costs Airflow a process, and another one in the end. The triggerer has its default
capacity. Its event loops are watched as the end-to-end tests watch them (``tests/e2e/loop_watch``):
callbacks of more than 50 ms, and whose code they ran. When all tasks wait, they are left alone for a minute;
then all syncs end at the same moment.
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_stack import Database

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

import page  # noqa: E402 - it is beside this file
from airbyte import Airbyte, by_kind  # noqa: E402
from airflow_stack import AirflowStack  # noqa: E402 - tools are no package

NUMBER = 1000
PATIENCE = 2400.0
WINDOW = 60.0
_WRITES_A_LINE = "structlog/_output.py"
LIMIT = 0.05
"""Seconds that a loop was held up, without those in which the kernel let another process run."""


def main(number: int, database: Database) -> None:
    """Run and measure; write the page if it was the whole number."""
    home = Path(tempfile.mkdtemp(prefix="airbyte-sync-bench-"))
    watched, connections = home / "loops.jsonl", home / "connections.json"
    with Airbyte() as airbyte:
        connections.write_text(json.dumps(airbyte.connections(number, None)))
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
            began = time.monotonic()
            most = _until(airflow, run_id, lambda states: states["deferred"] == number, 10)
            started_in = time.monotonic() - began
            before, cpu, began = len(airbyte.requests()), _cpu(airflow), time.monotonic()
            time.sleep(WINDOW)
            in_window = by_kind(airbyte.requests()[before:])
            cpu, window = _cpu(airflow) - cpu, time.monotonic() - began
            airbyte.finish()
            began = time.monotonic()
            _until(airflow, run_id, lambda states: not states["deferred"], 1)
            noticed_in = time.monotonic() - began
            memory = _memory(airflow)
            states = _until(
                airflow, run_id, lambda states: states["success"] + states["failed"] == number, 10
            )
        requests = by_kind(airbyte.requests())
    case = {
        "measured_on": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "what": f"{number:,} deferred tasks of one mapped operator, on Airflow 3.3 with {database}, "
        "and one triggerer with its default capacity.",
        "figures": {
            "tasks deferred at the same time": f"{most['deferred']:,}",
            "until then": f"{started_in:.0f} s",
            "memory of the triggerer's largest process, at most": f"{memory:.0f} MB",
            "CPU of the triggerer while all wait": f"{100 * cpu / window:.0f} % of a processor",
            f"requests to Airbyte in {window:.0f} s while all wait": _listed(in_window),
            "from the end of all syncs until no task is deferred": f"{noticed_in:.0f} s",
            "requests to Airbyte in all": _listed(requests),
            **_stalls(watched),
            "how the tasks ended": _listed(dict(states)),
        },
    }
    print(json.dumps(case, indent=1))
    print(f"What held the loops up is in {watched}.")
    if number == NUMBER:
        found = json.loads(page.RESULTS.read_text(encoding="utf-8")) | {"triggerer": case}
        page.RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        page.write()


def _states(airflow: AirflowStack, run_id: str) -> Counter[str]:
    airflow.check()
    tasks = airflow.mapped_tasks("many", run_id, "sync")
    return Counter(str(task.state) for task in tasks.values())


def _until(
    airflow: AirflowStack,
    run_id: str,
    holds: Callable[[Counter[str]], bool],
    between_looks: float,
) -> Counter[str]:
    """Read the tasks' states until they are as wanted, and return them."""
    deadline = time.monotonic() + PATIENCE
    while not holds(states := _states(airflow, run_id)):
        print("bench:", dict(states), flush=True)
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {PATIENCE:g} s; the tasks are {dict(states)}")
        time.sleep(between_looks)
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


def _stalls(watched: Path) -> dict[str, str]:
    """Sort the callbacks that took too long by what was seen of them meanwhile."""
    rows = [json.loads(line) for line in watched.read_text(encoding="utf-8").splitlines()]
    stalls = [row for row in rows if row.get("held_up", 0.0) > LIMIT]
    # Nothing is seen while the garbage collector has the interpreter's lock.
    unseen = [row for row in stalls if not row["stacks"]]
    seen = [row for row in stalls if row["stacks"]]
    writing = [
        row for row in seen if all(_WRITES_A_LINE in str(stack[-1]) for stack in row["stacks"])
    ]
    others = [row for row in seen if row not in writing]
    return {
        "callbacks that held a loop up for more than 50 ms": f"{len(stalls)}",
        "of these, waiting until a line of log was taken": _told(writing),
        "of these, with nothing seen, as while the garbage collector runs": _told(unseen),
        "of these, anything else": _told(others),
    }


def _told(stalls: list[dict[str, Any]]) -> str:
    if not stalls:
        return "none"
    return f"{len(stalls)}, for {1000 * max(row['held_up'] for row in stalls):.0f} ms at most"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) or "none"


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER,
        "sqlite" if "sqlite" in sys.argv else "postgresql",
    )
