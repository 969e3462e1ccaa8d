"""A store of one small file for each request, in a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airbyte_sync.checks import require_type
from airbyte_sync_runner.errors import StoreFailed
from airbyte_sync_runner.locked_store import LockedStore
from airbyte_sync_runner.records import (
    LARGEST,
    utc_now,
)
from airbyte_sync_runner.stores import EXPIRE_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta


class FileStore(LockedStore):
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
        self._folder = Path(folder).absolute()
        super().__init__(self._folder, expire_after=expire_after, clock=clock)

    def _slot(self, name: str) -> _File:
        return _File(self._folder / f"{name}.json")

    def _names(self) -> Iterator[str]:
        return (path.stem for path in self._folder.glob("*.json"))


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
