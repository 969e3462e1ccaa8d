"""An open gateway with what commands do through it: find connections and jobs, and run flows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airbyte_sync import (
    AsyncPortInterpreter,
    AsyncSystemClock,
    CallFailed,
    InvalidInput,
    arun,
    find_connection,
)
from airbyte_sync.jobs import is_uuid
from airbyte_sync_http import open_async_gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airbyte_sync import Connection, Event, SyncPolicy
    from airbyte_sync.commands import Flow
    from airbyte_sync_cli.settings import CliSettings
    from airbyte_sync_http import AsyncAirbyteGateway, ServerSettings

Result = TypeVar("Result")

_DESCRIBED_WITHIN = 2.0
"""Seconds that a name for people may take."""
_READ_ONE_BY_ONE = 3
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
        on_event: Callable[[Event], object] | None = None,
    ) -> Connection:
        """
        Find a connection by its name.

        Args:
            name: The name.
            patiently: Whether to ask again for as long as the policy says where Airbyte is in trouble.
            on_event: Is told of trouble.

        Raises:
            ConnectionNotFound: None has it.
            ConnectionAmbiguous: Several have it.
            ServerUnreachable: Airbyte could not be asked for too long.
            CallFailed: It refused.
        """
        policy = self.policy if patiently else None
        return await self.run(find_connection(name, self.workspace, policy), on_event)

    async def lookup(
        self, text: str, on_event: Callable[[Event], object] | None = None
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
        if len(connection_ids) > _READ_ONE_BY_ONE:
            for connection in await self.gateway.list_connections(self.workspace):
                found[connection.connection_id.lower()] = connection
            return
        for connection_id in connection_ids:
            found[connection_id.lower()] = await self.gateway.fetch_connection(connection_id)


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
