"""
The async transport, over aiohttp.

Some versions of aiohttp decompress without a bound. So the body is read as it comes and decompressed here.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from airbyte_sync.errors import AlreadyClosed
from airbyte_sync_http.transports import limits
from airbyte_sync_http.transports.base import (
    HttpRequest,
    HttpResponse,
    TooLarge,
    TransportOptions,
    not_received,
    not_sent,
)
from airbyte_sync_http.transports.network import (
    BodyReader,
    proxy_for,
    proxy_headers,
    tls_context,
    warn_once_that_nothing_is_verified,
    without_credentials,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_US = "aiohttp"
_PROVEN_UNSENT = (
    aiohttp.ClientConnectorError,  # DNS, TCP and TLS
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,  # the proxy refused the tunnel
    aiohttp.InvalidURL,
)


class AiohttpTransport:
    """
    An :class:`~airbyte_sync_http.transports.base.AsyncTransport` over aiohttp, for one event loop.

    aiohttp repeats a GET or DELETE by itself when the server drops the connection. That is switched
    off, because a DELETE cancels whatever runs when it arrives.
    """

    def __init__(
        self,
        options: TransportOptions | None = None,
        *,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        """
        Args:
            options: The network; its certificates hold for an injected session too.
            session: A session to use instead of one of its own. It is not closed.
        """
        self._options = options or TransportOptions()
        self._tls: ssl.SSLContext | None = None
        if self._options.names_certificates:
            self._tls = tls_context(self._options, _US)
        self._session = session
        self._largest = 0
        """The largest body that any request so far allows."""
        self._owns_session = session is None
        self._is_closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`airbyte_sync_http.transports.base.AsyncTransport.send`."""
        connect = request.connect_timeout.total_seconds()
        read = request.read_timeout.total_seconds()
        timeout = aiohttp.ClientTimeout(
            total=connect + read, connect=connect, sock_connect=connect, sock_read=read
        )
        request = request.with_header("Accept-Encoding", BodyReader.ACCEPTED)
        self._largest = max(self._largest, request.answer_limit)
        tls = await self._tls_for(request)
        try:
            async with self._open_session().request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body,
                allow_redirects=False,
                auto_decompress=False,
                max_line_size=limits.LONGEST_HEADER,
                max_field_size=limits.LONGEST_HEADER,
                ssl=tls,
                timeout=timeout,
                **_by_proxy(request, self._proxy_of(request)),
            ) as answer:
                if len(answer.headers) > limits.MOST_HEADERS:
                    raise TooLarge(f"the answer has more than {limits.MOST_HEADERS} headers")
                body = BodyReader(request.answer_limit, answer.headers.get("Content-Encoding"))
                async for piece in answer.content.iter_any():
                    body.feed(piece)
                return HttpResponse(
                    status=answer.status, headers=dict(answer.headers), body=body.whole()
                )
        except _PROVEN_UNSENT as error:
            raise not_sent(request, error) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise not_received(request, error) from error

    async def close(self) -> None:
        """See :meth:`airbyte_sync_http.transports.base.AsyncTransport.close`."""
        self._is_closed = True
        if self._owns_session and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _most_bytes(self) -> int:
        return limits.HEADERS_LIMIT + 2 * self._largest

    async def _tls_for(self, request: HttpRequest) -> ssl.SSLContext | bool:
        """Return how to speak TLS. To read all that a machine trusts takes too long for an event loop."""
        if self._tls is None and "https:" in (request.url[:6], self._proxy_of(request)[:6]):
            self._tls = await asyncio.to_thread(tls_context, self._options, _US)
        if self._options.verify is False and self._owns_session:
            warn_once_that_nothing_is_verified(request.url)
        return self._tls or True

    def _proxy_of(self, request: HttpRequest) -> str:
        return proxy_for(request.url, self._options) or ""

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session, made at the first request, because it belongs to the running loop."""
        if self._is_closed:
            raise AlreadyClosed("this transport was closed, so nothing was sent")
        if self._session is None:
            connector = aiohttp.TCPConnector(keepalive_timeout=limits.LONGEST_IDLE)
            # aiohttp offers no public way.
            counting: Any = partial(_CountingProtocol, self._most_bytes)
            connector._factory = counting  # noqa: SLF001
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        self._session._retry_connection = False  # noqa: SLF001 - aiohttp offers no public switch
        return self._session


class _CountingProtocol(ResponseHandler):
    """Ends a connection on which more is received than any answer has, be it headers or frames of a body."""

    def __init__(self, most_bytes: Callable[[], int]) -> None:
        super().__init__(asyncio.get_running_loop())
        self._most_bytes = most_bytes
        self._received = 0

    def set_response_params(self, **params: Any) -> None:
        """Begin to receive an answer."""
        self._received = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take in a piece."""
        self._received += len(data)
        if self._received <= self._most_bytes():
            super().data_received(data)
        elif self.transport is not None:
            self.transport.abort()


def _by_proxy(request: HttpRequest, proxy: str) -> dict[str, Any]:
    """
    Return the headers of a request, and the proxy that it goes through.

    aiohttp writes a proxy's password in latin-1 only, and repeats the URL in its errors: it gets neither.
    """
    if not proxy:
        return {"headers": request.headers}
    shown_to_proxy = proxy_headers(proxy)
    by_proxy: dict[str, Any] = {"proxy": without_credentials(proxy), "headers": request.headers}
    if request.url.startswith("https:"):
        return {**by_proxy, "proxy_headers": shown_to_proxy}
    return {**by_proxy, "headers": {**request.headers, **shown_to_proxy}}
