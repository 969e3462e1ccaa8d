"""The stores for an event loop: their files are read and written in threads, so that the loop never waits."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airbyte_sync_runner.file_store import FileStore
from airbyte_sync_runner.records import utc_now
from airbyte_sync_runner.sqlite_store import SqliteStore
from airbyte_sync_runner.stores import EXPIRE_AFTER

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime, timedelta

    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync_runner.stores import OpenRequest, RequestStore

T = TypeVar("T")


class AsyncStoredRequest:
    """One request: an :class:`~airbyte_sync_runner.AsyncOpenRequest`."""

    def __init__(self, request: OpenRequest) -> None:
        self._request = request

    async def load(self) -> Checkpoint | None:
        """See :meth:`airbyte_sync.ports.CheckpointStore.load`."""
        return await to_its_end(self._request.load)

    async def save(self, checkpoint: Checkpoint) -> None:
        """See :meth:`airbyte_sync.ports.CheckpointStore.save`."""
        await to_its_end(partial(self._request.save, checkpoint))

    async def clear(self) -> None:
        """See :meth:`airbyte_sync_runner.OpenRequest.clear`."""
        await to_its_end(self._request.clear)


class AsyncStoreInThreads:
    """
    Any blocking store for an event loop: each of its methods is called in a thread.

    Args:
        store: A :class:`~airbyte_sync_runner.RequestStore` whose requests may be used by any thread.
    """

    def __init__(self, store: RequestStore) -> None:
        self._store = store

    @asynccontextmanager
    async def open(self, key: str, run_id: str | None = None) -> AsyncIterator[AsyncStoredRequest]:
        """See :meth:`airbyte_sync_runner.RequestStore.open`."""
        opened = ExitStack()  # also where the task is cancelled while a thread opens it
        try:
            enter = partial(opened.enter_context, self._store.open(key, run_id))
            yield AsyncStoredRequest(await to_its_end(enter))
        finally:
            await to_its_end(opened.close)


class AsyncFileStore(AsyncStoreInThreads):
    """The async counterpart of a :class:`~airbyte_sync_runner.FileStore`; both can share a folder."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        expire_after: timedelta | None = EXPIRE_AFTER,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """See :class:`~airbyte_sync_runner.FileStore`."""
        super().__init__(FileStore(folder, expire_after=expire_after, clock=clock))


class AsyncSqliteStore(AsyncStoreInThreads):
    """The async counterpart of a :class:`~airbyte_sync_runner.SqliteStore`; both can share a database."""

    def __init__(
        self,
        database: str | os.PathLike[str],
        *,
        expire_after: timedelta | None = EXPIRE_AFTER,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """See :class:`~airbyte_sync_runner.SqliteStore`."""
        super().__init__(SqliteStore(database, expire_after=expire_after, clock=clock))


async def to_its_end(function: Callable[[], T]) -> T:
    """
    Call a function in a thread. A task that is cancelled meanwhile waits until the thread is done.

    A thread cannot be stopped: what is done next must not overtake it.
    """
    work = asyncio.get_running_loop().run_in_executor(None, function)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
