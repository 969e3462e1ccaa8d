"""A store of many requests in one SQLite database."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from airbyte_sync.checks import require_type
from airbyte_sync_runner.errors import StoreFailed
from airbyte_sync_runner.locks import LockFile
from airbyte_sync_runner.records import RequestId, StoredRequest, require_expiry, utc_now
from airbyte_sync_runner.stores import EXPIRE_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

_TABLE = """
CREATE TABLE IF NOT EXISTS airbyte_sync_requests (
    name TEXT PRIMARY KEY,
    document BLOB NOT NULL
) WITHOUT ROWID
"""
_BUSY_SECONDS = 30.0


class SqliteStore:
    """
    A :class:`~airbyte_sync_runner.RequestStore` in one SQLite database, in a table ``airbyte_sync_requests``.

    SQLite locks a database as a whole, so that a request is locked by a file beside it, in the folder
    ``<database>.locks``. Use a database of its own for each Airbyte server.
    """

    def __init__(
        self,
        database: str | os.PathLike[str],
        *,
        expire_after: timedelta | None = EXPIRE_AFTER,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """
        Args:
            database: The path of the database. It is made when it is not there.
            expire_after: As for :class:`~airbyte_sync_runner.FileStore`.
            clock: As for :class:`~airbyte_sync_runner.FileStore`.

        Raises:
            InvalidInput: An argument cannot be right.
        """
        require_type("database", database, (str, os.PathLike), "the path of a database")
        require_expiry(expire_after)
        self._path = Path(database)
        self._expire_after = expire_after
        self._clock = clock
        self._database = _Database(self._path)

    @contextmanager
    def open(self, key: str, run_id: str | None = None) -> Iterator[StoredRequest]:
        """See :meth:`airbyte_sync_runner.RequestStore.open`."""
        lock, request = self.parts(key, run_id)
        try:
            lock.acquire()
            yield request
        finally:
            lock.release()

    def parts(self, key: str, run_id: str | None) -> tuple[LockFile, StoredRequest]:
        """Return the lock of a request, and what is to be used only while it is locked."""
        request = RequestId(key, run_id)
        row = _Row(self._database, request.file_name)
        locks = self._path.with_name(f"{self._path.name}.locks")
        stored = StoredRequest(request, row, clock=self._clock, expire_after=self._expire_after)
        return LockFile(locks / f"{request.file_name}.lock", request), stored


class _Database:
    """Carries out one statement at a time, each in a transaction that is on the disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._one_at_a_time = Lock()
        """SQLite lets its users wait in no order: so that none of a thousand threads waits for too long."""

    def run(self, statement: str, *values: object) -> list[Any]:
        try:
            with (
                self._one_at_a_time,
                closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as connection,
                connection,
            ):
                connection.execute(_TABLE)
                return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreFailed(f"the database {self._path} cannot be used: {error}") from error


class _Row:
    """The slot of one record: a row."""

    def __init__(self, database: _Database, name: str) -> None:
        self._database = database
        self._name = name

    def read(self) -> bytes | None:
        rows = self._database.run(
            "SELECT document FROM airbyte_sync_requests WHERE name = ?", self._name
        )
        if not rows:
            return None
        document: object = rows[0][0]
        return document if isinstance(document, bytes) else str(document).encode()

    def write(self, document: bytes) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO airbyte_sync_requests (name, document) VALUES (?, ?)",
            self._name,
            document,
        )

    def delete(self) -> None:
        self._database.run("DELETE FROM airbyte_sync_requests WHERE name = ?", self._name)
