"""What the blocking and the async transport share: a request in httpx's terms, and the way to its server."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from airbyte_sync_http import HttpRequest, HttpResponse, TransportOptions, not_received, not_sent
from airbyte_sync_http.transports.base import TooLarge
from airbyte_sync_http.transports.limits import LONGEST_HEADER, LONGEST_IDLE, MOST_HEADERS
from airbyte_sync_http.transports.network import (
    BodyReader,
    proxy_for,
    proxy_headers,
    tls_context,
    warn_once_that_nothing_is_verified,
    without_credentials,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync.errors import RequestNotSent, ResponseNotReceived

ERRORS = (httpx.HTTPError, httpx.InvalidURL, OSError)
"""What a request may end with that brings no answer."""

USER = "httpx"
"""httpx changes a TLS context, so it has its own."""


class Exchange:
    """One request, and whether it may have left: the fact that decides on the error."""

    def __init__(self, request: HttpRequest, begin_answer: Callable[[], None]) -> None:
        """
        Args:
            request: What to send.
            begin_answer: Called when the connection stands, right before the request is written.
        """
        self._request = request
        self._begin_answer = begin_answer
        self.may_have_left = False

    def request(self, trace: Callable[[str, Any], Any]) -> httpx.Request:
        """
        Return the request for httpx. No client made it, so it has no cookie, no netrc, no default but this.

        Args:
            trace: What httpx calls at each step: :meth:`trace`, or a coroutine function that calls it.
        """
        connect = self._request.connect_timeout.total_seconds()
        read = self._request.read_timeout.total_seconds()
        headers = httpx.Headers({"User-Agent": f"python-httpx/{httpx.__version__}"})
        headers.update(self._request.headers)
        headers["Accept-Encoding"] = BodyReader.ACCEPTED
        return httpx.Request(
            self._request.method,
            self._request.url,
            headers=headers,
            content=self._request.body,
            extensions={
                "timeout": {"pool": connect, "connect": connect, "write": read, "read": read},
                "trace": trace,
            },
        )

    def trace(self, step: str, about: Any) -> None:
        """Note that the request is about to be written. A proxy's CONNECT is written in the same way."""
        is_ours = step == "http11.send_request_headers.started"
        if is_ours and about["request"].method != b"CONNECT":
            self.may_have_left = True
            self._begin_answer()

    def begin_body(self, answer: httpx.Response) -> BodyReader:
        """
        Look at the headers of an answer, and return what takes in its body.

        Raises:
            TooLarge: There are more headers than any answer has, or a longer one.
            OSError: The body is compressed in a way that was not asked for.
        """
        headers = answer.headers.raw
        if len(headers) > MOST_HEADERS:
            raise TooLarge(f"the answer has more than {MOST_HEADERS} headers")
        if any(len(name) + len(value) > LONGEST_HEADER for name, value in headers):
            raise TooLarge(f"the answer has a header of more than {LONGEST_HEADER} bytes")
        return BodyReader(self._request.answer_limit, answer.headers.get("Content-Encoding"))

    def response(self, answer: httpx.Response, body: BodyReader) -> HttpResponse:
        """Return the whole answer."""
        return HttpResponse(
            status=answer.status_code, headers=dict(answer.headers), body=body.whole()
        )

    def failed(self, error: BaseException) -> RequestNotSent | ResponseNotReceived:
        """Return the error to raise: surely not sent, or in doubt."""
        return (not_received if self.may_have_left else not_sent)(self._request, error)


class Route:
    """The way to a server: its proxy, and how to speak TLS. Requests on one route share a pool."""

    def __init__(self, url: str, options: TransportOptions) -> None:
        """
        Raises:
            InvalidInput: The proxy of the environment is none that can be used.
        """
        self._options = options
        self._proxy = proxy_for(url, options)
        self._has_tls = "https" in {urlsplit(url).scheme, urlsplit(self._proxy or "").scheme}
        self.key = (self._has_tls, self._proxy)
        if options.verify is False:
            warn_once_that_nothing_is_verified(url)

    def pool_options(self) -> dict[str, Any]:
        """
        Return what httpx makes a pool of. Blocks: it reads certificates.

        Raises:
            InvalidInput: A certificate cannot be read.
        """
        # Plain HTTP needs no certificates. A context that trusts no server is made at once.
        tls = (
            tls_context(self._options, USER)
            if self._has_tls
            else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        proxy = None
        if self._proxy:
            proxy = httpx.Proxy(
                without_credentials(self._proxy),
                headers=proxy_headers(self._proxy),
                ssl_context=tls if self._proxy.lower().startswith("https:") else None,
            )
        limits = httpx.Limits(max_connections=100, keepalive_expiry=LONGEST_IDLE)
        return {"verify": tls, "proxy": proxy, "limits": limits, "trust_env": False, "retries": 0}
