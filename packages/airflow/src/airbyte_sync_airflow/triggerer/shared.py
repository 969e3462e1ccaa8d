"""What the triggers of a process share: for one Airbyte server one session, one token and one feed.

The first trigger opens them and the last one closes them. A thousand triggers that start together read their
Airflow connection once: Airflow answers such questions one at a time, and slowly. Several connections are
read one after the other, but a slow secrets backend holds up the others for a moment only. What a crowd has
waited for it gets in small groups, so that the event loop has time for others in between.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Generic, TypeVar

from airbyte_sync_airflow.composition import Container
from airbyte_sync_airflow.config.connection import read_server
from airbyte_sync_airflow.triggerer.loops import PerLoop
from airbyte_sync_airflow.triggerer.threads import in_own_thread
from airbyte_sync_http.feed.timers import wake

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from contextlib import AbstractAsyncContextManager

    from airbyte_sync_airflow.config.connection import AirbyteServer

T = TypeVar("T")
_log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 30.0
"""How long a connection that was read serves the triggers that start after it."""

TURN_SECONDS = 0.25
"""How long the reading of one connection holds up that of the next one."""


class SharedServers:
    """The servers that the triggers of one event loop talk to."""

    def __init__(self) -> None:
        self._readings: dict[tuple[str, str], tuple[float, _Once[AirbyteServer]]] = {}
        self._turn = asyncio.Lock()
        self._open: list[_OpenServer] = []

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
        read_at, reading = self._readings.get(key, (now, None))
        if reading is None or reading.has_failed or now - read_at > REMEMBERED_SECONDS:
            reading = _Once(self._read_in_turn(conn_id, api_version))
            self._readings[key] = now, reading
        return await reading.result()

    async def _read_in_turn(self, conn_id: str, api_version: str) -> AirbyteServer:
        """
        Read a connection. One that is slow is read on beside the next one.

        Airflow masks the secrets that it reads, and its masker can lose one of two that it learns at the
        same moment (``SecretsMasker.add_mask`` in 2.11.2 to 3.3.2).
        """
        async with self._turn:
            reading = asyncio.ensure_future(in_own_thread(read_server, conn_id, api_version))
            await asyncio.wait({reading}, timeout=TURN_SECONDS)
        return await reading

    def use(self, server: AirbyteServer) -> AbstractAsyncContextManager[Container]:
        """
        Use the parts for a server, with all others that talk to it.

        What blocks happens in a thread, once.
        """
        shared = next((each for each in self._open if each.serves(server)), None)
        if shared is None:
            shared = _OpenServer(server, self._open)
            self._open.append(shared)
        return shared


class _OpenServer:
    """The parts for one server, as a context manager that any number of users enter at once."""

    def __init__(self, server: AirbyteServer, among: list[_OpenServer]) -> None:
        self._server = server
        self._among = among
        self._users = 0
        self._parts = AsyncExitStack()
        self._opening = _Once(self._open())

    def serves(self, server: AirbyteServer) -> bool:
        """Whether these parts are the right ones; policies may differ."""
        ours = self._server
        return (ours.settings, ours.async_transport) == (server.settings, server.async_transport)

    async def __aenter__(self) -> Container:
        self._users += 1
        try:
            return await self._opening.result()
        except BaseException:
            await self.__aexit__()
            raise

    async def __aexit__(self, *_error: object) -> None:
        self._users -= 1
        if self._users == 0:
            self._among.remove(self)
            await asyncio.shield(asyncio.ensure_future(self._close()))

    async def _open(self) -> Container:
        container = Container(server=self._server)
        await in_own_thread(container.async_transport)  # it may load a library and certificates
        await self._parts.enter_async_context(container.async_gateway())
        feed = container.feed()
        if feed is not None:
            self._parts.push_async_callback(feed.close)
        return container

    async def _close(self) -> None:
        try:
            await self._opening.result()
        except Exception:
            return
        try:
            await self._parts.aclose()
        except Exception:  # every user has its result already
            _log.exception("Could not close the session with Airbyte")


class _Once(Generic[T]):
    """Something that is made once for a crowd that waits for it, even if some leave meanwhile."""

    def __init__(self, making: Awaitable[T]) -> None:
        self._making = asyncio.ensure_future(making)
        self._crowd: list[asyncio.Future[bool]] = []
        self._waking = asyncio.create_task(self._wake())

    @property
    def has_failed(self) -> bool:
        done = self._making.done()
        return done and (self._making.cancelled() or self._making.exception() is not None)

    async def result(self) -> T:
        """Return it, or raise why there is none."""
        if not self._making.done():
            waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._crowd.append(waiter)
            await waiter
        return self._making.result()

    async def _wake(self) -> None:
        await asyncio.wait({self._making})
        _ = self.has_failed  # has looked at it, in case that everybody has left
        await wake(self._crowd, result=True)
        self._crowd.clear()


shared_servers = PerLoop(SharedServers)
"""Return what is shared on the running event loop."""
