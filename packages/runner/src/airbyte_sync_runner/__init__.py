"""Run Airbyte syncs to their end, whatever stops the process: interrupts, stores, many at once."""

from airbyte_sync_runner.async_stores import AsyncFileStore, AsyncSqliteStore, AsyncStoreInThreads
from airbyte_sync_runner.asynchronous import run_sync_async
from airbyte_sync_runner.blocking import run_sync
from airbyte_sync_runner.errors import RequestLocked, StoreFailed
from airbyte_sync_runner.file_store import FileStore
from airbyte_sync_runner.interrupts import OnInterrupt, python_signal_handlers
from airbyte_sync_runner.log_events import LogEvents
from airbyte_sync_runner.many import Outcome, run_many
from airbyte_sync_runner.markdown import to_markdown
from airbyte_sync_runner.sqlite_store import SqliteStore
from airbyte_sync_runner.stores import (
    AsyncOpenRequest,
    AsyncRequestStore,
    OpenRequest,
    RequestStore,
    key_of,
)
from airbyte_sync_runner.version import __version__

__all__ = [
    "AsyncFileStore",
    "AsyncOpenRequest",
    "AsyncRequestStore",
    "AsyncSqliteStore",
    "AsyncStoreInThreads",
    "FileStore",
    "LogEvents",
    "OnInterrupt",
    "OpenRequest",
    "Outcome",
    "RequestLocked",
    "RequestStore",
    "SqliteStore",
    "StoreFailed",
    "__version__",
    "key_of",
    "python_signal_handlers",
    "run_many",
    "run_sync",
    "run_sync_async",
    "to_markdown",
]
