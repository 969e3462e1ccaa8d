"""A thousand triggers of one process are one session, one token and one reading of the connection."""

import asyncio
import gc
import threading
import weakref
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from dependency_injector import providers

from airbyte_sync import InvalidInput, SyncPolicy
from airbyte_sync_airflow.compat.airflow import BaseHook
from airbyte_sync_airflow.compat.task_states import read_state
from airbyte_sync_airflow.composition import Container
from airbyte_sync_airflow.triggerer import shared as sharing
from airbyte_sync_airflow.triggerer.cancel import shared_kills
from airbyte_sync_airflow.triggerer.shared import SharedServers, shared_servers
from airbyte_sync_airflow.triggers import AirbyteSyncTrigger
from airbyte_sync_http import AsyncAirbyteGateway
from airbyte_sync_local import job_scripts

TRIGGERS = 50
CONNECTION = "airbyte_default"


@pytest.fixture
def feed():
    """The one that triggers really share."""


@pytest.fixture
def readings(monkeypatch):
    """Every question for a connection that Airflow was asked."""
    asked = []
    read = BaseHook.get_connection

    def counting(conn_id):
        asked.append(conn_id)
        return read(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", counting)
    return asked


@pytest.fixture
def triggers(airbyte, clock):
    """Triggers for syncs that have just begun, one for each of many connections."""

    def watching(life):
        connection = airbyte.add_connection(job_scripts=[life])
        job = airbyte.start_external_job(connection.connection_id, life)
        checkpoint = {
            "version": 1,
            "phase": "watch",
            "asked_at": clock.now().isoformat(),
            "job_id": job.job_id,
            "origin": "started",
        }
        return AirbyteSyncTrigger(CONNECTION, checkpoint, SyncPolicy().to_json())

    return lambda life: [watching(life) for _ in range(TRIGGERS)]


async def events_of(triggers):
    async def only(trigger):
        [event] = [event.payload async for event in trigger.run()]
        return event

    return await asyncio.gather(*map(only, triggers))


def asked_for(airbyte, operation):
    return [record for record in airbyte.requests if record.operation == operation]


def test_triggers_that_start_together_share_everything(connection, airbyte, triggers, readings):
    """One question to Airflow, one token, and far fewer looks than triggers."""
    at_once = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))
    events = asyncio.run(events_of(triggers(at_once)))
    assert ["succeeded"] * TRIGGERS == [event["job"]["status"] for event in events]
    assert [CONNECTION] == readings
    assert 1 == len(asked_for(airbyte, "POST /applications/token"))
    looks = asked_for(airbyte, "GET /jobs/{jobId}") + asked_for(airbyte, "GET /jobs")
    assert len(looks) < TRIGGERS / 2


