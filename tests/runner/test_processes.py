"""Real processes against a real server: killed, interrupted and run again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic, sleep

import pytest

from airbyte_sync_local import Fault, LocalAirbyte, ManualClock, job_scripts

NEW = pytest.mark.parametrize("script", ["blocking", "asynchronous", "many"])
HEADER = """
import asyncio, logging, sys
from datetime import timedelta
from airbyte_sync import AirbyteSyncError, PollSchedule, SyncPolicy, SyncRequest
from airbyte_sync_http import ServerSettings, open_async_gateway, open_gateway
from airbyte_sync_runner import *

url, ids, kind, place, chosen = sys.argv[1], sys.argv[2].split(), *sys.argv[3:]
logging.basicConfig(level="INFO", format="%(message)s")
SETTINGS = ServerSettings(base_url=url)
POLICY = SyncPolicy(poll=PollSchedule.fixed(timedelta(seconds=0.2)))
STORES = {
    "files": (FileStore, AsyncFileStore),
    "sqlite": (SqliteStore, AsyncSqliteStore),
    "none": (lambda _: None, lambda _: None),
}
OPTIONS = {"on_interrupt": OnInterrupt(chosen) if chosen else None, "on_event": LogEvents()}
requests = [SyncRequest(connection_id=each) for each in ids]
"""
SCRIPTS = {
    "blocking": """
with open_gateway(SETTINGS) as gateway:
    try:
        done = run_sync(gateway, requests[0], POLICY, store=STORES[kind][0](place), **OPTIONS)
    except AirbyteSyncError as error:
        sys.exit(f"{type(error).__name__}: {error}")
print("outcome: job", done.job.job_id, done.job.status)
""",
    "asynchronous": """
async def main():
    async with open_async_gateway(SETTINGS) as gateway:
        return await run_sync_async(
            gateway, requests[0], POLICY, store=STORES[kind][1](place), **OPTIONS
        )
try:
    done = asyncio.run(main())
except AirbyteSyncError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print("outcome: job", done.job.job_id, done.job.status)
""",
    "many": """
async def main():
    async with open_async_gateway(SETTINGS) as gateway:
        return await run_many(gateway, requests, POLICY, store=STORES[kind][1](place), **OPTIONS)
for outcome in asyncio.run(main()):
    if outcome.error is not None:
        sys.exit(f"{type(outcome.error).__name__}: {outcome.error}")
    print("outcome: job", outcome.result.job.job_id, outcome.result.job.status)
