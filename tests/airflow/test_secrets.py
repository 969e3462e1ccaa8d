"""No credential is in a log, an event, an XCom, an exception, a facet or a trigger, whatever is repeated."""

import json
import logging
import os

import pytest

from airbyte_sync_airflow.compat.airflow import AirflowException
from airbyte_sync_airflow.config.connection import read_server
from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_airflow.openlineage.extract import facets_on_complete
from airbyte_sync_testkit.contract.raw_server import RawServer
from tests import canaries

ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
STARTED = {"jobId": 1, "status": "running", "jobType": "sync", "connectionId": ID}
STARTED["startTime"] = "2026-08-21T10:15Z"


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog, monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    caplog.set_level(logging.DEBUG)


@pytest.fixture
def connect_to(connect):
    """Define the Airflow connection that leads to an echo."""

    def define(server, **extra):
        connect(
            host=server.url,
            login="me",
            password=canaries.CLIENT_SECRET,
            extra=json.dumps({"headers": canaries.HEADERS, "unreachable_timeout": 30, **extra}),
        )

    return define


@pytest.fixture
def require_no_leak(caplog, log, context):
    """Look for a canary in all that was told, whatever Airflow itself masks."""

    def require(*told):
        texts = [caplog.text, str(log), repr(context["ti"].xcoms)]
        for each in told:
            texts += canaries.texts_of(each) if isinstance(each, BaseException) else [repr(each)]
        assert [] == [leak for text in texts for leak in canaries.leaks(text)]

    return require


@pytest.mark.parametrize("starts", [None, STARTED], ids=["repeats all", "starts a job"])
@pytest.mark.parametrize("echo", canaries.ECHOES)
def test_a_blocking_task_tells_no_credential(
    operator, echo, starts, parts, connect_to, context, require_no_leak
):
    """Neither in its exception with all that it was made from, nor in log and XComs."""
    task = operator(ID, timeout=120)
    with RawServer(canaries.echoing(echo, starts)) as server:
        connect_to(server)
        with pytest.raises(AirflowException) as caught:
            task.execute(context)
    require_no_leak(caught.value)


@pytest.mark.parametrize("starts", [None, STARTED], ids=["repeats all", "starts a job"])
@pytest.mark.parametrize("echo", canaries.ECHOES)
def test_a_deferred_task_tells_no_credential(
    operator, echo, starts, parts, connect_to, context, defer, event_of, require_no_leak
):
    """The event is clean already: in the process that finishes the task nothing is known to be secret."""

    def task():
        return operator(ID, timeout=120, deferrable=True)

    with RawServer(canaries.echoing(echo, starts)) as server:
        connect_to(server)
        try:
            trigger = defer(task().execute, context)
        except AirflowException as error:  # refused before there was anything to wait for
            require_no_leak(error)
            return
        event = event_of(trigger)
    with pytest.raises(AirflowException) as caught:
        task().execute_complete(context, event)
    require_no_leak(caught.value, event, trigger.serialize())


@pytest.mark.parametrize("echo", canaries.ECHOES)
def test_a_sensor_tells_no_credential(echo, parts, connect_to, sensor, context, require_no_leak):
    """A poke that fails is told in the log."""
    task = sensor()
    told = []
    with RawServer(canaries.echoing(echo)) as server:
        connect_to(server)
        try:
            told.append(task.poke(context))
        except Exception as error:
            told.append(error)
    require_no_leak(*told)


@pytest.mark.parametrize("echo", canaries.ECHOES)
def test_a_hook_tells_no_credential(echo, parts, connect_to, require_no_leak):
    """Neither the text of the connection's test nor an exception."""
    with RawServer(canaries.echoing(echo)) as server:
        connect_to(server)
        told = [AirbyteHook().test_connection()]
        try:
            told.append(AirbyteHook().get_job_details(1))
        except AirflowException as error:
            told.append(error)
    require_no_leak(*told)


@pytest.mark.parametrize("echo", canaries.ECHOES)
def test_lineage_tells_no_credential(echo, parts, connect_to, require_no_leak):
    """Neither a dataset's name nor a facet."""
    with RawServer(canaries.echoing(echo)) as server:
        connect_to(server)
        told = facets_on_complete(
            conn_id="airbyte_default", api_version="v1", connection_id=ID, job=None
        )
    require_no_leak(told)


@pytest.mark.parametrize("echo", ["500", "no HTTP", "cut", "a status line"])
def test_a_proxy_that_refuses_is_told_without_its_credentials(
    operator, echo, parts, connect, context, defer, event_of, require_no_leak
):
    """In both transports: the worker's, the trigger's and that of the connection's test."""
    task = operator(ID, timeout=60, deferrable=True)
    with RawServer(canaries.echoing_all(echo)) as proxy:
        proxies = {"https": canaries.proxy_url(proxy.port)}
        connect(
            host="https://airbyte.invalid",
            extra=json.dumps({"proxies": proxies, "unreachable_timeout": 30}),
        )
        trigger = defer(task.execute, context)
        event = event_of(trigger)
        tested = AirbyteHook().test_connection()
    assert {"CONNECT"} == {request.method for request in proxy.requests}
    require_no_leak(event, tested, trigger.serialize())


# --------------------------------------------------------------------------------------------------
# Airflow's own masker


def test_airflow_masks_a_fetched_token_in_a_worker(operator, connect_to, parts, context, redact):
    """A worker's process ends with its task, so that its masker may learn every token."""
    task = operator(ID, timeout=60)
    with RawServer(canaries.echoing("500")) as server:
        connect_to(server)
        with pytest.raises(AirflowException):
            task.execute(context)
    assert canaries.TOKEN not in redact(f"sent {canaries.TOKEN}")


def test_airflow_masks_the_values_of_extra_headers(connect_to, parts, redact):
    """Whatever their names: Airflow itself masks those only that it thinks sensitive."""
    with RawServer(canaries.echoing("500")) as server:
        connect_to(server)
        read_server("airbyte_default", "v1")
    for value in (canaries.HEADER, "canary-cookie", "canary-crumb"):
        assert value not in redact(f"sent {value}")


def test_a_silent_airflow_holds_up_nothing_that_teaches_it_a_token(monkeypatch):
    """Airflow 3 waits for a task's supervisor, which waits for Airflow."""
    from threading import Event

    from airbyte_sync_airflow.config import connection

    answered = Event()
    asked = []

    def mask(secret):
        asked.append(secret)
        answered.wait(60)

    monkeypatch.setattr(connection, "mask", mask)
    monkeypatch.setattr(connection, "_LONGEST_WAIT_FOR_MASKING", 0.01)
    connection.mask_aside("first-token")
    connection.mask_aside("second-token")
    assert not answered.is_set()
    answered.set()
    assert ["first-token", "second-token"] == asked


def test_airflow_learns_no_token_in_a_triggerer(start_job, parts, clock, event_of, monkeypatch):
    """Its masker never forgets, and there is a new one every few minutes: we hide them ourselves."""
    from airbyte_sync import SyncPolicy
    from airbyte_sync_airflow import composition
    from airbyte_sync_airflow.triggers import AirbyteSyncTrigger

    learnt = []
    monkeypatch.setattr(composition, "mask_aside", learnt.append)
    job = start_job()
    checkpoint = {
        "version": 1,
        "phase": "watch",
        "asked_at": clock.now().isoformat(),
        "job_id": job.job_id,
        "origin": "started",
    }
    trigger = AirbyteSyncTrigger("airbyte_default", checkpoint, SyncPolicy().to_json())
    assert job.job_id == event_of(trigger)["job"]["job_id"]
    assert [] == learnt
