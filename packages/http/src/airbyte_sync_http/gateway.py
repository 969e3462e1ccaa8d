"""Airbyte's ports over any transport, blocking and async.

A call is a flow of requests and responses, which the drivers of the policy drive
(:mod:`airbyte_sync.drivers`): both gateways run the same ones. What is asked and how it is read is in
:mod:`airbyte_sync_http.protocol.messages`, who asks is in :mod:`airbyte_sync_http.auth`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airbyte_sync.clocks import SystemClock
from airbyte_sync.drivers import arun, run
from airbyte_sync.errors import AlreadyClosed
from airbyte_sync.requests import JobQuery
from airbyte_sync_http.auth.credentials import secrets_of
from airbyte_sync_http.auth.tokens import Acquire, Authenticator, Release, Send, TokenCache
from airbyte_sync_http.details import explain_failure, fetch_connection_quickly, fetch_details
from airbyte_sync_http.listing import find_connections, list_active_jobs, list_connections
from airbyte_sync_http.protocol import messages
from airbyte_sync_http.protocol.streams import Lineage

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from airbyte_sync.commands import Command, Flow
    from airbyte_sync.job_details import JobDetails
    from airbyte_sync.jobs import Connection, FailureReason, Job, JobPage, JobType
    from airbyte_sync.ports import AsyncClock, Clock
    from airbyte_sync_http.auth.hiding import Secrets
    from airbyte_sync_http.settings import ServerSettings
    from airbyte_sync_http.transports.base import AsyncTransport, Transport

Result = TypeVar("Result")
AnyTransport = TypeVar("AnyTransport")


class TransportInterpreter:
    """Carries out the commands of a call over a blocking transport."""

    def __init__(self, transport: Transport, locks: ExitStack) -> None:
        """
        Args:
            transport: Sends the requests.
            locks: Holds the lock that a call has acquired; it is released when this is closed, too.
        """
        self._transport = transport
        self._locks = locks

    def answer(self, command: Command[Any]) -> Any:
        """Carry out one command; see :class:`airbyte_sync.drivers.Interpreter`."""
        match command:
            case Send(request=request):
                return self._transport.send(request)
            case Acquire(lock=lock):
                self._locks.enter_context(lock.blocking)
            case Release():
                self._locks.close()
            case _:
                raise _unknown(command)
        return None


class AsyncTransportInterpreter:
    """Carries out the commands of a call over an async transport."""

    def __init__(self, transport: AsyncTransport, locks: AsyncExitStack) -> None:
        """See :class:`TransportInterpreter`."""
        self._transport = transport
        self._locks = locks

    async def answer(self, command: Command[Any]) -> Any:
        """Carry out one command; see :class:`airbyte_sync.drivers.AsyncInterpreter`."""
        match command:
            case Send(request=request):
                return await self._transport.send(request)
            case Acquire(lock=lock):
                await self._locks.enter_async_context(lock.of_running_loop())
            case Release():
                await self._locks.aclose()
            case _:
                raise _unknown(command)
        return None


def _unknown(command: Command[Any]) -> TypeError:
    return TypeError(f"{command!r} is not a command of a call over HTTP")


class _Gateway(Generic[AnyTransport]):
    """What both gateways are made of."""

    def __init__(
        self,
        transport: AnyTransport,
        settings: ServerSettings,
        tokens: TokenCache | None = None,
        clock: Clock | AsyncClock | None = None,
        on_token: Callable[[str], None] | None = None,
    ) -> None:
        """
        Args:
            transport: Sends the requests.
            settings: The server.
            tokens: Where to keep access tokens; a cache of its own by default.
            clock: Tells when a token ends; this machine's time by default.
            on_token: Is told each new token, so that the caller can keep it out of logs of its own.
        """
        self._transport = transport
        self._settings = settings
        self._clock = clock or SystemClock()
        self._on_token = on_token
        self._is_closed = False
        self.secrets: Secrets = secrets_of(settings)
        """What no text may show: the settings' credentials, and the tokens that were fetched."""
        self._auth = Authenticator(settings, tokens or TokenCache(), self._clock.now, self._learn)

    def _learn(self, token: str) -> None:
        if self.secrets.learn(token) and self._on_token is not None:
            self._on_token(token)

    def _require_open(self) -> None:
        if self._is_closed:
            raise AlreadyClosed(
                "this gateway was closed, so nothing was sent. Keep it open until the last sync that uses it "
                "has ended."
            )


