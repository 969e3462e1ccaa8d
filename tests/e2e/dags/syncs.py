"""One DAG for each way to run a sync; the run's conf says which Airbyte connections to sync."""

import os
from datetime import datetime, timedelta, timezone

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG


def connection_ids(count):
    return [f"{{{{ dag_run.conf['connection_ids'][{number}] }}}}" for number in range(count)]


CONNECTION_IDS = connection_ids(3)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
MODES = ("blocking", "deferrable")
LONG = 7200
"""Seconds: no task ends by it, however slow the machine."""
HURRY = int(os.environ["SCENES_HURRY"])
EXECUTION_TIMEOUT = timedelta(seconds=int(os.environ["SCENES_EXECUTION_TIMEOUT"]))
DAGRUN_TIMEOUT = timedelta(seconds=int(os.environ["SCENES_DAGRUN_TIMEOUT"]))


def dag(dag_id, **options):
    return DAG(dag_id, start_date=START, schedule=None, **options)


def sync(task_id="sync", **options):
    defaults = {"connection_id": CONNECTION_IDS[0], "wait_seconds": 0.5, "timeout": LONG}
    return AirbyteTriggerSyncOperator(task_id=task_id, **{**defaults, **options})


def sensor(task_id, job_id, **options):
    defaults = {"airbyte_job_id": job_id, "poke_interval": 0.5, "timeout": LONG}
    return AirbyteJobSensor(task_id=task_id, **{**defaults, **options})


for mode in MODES:
    deferrable = mode == "deferrable"
    with dag(mode):
        sync(deferrable=deferrable)
    with dag(f"{mode}_in_a_hurry"):
        sync(deferrable=deferrable, timeout=HURRY)
    with dag(f"{mode}_with_a_deadline"):
        # Airflow counts from the start of its process, which takes a while where many start at once.
        sync(deferrable=deferrable, execution_timeout=EXECUTION_TIMEOUT)
    with dag(f"{mode}_with_retries"):
        sync(deferrable=deferrable, retries=1, retry_delay=timedelta(seconds=1))
    with dag(f"{mode}_that_leaves_it_running"):
        sync(deferrable=deferrable, cancel_on_kill=False)

with dag("deferrable_in_a_dag_in_a_hurry", dagrun_timeout=DAGRUN_TIMEOUT):
    sync(deferrable=True)

for name, count in (
    ("deferrable_mapped", 3),
    ("deferrable_dozen", 12),
    ("deferrable_crowd", int(os.environ["SCENES_CROWD"])),
):
    with dag(name):
        AirbyteTriggerSyncOperator.partial(
            task_id="sync", deferrable=True, wait_seconds=0.5, timeout=LONG
        ).expand(connection_id=connection_ids(count))

with dag("asynchronous"):
    job_id = sync(asynchronous=True).output
    sensor("blocking_sensor", job_id)
    sensor("rescheduling_sensor", job_id, mode="reschedule", poke_interval=10)
    sensor("deferrable_sensor", job_id, deferrable=True)

with dag("sensor_with_retries"):
    job_id = sync(asynchronous=True).output
    sensor("sensor", job_id, retries=1, retry_delay=timedelta(seconds=1))

SENSOR_MODES = {
    "poke": {},
    # A poke that begins before the scheduler has seen the end of the one before is a failure to Airflow.
    "reschedule": {"mode": "reschedule", "poke_interval": max(15, HURRY // 2)},
    "deferrable": {"deferrable": True},
}
LIMITS = {
    "timeout": {"timeout": HURRY},
    "execution_timeout": {"execution_timeout": EXECUTION_TIMEOUT},
}
for dag_id, limits in (
    ("sensors_of_a_failed_sync", {"failed": {}}),
    ("sensors_in_a_hurry", LIMITS),
):
    with dag(dag_id):
        job_id = sync(asynchronous=True).output
        for mode, options in SENSOR_MODES.items():
            for ending, limit in limits.items():
                for flag in ("plain", "soft_fail"):
                    sensor(
                        f"{ending}_{mode}_{flag}",
                        job_id,
                        **options,
                        **limit,
                        soft_fail=flag == "soft_fail",
                        retries=1,
                        retry_delay=timedelta(seconds=1),
                    )

with dag("sensor_that_only_looks"):
    job_id = sync(asynchronous=True).output
    sensor("sensor", job_id, deferrable=True)
with dag("sensor_that_cancels"):
    job_id = sync(asynchronous=True).output
    sensor("sensor", job_id, deferrable=True, cancel_on_kill=True)
