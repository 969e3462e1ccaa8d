"""Measure a blocking task in a fresh process: what its import costs, when it asks Airbyte, and what for.

    python blocking.py ours|official SECONDS_OF_THE_SYNC

Prints what it found as JSON. Airflow's own import is measured apart. The first request begins where the
process opens a connection to the server, which an audit hook of the interpreter sees: so the number of
connections is known, too.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airbyte import Airbyte, by_kind


class _TaskInstance:
    """Enough of a task instance, where no Airflow runs the task."""

    dag_id, task_id, run_id, map_index = "bench", "sync", "r", -1

    def __init__(self) -> None:
        self.start_date = datetime.now(timezone.utc)

    def xcom_push(self, key: str, value: object) -> None:
        """Take what a task leaves behind."""

    def xcom_pull(self, **_: object) -> None:
        """Know of nothing."""


def main(who: str, seconds: float) -> dict[str, Any]:
    """Run one task."""
    home = Path(tempfile.mkdtemp(prefix="airbyte-sync-bench-"))
    os.environ |= {"AIRFLOW_HOME": str(home), "SCARF_ANALYTICS": "false"}
    with Airbyte() as airbyte:
        os.environ["AIRFLOW_CONN_AIRBYTE_DEFAULT"] = airbyte.connection()
        [connection_id] = airbyte.connections(1, seconds)
        airflow_ms = _import("airflow.sdk.bases.operator", "airflow.sdk.bases.hook")
        modules = set(sys.modules)
        package = {"ours": "airbyte_sync_airflow.operators"}.get(
            who, "airflow.providers.airbyte.operators.airbyte"
        )
        import_ms = _import(package)
        imported = set(sys.modules) - modules
        logging.disable(logging.CRITICAL)
        operator = sys.modules[package].AirbyteTriggerSyncOperator(
            task_id="sync", connection_id=connection_id, wait_seconds=3
        )
        connects: list[float] = []
        port = int(airbyte.url.rpartition(":")[2])
        sys.addaudithook(
            lambda event, found: (
                connects.append(time.perf_counter())
                if event == "socket.connect" and found[1][1] == port
                else None
            )
        )
        began, began_at = time.perf_counter(), time.time()
        operator.execute({"ti": _TaskInstance()})
        wall = time.perf_counter() - began
        requests, [end] = airbyte.requests(), airbyte.ends().values()
    return {
        "who": who,
        "sync_seconds": seconds,
        "airflow_import_ms": airflow_ms,
        "import_ms": import_ms,
        "imported_modules": len(imported),
        "first_byte_ms": round((connects[0] - began) * 1000, 1),
        "wall_seconds": round(wall, 2),
        "overhead_seconds": round(wall - seconds, 2),
        "notice_seconds": round(began_at + wall - end, 2),
        "connections_opened": len(connects),
        "requests": by_kind(requests),
    }


def _import(*modules: str) -> float:
    began = time.perf_counter()
    for module in modules:
        __import__(module)
    return round((time.perf_counter() - began) * 1000, 1)


if __name__ == "__main__":
    result = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(json.dumps(main(sys.argv[1], float(sys.argv[2]))), file=result, flush=True)
