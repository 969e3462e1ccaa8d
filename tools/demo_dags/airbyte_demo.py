"""Run Airbyte syncs in three modes: wait in the worker, do not wait, wait in the triggerer."""

from datetime import datetime, timezone

from airflow.sdk import DAG

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor

with DAG("airbyte_demo", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    # Waits for the end of the sync, and occupies a worker meanwhile.
    AirbyteTriggerSyncOperator(
        task_id="blocking",
        connection_id="6f3c1b52-8a0e-4d67-b1f4-2c9d7e5a0b11",
    )

    # Ends as soon as Airbyte has taken the sync. Its result is the id of the Airbyte job ...
    asynchronous = AirbyteTriggerSyncOperator(
        task_id="asynchronous",
        connection_id="a2d94e07-5c3b-4f18-9e6a-7b0c8d1f2e22",
        asynchronous=True,
    )
    # ... which a sensor follows.
    AirbyteJobSensor(task_id="follow", airbyte_job_id=asynchronous.output, poke_interval=3)

    # Waits in the triggerer: thousands of such tasks need no worker while they wait.
    AirbyteTriggerSyncOperator(
        task_id="deferrable",
        connection_id="d81f6ca3-0b7e-4295-8c4d-3e5a9f7b6c33",
        deferrable=True,
    )