""",
}


@pytest.fixture
def hands():
    return ManualClock()


@pytest.fixture
def server(hands):
    """An Airbyte whose jobs last an hour of its own time."""
    with LocalAirbyte(clock=hands) as server:
        yield server


@pytest.fixture
def connections(server):
    def add(number):
        lasts = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(hours=1))
        return [server.add_connection(job_scripts=[lasts] * 5).connection_id for _ in range(number)]

    return add


@pytest.fixture
def start(server, tmp_path):
    """Run a script in a process of its own."""

    @contextmanager
    def start(script, ids, kind="files", chosen=""):
        program = HEADER + SCRIPTS[script]
        place = tmp_path / f"state-{kind}"
        arguments = [server.base_url, " ".join(ids), kind, place, chosen]
        with subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    return start


@pytest.fixture
def finish(start):
    """Run a script to its end; return its exit code, and what it wrote to both streams."""

    def finish(*arguments, **options):
        with start(*arguments, **options) as process:
            told, errors = process.communicate(timeout=60)
        return process.returncode, told, errors

    return finish


def until(condition):
    """Wait for a fact about a process or a server."""
    give_up = monotonic() + 60
    while not condition():
        assert monotonic() < give_up, "this did not happen within a minute"
        sleep(0.02)


def has_started(server, number=1):
    return lambda: len([job for job in server.jobs if str(job.status) == "running"]) == number


def asked_to_submit(server):
    return sum(request.operation == "POST /jobs" for request in server.requests)


def statuses(server):
    return [str(job.status) for job in server.jobs]


@NEW
@pytest.mark.parametrize("kind", ["files", "sqlite"])
def test_a_killed_process_is_followed_by_the_next(
    start, finish, server, hands, connections, script, kind
):
    """The same job, and no second submission; and what was delivered is a new request the day after."""
    ids = connections(1)
    with start(script, ids, kind) as process:
        until(has_started(server))
        sleep(0.3)  # it is in the middle of its wait
        process.kill()
        process.wait()
    hands.advance(timedelta(hours=2))
    code, told, errors = finish(script, ids, kind)
    assert (0, "outcome: job 1 succeeded\n") == (code, told), errors
    assert "Going on with Airbyte sync job 1" in errors
    assert 1 == asked_to_submit(server)

    with start(script, ids, kind) as process:
        until(has_started(server))
        hands.advance(timedelta(hours=2))
        assert "outcome: job 2 succeeded\n" == process.communicate(timeout=60)[0]


@NEW
def test_a_process_that_is_killed_while_it_submits_is_followed_by_the_next(
    start, finish, server, hands, connections, script
):
    """Its job is found on the server: no second one is started."""
    ids = connections(1)
    server.inject(Fault(on="POST /jobs", do="stall_after"))
    with start(script, ids) as process:
        until(lambda: asked_to_submit(server) and statuses(server))
        process.kill()
        process.wait()
    with start(script, ids) as process:
        until(lambda: "Found Airbyte sync job 1" in process.stderr.readline())
        hands.advance(timedelta(hours=2))
        told, _ = process.communicate(timeout=60)
    assert "outcome: job 1 succeeded\n" == told
    assert 1 == asked_to_submit(server)


@NEW
@pytest.mark.parametrize(
    ("stop", "kind", "chosen", "expected"),
    [
        ("SIGINT", "none", "", "cancelled"),
        ("SIGINT", "files", "", "cancelled"),
        ("SIGINT", "files", "leave_running", "running"),
        ("SIGTERM", "none", "", "cancelled"),
        ("SIGTERM", "files", "", "running"),
        ("SIGTERM", "files", "cancel", "cancelled"),
    ],
)
def test_a_signal_cancels_once_or_leaves(
    start, finish, server, hands, connections, script, stop, kind, chosen, expected
):
    """As chosen; what was left is resumed, and what was cancelled is not."""
    ids = connections(1)
    with start(script, ids, kind, chosen) as process:
        until(has_started(server))
        sleep(0.3)
        process.send_signal(signal.Signals[stop])
        _, errors = process.communicate(timeout=60)
    assert [expected] == statuses(server)
    assert (expected == "cancelled") == sum(
        request.method == "DELETE" for request in server.requests
    )
    assert (143 if stop == "SIGTERM" else -signal.SIGINT) == process.returncode, errors
    if stop == "SIGTERM":
        assert "Traceback" not in errors
    assert not re.search("never|unclosed|destroyed|Exception ignored", errors), errors
    if kind == "none":
        return
    with start(script, ids, kind) as process:
        until(has_started(server))
        hands.advance(timedelta(hours=2))
        told, _ = process.communicate(timeout=60)
    assert f"outcome: job {1 if expected == 'running' else 2} succeeded\n" == told


@NEW
def test_a_second_process_starts_nothing_and_says_so(start, finish, server, connections, script):
    """It names the process that follows the request."""
    ids = connections(1)
    with start(script, ids) as process:
        until(has_started(server))
        before = asked_to_submit(server)
        code, told, errors = finish(script, ids)
        assert (1, "", before) == (code, told, asked_to_submit(server))
        assert (
            f"RequestLocked: the request '{ids[0]} sync' is followed by another process" in errors
        )
        assert f"(process {process.pid} on " in errors
        assert "so nothing was sent" in errors


@pytest.mark.parametrize(("stop", "chosen"), [("SIGINT", "leave_running"), ("SIGTERM", "cancel")])
def test_two_hundred_are_interrupted_together(start, server, connections, stop, chosen):
    """Two hundred are cancelled, or left; nothing is left open, and nothing is destroyed."""
    ids = connections(200)
    with start("many", ids, "files", chosen) as process:
        started = 0
        while started < 200:
            started += "Started Airbyte sync job" in process.stderr.readline()
        process.send_signal(signal.Signals[stop])
        told, errors = process.communicate(timeout=200)
    assert [("cancelled" if chosen == "cancel" else "running")] * 200 == statuses(server)
    assert "" == told
    if stop == "SIGTERM":
        assert "Traceback" not in errors
    assert not re.search("never|unclosed|destroyed|Exception ignored", errors), errors