class AirbyteGateway(_Gateway["Transport"]):
    """
    The blocking Airbyte ports (:class:`~airbyte_sync.ports.SyncGateway`) over a transport.

    As a context manager it closes the transport in the end. Who shares a transport among gateways
    closes the transport instead.

    What it returns and raises shows no credential of the settings and no token
    (:mod:`airbyte_sync_http.auth.hiding`), whatever a server or a proxy repeats.
    """

    def submit(self, connection_id: str, job_type: JobType) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.submit`."""
        return self._call(
            messages.submit(self._settings, connection_id, job_type, self._clock.now())
        )

    def cancel(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.cancel`."""
        return self._call(messages.cancel(self._settings, job_id))

    def fetch_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.PollPort.fetch_job`."""
        return self._call(messages.fetch_job(self._settings, job_id))

    def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`airbyte_sync.ports.PollPort.find_jobs`."""
        return self._call(messages.find_jobs(self._settings, query))

    def fetch_connection(self, connection_id: str, *, quickly: bool = False) -> Connection:
        """See :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
        if quickly:
            return self._run(fetch_connection_quickly(self._auth, connection_id))
        return self._call(messages.fetch_connection(self._settings, connection_id))

    def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""
        return self._run(find_connections(self._auth, name, workspace_id))

    def list_connections(self, workspace_id: str | None = None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_connections`."""
        return self._run(list_connections(self._auth, workspace_id))

    def list_active_jobs(
        self, connection_id: str | None = None, workspace_id: str | None = None
    ) -> tuple[Job, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_active_jobs`."""
        query = JobQuery(connection_id=connection_id, workspace_id=workspace_id)
        return self._run(list_active_jobs(self._auth, query))

    def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
        return self._run(explain_failure(self._auth, job_id))

    def fetch_details(self, job_id: int, connection_id: str) -> JobDetails:
        """See :meth:`airbyte_sync.ports.DetailPort.fetch_details`."""
        return self._run(fetch_details(self._auth, job_id, connection_id))

    def fetch_lineage(self, connection_id: str) -> Lineage:
        """
        Read what a connection's syncs read and write: three requests, one after the other.

        Args:
            connection_id: The connection.

        Raises:
            CallFailed: One of them failed.
        """
        found = self._call(messages.fetch_route(self._settings, connection_id))
        return Lineage(
            source=self._call(messages.fetch_source(self._settings, found.source_id)),
            destination=self._call(
                messages.fetch_destination(self._settings, found.destination_id)
            ),
            streams=found.streams,
        )

    def check(self) -> None:
        """
        Prove the address and the credentials with one call that needs both; a health check proves neither.

        Raises:
            CallFailed: The subclass and its text say which part is wrong.
        """
        self._call(messages.list_connections(self._settings, None, 0, 1))

    def close(self) -> None:
        """Close the transport; every call from then on raises :class:`~airbyte_sync.errors.AlreadyClosed`."""
        self._is_closed = True
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, call: messages.Call[Result]) -> Result:
        return self._run(self._auth.flow(call))

    def _run(self, flow: Flow[Result]) -> Result:
        self._require_open()
        with self.secrets.in_force(), ExitStack() as locks:
            return run(flow, TransportInterpreter(self._transport, locks))


class AsyncAirbyteGateway(_Gateway["AsyncTransport"]):
    """
    The async Airbyte ports (:class:`~airbyte_sync.ports.AsyncSyncGateway`) over a transport.

    As an async context manager it closes the transport in the end, as :class:`AirbyteGateway` does.
    """

    async def submit(self, connection_id: str, job_type: JobType) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.submit`."""
        return await self._call(
            messages.submit(self._settings, connection_id, job_type, self._clock.now())
        )

    async def cancel(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.cancel`."""
        return await self._call(messages.cancel(self._settings, job_id))

    async def fetch_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.PollPort.fetch_job`."""
        return await self._call(messages.fetch_job(self._settings, job_id))

    async def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`airbyte_sync.ports.PollPort.find_jobs`."""
        return await self._call(messages.find_jobs(self._settings, query))

    async def fetch_connection(self, connection_id: str, *, quickly: bool = False) -> Connection:
        """See :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
        if quickly:
            return await self._run(fetch_connection_quickly(self._auth, connection_id))
        return await self._call(messages.fetch_connection(self._settings, connection_id))

    async def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""
        return await self._run(find_connections(self._auth, name, workspace_id))

    async def list_connections(self, workspace_id: str | None = None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_connections`."""
        return await self._run(list_connections(self._auth, workspace_id))

    async def list_active_jobs(
        self, connection_id: str | None = None, workspace_id: str | None = None
    ) -> tuple[Job, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_active_jobs`."""
        query = JobQuery(connection_id=connection_id, workspace_id=workspace_id)
        return await self._run(list_active_jobs(self._auth, query))

    async def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
        return await self._run(explain_failure(self._auth, job_id))

    async def fetch_details(self, job_id: int, connection_id: str) -> JobDetails:
        """See :meth:`airbyte_sync.ports.DetailPort.fetch_details`."""
        return await self._run(fetch_details(self._auth, job_id, connection_id))

    async def check(self) -> None:
        """See :meth:`AirbyteGateway.check`."""
        await self._call(messages.list_connections(self._settings, None, 0, 1))

    async def close(self) -> None:
        """Close the transport, as :meth:`AirbyteGateway.close`."""
        self._is_closed = True
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _call(self, call: messages.Call[Result]) -> Result:
        return await self._run(self._auth.flow(call))

    async def _run(self, flow: Flow[Result]) -> Result:
        self._require_open()
        with self.secrets.in_force():
            async with AsyncExitStack() as locks:
                return await arun(flow, AsyncTransportInterpreter(self._transport, locks))
