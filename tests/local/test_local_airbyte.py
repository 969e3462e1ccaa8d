"""The handle: where it listens, how it starts and stops, and that any thread may use it."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest
import requests

from airbyte_sync_local import (
    ConnectionScenario,
    Fault,
    LocalAirbyte,
    NotLoopback,
    Refusal,
    Scenario,
    ScriptedEngine,
    ServerConnection,
    Settings,
    WrongEngine,
    job_scripts,
)


class SilentEngine:
    """An engine that is not the scripted one, and does nothing."""

    def __init__(self):
        self.is_closed = False

    def start(self, job):
        pass

    async def cancel(self, job_id, *, at):
        pass

    def happened(self, **_until):
        return ()

    async def close(self):
        self.is_closed = True


def test_it_listens_on_loopback_while_the_block_lasts():
    """The server is there inside the block, on a free port, and gone after it."""
    with LocalAirbyte() as airbyte:
        assert airbyte.base_url.startswith("http://127.0.0.1:")
        assert f"{airbyte.base_url}/api/public/v1" == airbyte.api_url
        assert 200 == requests.get(f"{airbyte.api_url}/health", timeout=5).status_code
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{airbyte.api_url}/health", timeout=5)
    assert "airbyte-sync-local" not in {thread.name for thread in threading.enumerate()}


def test_it_runs_on_the_caller_s_loop_too():
    """With async with no thread is started, and methods may be called from coroutines."""

    async def scene():
        async with LocalAirbyte() as airbyte, aiohttp.ClientSession() as session:
            connection = airbyte.add_connection()
            body = {"connectionId": connection.connection_id, "jobType": "sync"}
            async with session.post(f"{airbyte.api_url}/jobs", json=body) as reply:
                assert 200 == reply.status
            assert 1 == len(airbyte.jobs)

    asyncio.run(scene())


def test_several_can_run_at_once(serve):
    """Servers share nothing."""
    first, second = serve(), serve()
    first.submit(first.airbyte.add_connection())
    assert (1, 0) == (len(first.airbyte.jobs), len(second.airbyte.jobs))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "::", "localhost", "example.org", ""])
def test_it_refuses_to_be_reached_from_elsewhere(host):
    """Only an address of the loopback network is accepted, and no name, for names can change."""
    with pytest.raises(NotLoopback, match=r"use 127\.0\.0\.1"):
        Settings(host=host)


def test_a_port_that_is_taken_is_an_error_of_the_caller(api):
    """What goes wrong in the server's thread at the start is raised in the caller's."""
    port = int(api.airbyte.base_url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"), LocalAirbyte(port=port):
        pass


def test_it_can_be_set_up_before_it_listens():
    """Connections and faults may be added before the block."""
    airbyte = LocalAirbyte()
    connection = airbyte.add_connection(ServerConnection(name="Early"))
    airbyte.inject(Fault(on="GET /jobs", do="drop"))
    with airbyte:
        url = f"{airbyte.api_url}/connections/{connection.connection_id}"
        assert "Early" == requests.get(url, timeout=5).json()["name"]


def test_it_starts_from_a_scenario(serve):
    """A scenario brings connections, job scripts, faults and a default script."""
    scenario = Scenario(
        connections=(ConnectionScenario(connection=ServerConnection(connection_id="c1")),),
        faults=(Fault(on="GET /health", do="drop"),),
        default_script=job_scripts.fails(),
    )
    api = serve(scenario=scenario)
    api.submit("c1")
    api.wait(10)
    assert "failed" == api.status(1)


def test_an_external_job_is_visible_at_once(api, connection):
    """An external job is listed, and follows its script."""
    job = api.airbyte.start_external_job(connection.connection_id, job_scripts.never_ends())
    api.wait(1)
    assert ([job.job_id], "running") == (api.list_ids(), api.status(job.job_id))


def test_nobody_starts_a_second_job(api, connection):
    """The rule of one active job holds for every caller, and what is refused leaves no trace."""
    api.airbyte.start_external_job(connection.connection_id)
    with pytest.raises(Refusal, match="A sync is already running"):
        api.airbyte.start_external_job(connection.connection_id, job_scripts.fails())
    api.wait(10)
    assert "succeeded" == api.status(1)
    api.submit(connection)
    api.wait(10)
    assert "succeeded" == api.status(2)


def test_every_thread_may_use_it(api):
    """Methods are carried to the server's thread, so that many threads may call at once."""
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda _: api.airbyte.add_connection(), range(40)))
        list(pool.map(lambda row: api.airbyte.start_external_job(row.connection_id), rows))
    assert list(range(1, 41)) == [job.job_id for job in api.airbyte.jobs]


def test_it_counts_how_many_were_served_at_once(api):
    """A test can tell whether a client kept to few requests at a time."""
    for _ in range(3):
        api.get("/jobs")
    assert 1 == api.airbyte.max_concurrency
    api.airbyte.clear_requests()
    assert ((), 0) == (api.airbyte.requests, api.airbyte.max_concurrency)


def test_another_engine_plays_no_lives():
    """Job scripts given to an engine that plays none are an error, not ignored."""
    airbyte = LocalAirbyte(engine=SilentEngine())
    with pytest.raises(WrongEngine):
        airbyte.add_connection(job_scripts=[job_scripts.succeeds()])


def test_the_engine_is_closed_at_the_end():
    """What an engine has started ends with the server."""
    engine = SilentEngine()
    with LocalAirbyte(engine=engine):
        assert not engine.is_closed
    assert engine.is_closed


def test_the_scripted_engine_forgets_at_the_end():
    """A closed engine has nothing left to tell."""
    engine = ScriptedEngine()
    with LocalAirbyte(engine=engine) as airbyte:
        airbyte.start_external_job(airbyte.add_connection().connection_id)
        last = airbyte.jobs[-1].created_at
    assert [] == engine.happened(until=last.replace(year=last.year + 1))
