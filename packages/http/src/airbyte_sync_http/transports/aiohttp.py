"""The async transport, over aiohttp."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from airbyte_sync_http.network import proxy_for, tls_context
from airbyte_sync_http.transport import (
    ANSWER_LIMIT,
    HttpRequest,
    HttpResponse,
    TransportOptions,
    not_received,
    not_sent,
)

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
        usual = self._options.verify is True and self._options.client_cert is None
        self._tls = usual or tls_context(self._options)  # True is aiohttp's own context, made once
        self._session = session
        self._owns_session = session is None

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`airbyte_sync_http.transport.AsyncTransport.send`."""
        url = URL(request.url, encoded=True)
        connect = request.connect_timeout.total_seconds()
        timeout = aiohttp.ClientTimeout(
            connect=connect, sock_connect=connect, sock_read=request.read_timeout.total_seconds()
        )
        try:
            async with self._open_session().request(
                request.method,
                url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                proxy=proxy_for(request.url, self._options),
                ssl=self._tls,
                timeout=timeout,
            ) as answer:
                return HttpResponse(
                    status=answer.status, headers=dict(answer.headers), body=await _body(answer)
                )
        except _PROVEN_UNSENT as error:
            raise not_sent(request, error) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise not_received(request, error) from error

    async def close(self) -> None:
        """See :meth:`airbyte_sync_http.transport.AsyncTransport.close`."""
        if self._owns_session and self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session, made at the first request, because it belongs to the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._session._retry_connection = False  # noqa: SLF001 - aiohttp offers no public switch
        return self._session


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise OSError(f"the answer is larger than {ANSWER_LIMIT} bytes")
    return bytes(body)
