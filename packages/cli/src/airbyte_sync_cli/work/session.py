"""An open gateway with what commands do through it: find connections and jobs, and run flows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync import (
    AsyncPortInterpreter,
    AsyncSystemClock,
    CallFailed,
    InvalidInput,
    arun,
    find_connection,
)
from airbyte_sync.commands import FindConnections
from airbyte_sync.drivers import ignore
from airbyte_sync.jobs import is_similar_name, is_uuid
from airbyte_sync_http import open_async_gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airbyte_sync import Connection, Event, SyncPolicy
    from airbyte_sync.commands import Command, Flow
    from airbyte_sync_cli.settings import CliSettings
    from airbyte_sync_http import AsyncAirbyteGateway, ServerSettings

Result = TypeVar("Result")

_DESCRIBED_WITHIN = 2.0
"""Seconds that a name for people may take."""
READ_ONE_BY_ONE = 3
"""From how many connections on they are listed instead."""


@dataclass(frozen=True, slots=True)
class Session:
    """An open gateway, and the settings that it was opened with."""

    gateway: AsyncAirbyteGateway
    server: ServerSettings
    policy: SyncPolicy
    workspace: str | None

    async def run(
        self, flow: Flow[Result], on_event: Callable[[Event], object] | None = None
    ) -> Result:
        """Drive a flow to its end."""
        interpreter = AsyncPortInterpreter(
            self.gateway, AsyncSystemClock(), *(() if on_event is None else (on_event,))
        )
        return await arun(flow, interpreter)

    async def find(
        self,
        name: str,
        *,
        patiently: bool = False,
        on_event: Callable[[Event], None] = ignore,
        listed: ConnectionList | None = None,
    ) -> Connection:
        """
        Find a connection by its name.

        Args:
            name: The name.
            patiently: Whether to ask again for as long as the policy says where Airbyte is in trouble.
            on_event: Is told of trouble.
            listed: Where to look first: one list for many names.

        Raises:
            ConnectionNotFound: None has it.
            ConnectionAmbiguous: Several have it.
            ServerUnreachable: Airbyte could not be asked for too long.
            CallFailed: It refused.
        """
        policy = self.policy if patiently else None
        interpreter = _LookUp(self.gateway, on_event, listed)
        return await arun(find_connection(name, self.workspace, policy), interpreter)

    async def lookup(
        self, text: str, on_event: Callable[[Event], None] = ignore
    ) -> tuple[str, Connection | None]:
        """
        Return the id of a connection that was named by either, and the connection itself where it is known.

        Raises:
            AirbyteSyncError: As :meth:`find`, patiently.
        """
        if is_uuid(text):
            return text, (await self.described({text})).get(text.lower())
        connection = await self.find(text, patiently=True, on_event=on_event)
        return connection.connection_id, connection

    async def id_of(self, text: str) -> str:
        """Return the id of a connection that was named by its id or its name; raises as :meth:`find`."""
        return text if is_uuid(text) else (await self.find(text)).connection_id

    async def described(self, connection_ids: set[str]) -> dict[str, Connection]:
        """Return what some connections are called, by id in lower case: as far as Airbyte says so soon."""
        found: dict[str, Connection] = {}
        # Names are for people: what is wrong is said by the calls that need an answer.
        with suppress(CallFailed, InvalidInput, asyncio.TimeoutError):
            await asyncio.wait_for(self._describe(connection_ids, found), _DESCRIBED_WITHIN)
        return found

    async def _describe(self, connection_ids: set[str], found: dict[str, Connection]) -> None:
        if len(connection_ids) > READ_ONE_BY_ONE:
            for connection in await self.gateway.list_connections(self.workspace):
                found[connection.connection_id.lower()] = connection
            return
        for connection_id in connection_ids:
            found[connection_id.lower()] = await self.gateway.fetch_connection(connection_id)


class ConnectionList:
    """The connections, read once for all names that are looked up in the same command."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._connections: tuple[Connection, ...] | None = None
        self._reading = asyncio.Lock()

    async def named(self, name: str) -> tuple[Connection, ...]:
        """
        Return the connections whose names are similar.

        Raises:
            CallFailed: They could not be listed.
        """
        async with self._reading:
            if self._connections is None:
                self._connections = await self._session.gateway.list_connections(
                    self._session.workspace
                )
        return tuple(each for each in self._connections if is_similar_name(each.name, name))


class _LookUp(AsyncPortInterpreter):
    def __init__(
        self,
        gateway: AsyncAirbyteGateway,
        on_event: Callable[[Event], None],
        listed: ConnectionList | None,
    ) -> None:
        super().__init__(gateway, AsyncSystemClock(), on_event)
        self._listed = listed

    async def answer(self, command: Command[Any]) -> Any:
        """Look in the list first; the gateway also finds a name in which a credential is hidden."""
        if isinstance(command, FindConnections) and self._listed is not None:
            found = await self._listed.named(command.name)
            if found:
                return found
        return await super().answer(command)


@asynccontextmanager
async def open_session(settings: CliSettings) -> AsyncIterator[Session]:
    """
    Open a session: ``async with open_session(settings) as session``.

    Raises:
        InvalidInput: A setting cannot be right.
        UnknownTransport: No installed package registers the transport.
    """
    server, policy = settings.server(), settings.policy()
    transport = settings.text("transport") or "aiohttp"
    workspace = settings.text("workspace")
    async with open_async_gateway(server, transport) as gateway:
        yield Session(gateway, server, policy, workspace)
