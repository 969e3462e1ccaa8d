"""Airbyte's ports over any transport, blocking and async.

Both gateways run the same flows; only the driver differs. What is asked and how it is read is in
:mod:`airbyte_sync_http.protocol.messages`, who asks is in :mod:`airbyte_sync_http.auth`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airbyte_sync.clocks import AsyncSystemClock, SystemClock
from airbyte_sync.errors import AirbyteSyncError, AlreadyClosed
from airbyte_sync.requests import JobQuery
from airbyte_sync_http.auth.credentials import secrets_of
from airbyte_sync_http.auth.tokens import Acquire, Authenticator, Release, TokenCache
from airbyte_sync_http.details import fetch_details
from airbyte_sync_http.listing import find_connections, list_active_jobs, list_connections
from airbyte_sync_http.protocol import messages
from airbyte_sync_http.protocol.streams import Lineage

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from airbyte_sync.job_details import JobDetails
    from airbyte_sync.jobs import Connection, FailureReason, Job, JobPage, JobType
    from airbyte_sync.ports import AsyncClock, Clock
    from airbyte_sync_http.auth.hiding import Secrets
    from airbyte_sync_http.auth.tokens import Exchange
    from airbyte_sync_http.settings import ServerSettings
    from airbyte_sync_http.transports.base import AsyncTransport, Transport

Result = TypeVar("Result")


class AirbyteGateway:
    """
    The blocking Airbyte ports (:class:`~airbyte_sync.ports.SyncGateway`) over a transport.

    As a context manager it closes the transport in the end. Who shares a transport among gateways
    closes the transport instead.

    What it returns and raises shows no credential of the settings and no token
    (:mod:`airbyte_sync_http.auth.hiding`), whatever a server or a proxy repeats.
    """

    def __init__(
        self,
        transport: Transport,
        settings: ServerSettings,
        tokens: TokenCache | None = None,
        clock: Clock | None = None,
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
        self._is_closed = False
        self.secrets: Secrets = secrets_of(settings)
        """What no text may show: the settings' credentials, and the tokens that were fetched."""
        learn = partial(_learn, self.secrets, on_token)
        self._auth = Authenticator(tokens or TokenCache(), self._clock.now, learn)

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

    def fetch_connection(self, connection_id: str) -> Connection:
        """See :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
        return self._call(messages.fetch_connection(self._settings, connection_id))

    def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""
        return self._run(find_connections(self._auth, self._settings, name, workspace_id))

    def list_connections(self, workspace_id: str | None = None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_connections`."""
        return self._run(list_connections(self._auth, self._settings, workspace_id))

    def list_active_jobs(
        self, connection_id: str | None = None, workspace_id: str | None = None
    ) -> tuple[Job, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_active_jobs`."""
        query = JobQuery(connection_id=connection_id, workspace_id=workspace_id)
        return self._run(list_active_jobs(self._auth, self._settings, query))

    def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
        call = messages.explain_failure(self._settings, job_id)
        return self._run(self._auth.flow(call, self._settings.with_short_timeouts()))

    def fetch_details(self, job_id: int, connection_id: str) -> JobDetails:
        """See :meth:`airbyte_sync.ports.DetailPort.fetch_details`."""
        return self._run(fetch_details(self._auth, self._settings, job_id, connection_id))

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, call: messages.Call[Result]) -> Result:
        return self._run(self._auth.flow(call, self._settings))

    def _run(self, flow: Exchange[Result]) -> Result:
        _require_open(self._is_closed)
        with self.secrets.in_force():
            return drive(flow, self._transport)


class AsyncAirbyteGateway:
    """
    The async Airbyte ports (:class:`~airbyte_sync.ports.AsyncSyncGateway`) over a transport.

    As an async context manager it closes the transport in the end, as :class:`AirbyteGateway` does.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        settings: ServerSettings,
        tokens: TokenCache | None = None,
        clock: AsyncClock | None = None,
        on_token: Callable[[str], None] | None = None,
    ) -> None:
        """See :class:`AirbyteGateway`."""
        self._transport = transport
        self._settings = settings
        self._clock = clock or AsyncSystemClock()
        self._is_closed = False
        self.secrets: Secrets = secrets_of(settings)
        """See :class:`AirbyteGateway`."""
        learn = partial(_learn, self.secrets, on_token)
        self._auth = Authenticator(tokens or TokenCache(), self._clock.now, learn)

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

    async def fetch_connection(self, connection_id: str) -> Connection:
        """See :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
        return await self._call(messages.fetch_connection(self._settings, connection_id))

    async def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""
        return await self._run(find_connections(self._auth, self._settings, name, workspace_id))

    async def list_connections(self, workspace_id: str | None = None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_connections`."""
        return await self._run(list_connections(self._auth, self._settings, workspace_id))

    async def list_active_jobs(
        self, connection_id: str | None = None, workspace_id: str | None = None
    ) -> tuple[Job, ...]:
        """See :meth:`airbyte_sync.ports.ListingPort.list_active_jobs`."""
        query = JobQuery(connection_id=connection_id, workspace_id=workspace_id)
        return await self._run(list_active_jobs(self._auth, self._settings, query))

    async def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
        settings = self._settings.with_short_timeouts()
        return await self._run(
            self._auth.flow(messages.explain_failure(settings, job_id), settings)
        )

    async def fetch_details(self, job_id: int, connection_id: str) -> JobDetails:
        """See :meth:`airbyte_sync.ports.DetailPort.fetch_details`."""
        return await self._run(fetch_details(self._auth, self._settings, job_id, connection_id))

    async def check(self) -> None:
        """See :meth:`AirbyteGateway.check`."""
        await self._call(messages.list_connections(self._settings, None, 0, 1))

    async def close(self) -> None:
        """Close the transport, as :meth:`AirbyteGateway.close`."""
        self._is_closed = True
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _call(self, call: messages.Call[Result]) -> Result:
        return await self._run(self._auth.flow(call, self._settings))

    async def _run(self, flow: Exchange[Result]) -> Result:
        _require_open(self._is_closed)
        with self.secrets.in_force():
            return await drive_async(flow, self._transport)


def _require_open(is_closed: bool) -> None:  # noqa: FBT001
    if is_closed:
        raise AlreadyClosed(
            "this gateway was closed, so nothing was sent. Keep it open until the last sync that uses it has "
            "ended."
        )


def drive(flow: Exchange[Result], transport: Transport) -> Result:
    """
    Drive a call to its end, blocking.

    Args:
        flow: What to ask.
        transport: Sends the requests. Its errors are thrown into the flow.

    Raises:
        AirbyteSyncError: As the flow does.
    """
    with closing(flow), ExitStack() as locks:
        try:
            step = next(flow)
            while True:
                match step:
                    case Acquire(lock=lock):
                        locks.enter_context(lock.blocking)
                        step = flow.send(None)
                    case Release():
                        locks.close()
                        step = flow.send(None)
                    case request:
                        try:
                            response = transport.send(request)
                        except AirbyteSyncError as error:
                            step = flow.throw(error)
                        else:
                            step = flow.send(response)
        except StopIteration as end:
            result: Result = end.value
            return result


async def drive_async(flow: Exchange[Result], transport: AsyncTransport) -> Result:
    """Drive a call to its end on the running event loop; see :func:`drive`."""
    with closing(flow):
        async with AsyncExitStack() as locks:
            try:
                step = next(flow)
                while True:
                    match step:
                        case Acquire(lock=lock):
                            await locks.enter_async_context(lock.of_running_loop())
                            step = flow.send(None)
                        case Release():
                            await locks.aclose()
                            step = flow.send(None)
                        case request:
                            try:
                                response = await transport.send(request)
                            except AirbyteSyncError as error:
                                step = flow.throw(error)
                            else:
                                step = flow.send(response)
            except StopIteration as end:
                result: Result = end.value
                return result


def _learn(secrets: Secrets, on_token: Callable[[str], None] | None, token: str) -> None:
    if secrets.learn(token) and on_token is not None:
        on_token(token)
