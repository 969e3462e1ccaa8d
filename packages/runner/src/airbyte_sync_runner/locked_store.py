"""What both stores have in common: requests in slots, each locked by a file."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync_runner.errors import RequestLocked, StoreFailed
from airbyte_sync_runner.locks import LockFile
from airbyte_sync_runner.records import RequestId, StoredRequest, require_expiry, saved_at_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from airbyte_sync_runner.records import Slot

SWEPT_AFTER = timedelta(days=1)
"""How long an expired record stays for people to look at."""


class LockedStore:
    """
    A :class:`~airbyte_sync_runner.RequestStore`, but for its slots.

    Args:
        locks: The folder of the lock files. It is made when it is not there.
        expire_after: How long a record counts after it was saved; ``None``: without end.
        clock: Tells the current moment, aware.

    Raises:
        InvalidInput: ``expire_after`` cannot be right.
    """

    def __init__(
        self, locks: Path, *, expire_after: timedelta | None, clock: Callable[[], datetime]
    ) -> None:
        require_expiry(expire_after)
        self._locks = locks
        self._expire_after = expire_after
        self._clock = clock
        self._is_swept = expire_after is None

    def _slot(self, name: str) -> Slot:
        """Return the place of a record."""
        raise NotImplementedError

    def _names(self) -> Iterable[str]:
        """Return the names of all records."""
        raise NotImplementedError

    @contextmanager
    def open(self, key: str, run_id: str | None = None) -> Iterator[StoredRequest]:
        """See :meth:`airbyte_sync_runner.RequestStore.open`."""
        lock, request = self._parts(key, run_id)
        try:
            self._acquire(lock)
            yield request
        finally:
            lock.release()

    def _parts(self, key: str, run_id: str | None) -> tuple[LockFile, StoredRequest]:
        """Return the lock of a request, and what is to be used only while it is locked."""
        request = RequestId(key, run_id)
        stored = StoredRequest(
            request,
            self._slot(request.file_name),
            clock=self._clock,
            expire_after=self._expire_after,
        )
        return self._lock(request.file_name, request), stored

    def _acquire(self, lock: LockFile) -> None:
        """
        Lock a request; the first time, delete what has expired long ago, too.

        Raises:
            RequestLocked: Another process has it.
            StoreFailed: It cannot be locked.
        """
        lock.acquire()
        if not self._is_swept:
            self._is_swept = True
            with suppress(OSError, StoreFailed):
                self._sweep()

    def _sweep(self) -> None:
        """Delete records of runs that were killed and never made again."""
        for name in list(self._names()):
            if not self._is_long_over(name):
                continue
            lock = self._lock(name, RequestId(name))
            try:
                lock.acquire()
                if self._is_long_over(name):
                    self._slot(name).delete()
            except RequestLocked:
                pass
            finally:
                lock.release()

    def _is_long_over(self, name: str) -> bool:
        saved_at = saved_at_of(self._slot(name).read())
        if saved_at is None or self._expire_after is None:
            return False
        return self._clock() - saved_at > self._expire_after + SWEPT_AFTER

    def _lock(self, name: str, request: RequestId) -> LockFile:
        return LockFile(self._locks / f"{name}.lock", request)
