"""
The async transport, over aiohttp.

Some versions of aiohttp decompress without a bound. So the body is read as it comes and decompressed here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from airbyte_sync.errors import AlreadyClosed
from airbyte_sync_http.network import (
    BodyReader,
    proxy_for,
    proxy_headers,
    tls_context,
    without_credentials,
)
from airbyte_sync_http.transport import (
    HttpRequest,
    HttpResponse,
    TransportOptions,
    not_received,
    not_sent,
)

if TYPE_CHECKING:
    import ssl

_US = "aiohttp"
_PROVEN_UNSENT = (
    aiohttp.ClientConnectorError,  # DNS, TCP and TLS
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,  # the proxy refused the tunnel
    aiohttp.InvalidURL,
)


class AiohttpTransport:
    """
    An :class:`~airbyte_sync_http.transport.AsyncTransport` over aiohttp, for one event loop.

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
        self._owns_session = session is None
        self._is_closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`airbyte_sync_http.transport.AsyncTransport.send`."""
        connect = request.connect_timeout.total_seconds()
        read = request.read_timeout.total_seconds()
        timeout = aiohttp.ClientTimeout(
            total=connect + read, connect=connect, sock_connect=connect, sock_read=read
        )
        request = request.with_header("Accept-Encoding", BodyReader.ACCEPTED)
        tls = await self._tls_for(request)
        try:
            async with self._open_session().request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body,
                allow_redirects=False,
                auto_decompress=False,
                ssl=tls,
                timeout=timeout,
                **_by_proxy(request, self._proxy_of(request)),
            ) as answer:
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
        """See :meth:`airbyte_sync_http.transport.AsyncTransport.close`."""
        self._is_closed = True
        if self._owns_session and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _tls_for(self, request: HttpRequest) -> ssl.SSLContext | bool:
        """Return how to speak TLS. To read all that a machine trusts takes too long for an event loop."""
        if self._tls is None and "https:" in (request.url[:6], self._proxy_of(request)[:6]):
            self._tls = await asyncio.to_thread(tls_context, self._options, _US)
        return self._tls or True

    def _proxy_of(self, request: HttpRequest) -> str:
        return proxy_for(request.url, self._options) or ""

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session, made at the first request, because it belongs to the running loop."""
        if self._is_closed:
            raise AlreadyClosed("this transport was closed, so nothing was sent")
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._session._retry_connection = False  # noqa: SLF001 - aiohttp offers no public switch
        return self._session


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
