"""The blocking transport, over Requests."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import requests
import urllib3

from airbyte_sync_http.transport import (
    ANSWER_LIMIT,
    HttpRequest,
    HttpResponse,
    TransportOptions,
    causes,
    not_received,
    not_sent,
)

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

_BEFORE_SENDING = {"prepare_request", "get_connection_with_tls_context", "cert_verify", "connect"}
"""The functions of Requests and urllib3 that are left before the request is written."""


class RequestsTransport:
    """A :class:`~airbyte_sync_http.transport.Transport` over Requests."""

    def __init__(
        self, options: TransportOptions | None = None, *, session: Session | None = None
    ) -> None:
        """
        Args:
            options: The network, for a session of its own.
            session: A session to use instead, with its own adapters, proxies and certificates. It is
                not closed. An adapter that repeats requests would break the contract.
        """
        self._owns_session = session is None
        self._session = session or _new_session(options or TransportOptions())

    def send(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`airbyte_sync_http.transport.Transport.send`."""
        session = self._session
        timeout = (request.connect_timeout.total_seconds(), request.read_timeout.total_seconds())
        try:
            prepared = session.prepare_request(
                requests.Request(
                    request.method,
                    request.url,
                    headers=dict(request.headers),
                    data=request.body,
                    auth=_as_it_is,
                )
            )
            network: Any = session.merge_environment_settings(
                request.url,
                proxies=dict(session.proxies),
                stream=True,
                verify=session.verify,
                cert=session.cert,
            )
            # The adapter, not the session, sends: the session would look into redirects.
            with session.get_adapter(request.url).send(
                prepared, timeout=timeout, **network
            ) as answer:
                return HttpResponse(
                    status=answer.status_code, headers=dict(answer.headers), body=_body(answer)
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            explain = not_sent if _is_proven_unsent(error) else not_received
            raise explain(request, error) from error

    def close(self) -> None:
        """See :meth:`airbyte_sync_http.transport.Transport.close`."""
        if self._owns_session:
            self._session.close()


def _new_session(options: TransportOptions) -> Session:
    session = requests.Session()
    session.trust_env = options.trust_env
    session.proxies.update(options.proxies)
    session.verify = options.verify
    session.cert = options.client_cert
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return session


def _as_it_is(prepared: PreparedRequest) -> PreparedRequest:
    """Leave our headers alone: without an auth of its own, Requests puts ``~/.netrc`` in their place."""
    return prepared


def _body(answer: Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_content(65536):
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise OSError(f"the answer is larger than {ANSWER_LIMIT} bytes")
    return bytes(body)


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
