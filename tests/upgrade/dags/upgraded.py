"""Tasks that an upgrade finds in every state; the run's conf says which Airbyte connection to sync."""

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
RETRIES = int(os.environ["UPGRADE_RETRIES"])
"""Those of deferrable tasks."""


def sync(**options):
    return AirbyteTriggerSyncOperator(
        task_id="sync",
        connection_id="{{ dag_run.conf['connection_ids'][0] }}",
        wait_seconds=1,
        timeout=7200,
        retry_delay=timedelta(seconds=5),
        **options,
    )


def sensor(job_id, **options):
    AirbyteJobSensor(
        task_id="sensor",
        airbyte_job_id=job_id,
        timeout=7200,
        retries=RETRIES,
        retry_delay=timedelta(seconds=5),
        **options,
    )


with DAG("deferrable", start_date=START, schedule=None):
    sync(deferrable=True, retries=RETRIES)

with DAG("blocking", start_date=START, schedule=None):
    sync(retries=5)  # its worker ends with the scheduler that runs it

with DAG("deferrable_sensor", start_date=START, schedule=None):
    sensor(sync(asynchronous=True).output, deferrable=True, poke_interval=1)

with DAG("rescheduling_sensor", start_date=START, schedule=None):
    sensor(sync(asynchronous=True).output, mode="reschedule", poke_interval=20)
