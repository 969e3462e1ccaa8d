"""What the runner needs of a store: to remember requests beyond the life of a process, and to lock them.

A request is known by its key, and by a run id where the caller has one. An unfinished request is resumed
by the next run with the same key and run id; another run id is another request. A store proves that it
keeps this contract with the suites ``StoreContract`` and ``AsyncStoreContract`` of ``airbyte-sync-testkit``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from airbyte_sync.ports import AsyncCheckpointStore, CheckpointStore

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from airbyte_sync.requests import SyncRequest

EXPIRE_AFTER = timedelta(hours=12)
"""How long the stores here remember a request after the last sign of life of the process that follows it."""


@runtime_checkable
class OpenRequest(CheckpointStore, Protocol):
    """
    One request that this process follows, and no other does.

    ``load`` raises :class:`~airbyte_sync_runner.StoreFailed` where the store cannot be read, and ``save``
    where it cannot be written.
    """

    def clear(self) -> None:
        """Forget the request: its outcome was delivered, so that the same request made again is a new one."""
        ...


@runtime_checkable
class AsyncOpenRequest(AsyncCheckpointStore, Protocol):
    """One request that this process follows, async: the contract of :class:`OpenRequest`."""

    async def clear(self) -> None:
        """See :meth:`OpenRequest.clear`."""
        ...


@runtime_checkable
class RequestStore(Protocol):
    """Remembers many requests. It can be shared by threads and by processes."""

    def open(self, key: str, run_id: str | None = None) -> AbstractContextManager[OpenRequest]:
        """
        Open a request: ``with store.open(key) as request``. It is locked until the block ends.

        Args:
            key: Which request: any text.
            run_id: Which run of it, where the caller tells runs apart. Each run id, and none, is a request
                of its own.

        Raises:
            RequestLocked: Another process, or another block of this one, has the request open.
            StoreFailed: The store cannot be used.
        """
        ...


@runtime_checkable
class AsyncRequestStore(Protocol):
    """Remembers many requests, async: the contract of :class:`RequestStore`."""

    def open(
        self, key: str, run_id: str | None = None
    ) -> AbstractAsyncContextManager[AsyncOpenRequest]:
        """See :meth:`RequestStore.open`: ``async with store.open(key) as request``."""
        ...


def key_of(request: SyncRequest) -> str:
    """Return the key by which a request is remembered: its connection and the type of its job."""
    connection_id = request.connection_id
    return (
        f"{connection_id.lower() if request.has_uuid else connection_id} {request.job_type.value}"
    )
