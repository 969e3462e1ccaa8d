"""What the triggers of a process share: for one Airbyte server one session, one token and one feed.

The first trigger opens them and the last one closes them. A thousand triggers that start together read their
Airflow connection once: Airflow answers such questions one at a time, and slowly.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async

from airbyte_sync_airflow.composition import Container
from airbyte_sync_airflow.connection import read_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airbyte_sync import AsyncCheckpointStore, AsyncInterpreter
    from airbyte_sync.events import Event
    from airbyte_sync_airflow.connection import AirbyteServer

REMEMBERED_SECONDS = 30.0
"""How long a connection that was read serves the triggers that start after it."""


class SharedServers:
    """The servers that the triggers of one event loop talk to."""

    def __init__(self) -> None:
        self._reading: dict[tuple[str, str], tuple[float, asyncio.Task[AirbyteServer]]] = {}
        self._open: list[_OpenServer] = []
        self._gate = asyncio.Lock()

    async def read(self, conn_id: str, api_version: str) -> AirbyteServer:
        """
        Return the server that an Airflow connection leads to, read in a thread: it blocks.

        Args:
            conn_id: The Airflow connection.
            api_version: The version in the API's address.

        Raises:
            InvalidInput: The connection cannot be right.
        """
        key = conn_id, api_version
        now = asyncio.get_running_loop().time()
        read_at, reading = self._reading.get(key, (now, None))
        if reading is None or _is_useless(reading) or now - read_at > REMEMBERED_SECONDS:
            reading = asyncio.ensure_future(sync_to_async(read_server)(conn_id, api_version))
            reading.add_done_callback(_take_note)
            self._reading[key] = now, reading
        server = await asyncio.shield(reading)  # it is read for the others, too
        async with self._gate:  # a crowd that has waited for it goes on one by one
            return server

    @asynccontextmanager
    async def use(self, server: AirbyteServer) -> AsyncIterator[Container]:
        """Use the parts for a server, among others."""
        shared = next((each for each in self._open if each.serves(server)), None)
        if shared is None:
            shared = _OpenServer(server)
            self._open.append(shared)
        shared.users += 1
        try:
            container = await asyncio.shield(shared.opening)
            async with self._gate:
                pass
            yield container
        finally:
            shared.users -= 1
            if shared.users == 0:
                self._open.remove(shared)
                await asyncio.shield(asyncio.ensure_future(shared.close()))


class _OpenServer:
    """The parts for one server, and how many use them."""

    def __init__(self, server: AirbyteServer) -> None:
        self.users = 0
        self._server = server
        self.opening = asyncio.ensure_future(self._open())
        self.opening.add_done_callback(_take_note)

    def serves(self, server: AirbyteServer) -> bool:
        """Whether these parts are the right ones; policies may differ."""
        ours = self._server
        return (ours.settings, ours.async_transport) == (server.settings, server.async_transport)

    async def _open(self) -> Container:
        container = Container(server=self._server)
        await sync_to_async(container.async_transport)()  # it may load a library and certificates
        await container.async_gateway().__aenter__()
        return container

    async def close(self) -> None:
        """Close them; nobody uses them any more."""
        container = await self.opening
        feed = container.feed()
        if feed is not None:
            await feed.close()
        await container.async_gateway().__aexit__(None, None, None)


_OF_LOOPS: WeakKeyDictionary[Any, SharedServers] = WeakKeyDictionary()


def shared_servers() -> SharedServers:
    """Return what is shared on the running event loop."""
    return _OF_LOOPS.setdefault(asyncio.get_running_loop(), SharedServers())


@asynccontextmanager
async def async_session(
    conn_id: str,
    api_version: str,
    on_event: Callable[[Event], None],
    store: AsyncCheckpointStore | None = None,
) -> AsyncIterator[AsyncInterpreter]:
    """
    Use the session of a triggerer, for :func:`airbyte_sync.arun`.

    All triggers that talk to the same server share it. What blocks happens in a thread, once; Airflow
    3.0 does not allow it on the loop.

    Args:
        conn_id: The Airflow connection that leads to the Airbyte server.
        api_version: The version in the API's address.
        on_event: Is told what the flow reports.
        store: Remembers how far the request has come.

    Raises:
        InvalidInput: The Airflow connection cannot be right.
    """
    servers = shared_servers()
    async with servers.use(await servers.read(conn_id, api_version)) as container:
        yield container.async_interpreter(on_event, store)


def _is_useless(reading: asyncio.Task[AirbyteServer]) -> bool:
    return reading.done() and (reading.cancelled() or reading.exception() is not None)


def _take_note(task: asyncio.Task[Any]) -> None:
    """Look at how a task ended, in case everybody who waited for it has left."""
    if not task.cancelled():
        task.exception()
