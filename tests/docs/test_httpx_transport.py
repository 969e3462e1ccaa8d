"""The example of a transport over httpx is installed from its wheel, and syncs go through it."""

import asyncio
import logging
import os
from datetime import timedelta
from importlib.metadata import distribution
from pathlib import Path

import pytest

import airbyte_httpx_transport
from airbyte_sync import (
    AsyncPortInterpreter,
    PortInterpreter,
    SyncPolicy,
    SyncRequest,
    arun,
    run,
    sync,
)
from airbyte_sync_cli import main
from airbyte_sync_http import (
    ClientCredentials,
    ServerSettings,
    open_async_gateway,
    open_gateway,
)
from airbyte_sync_local import LocalAirbyte, RequireClientCredentials, job_scripts
from airbyte_sync_testkit import AsyncVirtualClock, VirtualClock

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def airbyte(clock):
    auth = RequireClientCredentials(client_id="id", client_secret="secret")
    with LocalAirbyte(clock=clock.now, auth=auth) as server:
        yield server


@pytest.fixture
def settings(airbyte):
    auth = ClientCredentials(client_id="id", client_secret="secret")
    return ServerSettings(base_url=airbyte.base_url, auth=auth)


@pytest.fixture
def request_for_a_sync(airbyte):
    return SyncRequest(connection_id=airbyte.add_connection().connection_id)


@pytest.fixture
def sent_by_httpx(caplog):
    """Count the requests that httpx has sent: its engine logs each."""
    caplog.set_level(logging.DEBUG, "httpcore.http11")
    return lambda: caplog.text.count("send_request_headers.started")


def test_it_is_installed_from_its_wheel():
    """What is tested is what its users would get."""
    assert ROOT / "docs" not in Path(airbyte_httpx_transport.__file__).parents
    found = {
        (entry.group, entry.name) for entry in distribution("airbyte-httpx-transport").entry_points
    }
    assert {
        ("airbyte_sync.transports", "httpx"),
        ("airbyte_sync.async_transports", "httpx"),
    } == found


def test_a_blocking_sync_goes_through_it(
    airbyte, settings, request_for_a_sync, clock, sent_by_httpx
):
    """It is found by its name."""
    with open_gateway(settings, "httpx") as gateway:
        result = run(sync(request_for_a_sync, SyncPolicy()), PortInterpreter(gateway, clock))
    assert "succeeded" == result.job.status
    assert len(airbyte.requests) == sent_by_httpx() >= 3


def test_an_async_sync_goes_through_it(airbyte, settings, request_for_a_sync, clock, sent_by_httpx):
    """The async one has the same name."""

    async def followed():
        async with open_async_gateway(settings, "httpx") as gateway:
            interpreter = AsyncPortInterpreter(gateway, AsyncVirtualClock(clock))
            return await arun(sync(request_for_a_sync, SyncPolicy()), interpreter)

    assert "succeeded" == asyncio.run(followed()).job.status
    assert len(airbyte.requests) == sent_by_httpx() >= 3


def test_the_command_goes_through_it(airbyte, sent_by_httpx, monkeypatch, capsys):
    """``airbyte-sync run --transport httpx`` finds it by its name."""
    for name in [name for name in os.environ if name.startswith("AIRBYTE_SYNC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIRBYTE_SYNC_URL", airbyte.base_url)
    monkeypatch.setenv("AIRBYTE_SYNC_CLIENT_ID", "id")
    monkeypatch.setenv("AIRBYTE_SYNC_CLIENT_SECRET", "secret")
    at_once = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))
    connection = airbyte.add_connection(job_scripts=[at_once])
    assert 0 == main(["run", "--transport", "httpx", connection.connection_id])
    assert "succeeded" in capsys.readouterr().out
    assert ["succeeded"] == [job.status for job in airbyte.jobs]
    assert len(airbyte.requests) == sent_by_httpx() >= 3
