"""Homes of their own for what is tested, before anything imports Dagster, and an Airbyte beside it."""

import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

os.environ.update(
    {
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "DAGSTER_HOME": tempfile.mkdtemp(prefix="airbyte-sync-dagster-"),
    }
)
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]

import dagster as dg  # noqa: E402 - it reads its settings from the environment at import
import pytest  # noqa: E402
from shop import SECRET  # noqa: E402 - neither these tests nor the tools are a package

from airbyte_sync_dagster import Airbyte  # noqa: E402
from airbyte_sync_local import (  # noqa: E402
    LocalAirbyte,
    RequireClientCredentials,
    ServerConnection,
    utc_now,
)


@pytest.fixture
def clock():
    """The server's clock, which can be in the past for a while."""

    class Clock:
        behind = timedelta(0)

        def __call__(self):
            return utc_now() - self.behind

    return Clock()


@pytest.fixture
def airbyte(clock):
    """A server that wants client credentials."""
    auth = RequireClientCredentials(client_id="me", client_secret=SECRET)
    with LocalAirbyte(auth=auth, clock=clock) as server:
        yield server


@pytest.fixture
def add(airbyte):
    """Add a connection of two streams, with what becomes of its syncs."""

    def connection(*lives, **more):
        more = {"streams": ("users", "orders"), "prefix": "shop_", **more}
        return airbyte.add_connection(ServerConnection(**more), job_scripts=lives).connection_id

    return connection


@pytest.fixture(scope="session")
def instance():
    """An instance on SQLite, as a deployment has it; making one takes seconds."""
    with dg.DagsterInstance.local_temp(overrides={"telemetry": {"enabled": False}}) as found:
        yield found


@pytest.fixture
def resource(airbyte):
    return Airbyte(
        url=airbyte.base_url,
        client_id="me",
        client_secret=SECRET,
        policy={"poll_interval": 0.05, "timeout": 30},
    )
