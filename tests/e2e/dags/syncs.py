"""One DAG for each way to run a sync; the run's conf says which Airbyte connection to sync."""

from datetime import datetime, timezone

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

CONNECTION_ID = "{{ dag_run.conf['connection_id'] }}"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)

for mode in ("blocking", "deferrable"):
    for dag_id, timeout in ((mode, 300), (f"{mode}_in_a_hurry", 12)):
        with DAG(dag_id, start_date=START, schedule=None):
            AirbyteTriggerSyncOperator(
                task_id="sync",
                connection_id=CONNECTION_ID,
                deferrable=mode == "deferrable",
                wait_seconds=0.5,
                timeout=timeout,
            )

with DAG("asynchronous", start_date=START, schedule=None):
    sync = AirbyteTriggerSyncOperator(
        task_id="sync", connection_id=CONNECTION_ID, asynchronous=True
    )
    for mode in ("blocking", "deferrable"):
        AirbyteJobSensor(
            task_id=f"{mode}_sensor",
            airbyte_job_id=sync.output,
            deferrable=mode == "deferrable",
            poke_interval=0.5,
            timeout=300,
        )
