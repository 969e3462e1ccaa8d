"""The seam between Airbyte's protocol and an HTTP library.

A transport sends one request and returns whatever answer comes, or says why none came. It knows
nothing of Airbyte, and it decides nothing: no retry, no redirect, no cookie, no status that raises.
Two or three dozen lines make one; ``transports/`` has two, and
:mod:`airbyte_sync_http.transports.registry` finds those of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from airbyte_sync.checks import (
    require_count,
    require_duration,
    require_flags,
    require_text,
    require_type,
)
from airbyte_sync.errors import InvalidInput, RequestNotSent, ResponseNotReceived
from airbyte_sync_http.protocol.cleaning import is_clean, shown, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

ANSWER_LIMIT = 4 * 1024 * 1024
"""The largest body, in bytes after decompression, that is read where a request says nothing else. As Python
objects, JSON takes twenty times as much memory, and a runaway answer must not eat a worker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpRequest:
    """One request. Its ``repr`` shows neither headers nor body, since both may hold secrets."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    connect_timeout: timedelta
    """How long to try to connect: the look-up of the name, TLS and proxy included."""
    read_timeout: timedelta
    """How long to wait for the whole answer, from the moment the connection stands. An answer that comes byte
    by byte gets no more: the call ends within both timeouts together, and a second."""
    answer_limit: int = ANSWER_LIMIT
    """The largest body to read, in bytes after decompression. Reading stops there."""

    def __post_init__(self) -> None:
        require_text("method", self.method)
        require_text("url", self.url)
        require_type("headers", self.headers, Mapping, "a dict of str to str", is_secret=True)
        if self.body is not None:
            require_type("body", self.body, bytes, "bytes", is_secret=True)
        require_duration("connect_timeout", self.connect_timeout)
        require_duration("read_timeout", self.read_timeout)
        require_count("answer_limit", self.answer_limit)

    def with_header(self, name: str, value: str) -> HttpRequest:
        """Return the same request with this header, in place of one of the same name."""
        others = {
            other: kept for other, kept in self.headers.items() if other.lower() != name.lower()
        }
        return replace(self, headers={**others, name: value})


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpResponse:
    """One whole answer, decompressed. Its ``repr`` shows the status only."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        require_count("status", self.status)
        require_type("headers", self.headers, Mapping, "a dict of str to str", is_secret=True)
        require_type("body", self.body, bytes, "bytes", is_secret=True)

    def header(self, name: str) -> str | None:
        """Return a header's value, whatever the case of its name, or ``None``."""
        for other, value in self.headers.items():
            if other.lower() == name.lower():
                return value
        return None


@runtime_checkable
class Transport(Protocol):
    """
    Sends requests, blocking.

    The contract, which the suites of ``airbyte_sync_testkit.contract`` check on a real socket:

    - every answer is returned, whatever its status: 4xx, 5xx, and 3xx too. A redirect is never
      followed, because it could carry the credentials elsewhere, or turn a POST into a GET;
    - a request is made once, and nothing is repeated, not even a GET on a connection that the
      server dropped;
    - a call ends within ``connect_timeout`` and ``read_timeout`` of the request together, and a second,
      however slowly the answer comes: its headers, its body, the handshake, a proxy;
    - a body larger than ``answer_limit`` is not read to its end, and not decompressed beyond it either;
    - cookies are not kept, ``~/.netrc`` is not read: the headers of the request are all there is;
    - safe to call from several threads.
    """

    def send(self, request: HttpRequest) -> HttpResponse:
        """
        Send one request and wait for its whole answer.

        Args:
            request: What to send, and for how long to wait.

        Returns:
            The answer.

        Raises:
            RequestNotSent: It is *proven* that the request was not sent: no connection came about.
            ResponseNotReceived: Anything else that went wrong. The server may have carried it out.
            AnswerTooLarge: The same, because the body is larger than the request allows.
            AlreadyClosed: The transport was closed.
        """
        ...

    def close(self) -> None:
        """
        Close what this transport opened itself; a session that was handed in stays open.

        From then on :meth:`send` raises :class:`~airbyte_sync.errors.AlreadyClosed`, and never opens anything
        anew. Closing again does nothing.
        """
        ...


