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

    container = Container(server=server, is_stopped=is_stopped)
    with container.gateway():
        yield container.interpreter(on_event, store)


@asynccontextmanager
async def async_session(
    conn_id: str,
    api_version: str,
    on_event: Callable[[Event], None],
    store: AsyncCheckpointStore | None = None,
) -> AsyncIterator[AsyncInterpreter]:
    """
    Use the session of a triggerer, for :func:`airbyte_sync.arun`.

    All triggers that talk to the same server share it: :mod:`airbyte_sync_airflow.sharing`. What
    blocks happens in a thread, once; Airflow 3.0 does not allow it on the loop.

    Args:
        conn_id: The Airflow connection that leads to the Airbyte server.
        api_version: The version in the API's address.
        on_event: Is told what the flow reports.
        store: Remembers how far the request has come.

    Raises:
        InvalidInput: The Airflow connection cannot be right.
    """
    from airbyte_sync_airflow.sharing import shared_servers

    servers = shared_servers()
    async with servers.use(await servers.read(conn_id, api_version)) as container:
        yield container.async_interpreter(on_event, store)