def test_a_slow_lookup_holds_up_no_other_connection(connection, connect, airbyte, monkeypatch):
    """A secrets backend may take minutes for one of them, while the tasks of another have to cancel."""
    connect("slow", host=airbyte.base_url)
    read, answered = BaseHook.get_connection, threading.Event()

    def get_connection(conn_id):
        if conn_id == "slow" and not answered.wait(10):
            raise TimeoutError(conn_id)
        return read(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", get_connection)

    async def both():
        servers = SharedServers()
        slow = asyncio.ensure_future(servers.read("slow", "v1"))
        await asyncio.sleep(0)
        await servers.read(CONNECTION, "v1")  # behind the slow one this would wait for ever
        answered.set()
        return await slow

    assert asyncio.run(both()).settings.base_url.startswith(airbyte.base_url)


def test_quick_lookups_are_made_one_after_the_other(connect, airbyte, monkeypatch):
    """Airflow's masker can lose one of two secrets that it learns at the same moment."""
    monkeypatch.setattr(sharing, "TURN_SECONDS", 60)
    read, meeting, met = BaseHook.get_connection, threading.Barrier(2), []

    def get_connection(conn_id):
        with suppress(threading.BrokenBarrierError):
            met.append(meeting.wait(0.1))
        return read(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", get_connection)
    names = [f"airbyte_{number}" for number in range(5)]
    for name in names:
        connect(name, host=airbyte.base_url)

    async def read_all():
        servers = SharedServers()
        await asyncio.gather(*(servers.read(name, "v1") for name in names))

    asyncio.run(read_all())
    assert [] == met


def test_the_last_one_closes_what_the_first_one_opened(connection):
    """While anybody uses the parts they are the same, and afterwards there are new ones."""

    async def used():
        servers = shared_servers()
        server = await servers.read(CONNECTION, "v1")
        async with servers.use(server) as first, servers.use(server) as second:
            assert first is second
            async with servers.use(await servers.read(CONNECTION, "v1")) as third:
                assert first is third
        async with servers.use(server) as fourth:
            assert first is not fourth
        assert servers is shared_servers()

    asyncio.run(used())


def test_each_event_loop_has_its_own(connection):
    """Sessions belong to the loop that they were opened on."""

    async def mine():
        return shared_servers()

    assert asyncio.run(mine()) is not asyncio.run(mine())


def test_other_credentials_are_another_session(connection, airbyte, connect):
    """Only the very same server and credentials are shared."""
    connect("other", host=airbyte.base_url, login="somebody", password="else")

    async def used():
        servers = SharedServers()
        ours = await servers.read(CONNECTION, "v1")
        theirs = await servers.read("other", "v1")
        async with servers.use(ours) as first, servers.use(theirs) as second:
            assert first is not second

    asyncio.run(used())


def test_a_connection_that_has_changed_is_read_again(connection, connect, monkeypatch, readings):
    """What was read is not trusted for ever."""
    monkeypatch.setattr(sharing, "REMEMBERED_SECONDS", -1.0)

    async def twice():
        servers = SharedServers()
        before = await servers.read(CONNECTION, "v1")
        connect(host="http://another.host")
        return before, await servers.read(CONNECTION, "v1")

    before, after = asyncio.run(twice())
    assert before != after
    assert [CONNECTION] * 2 == readings


def test_a_connection_that_cannot_be_right_is_read_again(connection, airbyte, connect):
    """Who corrects it need not wait; who waits together hears of it together."""

    async def corrected():
        servers = SharedServers()
        connect(host="no-scheme")
        refused = await asyncio.gather(
            *(servers.read(CONNECTION, "v1") for _ in range(3)), return_exceptions=True
        )
        connect(host=airbyte.base_url)
        return refused, await servers.read(CONNECTION, "v1")

    refused, server = asyncio.run(corrected())
    assert [InvalidInput] * 3 == [type(error) for error in refused]
    assert server.settings.base_url.startswith(airbyte.base_url)


def test_one_that_is_stopped_while_it_opens_does_not_stop_the_others(connection):
    """The session is opened for all of them."""

    async def stopped():
        servers = SharedServers()
        server = await servers.read(CONNECTION, "v1")

        async def use():
            async with servers.use(server) as container:
                return container

        first, second = asyncio.ensure_future(use()), asyncio.ensure_future(use())
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second is not None

    asyncio.run(stopped())


def test_everybody_stopped_at_once_leaves_nothing_open(connection):
    """Also when nobody waited for the session to open."""

    async def stopped():
        servers = SharedServers()
        server = await servers.read(CONNECTION, "v1")

        async def use():
            async with servers.use(server):
                await asyncio.sleep(60)

        users = [asyncio.ensure_future(use()) for _ in range(3)]
        await asyncio.sleep(0)
        for user in users:
            user.cancel()
        await asyncio.gather(*users, return_exceptions=True)
        async with servers.use(server) as container:
            return container

    assert asyncio.run(stopped()) is not None


def test_a_connection_that_cannot_be_read_for_a_while_is_read_again(
    connection, triggers, monkeypatch, log
):
    """All triggers of a triggerer that takes them over ask at once, and Airflow may stumble."""
    read, failures = BaseHook.get_connection, [OSError("the database is gone")] * 3

    def stumbling(conn_id):
        if failures:
            raise failures.pop()
        return read(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", stumbling)
    at_once = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))
    events = asyncio.run(events_of(triggers(at_once)))
    assert ["succeeded"] * TRIGGERS == [event["job"]["status"] for event in events]
    assert any("the database is gone" in line for line in log.lines)


def test_a_connection_that_is_never_there_ends_the_wait(connection, triggers, monkeypatch, clock):
    """After as long as a server may be unreachable; the event says what goes on without us."""

    def gone(conn_id):
        raise OSError("the database is gone")

    monkeypatch.setattr(BaseHook, "get_connection", gone)
    began, (trigger, *_) = clock.now(), triggers(job_scripts.never_ends())
    [event] = asyncio.run(events_of([trigger]))
    assert event["message"].startswith("Airbyte job 1 goes on, and no task follows it any more")
    assert 0.8 < (clock.now() - began) / SyncPolicy().unreachable_timeout <= 1


def test_a_secret_that_was_replaced_meanwhile_is_found(
    connection, triggers, airbyte, connect, monkeypatch, log
):
    """Who waits with a secret that is not valid any more reads the Airflow connection again."""
    monkeypatch.setattr(sharing, "REMEMBERED_SECONDS", -1.0)
    read, asked = BaseHook.get_connection, []

    def replaced_later(conn_id):
        asked.append(conn_id)
        found = read(conn_id)
        if len(asked) == 1:
            found.password = "revoked"
        return found

    monkeypatch.setattr(BaseHook, "get_connection", replaced_later)
    [trigger, *_] = triggers(job_scripts.succeeds(lasts=timedelta(hours=2)))
    trigger.checkpoint["status"] = "running"  # it was seen with the secret that is revoked now
    [event] = asyncio.run(events_of([trigger]))
    assert "succeeded" == event["job"]["status"]
    assert "The Airflow connection has changed: trying it as it is now" in log.lines


def test_a_session_that_cannot_be_closed_changes_no_result(
    connection, triggers, monkeypatch, caplog
):
    """The last one that uses it has come to the end of its sync all the same."""

    close = AsyncAirbyteGateway.__aexit__

    async def failing(*arguments):
        await close(*arguments)
        raise OSError("already closed")

    monkeypatch.setattr(AsyncAirbyteGateway, "__aexit__", failing)
    at_once = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))
    events = asyncio.run(events_of(triggers(at_once)[:1]))
    assert ["succeeded"] == [event["job"]["status"] for event in events]
    assert "already closed" in caplog.text


