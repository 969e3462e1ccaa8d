"""The async transport. It needs no sockets of its own: a call is cancelled when its time is over."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from airbyte_httpx_transport.exchange import ERRORS, USER, Exchange, Route
from airbyte_sync.errors import AlreadyClosed
from airbyte_sync_http import TransportOptions
from airbyte_sync_http.transports.network import tls_context

if TYPE_CHECKING:
    import httpcore

    from airbyte_sync_http import HttpRequest, HttpResponse
    from airbyte_sync_http.transports.network import BodyReader


class AsyncHttpxTransport:
    """An :class:`airbyte_sync_http.AsyncTransport` over httpx, for one event loop."""

    def __init__(self, options: TransportOptions | None = None) -> None:
        """
        Args:
            options: What is known of the network.

        Raises:
            InvalidInput: A certificate cannot be read.
        """
        self._options = options or TransportOptions()
        if self._options.names_certificates:
            tls_context(self._options, USER)
        self._pools: dict[object, httpx.AsyncHTTPTransport] = {}
        self._is_closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`airbyte_sync_http.AsyncTransport.send`."""
        pool = await self._pool_for(request.url)
        scope = anyio.CancelScope()

        def begin_answer() -> None:
            scope.deadline = anyio.current_time() + request.read_timeout.total_seconds()

        exchange = Exchange(request, begin_answer)
        opened: list[httpcore.AsyncNetworkStream] = []

        async def trace(step: str, about: Any) -> None:
            exchange.trace(step, about)
            if step == "connection.connect_tcp.complete":
                opened.append(about["return_value"])

        try:
            scope.deadline = anyio.current_time() + request.connect_timeout.total_seconds()
            with scope:
                async with AsyncExitStack() as stack:
                    answer = await pool.handle_async_request(exchange.request(trace))
                    stack.push_async_callback(answer.aclose)
                    body = exchange.begin_body(answer)
                    await _read(answer, body)
                    return exchange.response(answer, body)
            raise TimeoutError("the whole answer did not come in time")
        except ERRORS as error:
            raise exchange.failed(error) from error
        finally:
            if not exchange.may_have_left:
                await _close(opened)

    async def close(self) -> None:
        """See :meth:`airbyte_sync_http.AsyncTransport.close`."""
        self._is_closed = True
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    async def _pool_for(self, url: str) -> httpx.AsyncHTTPTransport:
        route = Route(url, self._options)
        if route.key not in self._pools and not self._is_closed:
            # To read all that a machine trusts takes too long for an event loop.
            options = await asyncio.to_thread(route.pool_options)
            if not self._is_closed:
                self._pools.setdefault(route.key, httpx.AsyncHTTPTransport(**options))
        if self._is_closed:
            raise AlreadyClosed("this transport was closed, so nothing was sent")
        return self._pools[route.key]


async def _close(streams: list[httpcore.AsyncNetworkStream]) -> None:
    """Close connections on which nothing was sent: httpcore forgets one whose handshake is cancelled."""
    with anyio.CancelScope(shield=True):
        for stream in streams:
            await stream.aclose()


async def _read(answer: httpx.Response, body: BodyReader) -> None:
    pieces = answer.aiter_raw()
    async for piece in pieces:
        try:
            body.feed(piece)
        except OSError:
            # httpx's generators end with their connection. Left alone, they would be closed some time later.
            await answer.aclose()
            with suppress(httpx.HTTPError):
                async for _ in pieces:
                    pass
            raise
