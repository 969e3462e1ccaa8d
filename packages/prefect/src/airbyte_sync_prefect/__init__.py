"""Airbyte syncs in Prefect 3: a block for the server, and a task that re-attaches, cancels and reports."""

from airbyte_sync_prefect.block import AirbyteServer
from airbyte_sync_prefect.tasks import sync_connection, sync_connection_async
from airbyte_sync_prefect.version import __version__

__all__ = ["AirbyteServer", "__version__", "sync_connection", "sync_connection_async"]
