"""As many deferred syncs as the run's variable names connections: one mapped task."""

import json
import os
from datetime import datetime, timezone
from pathlib import Path

from airflow.sdk import DAG

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator

CONNECTIONS = json.loads(Path(os.environ["BENCH_CONNECTIONS"]).read_text(encoding="utf-8"))

with DAG("many", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    AirbyteTriggerSyncOperator.partial(task_id="sync", deferrable=True).expand(
        connection_id=CONNECTIONS
    )
