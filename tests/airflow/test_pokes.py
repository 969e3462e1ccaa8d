"""The pokes of a sensor in one process: one token and one connection, and no idle one is used again."""

import json
import os
import signal
import time
import warnings
from functools import partial
from uuid import uuid4

import pytest

from airbyte_sync_airflow.exceptions import AirbyteSyncFailed
from airbyte_sync_http.transports import limits
from airbyte_sync_testkit.contract.raw_server import PATIENCE, RawServer, answer

ID = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"
NAMES = {"connectionId": ID, "workspaceId": ID, "name": "Orders", "status": "active"}
JOB = {"jobId": 5, "jobType": "sync", "startTime": "2026-08-21T10:15Z", "connectionId": ID}
TOKEN = {"access_token": "the-token-of-a-test", "token_type": "Bearer", "expires_in": 900}


class Airbyte(RawServer):
    """Answers on real sockets, whose number it counts; its job runs until it is told otherwise."""

    def __init__(self):
        super().__init__(self._serve_connection)
        self.status = "running"

    def targets(self, ending):
        return [each.target for each in self.requests if each.target.endswith(ending)]

    def _serve_connection(self, peer):
        while (request := peer.read_request()) is not None:
            peer.send(answer(json.dumps(self._reply_to(request)).encode()))

    def _reply_to(self, request):
        if request.target.endswith("/token"):
            return TOKEN
        return {**JOB, "status": self.status} if "/jobs/" in request.target else NAMES


@pytest.fixture
def start_airbyte(parts, connect):
    """Let the Airflow connection lead to another server."""

    def start():
        server = Airbyte()
        connect(host=server.url, login="the-client-id", password="the-client-secret")
        return server

    return start


@pytest.fixture
def airbyte(start_airbyte):
    with start_airbyte() as server:
        yield server


@pytest.fixture(params=["poke", "reschedule"])
def sensor(sensor, context, request):
    # Airflow knows of no poke of this try yet.
    vars(context["ti"]).update(id=uuid4(), get_first_reschedule_date=lambda _context: None)
    return partial(sensor, 5, poke_interval=10, mode=request.param)


def require_all_closed(airbyte):
    """A connection that is left open ends only with the server's patience."""
    began = time.monotonic()
    airbyte.wait_for_peers()
    assert time.monotonic() - began < PATIENCE / 2


def poke(task, context, times):
    for _ in range(times):
        assert not task.poke(context)


def test_pokes_share_a_connection_and_a_token(airbyte, sensor, context):
    """Each poke is one request, after the first has also asked for the token and for the names."""
    task = sensor()
    poke(task, context, 5)
    airbyte.status = "succeeded"
    assert task.poke(context)
    assert 6 == len(airbyte.targets("/jobs/5"))
    assert 1 == len(airbyte.targets("/token"))
    assert 1 == airbyte.connections


def test_another_object_of_the_process_goes_on_with_it(airbyte, sensor, context):
    """``dag.test()`` makes a rescheduled task anew for each poke."""
    for _ in range(3):
        poke(sensor(), context, 1)
    assert 1 == airbyte.connections


def test_after_the_last_poke_nothing_stays_open(airbyte, sensor, context):
    """A job that has succeeded."""
    task = sensor()
    poke(task, context, 1)
    airbyte.status = "succeeded"
    assert task.poke(context)
    require_all_closed(airbyte)


def test_after_a_poke_that_fails_the_task_nothing_stays_open(airbyte, sensor, context):
    """A job that has failed."""
    task = sensor()
    poke(task, context, 1)
    airbyte.status = "failed"
    with pytest.raises(AirbyteSyncFailed):
        task.poke(context)
    require_all_closed(airbyte)


def test_between_rare_pokes_nothing_stays_open(airbyte, sensor, context):
    """Load balancers would forget the connection meanwhile, and without a word. The token stays."""
    task = sensor(poke_interval=60)
    for number in (1, 2, 3):
        poke(task, context, 1)
        require_all_closed(airbyte)
        assert number == airbyte.connections
    assert 1 == len(airbyte.targets("/token"))


def test_a_connection_that_was_idle_for_longer_than_planned_is_not_used(
    airbyte, sensor, context, monkeypatch
):
    """As in a process that stood still, or behind growing intervals: no request is sent on it."""
    task = sensor()
    poke(task, context, 1)
    monkeypatch.setattr(limits, "LONGEST_IDLE", 0)
    task.poke_interval = 0
    time.sleep(0.01)
    poke(task, context, 1)
    assert 2 == airbyte.connections


def test_another_server_is_another_connection(airbyte, sensor, context, start_airbyte):
    """Where the Airflow connection has changed meanwhile, the one before is closed."""
    poke(sensor(), context, 1)
    with start_airbyte() as other:
        poke(sensor(), context, 1)
        assert 1 == len(other.targets("/jobs/5"))
        require_all_closed(airbyte)
    assert 1 == len(airbyte.targets("/jobs/5"))


def test_a_forked_process_has_a_connection_of_its_own(airbyte, sensor, context):
    """Two processes on one socket would read each other's answers; the parent goes on with its own."""
    task = sensor()
    poke(task, context, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the server has threads
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            poke(task, context, 2)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert 0 == status
    assert 2 == airbyte.connections
    poke(task, context, 1)
    assert 2 == airbyte.connections
    assert 4 == len(airbyte.targets("/jobs/5"))
