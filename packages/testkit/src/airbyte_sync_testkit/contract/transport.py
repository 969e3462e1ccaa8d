"""What every transport has to prove, on real sockets of this machine.

Subclass :class:`TransportContract` or :class:`AsyncTransportContract` and give it the fixture
``new_transport``: what makes a transport from :class:`~airbyte_sync_http.TransportOptions`. The suite closes
what it opens. An async transport is driven on an event loop of its own, so that one list of facts serves
blocking and async ones.
"""

from __future__ import annotations

import asyncio
import gzip
import inspect
import os
import ssl
import tracemalloc
import zlib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from itertools import repeat
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import pytest

from airbyte_sync.errors import (
    AirbyteSyncError,
    InvalidInput,
    RequestNotSent,
    ResponseNotReceived,
)
from airbyte_sync_http import AsyncTransport, HttpRequest, Transport, TransportOptions
from airbyte_sync_testkit.contract.loopback_certificate import CERTIFICATE, KEY, LOCKED_KEY
from airbyte_sync_testkit.contract.on_a_loop import OnALoop
from airbyte_sync_testkit.contract.raw_server import (
    PATIENCE,
    Peer,
    RawServer,
    answer,
    answering,
    refused_port,
    unreachable_port,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


SHORT = timedelta(milliseconds=50)
SOON = timedelta(milliseconds=300)
IN_TIME = 2 * SOON.total_seconds() + 1
"""Seconds within which a call ends whose two timeouts are :data:`SOON`."""
ENDLESS = 64 * 1024 * 1024
_CERTIFICATES = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SECRET = "s3cr3t-t0k3n"
BODY = b'{"data": []}'


class OpenTransport(Protocol):
    """Opens a transport that is closed after the test."""

    def __call__(self, options: TransportOptions | None = None) -> Transport:
        """Open one."""
        ...


def get(url: str, **changes: Any) -> HttpRequest:
    """Make a request that hangs for no longer than a test may."""
    settings = {
        "method": "GET",
        "headers": {},
        "connect_timeout": timedelta(seconds=PATIENCE),
        "read_timeout": timedelta(seconds=PATIENCE),
    }
    return HttpRequest(url=url, **{**settings, **changes})


def post(url: str, **changes: Any) -> HttpRequest:
    """Make such a request with a body and a secret."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"}
    return get(url, **{"method": "POST", "headers": headers, "body": b'{"a": 1}', **changes})


class TransportFacts:
    """What blocking and async ones have to prove; subclasses say how a transport is opened."""

    @pytest.fixture
    def open_transport(self) -> OpenTransport:
        """Open transports of the kind under test, as blocking ones."""
        raise NotImplementedError

    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """The path of a certificate for 127.0.0.1."""
        path = tmp_path / "certificate.pem"
        path.write_text(CERTIFICATE)
        return path

    @pytest.fixture
    def server_tls(self, certificate: Path, tmp_path: Path) -> ssl.SSLContext:
        """What a server needs to show that certificate."""
        key = tmp_path / "key.pem"
        key.write_text(KEY)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    @pytest.fixture(autouse=True)
    def _no_proxy_from_outside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in list(os.environ):
            if name.lower().endswith("_proxy") or name in _CERTIFICATES:
                monkeypatch.delenv(name)

    # --- what is sent and what is returned ---

    def test_sends_what_it_is_given(self, open_transport: OpenTransport) -> None:
        """
        Method, target, headers and body arrive as they were given.

        Otherwise: Airbyte is asked for something else than was meant.
        """
        with RawServer(answering(answer())) as server:
            target = "/v1/jobs?orderBy=createdAt%7CDESC&limit=5"
            open_transport().send(post(server.url + target, headers={"X-One": "1"}))
            [request] = server.requests
        assert ("POST", target) == (request.method, request.target)
        assert "1" == request.headers["x-one"]
        assert b'{"a": 1}' == request.body

    def test_a_request_without_a_body_has_none(self, open_transport: OpenTransport) -> None:
        """
        A GET and a DELETE carry no body.

        Otherwise: firewalls refuse polls and cancellations, because theirs have no body.
        """
        with RawServer(answering(answer())) as server:
            transport = open_transport()
            transport.send(get(server.url))
            transport.send(get(server.url, method="DELETE"))
        assert [b"", b""] == [request.body for request in server.requests]
        assert ["GET", "DELETE"] == [request.method for request in server.requests]

    @pytest.mark.parametrize("status", ["200 OK", "204 No Content", "401 No", "404 No", "503 No"])
    def test_returns_every_status(self, open_transport: OpenTransport, status: str) -> None:
        """
        No status raises.

        Otherwise: a busy connection, a wrong secret and a server in trouble all look like a broken network,
        and are retried as one.
        """
        body = b"" if status.startswith("204") else b"body"
        with RawServer(answering(answer(body, status=status))) as server:
            response = open_transport().send(get(server.url))
        assert (int(status[:3]), body) == (response.status, response.body)

    def test_headers_are_found_in_any_case(self, open_transport: OpenTransport) -> None:
        """
        A header is looked up whatever the case of its name.

        Otherwise: behind some proxies a server's Retry-After is overlooked, and it is asked again too soon.
        """
        with RawServer(answering(answer(headers=("rEtRy-AfTeR: 7",)))) as server:
            response = open_transport().send(get(server.url))
        assert "7" == response.header("Retry-After")
        assert response.header("X-Absent") is None

    def test_decompresses(self, open_transport: OpenTransport) -> None:
        """
        A compressed body is returned as it was before, whichever kind of ``deflate`` a server means.

        Otherwise: syncs fail wherever a server or a proxy compresses, because no reply can be read.
        """
        raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        for encoding, body in (
            ("gzip", gzip.compress(BODY)),
            ("gzip", gzip.compress(BODY[:5]) + gzip.compress(BODY[5:])),
            ("deflate", zlib.compress(BODY)),
            ("deflate", raw.compress(BODY) + raw.flush()),
            ("identity", BODY),
        ):
            packed = answer(body, headers=(f"Content-Encoding: {encoding}",))
            with RawServer(answering(packed)) as server:
                assert BODY == open_transport().send(get(server.url)).body

    @pytest.mark.parametrize("location", ["/elsewhere", "http://[", "http://192.0.2.1/", "//"])
    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect"])
    def test_never_follows_a_redirect(
        self, open_transport: OpenTransport, status: str, location: str
    ) -> None:
        """
        A redirect is returned, even one that leads nowhere.

        Otherwise: the token goes to an address that is not configured, or a submission becomes a GET and
        starts nothing.
        """
        redirect = answer(status=status, headers=(f"Location: {location}",))
        with RawServer(answering(redirect)) as server:
            response = open_transport().send(post(server.url))
        assert (int(status[:3]), location) == (response.status, response.header("Location"))
        assert 1 == len(server.requests)

    def test_keeps_no_cookie(self, open_transport: OpenTransport) -> None:
        """
        A cookie that one answer sets is not in the next request.

        Otherwise: a proxy's session sticks to a worker, and its requests are answered for an earlier login.
        """
        with RawServer(answering(answer(headers=("Set-Cookie: a=b; Path=/",)))) as server:
            transport = open_transport()
            transport.send(get(server.url))
            transport.send(get(server.url))
        assert [False, False] == ["cookie" in request.headers for request in server.requests]

    def test_does_not_read_netrc(
        self, open_transport: OpenTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        The password of ``~/.netrc`` neither joins a request nor replaces its credentials.

        Otherwise: on machines with such a file syncs are refused, or run as another user.
        """
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login somebody password else\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        with RawServer(answering(answer())) as server:
            transport = open_transport()
            transport.send(get(server.url))
            transport.send(post(server.url))
        sent = [request.headers.get("authorization") for request in server.requests]
        assert [None, f"Bearer {SECRET}"] == sent

    # --- proven unsent ---

    def test_a_refused_connection_is_proof(self, open_transport: OpenTransport) -> None:
        """
        There is no listener: surely not sent.

        Otherwise: while Airbyte is down, tasks search for jobs that cannot exist, and start their syncs
        minutes late.
        """
        with refused_port() as port, pytest.raises(RequestNotSent, match=r"[Rr]efused"):
            open_transport().send(post(f"http://127.0.0.1:{port}/"))

    def test_a_connection_that_takes_too_long_is_proof(self, open_transport: OpenTransport) -> None:
        """
        The connect timeout passes: surely not sent.

        Otherwise: after each slow connection the task searches for a job that cannot exist, before it tries
        again.
        """
        began = monotonic()
        with unreachable_port() as port, pytest.raises(RequestNotSent):
            open_transport().send(post(f"http://127.0.0.1:{port}/", connect_timeout=SHORT))
        assert monotonic() - began < PATIENCE

    def test_a_certificate_that_nobody_vouches_for_is_proof(
        self, open_transport: OpenTransport, server_tls: ssl.SSLContext
    ) -> None:
        """
        The server shows a certificate that we do not trust: surely not sent.

        Otherwise: credentials go to any server that answers, or a wrong bundle looks like a lost reply.
        """
        with (
            RawServer(answering(answer()), tls=server_tls) as server,
            pytest.raises(RequestNotSent, match="certificate"),
        ):
            open_transport().send(post(server.url))
        assert [] == server.requests

    def test_tls_to_a_server_without_is_proof(self, open_transport: OpenTransport) -> None:
        """
        ``https://`` to a port that speaks plain HTTP: the handshake fails, surely not sent.

        Otherwise: a wrong scheme in the address looks like a lost reply, and the task searches for a job that
        cannot exist.
        """

        def plain(peer: Peer) -> None:
            peer.socket.recv(65536)
            peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            peer.hold()

        with RawServer(plain) as server, pytest.raises(RequestNotSent):
            open_transport().send(post(f"https://127.0.0.1:{server.port}/"))

    def test_a_handshake_that_takes_too_long_is_proof(self, open_transport: OpenTransport) -> None:
        """
        The connect timeout covers TLS: surely not sent.

        Otherwise: a load balancer that is stuck makes the task search for a job that cannot exist.
        """
        with RawServer(Peer.hold) as server, pytest.raises(RequestNotSent):
            open_transport().send(post(f"https://127.0.0.1:{server.port}/", connect_timeout=SHORT))

    def test_a_proxy_that_cannot_be_reached_is_proof(self, open_transport: OpenTransport) -> None:
        """
        There is no listener where the proxy should be: surely not sent.

        Otherwise: a proxy that is down makes the task search for a job that cannot exist.
        """
        with refused_port() as port:
            transport = open_transport(
                TransportOptions(proxies={"http": f"http://127.0.0.1:{port}"})
            )
            with pytest.raises(RequestNotSent):
                transport.send(post("http://airbyte.invalid:8000/"))

    def test_a_proxy_that_opens_no_tunnel_is_proof(self, open_transport: OpenTransport) -> None:
        """
        The proxy answers CONNECT with 407: surely not sent.

        Otherwise: a wrong password of the proxy looks like a lost reply, and the task searches for a job that
        cannot exist.
        """
        refusal = answer(status="407 Proxy Authentication Required")
        with RawServer(answering(refusal)) as proxy:
            transport = open_transport(TransportOptions(proxies={"https": proxy.url}))
            with pytest.raises(RequestNotSent):
                transport.send(post("https://airbyte.invalid/"))
        assert ["CONNECT"] == [request.method for request in proxy.requests]

    # --- in doubt ---

    def test_a_silent_server_is_no_proof(self, open_transport: OpenTransport) -> None:
        """
        The request is taken and nothing comes: in doubt.

        Otherwise: a submission is repeated that Airbyte may have carried out, and the connection syncs twice.
        """

        def silent(peer: Peer) -> None:
            peer.read_request()
            peer.hold()

        began = monotonic()
        with RawServer(silent) as server, pytest.raises(ResponseNotReceived):
            open_transport().send(post(server.url, read_timeout=SHORT))
        assert monotonic() - began < PATIENCE
        assert 1 == len(server.requests)

    def test_a_silence_within_the_answer_is_no_proof(self, open_transport: OpenTransport) -> None:
        """
        The answer begins and does not go on: in doubt.

        Otherwise: a submission is repeated that Airbyte has carried out, and the connection syncs twice.
        """

        def stopping(peer: Peer) -> None:
            peer.read_request()
            peer.send(answer(b"x" * 100)[:-50])
            peer.hold()

        with RawServer(stopping) as server, pytest.raises(ResponseNotReceived):
            open_transport().send(post(server.url, read_timeout=SHORT))

    def test_a_reset_at_once_is_one_or_the_other(self, open_transport: OpenTransport) -> None:
        """
        The connection is reset as soon as it stands: who notices in time has a proof.

        Otherwise: the task fails with an error of the HTTP library, which no retry rule knows.
        """
        either = (RequestNotSent, ResponseNotReceived)
        with RawServer(Peer.reset) as server, pytest.raises(either):
            open_transport().send(post(server.url))

    @pytest.mark.parametrize(
        "sent",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="another protocol"),
            pytest.param(b"HTTP/1.1 20", id="half a status line"),
            pytest.param(answer(b"x" * 100)[:-1], id="a body cut short"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                id="chunks without an end",
            ),
            pytest.param(
                answer(b"not gzip at all", headers=("Content-Encoding: gzip",)),
                id="a compression that is none",
            ),
        ],
    )
    @pytest.mark.parametrize("end", [Peer.reset, lambda _: None], ids=["reset", "closed"])
    def test_half_an_answer_is_no_proof(
        self, open_transport: OpenTransport, sent: bytes, end: Callable[[Peer], None]
    ) -> None:
        """
        The connection ends within the answer: in doubt, and never half a body.

        Otherwise: half a list of jobs counts as all of it, or a submission is repeated that Airbyte has
        carried out.
        """

        def breaking_off(peer: Peer) -> None:
            peer.read_request()
            peer.send(sent)
            end(peer)

        with RawServer(breaking_off) as server, pytest.raises(ResponseNotReceived):
            open_transport().send(post(server.url))
        assert 1 == len(server.requests)

    # asyncio of Python 3.10 forgets that it has closed such a connection.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_tls_that_breaks_under_the_answer_is_no_proof(
        self, open_transport: OpenTransport, server_tls: ssl.SSLContext, certificate: Path
    ) -> None:
        """
        An error of TLS is no proof once the handshake is done.

        Otherwise: a submission is repeated that Airbyte may have carried out, and the connection syncs twice.
        """

        def breaking(peer: Peer) -> None:
            peer.read_request()
            os.write(peer.socket.fileno(), b"\x17\x03\x03\x00\x20" + b"garbage " * 4)
            peer.hold()

        with RawServer(breaking, tls=server_tls) as server:
            transport = open_transport(TransportOptions(verify=str(certificate)))
            with pytest.raises(ResponseNotReceived):
                transport.send(post(server.url))
        assert 1 == len(server.requests)

    def test_an_error_that_is_being_handled_proves_nothing(
        self, open_transport: OpenTransport
    ) -> None:
        """
        A request made while a refused connection is being handled is judged on its own.

        Otherwise: after a refused connection a lost reply counts as unsent, and the connection syncs twice.
        """

        def hanging_up(peer: Peer) -> None:
            peer.read_request()

        transport = open_transport()
        with RawServer(hanging_up) as server, refused_port() as port:
            try:
                transport.send(post(f"http://127.0.0.1:{port}/"))
            except RequestNotSent:
                with pytest.raises(ResponseNotReceived):
                    transport.send(post(server.url))

    @pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
    def test_repeats_nothing_on_a_dropped_connection(
        self, open_transport: OpenTransport, method: str
    ) -> None:
        """
        A connection that is kept alive and then dropped under a request: in doubt, not repeated.

        Otherwise: one submission starts two syncs, or a second cancellation ends a job that another task has
        started meanwhile.
        """

        def once(peer: Peer) -> None:
            peer.read_request()
            peer.send(answer())
            peer.read_request()

        with RawServer(once) as server:
            transport = open_transport()
            transport.send(get(server.url))
            try:
                transport.send(get(server.url, method=method))
            except ResponseNotReceived:
                pass
            else:
                assert 2 == server.connections, "an answer came, though the server sent none"
        assert ["GET", method] == [request.method for request in server.requests]

    @pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
    def test_repeats_nothing_on_a_fresh_connection(
        self, open_transport: OpenTransport, method: str
    ) -> None:
        """
        A first request that is dropped is not repeated either.

        Otherwise: one submission starts two syncs, or a second cancellation ends a job that another task has
        started meanwhile.
        """

        def hanging_up(peer: Peer) -> None:
            peer.read_request()

        with RawServer(hanging_up) as server, pytest.raises(ResponseNotReceived):
            open_transport().send(get(server.url, method=method))
        assert 1 == len(server.requests)

    # --- in time ---

    @pytest.mark.parametrize(
        ("head", "piece"),
        [
            pytest.param(b"HTTP/1.1 2", b"0", id="status line"),
            pytest.param(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", id="a header"),
            pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", id="headers"),
            pytest.param(answer(b"{")[:-1].replace(b": 1", b": 99999"), b"x", id="body"),
            pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"x", id="body without a length"),
            pytest.param(CHUNKED, b"1\r\nx\r\n", id="chunks"),
            pytest.param(CHUNKED + b"fffff\r\n", b"x", id="a chunk"),
            pytest.param(CHUNKED + b"0\r\n", b"X-A: b\r\n", id="trailers"),
        ],
    )
    def test_an_answer_that_drips_ends_in_time(
        self, open_transport: OpenTransport, head: bytes, piece: bytes
    ) -> None:
        """
        A byte now and then is no reason to wait longer: the time for the answer is for all of it.

        Otherwise: a broken server holds a worker for hours, past every timeout of the task.
        """

        def dripping(peer: Peer) -> None:
            peer.read_request()
            peer.drip(head, repeat(piece))

        began = monotonic()
        with RawServer(dripping) as server, pytest.raises(ResponseNotReceived):
            open_transport().send(post(server.url, connect_timeout=SOON, read_timeout=SOON))
        assert monotonic() - began < IN_TIME
        assert 1 == len(server.requests)

    def test_a_dripping_answer_over_tls_ends_in_time(
        self, open_transport: OpenTransport, server_tls: ssl.SSLContext, certificate: Path
    ) -> None:
        """
        An answer over TLS that drips ends in time, too.

        Otherwise: a broken server holds a worker for hours, past every timeout of the task, as soon as TLS is
        used.
        """

        def dripping(peer: Peer) -> None:
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX-Long: ", repeat(b"x"))

        options = TransportOptions(verify=str(certificate))
        with RawServer(dripping, tls=server_tls) as server:
            transport = open_transport(options)
            began = monotonic()
            with pytest.raises(ResponseNotReceived):
                transport.send(post(server.url, connect_timeout=SOON, read_timeout=SOON))
        assert monotonic() - began < IN_TIME

    def test_every_answer_has_its_own_time(self, open_transport: OpenTransport) -> None:
        """
        A connection that is used again gives the second answer as long as the first.

        Otherwise: long syncs fail after some polls, because a later answer gets what an earlier one has left
        of its time.
        """

        def slow(peer: Peer) -> None:
            while peer.read_request() is not None:
                peer.drip(b"", [b"", b"", b"", answer()], pause=SOON.total_seconds() / 6)

        with RawServer(slow) as server:
            transport = open_transport()
            for _ in range(3):
                assert 200 == transport.send(get(server.url, read_timeout=SOON)).status

    def test_a_handshake_that_drips_is_proof(self, open_transport: OpenTransport) -> None:
        """
        The time to connect is for the whole of TLS: surely not sent.

        Otherwise: a broken load balancer holds a worker for hours, or makes the task search for a job that
        cannot exist.
        """

        def dripping(peer: Peer) -> None:
            peer.socket.recv(65536)
            peer.drip(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb", repeat(b"\x00"))

        began = monotonic()
        with RawServer(dripping) as server:
            request = post(f"https://127.0.0.1:{server.port}/", connect_timeout=SOON)
            with pytest.raises(RequestNotSent):
                open_transport().send(request)
        assert monotonic() - began < IN_TIME

    def test_a_proxy_that_drips_is_proof(self, open_transport: OpenTransport) -> None:
        """
        The time to connect is for the proxy's answer to CONNECT, too: surely not sent.

        Otherwise: a broken proxy holds a worker for hours, or makes the task search for a job that cannot
        exist.
        """

        def dripping(peer: Peer) -> None:
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\n", repeat(b"X-A: b\r\n"))

        began = monotonic()
        with RawServer(dripping) as proxy:
            transport = open_transport(TransportOptions(proxies={"https": proxy.url}))
            with pytest.raises(RequestNotSent):
                transport.send(
                    post("https://airbyte.invalid/", connect_timeout=SOON, read_timeout=SOON)
                )
        assert monotonic() - began < IN_TIME

    # --- in size ---

    def test_reads_as_much_as_a_request_allows(self, open_transport: OpenTransport) -> None:
        """
        A body of exactly the limit is returned, and one that is longer by a byte is not.

        Otherwise: a long list of jobs is refused though it is allowed, or a limit of memory is none.
        """
        with RawServer(answering(answer(b"x" * 1000))) as server:
            transport = open_transport()
            assert 1000 == len(transport.send(get(server.url, answer_limit=1000)).body)
            with pytest.raises(ResponseNotReceived):
                transport.send(get(server.url, answer_limit=999))

    @pytest.mark.parametrize(
        ("head", "piece"),
        [
            pytest.param(
                b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", b"x" * 4096, id="body"
            ),
            pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096, id="body without a length"),
            pytest.param(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n", id="chunks"),
            pytest.param(CHUNKED, b"f" * 4096, id="the length of a chunk"),
            pytest.param(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 512, id="trailers"),
            pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 512, id="headers"),
            pytest.param(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 4096, id="a header"),
            pytest.param(b"HTTP/1.1 200 ", b"x" * 4096, id="status line"),
        ],
    )
    def test_stops_reading_what_has_no_end(
        self, open_transport: OpenTransport, head: bytes, piece: bytes
    ) -> None:
        """
        What a server pours out is read up to the limit only: in doubt, and the memory stays free.

        Otherwise: one broken server takes all memory of a worker or a triggerer, and every task in it dies.
        """

        def pouring(peer: Peer) -> None:
            peer.read_request()
            peer.pour(head, piece, most=ENDLESS)

        with RawServer(pouring) as server, pytest.raises(ResponseNotReceived):
            open_transport().send(post(server.url, answer_limit=64 * 1024))
        assert server.poured < ENDLESS, (
            "the socket's own buffers hold some MB, and no more is taken"
        )

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "x-gzip"])
    def test_a_bomb_is_not_unpacked(self, open_transport: OpenTransport, encoding: str) -> None:
        """
        A small body that is large when decompressed is decompressed up to the limit only.

        Otherwise: a few KB from a broken server take all memory of a worker, and every task in it dies.
        """
        pack = zlib.compress if encoding == "deflate" else gzip.compress
        bomb = answer(pack(bytes(64 * 1024 * 1024)), headers=(f"Content-Encoding: {encoding}",))
        with RawServer(answering(bomb)) as server:
            transport = open_transport()
            tracemalloc.start()
            try:
                with pytest.raises(ResponseNotReceived):
                    transport.send(get(server.url, answer_limit=256 * 1024))
                allocated = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert allocated < 16 * 1024 * 1024

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "br, gzip"])
    def test_a_compression_that_was_not_asked_for_is_no_answer(
        self, open_transport: OpenTransport, encoding: str
    ) -> None:
        """
        What cannot be decompressed within bounds is not decompressed: in doubt.

        Otherwise: unreadable bytes count as an answer, or are decompressed without a limit of memory.
        """
        body = gzip.compress(gzip.compress(b"{}"))
        packed = answer(body, headers=(f"Content-Encoding: {encoding}",))
        with RawServer(answering(packed)) as server, pytest.raises(ResponseNotReceived):
            open_transport().send(get(server.url))

    def test_asks_for_what_it_decompresses_within_bounds(
        self, open_transport: OpenTransport
    ) -> None:
        """
        Brotli and Zstandard are left out: not every version of their libraries stops at a limit.

        Otherwise: servers answer in a form that is refused here, and every call fails.
        """
        with RawServer(answering(answer())) as server:
            open_transport().send(get(server.url))
        [request] = server.requests
        asked = request.headers.get("accept-encoding", "identity").split(",")
        assert {word.partition(";")[0].strip() for word in asked} <= {"gzip", "deflate", "identity"}

    def test_takes_long_headers(self, open_transport: OpenTransport) -> None:
        """
        Some proxies set policies and cookies of many KB: no more breaks one transport than another.

        Otherwise: behind proxies that send long headers syncs fail with this transport, and with no other
        one.
        """
        header = "X-Policy: " + "x" * 60_000
        with RawServer(answering(answer(headers=(header,)))) as server:
            response = open_transport().send(get(server.url))
        assert "x" * 60_000 == response.header("X-Policy")

    @pytest.mark.parametrize(
        "headers", [("X-Long: " + "x" * 70_000,), tuple(f"X-{n}: a" for n in range(110))]
    )
    def test_headers_without_measure_are_no_answer(
        self, open_transport: OpenTransport, headers: tuple[str, ...]
    ) -> None:
        """
        More than 64 KB in one, or more than a hundred of them: in doubt.

        Otherwise: a broken server fills the memory of a worker with headers.
        """
        with RawServer(answering(answer(headers=headers))) as server:
            with pytest.raises(ResponseNotReceived):
                open_transport().send(get(server.url))
            assert 1 == len(server.requests)

    # --- options ---

    def test_trusts_a_private_certificate(
        self, open_transport: OpenTransport, server_tls: ssl.SSLContext, certificate: Path
    ) -> None:
        """
        ``verify`` is the path of a CA bundle.

        Otherwise: users behind a company's own CA cannot reach Airbyte, or have to switch the check off.
        """
        with RawServer(answering(answer()), tls=server_tls) as server:
            transport = open_transport(TransportOptions(verify=str(certificate)))
            assert 200 == transport.send(get(server.url)).status

    def test_a_bundle_that_is_none_is_wrong_input(
        self, open_transport: OpenTransport, server_tls: ssl.SSLContext
    ) -> None:
        """
        A file without certificates is refused when it is read: no outage, which another try may mend.

        Otherwise: a wrong path is retried as an outage until the task times out.
        """
        with RawServer(answering(answer()), tls=server_tls) as server:
            options = TransportOptions(verify=__file__)
            with pytest.raises(InvalidInput, match="cannot be read"):
                open_transport(options).send(post(server.url))

    def test_a_key_with_a_pass_phrase_is_wrong_input(
        self, open_transport: OpenTransport, certificate: Path, tmp_path: Path
    ) -> None:
        """
        It is refused at once: OpenSSL would ask for the pass phrase on the terminal, and wait.

        Otherwise: the worker waits for input that never comes.
        """
        key = tmp_path / "locked.pem"
        key.write_text(LOCKED_KEY)
        options = TransportOptions(client_cert=(str(certificate), str(key)))
        with pytest.raises(InvalidInput, match="pass phrase"):
            open_transport(options).send(post("https://127.0.0.1:1/"))

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_trusts_the_bundle_of_the_environment(
        self,
        open_transport: OpenTransport,
        server_tls: ssl.SSLContext,
        certificate: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        """
        What a company sets for Requests, curl or OpenSSL holds in worker and triggerer.

        Otherwise: a DAG works in a worker and fails in a triggerer, because the two trust different
        certificates.
        """
        monkeypatch.setenv(name, str(certificate))
        with RawServer(answering(answer()), tls=server_tls) as server:
            assert 200 == open_transport().send(get(server.url)).status

    def test_a_bundle_of_the_environment_that_is_gone_is_wrong_input(
        self, open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A bundle that the environment names and that is gone is wrong input, and the text names the variable.

        Otherwise: users look for the mistake at the server, because no text names the variable.
        """
        monkeypatch.setenv("CURL_CA_BUNDLE", "/no/such/file.pem")
        with pytest.raises(InvalidInput, match="CURL_CA_BUNDLE of the environment cannot be read"):
            open_transport().send(post("https://127.0.0.1:1/"))

    def test_trusts_anybody_when_told_so(
        self,
        open_transport: OpenTransport,
        server_tls: ssl.SSLContext,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        ``verify=False`` takes any certificate, and says so once.

        Otherwise: a server with a certificate of its own cannot be used, or goes unchecked without a warning.
        """
        with RawServer(answering(answer()), tls=server_tls) as server:
            transport = open_transport(TransportOptions(verify=False))
            with caplog.at_level("WARNING"):
                for _ in range(2):
                    assert 200 == transport.send(get(server.url)).status
        assert 1 == caplog.text.count(f"certificate of 127.0.0.1:{server.port} is not checked")

    def test_shows_a_client_certificate(
        self,
        open_transport: OpenTransport,
        server_tls: ssl.SSLContext,
        certificate: Path,
        tmp_path: Path,
    ) -> None:
        """
        ``client_cert`` is shown to a server that asks for one.

        Otherwise: servers that want mutual TLS refuse every request.
        """
        server_tls.load_verify_locations(certificate)
        server_tls.verify_mode = ssl.CERT_REQUIRED
        both = tmp_path / "both.pem"
        both.write_text(CERTIFICATE + KEY)
        with RawServer(answering(answer()), tls=server_tls) as server:
            for cert in (str(both), (str(certificate), str(tmp_path / "key.pem"))):
                options = TransportOptions(verify=str(certificate), client_cert=cert)
                assert 200 == open_transport(options).send(get(server.url)).status

    def test_uses_the_proxy_it_is_given(
        self, open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A proxy among the options goes before one of the environment.

        Otherwise: requests go past the proxy that the user has named, or the proxy refuses them.
        """
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        with RawServer(answering(answer())) as proxy:
            url = proxy.url.replace("//", "//user:pass@")
            transport = open_transport(TransportOptions(proxies={"http": url}))
            transport.send(get("http://airbyte.invalid/v1/jobs"))
        [request] = proxy.requests
        assert "http://airbyte.invalid/v1/jobs" == request.target
        assert "Basic dXNlcjpwYXNz" == request.headers["proxy-authorization"]

    def test_uses_the_proxy_of_the_environment(
        self, open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        ``HTTP_PROXY`` holds where the options are silent, except for hosts in ``NO_PROXY``.

        Otherwise: where a proxy is the only way out, Airbyte cannot be reached.
        """
        with RawServer(answering(answer())) as proxy, RawServer(answering(answer())) as server:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            transport = open_transport()
            transport.send(get("http://airbyte.invalid/"))
            transport.send(get(server.url))
        assert (1, 1) == (len(proxy.requests), len(server.requests))

    @pytest.mark.parametrize(
        "excluded",
        [
            *("*", "127.0.0.1", "127.0.0.0/8", "10.0.0.0/8,127.0.0.1", "a.example, 127.0.0.0/24"),
            *("127.0.0.1:{port}", "::1,127.0.0.0/8"),
        ],
    )
    @pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
    def test_leaves_out_the_proxy_for_what_is_excluded(
        self,
        open_transport: OpenTransport,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        excluded: str,
    ) -> None:
        """
        ``NO_PROXY`` lists addresses, ranges of them and ports: a secret does not go to the proxy.

        Otherwise: the token goes through a proxy that was excluded, or requests fail there.
        """
        with RawServer(answering(answer())) as proxy, RawServer(answering(answer())) as server:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv(name, excluded.format(port=server.port))
            open_transport().send(post(server.url))
        assert (0, 1) == (len(proxy.requests), len(server.requests))

    @pytest.mark.parametrize(
        "excluded", ["10.0.0.0/8", "127.0.0.1:1", "0.0.1", "localhost", "128/8"]
    )
    def test_uses_the_proxy_for_what_is_not_excluded(
        self, open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch, excluded: str
    ) -> None:
        """
        A host with a similar name is another one.

        Otherwise: requests go past the proxy, and a firewall drops them.
        """
        with RawServer(answering(answer())) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", excluded)
            open_transport().send(get("http://127.0.0.1:9/"))
        assert 1 == len(proxy.requests)

    @pytest.mark.parametrize("name", ["all_proxy", "ALL_PROXY"])
    def test_uses_the_proxy_for_all(
        self, open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """
        ``ALL_PROXY`` holds where no other is set.

        Otherwise: where only ALL_PROXY is set, requests go past the proxy, and a firewall drops them.
        """
        with RawServer(answering(answer())) as proxy:
            monkeypatch.setenv(name, proxy.url)
            open_transport().send(get("http://airbyte.invalid/"))
        assert 1 == len(proxy.requests)

    @pytest.mark.parametrize("url", ["socks5://127.0.0.1:1", "socks5h://u:p4ssw0rd@127.0.0.1:1"])
    def test_refuses_a_proxy_of_another_kind(
        self, open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        """
        SOCKS is refused as wrong input, wherever it was set, and no password is repeated.

        Otherwise: the same settings work with one transport and fail with another, or a proxy's password is
        in the log.
        """
        with pytest.raises(InvalidInput, match="SOCKS") as refused:
            TransportOptions(proxies={"http": url})
        assert "p4ssw0rd" not in str(refused.value)
        monkeypatch.setenv("all_proxy", url)
        with pytest.raises(InvalidInput, match="SOCKS") as refused:
            open_transport().send(post("http://airbyte.invalid/"))
        assert "p4ssw0rd" not in str(refused.value)

    @pytest.mark.parametrize("url", ["http://airbyte.invalid/", "https://airbyte.invalid/"])
    @pytest.mark.parametrize("write", [quote, str], ids=["percent", "plain"])
    def test_a_proxy_password_in_any_letters(
        self,
        open_transport: OpenTransport,
        monkeypatch: pytest.MonkeyPatch,
        url: str,
        write: Callable[[str], str],
    ) -> None:
        """
        A password outside latin-1 is sent as UTF-8, and is in no error when the proxy refuses it.

        Otherwise: proxies refuse users with such a password, or the password is in the log.
        """
        password = "p\u0105ssw\u00f6rd\u4e16"
        refusal = answer(status="407 Proxy Authentication Required")
        with RawServer(answering(refusal)) as proxy:
            monkeypatch.setenv("all_proxy", proxy.url.replace("//", f"//ann:{write(password)}@"))
            try:
                answered = open_transport().send(post(url))
            except RequestNotSent as error:
                text = f"{error} {error!r} {error.__cause__}"
            else:
                text = f"{answered}"
        shown = b64encode(f"ann:{password}".encode()).decode()
        assert [f"Basic {shown}"] == [
            request.headers.get("proxy-authorization") for request in proxy.requests
        ]
        assert not any(secret in text for secret in (password, quote(password), shown))

    def test_leaves_the_environment_alone_when_told_so(
        self, open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Without ``trust_env`` the proxy of the environment is not used.

        Otherwise: a variable of the machine decides where credentials go, though the user has ruled that out.
        """
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        with RawServer(answering(answer())) as server:
            transport = open_transport(TransportOptions(trust_env=False))
            assert 200 == transport.send(get(server.url)).status

    # --- errors ---

    def test_an_error_tells_the_address_and_no_secret(self, open_transport: OpenTransport) -> None:
        """
        The text names method and URL, says what to do, and holds no credential.

        Otherwise: users cannot tell which server failed, or the token is in the task's log.
        """

        def hanging_up(peer: Peer) -> None:
            peer.read_request()

        with RawServer(hanging_up) as server, refused_port() as port:
            for url in (server.url, f"http://127.0.0.1:{port}"):
                with pytest.raises(AirbyteSyncError) as caught:
                    open_transport().send(post(url))
                assert f"POST {url}" in str(caught.value)
                assert SECRET not in str(caught.value)
                assert caught.value.__cause__ is not None


class TransportContract(TransportFacts):
    """The suite for a blocking transport. Provide the fixture ``new_transport``."""

    @pytest.fixture
    def new_transport(self) -> Callable[[TransportOptions], Transport]:
        """Return what makes a transport: usually its class."""
        raise NotImplementedError("override the fixture new_transport: return your transport class")

    @pytest.fixture
    def open_transport(
        self, new_transport: Callable[[TransportOptions], Transport]
    ) -> Iterator[OpenTransport]:
        """Open transports, and close them after the test."""
        with ExitStack() as stack:

            def open_one(options: TransportOptions | None = None) -> Transport:
                transport = new_transport(options or TransportOptions())
                stack.callback(transport.close)
                return transport

            yield open_one

    def test_is_a_transport(self, open_transport: OpenTransport) -> None:
        """
        It has the methods of the protocol.

        Otherwise: the first request fails with an error about a missing attribute.
        """
        assert isinstance(open_transport(), Transport)

    def test_serves_several_threads(self, open_transport: OpenTransport) -> None:
        """
        Requests from several threads do not disturb one another.

        Otherwise: a task reads the answer to another task's request, and takes its status for its own.
        """
        with RawServer(echoing_the_target) as server, ThreadPoolExecutor(8) as pool:
            transport = open_transport()
            targets = [f"/{number}" for number in range(40)]
            requests_made = [get(server.url + target) for target in targets]
            answers = list(pool.map(transport.send, requests_made))
        assert targets == [response.body.decode() for response in answers]


class AsyncTransportContract(TransportFacts):
    """The suite for an async transport. Provide the fixture ``new_transport``."""

    @pytest.fixture
    def new_transport(self) -> Callable[[TransportOptions], AsyncTransport]:
        """Return what makes a transport: usually its class."""
        raise NotImplementedError("override the fixture new_transport: return your transport class")

    @pytest.fixture
    def open_transport(
        self, new_transport: Callable[[TransportOptions], AsyncTransport]
    ) -> Iterator[OpenTransport]:
        """Open transports, each on an event loop of its own, and close them after the test."""
        with ExitStack() as stack:

            def open_one(options: TransportOptions | None = None) -> Transport:
                loop = asyncio.new_event_loop()
                stack.callback(loop.close)
                chosen = options or TransportOptions()
                transport = OnALoop(lambda: new_transport(chosen), loop)
                stack.callback(transport.close)
                return transport

            yield open_one

    def test_is_an_async_transport(
        self, new_transport: Callable[[TransportOptions], AsyncTransport]
    ) -> None:
        """
        It has the methods of the protocol, as coroutines.

        Otherwise: one request stops the event loop, and all deferred tasks of a triggerer stand still.
        """

        async def check() -> None:
            async with AsyncExitStack() as stack:
                transport = new_transport(TransportOptions())
                stack.push_async_callback(transport.close)
                assert isinstance(transport, AsyncTransport)
                assert inspect.iscoroutinefunction(transport.send)
                assert inspect.iscoroutinefunction(transport.close)

        asyncio.run(check())

    def test_a_cancelled_request_closes_its_connection(
        self, new_transport: Callable[[TransportOptions], AsyncTransport]
    ) -> None:
        """
        Cancelling passes through, and the server sees the connection go.

        Otherwise: each task that is killed or times out leaves a connection open, until there are no more.
        """
        gone = []

        async def cancel_underway() -> None:
            arrived, loop = asyncio.Event(), asyncio.get_running_loop()

            def waiting(peer: Peer) -> None:
                peer.read_request()
                loop.call_soon_threadsafe(arrived.set)
                gone.append(peer.read_request() is None)

            with RawServer(waiting) as server:
                async with AsyncExitStack() as stack:
                    transport = new_transport(TransportOptions())
                    stack.push_async_callback(transport.close)
                    task = asyncio.create_task(transport.send(get(server.url)))
                    await asyncio.wait_for(arrived.wait(), PATIENCE)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                await asyncio.to_thread(server.wait_for_peers)

        asyncio.run(cancel_underway())
        assert [True] == gone


def echoing_the_target(peer: Peer) -> None:
    """Answer each request with its own target."""
    while (request := peer.read_request()) is not None:
        peer.send(answer(request.target.encode()))