@runtime_checkable
class AsyncTransport(Protocol):
    """Sends requests on the running event loop: the contract of :class:`Transport`."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`Transport.send`. Cancelling it closes the connection."""
        ...

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TransportOptions:
    """
    What an HTTP library has to be told about the network.

    Raises:
        InvalidInput: A proxy is not a URL, or a file does not exist.
    """

    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Proxy by the scheme of the address asked for, ``{"https": "http://proxy:8080"}``. A proxy's URL
    may hold its user name and password."""
    verify: bool | str = True
    """Whether to check the server's certificate, or the path of the CA bundle to check it with."""
    client_cert: str | tuple[str, str] | None = None
    """Path of a client certificate in PEM form with its key, or the paths of certificate and key."""
    trust_env: bool = True
    """Whether ``HTTPS_PROXY``, ``NO_PROXY`` and their like hold where :attr:`proxies` is silent."""

    def __post_init__(self) -> None:
        expected = 'a dict of scheme to URL, as in {"https": "http://proxy:8080"}'
        require_type("proxies", self.proxies, Mapping, expected, is_secret=True)
        require_flags(trust_env=self.trust_env)
        for scheme, proxy in self.proxies.items():
            if (complaint := complaint_about_proxy(proxy)) is not None:
                raise InvalidInput(f"the proxy for {shown(scheme)} {complaint}")
        if not isinstance(self.verify, (bool, str)):
            raise InvalidInput("verify is neither true nor false nor the path of a PEM file")
        for option, path in self._files():
            if not _is_file_or_folder(path):
                raise InvalidInput(
                    f"{option} is {shown(path)}, and there is no such file. Give the path of a PEM file "
                    "on the machine that runs the sync."
                )

    @property
    def names_certificates(self) -> bool:
        """Whether there are files to read that were given here."""
        return isinstance(self.verify, str) or self.client_cert is not None

    def _files(self) -> Iterator[tuple[str, str]]:
        if isinstance(self.verify, str):
            yield "verify", self.verify
        match self.client_cert:
            case None | ():
                return
            case [certificate, key]:
                yield from (("client_cert", certificate), ("client_cert", key))
            case path:
                yield "client_cert", path  # anything but a text is refused


class AnswerTooLarge(ResponseNotReceived):
    """The answer is larger than anything that was asked for; the rest of it was not read."""


class TooLarge(OSError):
    """More is received than a request allows: :func:`not_received` makes an :class:`AnswerTooLarge` of it."""


def not_sent(request: HttpRequest, error: BaseException) -> RequestNotSent:
    """Return the error for a request that surely did not leave: raise it ``from error``."""
    from airbyte_sync_http.transports.network import (  # noqa: PLC0415 - it imports this module
        explain_network_error,
    )

    advice = explain_network_error(error) or (
        "Check the server's address, and the network, proxy and TLS settings between here and there."
    )
    return RequestNotSent(
        f"{request.method} {request.url} was not sent: {_reason(error)}. {advice}"
    )


def not_received(request: HttpRequest, error: BaseException) -> ResponseNotReceived:
    """Return the error for a request that brought no whole answer: raise it ``from error``."""
    if any(isinstance(cause, TooLarge) for cause in causes(error)):
        return answer_too_large(request)
    return ResponseNotReceived(
        f"{request.method} {request.url} got no complete answer: {_reason(error)}. The server may have "
        "carried it out anyway. If this happens often, raise the timeout, or look at what "
        "stands between here and the server."
    )


def answer_too_large(request: HttpRequest, most: str = "") -> AnswerTooLarge:
    """
    Return the error for an answer that is larger than its request allows.

    Args:
        request: What was asked.
        most: What it has more of, where it is not bytes.
    """
    most = most or f"{request.answer_limit} bytes"
    return AnswerTooLarge(
        f"{request.method} {request.url} was answered with more than {most}, and the rest was not read. The "
        "server may have carried it out anyway. Is this the public API of an Airbyte?"
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """
    Yield an error and those it was made from, down to the first.

    ``__context__`` is not followed: it may lead to an error that the caller was handling when it
    made this request.
    """
    yield error
    carried = [arg for arg in error.args if isinstance(arg, BaseException)]
    for cause in [error.__cause__, *carried]:
        if cause is not None and cause is not error:
            yield from causes(cause)


def _reason(error: BaseException) -> str:
    """Say what went wrong in the words of the first cause that has some."""
    first = [cause for cause in causes(error) if str(cause)][-1:] or [error]
    return told(first[0]).rstrip(". ")


def _is_file_or_folder(path: object) -> bool:
    try:
        return isinstance(path, str) and bool(path) and Path(path).exists()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def complaint_about_proxy(proxy: object) -> str | None:
    """Return what is wrong with the URL of a proxy, as the end of a sentence that does not repeat it."""
    try:
        if not isinstance(proxy, str) or not is_clean(proxy):
            return _NO_PROXY_URL
        parts = urlsplit(proxy)
        if "://" not in proxy or not parts.hostname or parts.port == 0:
            return _NO_PROXY_URL
        unquote(parts.netloc, errors="strict")
    except ValueError:
        return _NO_PROXY_URL
    if parts.scheme not in {"http", "https"}:
        return (
            "is not an HTTP proxy, and others, such as SOCKS, are not supported: write it as "
            "http://host:port, or leave Airbyte's host out by NO_PROXY"
        )
    return None


_NO_PROXY_URL = "is not a URL: write it as http://host:port"