def test_loops_that_are_closed_are_forgotten(connection):
    """A process may run many, one after the other."""

    async def read():
        await shared_servers().read(CONNECTION, "v1")
        return weakref.ref(asyncio.get_running_loop())

    loops = [asyncio.run(read()) for _ in range(3)]
    gc.collect()
    assert 1 == sum(loop() is not None for loop in loops)


# --------------------------------------------------------------------------------------------------
# A crowd that is killed at once


KILLED = 150


@pytest.fixture
def crowd(airbyte, clock):
    """Triggers of the tasks of one run, each with a sync that runs until it is cancelled."""

    def make():
        for number in range(KILLED):
            connection = airbyte.add_connection(job_scripts=[job_scripts.never_ends()])
            job = airbyte.start_external_job(connection.connection_id, job_scripts.never_ends())
            checkpoint = {
                "version": 1,
                "phase": "watch",
                "asked_at": clock.now().isoformat(),
                "job_id": job.job_id,
                "origin": "started",
            }
            trigger = AirbyteSyncTrigger(CONNECTION, checkpoint, SyncPolicy().to_json())
            trigger.task_instance = SimpleNamespace(
                id=uuid4(),
                dag_id="d",
                run_id="r",
                task_id=f"sync_{number}",
                map_index=-1,
                try_number=1,
            )
            yield trigger

    return lambda: list(make())


def test_a_crowd_that_is_killed_at_once_is_cancelled_at_once(connection, airbyte, crowd, clock):
    """One question to Airflow for those who gather, one session, and a few calls at a time."""
    questions = []

    async def killed(keys):
        questions.append(len(keys))
        return dict.fromkeys(keys, read_state("failed"))

    async def kill_all():
        await asyncio.gather(*(trigger.on_kill() for trigger in triggers))
        await shared_kills().settled()

    triggers = crowd()
    clock.advance(timedelta(minutes=1))
    with Container.ask_for_states.override(providers.Object(killed)):
        asyncio.run(kill_all())
    cancelled = asked_for(airbyte, "DELETE /jobs/{jobId}")
    assert KILLED == len({record.path for record in cancelled}) == len(cancelled)
    assert ["cancelled"] * KILLED == [job.status for job in airbyte.jobs]
    assert KILLED == sum(questions)
    assert len(questions) <= 3
    assert 1 == len(asked_for(airbyte, "POST /applications/token"))


class BusyFeed:
    """All of its slots are taken by polls that a server in trouble does not answer."""

    asked = asyncio.Event()

    def __init__(self, gateway, clock):
        pass

    async def fetch_job(self, job_id):
        self.asked.set()
        await asyncio.Event().wait()

    async def recent_job(self, job_id):
        await self.fetch_job(job_id)

    async def wait_for_change(self, job_id, until, latest):
        await self.fetch_job(job_id)

    async def find_jobs(self, query):
        await self.fetch_job(0)

    async def close(self):
        pass


def test_a_cancellation_waits_behind_no_poll(connection, airbyte, crowd, clock):
    """It reads and cancels straight at the gateway, in a lane of its own."""

    async def killed(keys):
        return dict.fromkeys(keys, read_state("failed"))

    async def kill_one_that_polls():
        waiting = asyncio.ensure_future(anext(triggers[0].run()))
        await BusyFeed.asked.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(triggers[0].on_kill(), 10)

    triggers = crowd()
    clock.advance(timedelta(minutes=1))
    with (
        Container.open_feed.override(providers.Factory(BusyFeed)),
        Container.ask_for_states.override(providers.Object(killed)),
    ):
        asyncio.run(kill_one_that_polls())
    assert ["cancelled"] == [job.status for job in list(airbyte.jobs)[:1]]
