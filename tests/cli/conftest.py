"""A local Airbyte in real time, and the command: in this process, or in one of its own."""

import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest

from airbyte_sync_cli import main
from airbyte_sync_local import LocalAirbyte, ServerConnection
from tests.cli.command import AT_ONCE, RUNS, Done, RunningClock


@pytest.fixture
def clock():
    return RunningClock()


@pytest.fixture
def airbyte(clock):
    with LocalAirbyte(clock=clock) as server:
        yield server


@pytest.fixture
def busy(airbyte, add, clock):
    """Make a connection that another client has been using for a minute."""

    def made(name="Orders", script=RUNS):
        connection_id = add(name)
        airbyte.start_external_job(connection_id, script)
        clock.advance(timedelta(minutes=1))
        return connection_id

    return made


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Nothing of this machine's own settings."""
    for name in list(os.environ):
        if name.startswith(("AIRBYTE_SYNC_", "_AIRBYTE_SYNC")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("TZ", "UTC")
    return monkeypatch


@pytest.fixture
def cli(airbyte, environment, capfd):
    """Run the command in this process: ``cli("run", "Orders")``."""
    environment.setenv("AIRBYTE_SYNC_URL", airbyte.base_url)

    def run(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def add(airbyte):
    """Add a connection of a name, whose syncs follow scripts."""

    def added(name="Orders", *scripts, **attributes):
        connection = ServerConnection(name=name, **attributes)
        return airbyte.add_connection(connection, job_scripts=scripts or [AT_ONCE]).connection_id

    return added


@pytest.fixture
def start(airbyte, environment):
    """Start the command in a process of its own: ``with start("run", "Orders") as process``."""
    environment.setenv("AIRBYTE_SYNC_URL", airbyte.base_url)

    @contextmanager
    def started(*arguments):
        command = [sys.executable, "-W", "error", "-m", "airbyte_sync_cli", *map(str, arguments)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    return started
