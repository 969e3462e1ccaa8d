"""A loopback server that does what no HTTP server would: it is a socket and a script.

A script is a function of a :class:`Peer`, run in a thread for every connection. When it returns, the
connection is closed.
"""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from typing_extensions import Self

PATIENCE = 5.0
"""Seconds after which a server gives up on a client: no test comes near it."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The server's end of one connection."""

    def __init__(self, server: RawServer, connection: socket.socket) -> None:
        self._server = server
        self.socket = connection

    def read_request(self) -> RawRequest | None:
        """Read one whole request and note it; ``None`` when the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.socket.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        while len(body) < int(headers.get("content-length", 0)):
            body += self.socket.recv(65536)
        method, target, _ = first.split(" ")
        request = RawRequest(method, target, headers, body)
        self._server.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def drip(self, head: bytes, pieces: Iterable[bytes], pause: float = 0.02) -> None:
        """
        Send bytes, and then pieces with a little pause before each, until the test is over.

        Args:
            head: What is sent at once.
            pieces: What follows; it need not end.
            pause: Seconds between two pieces: shorter than any read timeout.
        """
        self.send(head)
        for piece in pieces:
            if self._server.closing.wait(pause):
                return
            self.send(piece)

    def pour(self, head: bytes, piece: bytes, most: int) -> None:
        """
        Send bytes, and then a piece again and again, until the client has gone; count it.

        Args:
            head: What is sent at first.
            piece: What follows.
            most: The number of bytes after which a client counts as one that reads everything.
        """
        self.send(head)
        while self._server.poured < most and not self._server.closing.is_set():
            self.send(piece)
            self._server.poured += len(piece)

    def hold(self) -> None:
        """Do nothing until the test is over."""
        self._server.closing.wait(PATIENCE)

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class RawServer:
    """
    A server on a free port of 127.0.0.1.

    Attributes:
        requests: Those read so far.
        connections: How many were accepted.
        poured: How many bytes :meth:`Peer.pour` has sent.
        closing: Set when the test is over.
    """

    def __init__(self, script: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[Thread] = []
        self._open: list[socket.socket] = []
        self.requests: list[RawRequest] = []
        self.connections = 0
        self.poured = 0
        self.closing = Event()
        self.port: int = self._listener.getsockname()[1]
        self._accepting = Thread(target=self._accept)

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.wait_for_peers()

    def wait_for_peers(self) -> None:
        """Wait until the scripts of all connections made so far have come to their end."""
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(PATIENCE)
            self._open.append(connection)
            thread = Thread(target=self._serve, args=[connection])
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client may go at any moment
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self._script(Peer(self, connection))
        connection.close()


def answer(body: bytes = b"{}", *, status: str = "200 OK", headers: tuple[str, ...] = ()) -> bytes:
    """Write a whole answer that keeps the connection open."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(*answers: bytes) -> Callable[[Peer], None]:
    """Return a script that gives these answers on each connection, and then the last one for ever."""

    def script(peer: Peer) -> None:
        turn = 0
        while peer.read_request() is not None:
            peer.send(answers[min(turn, len(answers) - 1)])
            turn += 1

    return script


@contextmanager
def refused_port() -> Iterator[int]:
    """Yield a port without a listener, and reserved meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def unreachable_port() -> Iterator[int]:
    """Yield a port where connecting takes for ever: its queue is full and no connection is accepted."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.settimeout(0)
            client.connect_ex(address)
        yield address[1]
        for client in waiting:
            client.close()
