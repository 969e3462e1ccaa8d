"""DAGs as they were written for the official provider; they import the same under ours."""

from datetime import datetime, timedelta, timezone

from airflow.providers.airbyte.operators.airbyte import AirbyteTriggerSyncOperator
from airflow.providers.airbyte.sensors.airbyte import AirbyteJobSensor
from airflow.sdk import DAG

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
LONG = 7200
"""Seconds: no task ends by it, however slow the machine."""


def dag(dag_id):
    return DAG(dag_id, start_date=START, schedule=None)


def sync(**options):
    return AirbyteTriggerSyncOperator(
        task_id="sync",
        connection_id="{{ dag_run.conf['connection_ids'][0] }}",
        wait_seconds=1,
        timeout=LONG,
        **options,
    )


with dag("blocking"):
    sync(retries=1, retry_delay=timedelta(seconds=1))
with dag("deferrable"):
    sync(deferrable=True)
with dag("sensor"):
    started = sync(asynchronous=True)
    AirbyteJobSensor(task_id="sensor", airbyte_job_id=started.output, deferrable=True, timeout=LONG)
