"""A store of one small file for each request, in a folder."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airbyte_sync.checks import require_type
from airbyte_sync_runner.errors import StoreFailed
from airbyte_sync_runner.locks import LockFile
from airbyte_sync_runner.records import (
    LARGEST,
    RequestId,
    StoredRequest,
    require_expiry,
    utc_now,
)
from airbyte_sync_runner.stores import EXPIRE_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta


class FileStore:
    """
    A :class:`~airbyte_sync_runner.RequestStore` in a folder: one file for each unfinished request.

    A file is replaced as a whole and reaches the disk before a request is submitted. Use a folder of its
    own for each Airbyte server, on a file system of this machine or on one that locks files for all its
    clients.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        expire_after: timedelta | None = EXPIRE_AFTER,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """
        Args:
            folder: Where the files are. It is made when it is not there.
            expire_after: How long a request is remembered after the last sign of life of the process that
                follows it, which is renewed every five minutes. Default: 12 h; ``None``: no end.
            clock: Tells the current moment, aware.

        Raises:
            InvalidInput: An argument cannot be right.
        """
        require_type("folder", folder, (str, os.PathLike), "the path of a folder")
        require_expiry(expire_after)
        self._folder = Path(folder)
        self._expire_after = expire_after
        self._clock = clock

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
        file = self._folder / f"{request.file_name}.json"
        stored = StoredRequest(
            request, _File(file), clock=self._clock, expire_after=self._expire_after
        )
        return LockFile(file.with_suffix(".lock"), request), stored


class _File:
    """The slot of one record: a file that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_suffix(".tmp")

    def read(self) -> bytes | None:
        try:
            with self._path.open("rb") as file:
                return file.read(LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreFailed(
                f"{self._path} cannot be read, so nothing was sent: {error}"
            ) from error

    def write(self, document: bytes) -> None:
        try:
            with self._draft.open("wb") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            self._draft.replace(self._path)
            self._sync_folder()
        except OSError as error:
            raise StoreFailed(f"{self._path} cannot be written: {error}") from error

    def delete(self) -> None:
        try:
            self._draft.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
            self._sync_folder()
        except OSError as error:
            raise StoreFailed(f"{self._path} cannot be deleted: {error}") from error

    def _sync_folder(self) -> None:
        """Bring the new name to the disk, too."""
        if sys.platform == "win32":
            return  # a folder cannot be opened there
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
