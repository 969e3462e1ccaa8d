"""What a task or a trigger opens to drive a flow: a server's parts, closed at the end.

Light to import; what is heavy is loaded when a session is opened.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from airbyte_sync import (
        AsyncCheckpointStore,
        AsyncInterpreter,
        CheckpointStore,
        Interpreter,
    )
    from airbyte_sync.events import Event
    from airbyte_sync_airflow.composition import Container
    from airbyte_sync_airflow.connection import AirbyteServer


@contextmanager
def blocking_session(
    server: AirbyteServer,
    on_event: Callable[[Event], None],
    store: CheckpointStore | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> Iterator[Interpreter]:
    """
    Open a session in a task.

    Args:
        server: Where to send requests: :func:`~airbyte_sync_airflow.connection.read_server`.
        on_event: Is told what the flow reports.
        store: Remembers how far the request has come.
        is_stopped: Tells whether to wait no longer, because the task was killed.

    Yields:
        An interpreter for :func:`airbyte_sync.run` and :func:`airbyte_sync.step`.
    """
    from airbyte_sync_airflow.composition import Container

    container = Container(server=server, on_event=on_event, is_stopped=is_stopped)
    with container.gateway():
        yield container.interpreter(store=store)


@asynccontextmanager
async def async_session(
    conn_id: str,
    api_version: str,
    on_event: Callable[[Event], None],
    store: AsyncCheckpointStore | None = None,
) -> AsyncIterator[AsyncInterpreter]:
    """
    Open a session in a trigger, for :func:`airbyte_sync.arun`.

    Reading the connection blocks, and so do the imports of an HTTP library; both happen in one thread,
    once. Airflow 3.0 allows neither of the two steps on the loop.

    Args:
        conn_id: The Airflow connection that leads to the Airbyte server.
        api_version: The version in the API's address.
        on_event: Is told what the flow reports.
        store: Remembers how far the request has come.

    Raises:
        InvalidInput: The Airflow connection cannot be right.
    """
    from asgiref.sync import sync_to_async

    container = await sync_to_async(_prepared)(conn_id, api_version, on_event)
    async with container.async_gateway():
        yield container.async_interpreter(store=store)


def _prepared(conn_id: str, api_version: str, on_event: Callable[[Event], None]) -> Container:
    from airbyte_sync_airflow.composition import Container
    from airbyte_sync_airflow.connection import read_server

    container = Container(server=read_server(conn_id, api_version), on_event=on_event)
    container.async_transport()
    return container
