"""
The blocking transport.

Requests go to httpx's own transport and past ``httpx.Client``, which would look into redirects, keep cookies
and decompress without a bound.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from airbyte_httpx_transport.exchange import ERRORS, USER, Exchange, Route
from airbyte_sync.errors import AlreadyClosed
from airbyte_sync_http import TransportOptions
from airbyte_sync_http.transports.limits import CallLimits, limits_in_force
from airbyte_sync_http.transports.network import tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from airbyte_sync_http import HttpRequest, HttpResponse


class HttpxTransport:
    """An :class:`airbyte_sync_http.Transport` over httpx."""

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
        self._pools: dict[object, httpx.HTTPTransport] = {}
        self._lock = Lock()
        self._is_closed = False

    def send(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`airbyte_sync_http.Transport.send`."""
        pool = self._pool_for(request.url)
        limits = CallLimits(request)
        exchange = Exchange(request, limits.begin_answer)
        try:
            with limits:
                answer = pool.handle_request(exchange.request(exchange.trace))
                try:
                    body = exchange.begin_body(answer)
                    for piece in answer.iter_raw():
                        body.feed(piece)
                    return exchange.response(answer, body)
                finally:
                    answer.close()
        except ERRORS as error:
            raise exchange.failed(error) from error

    def close(self) -> None:
        """See :meth:`airbyte_sync_http.Transport.close`."""
        with self._lock:
            self._is_closed = True
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()

    def _pool_for(self, url: str) -> httpx.HTTPTransport:
        with self._lock:
            if self._is_closed:
                raise AlreadyClosed("this transport was closed, so nothing was sent")
            route = Route(url, self._options)
            if route.key not in self._pools:
                pool = httpx.HTTPTransport(**route.pool_options())
                # httpx bounds the silence between two pieces only; httpcore takes other sockets, and httpx
                # has no argument for them.
                pool._pool._network_backend = _BoundedBackend()  # noqa: SLF001
                self._pools[route.key] = pool
            return self._pools[route.key]


class _BoundedBackend(httpcore.NetworkBackend):
    """Opens sockets on which a call ends in time, however slowly something comes."""

    def __init__(self) -> None:
        self._usual = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to one of a host's addresses, look-up of its name included."""
        limits = _limits()
        addresses = [found[4][0] for found in limits.look_up(host, port)]
        failure: Exception = OSError(f"the name {host} has no address")
        for number, address in enumerate(addresses):
            timeout = limits.seconds_left() / (len(addresses) - number)
            try:
                return _BoundedStream(
                    self._usual.connect_tcp(address, port, timeout, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _BoundedStream(httpcore.NetworkStream):
    """A stream of httpcore that gives each step no more than the time that is left of the call."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, _limits().seconds_left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, _limits().seconds_left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        try:
            seconds = _limits().seconds_left()
            return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, seconds))
        except BaseException:
            self.close()  # httpcore expects that of a stream
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _limits() -> CallLimits:
    limits = limits_in_force()
    assert limits is not None, "httpx uses its sockets within a call only"  # noqa: S101
    return limits
