"""Run every benchmark, each case in a process of its own, and write what they found to one file.

    nox -s bench              # about ten minutes; writes docs/benchmarks.json and draws the page
    nox -s bench -- --quick   # a minute, small numbers, to see that it works; writes nothing

Ours and the official provider's are run alternately in the same minutes, so that a busy machine is busy for
both. All load goes to a server on loopback.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import page

HERE = Path(__file__).parent
BOTH = ("ours", "official")
PATIENCE = 400.0


def main(*, quick: bool) -> None:
    """Run, and write the file unless in a hurry."""
    side_by_side = (10,) if quick else (100, 1000)
    growth = (1, 10) if quick else (1, 10, 100, 1000, 10_000)
    seconds = 10.0 if quick else 60.0
    found = {
        "measured_on": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "machine": _machine(),
        "side_by_side": [
            _run("waiting.py", who, number, 5) for number in side_by_side for who in BOTH
        ],
        "growth": [_run("waiting.py", "ours", number, seconds) for number in growth],
        "blocking": [
            _median([_run("blocking.py", who, 5) for _ in range(1 if quick else 3)]) for who in BOTH
        ],
        "delay": _run("delay.py"),
    }
    if quick:
        print(json.dumps(found, indent=1))
        return
    before = json.loads(page.RESULTS.read_text()) if page.RESULTS.exists() else {}
    if "triggerer" in before:  # from a real Airflow: triggerer.py
        found["triggerer"] = before["triggerer"]
    page.RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    page.write()


def _run(program: str, *arguments: object) -> Any:
    print("bench:", program, *arguments, flush=True)
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=PATIENCE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # Airflow may write lines of log before it


def _median(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the case in the middle by the time of the import, with the other times' medians."""
    middle = dict(cases[len(cases) // 2])
    for name in ("airflow_import_ms", "import_ms", "first_byte_ms", "overhead_seconds"):
        middle[name] = sorted(case[name] for case in cases)[len(cases) // 2]
    return middle


def _machine() -> dict[str, Any]:
    cpu = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    )
    memory = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]) / 1e6
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "airflow": version("apache-airflow"),
        "official": version("apache-airflow-providers-airbyte"),
        "ours": version("airbyte-sync-airflow"),
    }


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
