"""The engine that runs connectors, with a runner that says what its config tells it to say."""

import asyncio
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from airbyte_sync_local import (
    ConnectionScenario,
    Connector,
    ConnectorsEngine,
    ConnectorsEnvironment,
    LocalAirbyte,
    Scenario,
    ServerConnection,
    WrongEngine,
    utc_now,
)
from airbyte_sync_local.engines.connectors import NotAFileName
from airbyte_sync_local.platform.rules import Platform
from airbyte_sync_local.scenarios.scenario import read_connection

RUNNER = dedent(
    """
    import json, sys
    config = json.loads(sys.stdin.readline())
    for line in config["says"]:
        print(json.dumps(line), flush=True)
    if config.get("hangs"):
        sys.stdin.read()
    """
)
FAILURE = {
    "failureOrigin": "source",
    "failureType": "config_error",
    "externalMessage": "The password is wrong",
    "internalMessage": None,
}
FINISHED = {"event": "finished", "streams": {"users": 7, "orders": 3}, "bytes": 99}


@pytest.fixture
def engine(tmp_path):
    runner = tmp_path / "runner.py"
    runner.write_text(RUNNER)
    environment = ConnectorsEnvironment(python=Path(sys.executable), runner=runner)
    return ConnectorsEngine(environment=environment, data_folder=tmp_path / "data", clock=utc_now)


def scene(engine, act, **config):
    """Run one sync with a runner that says what the config tells it, and act on it."""

    async def play():
        platform = Platform(engine=engine, clock=utc_now)
        platform.put_connection(ServerConnection(connection_id="c1"))
        if config:
            engine.connect("c1", Connector(config=config))
        try:
            await platform.submit("c1", "sync")
            return await act(platform)
        finally:
            await engine.close()

    return asyncio.run(asyncio.wait_for(play(), timeout=20))


async def until(platform, condition):
    """Poll: a real process takes real time."""
    while not condition(platform.job(1)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return platform.job(1)


async def until_ended(platform):
    return await until(platform, lambda job: job.is_terminal)


async def until_rows(platform):
    return await until(platform, lambda job: job.rows > 0)


def test_a_sync_that_finishes_succeeds(engine):
    """The job ends with the rows of all streams, and its attempt succeeded."""
    job = scene(engine, until_ended, says=[FINISHED])
    assert ("succeeded", 10, 99) == (job.status, job.rows, job.bytes)
    assert ["succeeded"] == [attempt.status for attempt in job.attempts]


def test_a_job_is_pending_first(engine):
    """The submit answers before the process is there, as current servers do."""

    async def look(platform):
        return platform.job(1)

    assert "pending" == scene(engine, look, says=[FINISHED]).status


def test_progress_is_told(engine):
    """While the process runs, the job shows how far it has come."""
    progress = {"event": "progress", "rows": 5, "bytes": 50}
    job = scene(engine, until_rows, says=[progress], hangs=True)
    assert ("running", 5, 50) == (job.status, job.rows, job.bytes)


def test_a_failure_tells_why(engine):
    """The connector's own words are the reason, and nothing was committed."""
    progress = {"event": "progress", "rows": 5, "bytes": 50}
    failed = {"event": "failed", "failure": FAILURE}
    job = scene(engine, until_ended, says=[progress, failed])
    assert ("failed", 0) == (job.status, job.rows)
    assert "The password is wrong" == job.attempts[0].failure.reason


def test_a_cancel_ends_the_process(engine):
    """The cancel returns when the process has gone, and the job is cancelled by then."""

    async def cancel(platform):
        await until(platform, lambda job: job.status == "running")
        return await platform.cancel(1)

    job = scene(engine, cancel, says=[], hangs=True)
    assert ("cancelled", "manual_cancellation") == (job.status, job.attempts[0].failure.type)


def test_a_reset_ends_the_sync_and_deletes_the_rows(engine):
    """A reset cancels what runs, and the database is gone."""

    async def reset(platform):
        await until(platform, lambda job: job.status == "running")
        engine.database("c1").touch()
        return await platform.submit("c1", "reset"), platform.job(1)

    after, before = scene(engine, reset, says=[], hangs=True)
    assert ("succeeded", "cancelled") == (after.status, before.status)
    assert not engine.database("c1").exists()


def test_a_connection_without_a_connector_fails(engine):
    """The failure says what to do."""
    job = scene(engine, until_ended)
    assert "give it one in the scenario" in job.attempts[0].failure.reason


def test_the_server_ends_every_process(engine):
    """When the server stops, no process is left."""
    engine.connect("c1", Connector(config={"says": [], "hangs": True}))
    with LocalAirbyte(engine=engine) as airbyte:
        airbyte.add_connection(ServerConnection(connection_id="c1"))
        airbyte.start_external_job("c1")
    ended = [event.status for event in engine.happened(until=utc_now())]
    assert "cancelled" == ended[-1]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "", "a b", "-rf", "a.b"])
def test_names_lead_nowhere_else(engine, name):
    """Ids and names become paths, so they must be plain."""
    with pytest.raises(NotAFileName):
        engine.connect(name, Connector())
    with pytest.raises(NotAFileName):
        Connector(source=name)


def test_a_scenario_says_which_connector(engine):
    """A connection of a scenario file may name a connector and its config."""
    entry = read_connection(
        {
            "id": "c1",
            "connector": {"source": "source-x", "config": {"a": 1}, "streams": ["s"]},
        }
    )
    assert Connector(source="source-x", config={"a": 1}, streams=("s",)) == entry.connector
    LocalAirbyte(scenario=Scenario(connections=(entry,)), engine=engine)


def test_a_connector_needs_its_engine():
    """The scripted engine has no use for a connector, and says so."""
    entry = ConnectionScenario(connector=Connector())
    with pytest.raises(WrongEngine, match="choose it, or leave it out"):
        LocalAirbyte(scenario=Scenario(connections=(entry,)))


def test_a_config_does_not_show():
    """A config holds secrets, and no repr shows them."""
    assert "hush" not in repr(Connector(config={"password": "hush"}))
