"""The official provider and ours in one Airflow, without the drop-in; and tasks that change sides."""

import asyncio
import inspect
import json
import time
from datetime import timedelta

import pytest
from airflow.providers.airbyte.hooks import airbyte as official_hooks
from airflow.providers.airbyte.operators import airbyte as official_operators
from airflow.providers.airbyte.sensors import airbyte as official_sensors
from airflow.providers.airbyte.triggers import airbyte as official_triggers
from airflow.providers_manager import ProvidersManager
from airflow.sdk.exceptions import AirflowException

from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor
from airbyte_sync_local import job_scripts

# The official provider and the SDK below it warn about themselves; that proves nothing about us.
pytestmark = pytest.mark.filterwarnings("default")

FILLED_IN = {
    "auth": "client_credentials",
    "verify": "true",
    "headers": "X-Team: data",
    "connect_timeout": 10,
    "read_timeout": 30,
    "submit_timeout": 90,
    "ui_url": "http://airbyte.internal",
    "on_conflict": "queue",
    "cancel_on_kill": "true",
    "proxies": {},
    "timeout": 20,
}
"""An ``extra`` as our connection form saves it, and the one key that the official provider documents."""


@pytest.fixture
def airbyte(airbyte, auth, monkeypatch):
    """An Airbyte, and an Airflow connection that was filled in with our form."""
    connection = {
        "conn_type": "airbyte",
        "host": f"{airbyte.base_url}/api/public/v1",  # the official one does not find it
        "login": auth.client_id,
        "password": auth.client_secret,
        "schema": "v1/applications/token",
        "extra": FILLED_IN,
    }
    monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_DEFAULT", json.dumps(connection))
    return airbyte


@pytest.fixture
def start(airbyte):
    """Start a job, as an official operator did."""

    def job(life):
        return airbyte.start_external_job(airbyte.add_connection().connection_id, life)

    return job


def ours(**options):
    return AirbyteTriggerSyncOperator(task_id="sync", connection_id="x", **options)


def fired(job, seconds=3600):
    """Return the event that the official trigger itself fires about a job."""
    trigger = official_triggers.AirbyteSyncTrigger(
        job_id=job.job_id,
        conn_id="airbyte_default",
        end_time=time.time() + seconds,
        poll_interval=0.05,
    )

    async def events():
        return [event.payload async for event in trigger.run()]

    [payload] = asyncio.run(events())
    return payload


QUICK = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(seconds=0.1))


# --------------------------------------------------------------------------------------------------
# Side by side


def test_the_connection_type_goes_to_our_hook():
    """Ours comes first by its name: its form and its test are what a person gets."""
    hook = ProvidersManager().hooks["airbyte"]
    assert "airbyte_sync_airflow.hooks.AirbyteHook" == hook.hook_class_name


def test_the_official_classes_work_with_a_connection_of_our_form(airbyte):
    """They read the same fields, and pass over the others."""
    assert official_hooks.AirbyteHook().test_connection()[0]
    connection = airbyte.add_connection(job_scripts=[QUICK, QUICK])
    task = official_operators.AirbyteTriggerSyncOperator(
        task_id="sync", connection_id=connection.connection_id, wait_seconds=0.1
    )
    assert 1 == task.execute({})
    sensor = official_sensors.AirbyteJobSensor(task_id="wait", airbyte_job_id=1)
    assert sensor.poke({}) is True


def test_our_hook_reads_that_connection_too(airbyte):
    """With the official key ``timeout`` in it."""
    assert AirbyteHook().test_connection()[0]


# --------------------------------------------------------------------------------------------------
# From the official provider to ours


def test_what_its_trigger_fires_about_a_success_is_a_success(start):
    """The event was stored before the switch."""
    event = fired(start(QUICK))
    assert "success" == event["status"], event
    task = ours(deferrable=True)
    task.execute_complete({}, event)
    assert 1 == task.job_id
    AirbyteJobSensor(task_id="wait", airbyte_job_id=1).execute_complete({}, event)


def test_what_its_trigger_fires_about_a_failure_is_a_failure(start):
    """With the reason that the official one does not tell."""
    event = fired(start(job_scripts.fails(lasts=timedelta(seconds=0.1))))
    with pytest.raises(AirflowException, match="Airbyte job 1 failed"):
        ours().execute_complete({}, event)


def test_what_its_trigger_fires_while_the_job_goes_on_is_no_failure(airbyte, start):
    """Here at its ``end_time``; our operator waits on."""
    job = start(job_scripts.succeeds(lasts=timedelta(seconds=2)))
    event = fired(job, seconds=-1)
    assert "error" == event["status"]
    ours(wait_seconds=0.2).execute_complete({}, event)
    assert ["succeeded"] == [each.status for each in airbyte.jobs]


# --------------------------------------------------------------------------------------------------
# And back


@pytest.mark.parametrize(
    "make",
    [
        lambda: official_operators.AirbyteTriggerSyncOperator(task_id="sync", connection_id="x"),
        lambda: official_sensors.AirbyteJobSensor(task_id="sync", airbyte_job_id=1),
    ],
)
def test_our_stored_event_fails_a_task_of_the_official_provider(make):
    """The documentation of the drop-in says so, and what to do before going back."""
    with pytest.raises(KeyError, match="status"):
        make().execute_complete({}, {"job": {"job_id": 1, "status": "succeeded"}})


PAIRS = [
    (official_operators.AirbyteTriggerSyncOperator, AirbyteTriggerSyncOperator),
    (official_sensors.AirbyteJobSensor, AirbyteJobSensor),
    (official_hooks.AirbyteHook, AirbyteHook),
]


@pytest.mark.parametrize(("official", "mine"), PAIRS)
def test_our_arguments_are_a_superset(official, mine):
    """Of the newest official signatures."""
    theirs = inspect.signature(official.__init__).parameters
    assert set() == set(theirs) - set(inspect.signature(mine.__init__).parameters)


@pytest.mark.parametrize(("official", "mine"), PAIRS[:2])
def test_our_templates_are_a_superset(official, mine):
    """``template_fields`` are as specified; the connection's id is rendered all the same."""
    assert set(official.template_fields) == {*mine.template_fields, "airbyte_conn_id"}
