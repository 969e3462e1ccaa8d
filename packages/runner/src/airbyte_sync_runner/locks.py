"""A lock that the operating system drops when its process dies, however it dies.

A lock is a file that its holder has locked. It is deleted when it is released, so that files do not pile up.
A process that has locked a file which was deleted meanwhile tries again.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from datetime import datetime, timezone
from socket import gethostname
from typing import TYPE_CHECKING

from airbyte_sync_runner.errors import RequestLocked, StoreFailed

if TYPE_CHECKING:
    from pathlib import Path

    from airbyte_sync_runner.records import RequestId

if sys.platform == "win32":
    import msvcrt

    _FAR_AWAY = (
        1 << 30
    )  # a locked region cannot be read by others, and they read who holds the lock

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_AWAY, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(errno.EAGAIN, "it is locked") from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # Not lockf, whose locks belong to a process, and end with any descriptor of the file.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_TRIES = 1000
_LONGEST_HOLDER = 300


class LockFile:
    """The lock of one request."""

    def __init__(self, path: Path, request: RequestId) -> None:
        self._path = path
        self._request = request
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """
        Lock the request.

        Raises:
            RequestLocked: Another process, or another part of this one, has locked it.
            StoreFailed: The lock file cannot be made or locked.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(_TRIES):
                if self._try_to_acquire():
                    return
        except OSError as error:
            raise StoreFailed(
                f"the request {self._request} could not be locked, so nothing was sent: {error}. "
                f"Check the permissions of {self._path.parent}, and the space on its disk."
            ) from error
        raise StoreFailed(
            f"the lock of the request {self._request} is deleted again and again: {self._path}"
        )

    def _try_to_acquire(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            if not self._is_there(descriptor):
                os.close(descriptor)
                return False
            os.ftruncate(descriptor, 0)
            since = datetime.now(timezone.utc).isoformat(timespec="seconds")
            os.write(
                descriptor, f"process {os.getpid()} on {gethostname()}, since {since}".encode()
            )
        except BlockingIOError:
            holder = os.read(descriptor, _LONGEST_HOLDER).decode(errors="replace")
            os.close(descriptor)
            raise self._locked(holder) from None
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def _is_there(self, descriptor: int) -> bool:
        """Tell whether the file that was locked is still the one of that name."""
        mine = os.fstat(descriptor)
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        return (mine.st_dev, mine.st_ino) == (now.st_dev, now.st_ino)

    def _locked(self, holder: str) -> RequestLocked:
        holder = "".join(each for each in holder if each.isprintable())
        who = f" ({holder})" if holder else ""
        return RequestLocked(
            f"the request {self._request} is followed by another process{who}, so nothing was sent. "
            "Run it again when that one has ended, or stop that one first.",
            key=self._request.key,
            holder=holder or None,
        )

    def release(self) -> None:
        """Unlock it, where it was locked."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if sys.platform == "win32":  # a file that is open cannot be deleted there
            os.close(descriptor)
            with suppress(OSError):
                self._path.unlink()
        else:
            with suppress(OSError):
                self._path.unlink()
            os.close(descriptor)
