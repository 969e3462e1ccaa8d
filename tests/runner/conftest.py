"""An Airbyte in memory under a virtual clock, stores of both kinds, and a server for real processes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airbyte_sync import SyncRequest
from airbyte_sync_local import LocalAirbyte
from airbyte_sync_runner import AsyncFileStore, AsyncSqliteStore, FileStore, SqliteStore
from airbyte_sync_testkit import InMemoryAirbyte, VirtualClock

CONNECTION_ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def airbyte(clock):
    airbyte = InMemoryAirbyte(clock=clock)
    airbyte.add_connection(CONNECTION_ID)
    return airbyte


@pytest.fixture
def request_():
    return SyncRequest(connection_id=CONNECTION_ID)


@pytest.fixture(params=["files", "sqlite"])
def new_store(request, tmp_path, clock):
    """Make stores of one kind on the same place: what another process would open."""

    def make(**options):
        options = {"clock": clock.now, **options}
        if request.param == "files":
            return FileStore(tmp_path / "state", **options)
        return SqliteStore(tmp_path / "state.db", **options)

    return make


@pytest.fixture(params=["files", "sqlite"])
def new_async_store(request, tmp_path):
    """The same for an event loop, in real time."""

    def make(**options):
        if request.param == "files":
            return AsyncFileStore(tmp_path / "state", **options)
        return AsyncSqliteStore(tmp_path / "state.db", **options)

    return make


@pytest.fixture
def server():
    """A server for processes."""
    with LocalAirbyte() as server:
        yield server


@pytest.fixture
def later(clock):
    """Let something happen in so many virtual seconds."""
    return lambda seconds, happen: clock.at(clock.now() + timedelta(seconds=seconds), happen)
