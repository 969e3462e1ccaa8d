"""What one call may take, in time and in bytes, held against a server that means harm or is broken.

A library's own read timeout bounds the silence between two pieces. A server that sends a byte now and then
never meets it, be it within the headers, the body, a proxy's answer or a handshake. So the time that is left
is given to the socket anew before each read, and what comes is counted::

    with CallLimits(request) as limits:
        line = limits.connect(host, port)      # a socket that knows the limits in force
        ...                                    # TLS, a proxy's tunnel: within connect_timeout
        limits.begin_answer()                  # from here on read_timeout counts
        ...                                    # send the request, read the answer

It holds for whatever reads from such a socket, and for TLS over it where the context is one of
:func:`~airbyte_sync_http.transports.network.tls_context`. An async library has timeouts of its own for
whole calls.
"""

from __future__ import annotations

import socket
import ssl
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from airbyte_sync_http.transports.base import TooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Token

    from typing_extensions import Self

    from airbyte_sync_http.transports.base import HttpRequest

HEADERS_LIMIT = 256 * 1024
"""Bytes of headers, and of what frames a body, that are read in one call."""

MOST_HEADERS = 100
"""Headers of an answer; the standard library stops at this number, too."""
LONGEST_HEADER = 64 * 1024
"""Bytes of a header; the standard library stops there, too."""
LONGEST_IDLE = 25.0
"""Seconds for which an idle connection is kept: load balancers forget one soon, and without a word."""

_IN_FORCE: ContextVar[CallLimits | None] = ContextVar("airbyte_sync_http_limits", default=None)


def limits_in_force() -> CallLimits | None:
    """Return the limits of the call that is under way in this thread."""
    return _IN_FORCE.get()


class CallLimits:
    """The limits of one call; as a context manager, in force for the sockets of this thread."""

    def __init__(self, request: HttpRequest) -> None:
        """
        Args:
            request: What is to be sent, and how long and how large its answer may be.
        """
        self._read_seconds = request.read_timeout.total_seconds()
        self._ends_at = monotonic() + request.connect_timeout.total_seconds()
        self._answer_begins = False
        # A proxy, chunks of one byte and a compression that makes a body larger are allowed for.
        self._bytes_left = HEADERS_LIMIT + 2 * request.answer_limit
        self._outer: list[Token[CallLimits | None]] = []

    def __enter__(self) -> Self:
        self._outer.append(_IN_FORCE.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _IN_FORCE.reset(self._outer.pop())

    def begin_answer(self) -> None:
        """Note that the connection stands: from now on the answer has its own time."""
        if not self._answer_begins:
            self._answer_begins = True
            self._ends_at = monotonic() + self._read_seconds

    def seconds_left(self) -> float:
        """
        Return how long the call may still take.

        Raises:
            TimeoutError: No longer.
        """
        left = self._ends_at - monotonic()
        if left <= 0:
            what = (
                "the answer was not complete" if self._answer_begins else "no connection was made"
            )
            raise TimeoutError(f"{what} in time")
        return left

    def count(self, received: int) -> None:
        """
        Count what was received.

        Raises:
            TooLarge: It is more than any answer that was asked for.
        """
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise TooLarge("more was received than any answer to this request has")

    def connect(
        self, host: str, port: int, socket_options: Sequence[tuple[Any, ...]] = ()
    ) -> socket.socket:
        """
        Look up a host and connect to it, trying its addresses one after the other.

        Args:
            host: A name, or an address.
            port: The port.
            socket_options: Arguments of ``setsockopt``.

        Raises:
            socket.gaierror: The name is not known.
            TimeoutError: It took too long.
            OSError: It went wrong in any other way.
        """
        failure: OSError = OSError(f"the name {host} has no address")
        found = self.look_up(host, port)
        for number, (family, kind, protocol, _, address) in enumerate(found):
            line = _BoundedSocket(family, kind, protocol)
            try:
                for option in socket_options:
                    line.setsockopt(*option)
                line.settimeout(self.seconds_left() / (len(found) - number))
                line.connect(address)
            except OSError as error:
                line.close()
                failure = error
            except BaseException:
                line.close()
                raise
            else:
                return line
        raise failure

    def look_up(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """
        Look up a name, in a thread that is left to itself when it takes too long: it cannot be stopped.

        Args:
            host: A name, or an address.
            port: The port.

        Returns:
            What :func:`socket.getaddrinfo` returns.

        Raises:
            socket.gaierror: The name is not known.
            TimeoutError: It took too long.
            OSError: It is no name that can be looked up.
        """
        try:
            return socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except (OSError, UnicodeError):
            pass
        answers: SimpleQueue[list[tuple[Any, ...]] | Exception] = SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
            except Exception as error:  # it is raised where it was asked for
                answers.put(error)

        Thread(target=look_up, name="airbyte-look-up", daemon=True).start()
        try:
            found = answers.get(timeout=self.seconds_left())
        except Empty:
            raise TimeoutError(f"the name {host} was not looked up in time") from None
        if isinstance(found, UnicodeError):
            raise OSError(f"the name {host} cannot be looked up") from found
        if isinstance(found, Exception):
            raise found
        return found


class _Bounded:
    """What a socket does otherwise here: it has the time that is left, and what it receives is counted."""

    def recv_into(self: Any, *args: Any, **others: Any) -> int:
        """See :meth:`socket.socket.recv_into`."""
        _give_the_time_left(self)
        received: int = super().recv_into(*args, **others)  # type: ignore[misc]
        _count(received)
        return received

    def recv(self: Any, *args: Any, **others: Any) -> bytes:
        """See :meth:`socket.socket.recv`."""
        _give_the_time_left(self)
        data: bytes = super().recv(*args, **others)  # type: ignore[misc]
        _count(len(data))
        return data

    def send(self: Any, *args: Any, **others: Any) -> int:
        """See :meth:`socket.socket.send`."""
        _give_the_time_left(self)
        return super().send(*args, **others)  # type: ignore[misc, no-any-return]

    def sendall(self: Any, *args: Any, **others: Any) -> None:
        """See :meth:`socket.socket.sendall`."""
        _give_the_time_left(self)
        super().sendall(*args, **others)  # type: ignore[misc]


class _BoundedSocket(_Bounded, socket.socket):
    """A socket that is read within the limits in force."""


class BoundedTlsSocket(_Bounded, ssl.SSLSocket):
    """The same for TLS: set it as the ``sslsocket_class`` of a context."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002
        """See :meth:`ssl.SSLSocket.do_handshake`."""
        _give_the_time_left(self)
        super().do_handshake(block)


def _give_the_time_left(line: socket.socket) -> None:
    limits = _IN_FORCE.get()
    if limits is not None:
        line.settimeout(limits.seconds_left())


def _count(received: int) -> None:
    limits = _IN_FORCE.get()
    if limits is not None:
        limits.count(received)
