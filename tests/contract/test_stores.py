"""All stores keep the published contract."""

from __future__ import annotations

import pytest

from airbyte_sync_runner import (
    AsyncFileStore,
    AsyncSqliteStore,
    AsyncStoreInThreads,
    FileStore,
    SqliteStore,
)
from airbyte_sync_testkit.contract import AsyncStoreContract, StoreContract


class TestFileStore(StoreContract):
    @pytest.fixture
    def new_store(self, tmp_path):
        return lambda **options: FileStore(tmp_path / "state", **options)


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def new_store(self, tmp_path):
        return lambda **options: SqliteStore(tmp_path / "state.db", **options)


class TestAsyncFileStore(AsyncStoreContract):
    @pytest.fixture
    def new_store(self, tmp_path):
        return lambda **options: AsyncFileStore(tmp_path / "state", **options)


class TestAsyncSqliteStore(AsyncStoreContract):
    @pytest.fixture
    def new_store(self, tmp_path):
        return lambda **options: AsyncSqliteStore(tmp_path / "state.db", **options)


class TestAsyncStoreInThreads(AsyncStoreContract):
    @pytest.fixture
    def new_store(self, tmp_path):
        return lambda **options: AsyncStoreInThreads(FileStore(tmp_path / "state", **options))
