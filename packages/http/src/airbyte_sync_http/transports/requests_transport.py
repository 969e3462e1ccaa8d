"""
The blocking transport, over Requests.

Requests and urllib3 bound the silence between two pieces of an answer, and some of their versions decompress
without a bound. So the sockets of this transport know the limits of a call
(:mod:`airbyte_sync_http.transports.limits`), and the body is read as it comes and decompressed here.
"""

from __future__ import annotations

import socket
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airbyte_sync.errors import AlreadyClosed
from airbyte_sync_http.transports import limits
from airbyte_sync_http.transports.base import (
    HttpRequest,
    HttpResponse,
    TransportOptions,
    causes,
    not_received,
    not_sent,
)
from airbyte_sync_http.transports.limits import CallLimits, limits_in_force
from airbyte_sync_http.transports.network import (
    BodyReader,
    proxy_for,
    proxy_headers,
    tls_context,
    warn_once_that_nothing_is_verified,
)

if TYPE_CHECKING:
    import ssl

    from requests import PreparedRequest, Session

_BEFORE_SENDING = {"prepare_request", "get_connection_with_tls_context", "cert_verify", "connect"}
"""The functions of Requests and urllib3 that are left before the request is written."""

_PIECE = 64 * 1024


class RequestsTransport:
    """A :class:`~airbyte_sync_http.transports.base.Transport` over Requests."""

    def __init__(
        self, options: TransportOptions | None = None, *, session: Session | None = None
    ) -> None:
        """
        Args:
            options: The network, for a session of its own.
            session: A session to use instead, with its own adapters, proxies and certificates. It is
                not closed. An adapter that repeats requests would break the contract, and one that is no
                :class:`BoundedAdapter` bounds the silence within an answer only.
        """
        self._options = options or TransportOptions()
        self._owns_session = session is None
        self._session = session or _new_session(self._options)
        self._is_closed = False

    def send(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`airbyte_sync_http.transports.base.Transport.send`."""
        if self._is_closed:
            raise AlreadyClosed("this transport was closed, so nothing was sent")
        timeout = (request.connect_timeout.total_seconds(), request.read_timeout.total_seconds())
        try:
            with CallLimits(request):
                prepared = self._session.prepare_request(
                    requests.Request(
                        request.method,
                        request.url,
                        headers=dict(
                            request.with_header("Accept-Encoding", BodyReader.ACCEPTED).headers
                        ),
                        data=request.body,
                        auth=_as_it_is,
                    )
                )
                # The adapter, not the session, sends: the session would look into redirects.
                with self._session.get_adapter(request.url).send(
                    prepared, stream=True, timeout=timeout, **self._network(request.url)
                ) as answer:
                    body = BodyReader(request.answer_limit, answer.headers.get("Content-Encoding"))
                    for piece in answer.raw.stream(_PIECE, decode_content=False):
                        body.feed(piece)
                    return HttpResponse(
                        status=answer.status_code,
                        headers=dict(answer.headers),
                        body=body.whole(),
                    )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            explain = not_sent if _is_proven_unsent(error) else not_received
            raise explain(request, error) from error

    def close(self) -> None:
        """See :meth:`airbyte_sync_http.transports.base.Transport.close`."""
        self._is_closed = True
        if self._owns_session:
            self._session.close()

    def _network(self, url: str) -> dict[str, Any]:
        """Return the proxies and certificates of a request."""
        if self._owns_session:
            if self._options.verify is False:
                warn_once_that_nothing_is_verified(url)
            proxy = proxy_for(url, self._options)
            return {"proxies": {"http": proxy, "https": proxy} if proxy else {}}
        session = self._session
        network = session.merge_environment_settings(
            url,
            proxies=dict(session.proxies),
            stream=True,
            verify=session.verify,
            cert=session.cert,
        )
        return {name: value for name, value in network.items() if name != "stream"}


def _new_session(options: TransportOptions) -> Session:
    session = requests.Session()
    session.trust_env = (
        False  # what holds of the environment is read in one place for all transports
    )
    adapter = BoundedAdapter(options)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return session


class BoundedAdapter(HTTPAdapter):
    """
    Sends within the limits of a call. Mount it to a session of your own before you hand that in.

    Args:
        options: The certificates, in the place of the session's ``verify`` and ``cert``.
    """

    def __init__(self, options: TransportOptions | None = None) -> None:
        self._options = options or TransportOptions()
        if self._options.names_certificates:
            self._tls()
        super().__init__()

    def _tls(self) -> ssl.SSLContext:
        """Return how to speak TLS. It is read when it is first needed."""
        return tls_context(self._options, "requests")

    def init_poolmanager(self, *args: Any, **others: Any) -> None:
        """Make connections that know the limits."""
        super().init_poolmanager(*args, **others)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **others: Any) -> Any:
        """Make connections to a proxy that know the limits."""
        if proxy.lower().startswith("https:"):
            others["proxy_ssl_context"] = self._tls()
        manager = super().proxy_manager_for(proxy, **others)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Show a proxy its user name and password, in any letters."""
        return proxy_headers(proxy)

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: bool | str,  # noqa: ARG002, FBT001 - the context says it
        cert: Any = None,  # noqa: ARG002
    ) -> Any:
        """Take the certificates from the context alone."""
        host, _ = super().build_connection_pool_key_attributes(request, True)  # noqa: FBT003
        return host, {"ssl_context": self._tls()} if host["scheme"] == "https" else {}

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Leave the context as it is."""


class _Bounded:
    """What connections of urllib3 do otherwise here."""

    idle_since = 0.0

    @property
    def is_connected(self: Any) -> bool:
        is_idle_for_long = monotonic() - self.idle_since > limits.LONGEST_IDLE
        return not is_idle_for_long and super().is_connected  # type: ignore[misc]

    def _new_conn(self: Any) -> socket.socket:
        in_force = limits_in_force()
        if in_force is None:
            return super()._new_conn()  # type: ignore[misc, no-any-return]
        try:
            return in_force.connect(self._dns_host, self.port, self.socket_options or ())
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, f"{error}") from error
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(self, f"{error}") from error

    def connect(self: Any) -> None:
        super().connect()  # type: ignore[misc]
        self.is_verified = True  # urllib3 would warn each time of what is warned of once
        _begin_answer()

    def request(self: Any, *args: Any, **others: Any) -> None:
        if self.sock is not None:
            _begin_answer()
        super().request(*args, **others)  # type: ignore[misc]


def _begin_answer() -> None:
    in_force = limits_in_force()
    if in_force is not None:
        in_force.begin_answer()


class _BoundedHttp(_Bounded, HTTPConnection):
    pass


class _BoundedHttps(_Bounded, HTTPSConnection):
    pass


class _NotingIdleness:
    """Notes since when a connection is not used."""

    def _put_conn(self: Any, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = monotonic()
        super()._put_conn(conn)  # type: ignore[misc]


class _HttpPool(_NotingIdleness, HTTPConnectionPool):
    ConnectionCls = _BoundedHttp


class _HttpsPool(_NotingIdleness, HTTPSConnectionPool):
    ConnectionCls = _BoundedHttps


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


def _as_it_is(prepared: PreparedRequest) -> PreparedRequest:
    """Leave our headers alone: without an auth of its own, Requests puts ``~/.netrc`` in their place."""
    return prepared


def _is_proven_unsent(error: BaseException) -> bool:
    """
    Tell whether an error came up before the request was written.

    The class of an error does not tell: urllib3 raises the same ``SSLError`` for a handshake that
    failed and for a connection that broke under the answer. Where it came from does.
    """
    return any(
        frame.f_code.co_name in _BEFORE_SENDING
        for cause in causes(error)
        for frame, _ in walk_tb(cause.__traceback__)
    )
