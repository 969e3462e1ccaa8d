"""The seam between Airbyte's protocol and an HTTP library.

A transport sends one request and returns whatever answer comes, or says why none came. It knows
nothing of Airbyte, and it decides nothing: no retry, no redirect, no cookie, no status that raises.
Two or three dozen lines make one; ``transports/`` has two, and
:mod:`airbyte_sync_http.registry` finds those of others.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from airbyte_sync.errors import InvalidInput, RequestNotSent, ResponseNotReceived

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

ANSWER_LIMIT = 32 * 1024 * 1024
"""The largest body, in bytes after decompression, that a transport reads: no answer of Airbyte's public
API comes near it, and a runaway one must not eat the memory of a worker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpRequest:
    """One request. Its ``repr`` shows neither headers nor body, since both may hold secrets."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    connect_timeout: timedelta
    """How long to try to connect, TLS and proxy included."""
    read_timeout: timedelta
    """The longest silence to bear while waiting for the answer."""

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
        """
        ...

    def close(self) -> None:
        """Close what this transport opened itself; a session that was handed in stays open."""
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
        for scheme, proxy in self.proxies.items():
            if not _is_proxy_url(proxy):
                raise InvalidInput(
                    f"the proxy for {scheme!r} is not a URL: write it as http://host:port"
                )
        if not isinstance(self.verify, (bool, str)):
            raise InvalidInput("verify is neither true nor false nor the path of a PEM file")
        for option, path in self._files():
            if not path or not Path(path).exists():
                raise InvalidInput(
                    f"{option} is {path!r}, and there is no such file. Give the path of a PEM file "
                    "on the machine that runs the sync."
                )

    def _files(self) -> Iterator[tuple[str, str]]:
        if isinstance(self.verify, str):
            yield "verify", self.verify
        cert = self.client_cert or ()
        for path in (cert,) if isinstance(cert, str) else cert:
            yield "client_cert", path


def not_sent(request: HttpRequest, error: BaseException) -> RequestNotSent:
    """Return the error for a request that surely did not leave: raise it ``from error``."""
    return RequestNotSent(
        f"{request.method} {request.url} was not sent: {_reason(error)}. Check the server's address, and "
        "the network, proxy and TLS settings between here and there."
    )


def not_received(request: HttpRequest, error: BaseException) -> ResponseNotReceived:
    """Return the error for a request that brought no whole answer: raise it ``from error``."""
    return ResponseNotReceived(
        f"{request.method} {request.url} brought no whole answer: {_reason(error)}. The server may have "
        "carried it out all the same. If this happens often, raise the time-out, or look at what "
        "stands between here and the server."
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
    return f"{type(first[0]).__name__}: {first[0]}".rstrip(". ")


def _is_proxy_url(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return "://" in proxy and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
