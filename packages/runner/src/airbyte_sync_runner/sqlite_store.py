"""A store of many requests in one SQLite database."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from airbyte_sync.checks import require_type
from airbyte_sync_runner.errors import StoreFailed
from airbyte_sync_runner.locked_store import LockedStore
from airbyte_sync_runner.records import utc_now
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


class SqliteStore(LockedStore):
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
        path = Path(database).absolute()
        super().__init__(
            path.with_name(f"{path.name}.locks"), expire_after=expire_after, clock=clock
        )
        self._database = _Database(path)

    def _slot(self, name: str) -> _Row:
        return _Row(self._database, name)

    def _names(self) -> Iterator[str]:
        return (name for (name,) in self._database.run("SELECT name FROM airbyte_sync_requests"))


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
