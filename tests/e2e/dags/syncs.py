"""One DAG for each way to run a sync; the run's conf says which Airbyte connections to sync."""

from datetime import datetime, timedelta, timezone

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

CONNECTION_IDS = [f"{{{{ dag_run.conf['connection_ids'][{number}] }}}}" for number in range(3)]
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
MODES = ("blocking", "deferrable")


def dag(dag_id, **options):
    return DAG(dag_id, start_date=START, schedule=None, **options)


def sync(task_id="sync", **options):
    defaults = {"connection_id": CONNECTION_IDS[0], "wait_seconds": 0.5, "timeout": 600}
    return AirbyteTriggerSyncOperator(task_id=task_id, **{**defaults, **options})


def sensor(task_id, job_id, **options):
    defaults = {"airbyte_job_id": job_id, "poke_interval": 0.5, "timeout": 600}
    return AirbyteJobSensor(task_id=task_id, **{**defaults, **options})


for mode in MODES:
    deferrable = mode == "deferrable"
    with dag(mode):
        sync(deferrable=deferrable)
    with dag(f"{mode}_in_a_hurry"):
        sync(deferrable=deferrable, timeout=12)
    with dag(f"{mode}_with_a_deadline"):
        # Airflow counts from the start of its process, which takes a while where many start at once.
        sync(deferrable=deferrable, execution_timeout=timedelta(seconds=30))
    with dag(f"{mode}_with_retries"):
        sync(deferrable=deferrable, retries=1, retry_delay=timedelta(seconds=1))
    with dag(f"{mode}_that_leaves_it_running"):
        sync(deferrable=deferrable, cancel_on_kill=False)

with dag("deferrable_in_a_dag_in_a_hurry", dagrun_timeout=timedelta(seconds=25)):
    sync(deferrable=True)

with dag("deferrable_mapped"):
    AirbyteTriggerSyncOperator.partial(
        task_id="sync", deferrable=True, wait_seconds=0.5, timeout=600
    ).expand(connection_id=CONNECTION_IDS)

with dag("asynchronous"):
    job_id = sync(asynchronous=True).output
    sensor("blocking_sensor", job_id)
    sensor("rescheduling_sensor", job_id, mode="reschedule", poke_interval=10)
    sensor("deferrable_sensor", job_id, deferrable=True)

with dag("sensor_with_retries"):
    job_id = sync(asynchronous=True).output
    sensor("sensor", job_id, retries=1, retry_delay=timedelta(seconds=1))

with dag("sensor_that_only_looks"):
    job_id = sync(asynchronous=True).output
    sensor("sensor", job_id, deferrable=True)
with dag("sensor_that_cancels"):
    job_id = sync(asynchronous=True).output
    sensor("sensor", job_id, deferrable=True, cancel_on_kill=True)
