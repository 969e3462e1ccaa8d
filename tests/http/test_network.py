"""What transports of one's own may lean on, and what is said when the network fails."""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
import zlib
from contextlib import closing
from datetime import timedelta

import pytest

from airbyte_sync import CallFailed, RequestNotSent
from airbyte_sync_http import HttpRequest, TransportOptions, open_async_transport, open_transport
from airbyte_sync_http.transports import network
from airbyte_sync_testkit.contract.loopback_certificate import CERTIFICATE, KEY
from airbyte_sync_testkit.contract.raw_server import (
    Peer,
    RawServer,
    answer,
    answering,
    refused_port,
    unreachable_port,
)


def test_a_proxy_may_want_a_name_and_a_password():
    """They are taken from its URL, decoded, and go into a header of their own."""
    expected = {"Proxy-Authorization": "Basic YW5uOmE6Yg=="}
    assert expected == network.proxy_headers("http://ann:a%3Ab@proxy:8080")
    assert {"Proxy-Authorization": "Basic YW5uOg=="} == network.proxy_headers("http://ann@proxy")
    assert {} == network.proxy_headers("http://proxy:8080")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"{}", None),
        (b"{}", "identity"),
        (gzip.compress(b"{}"), "gzip"),
        (zlib.compress(b"{}"), "deflate"),
    ],
)
def test_a_body_is_unpacked(body, encoding):
    """Whatever the server used, what comes out is the body."""
    assert b"{}" == network.decompressed(body, encoding)


def test_what_cannot_be_unpacked_is_no_body():
    """Noise, and a small answer that would fill the memory, are errors of the network."""
    with pytest.raises(OSError, match="the answer is not gzip"):
        network.decompressed(b"{}", "gzip")
    for body, encoding in (
        (gzip.compress(b" " * (network.ANSWER_LIMIT + 1)), "gzip"),
        (b" " * (network.ANSWER_LIMIT + 1), None),
    ):
        with pytest.raises(OSError, match="larger than"):
            network.decompressed(body, encoding)


# --- what goes wrong ---


@pytest.fixture(autouse=True)
def _no_proxy_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def blocking(request, options):
    with closing(open_transport("requests", options)) as transport:
        transport.send(request)


def on_a_loop(request, options):
    async def send():
        transport = open_async_transport("aiohttp", options)
        try:
            await transport.send(request)
        finally:
            await transport.close()

    asyncio.run(send())


@pytest.fixture(params=[blocking, on_a_loop], ids=["requests", "aiohttp"])
def advice(request):
    """What is said when a GET to an address fails."""

    def advice_for(url, **options):
        wanted = HttpRequest(
            method="GET",
            url=url,
            headers={},
            connect_timeout=timedelta(seconds=0.3),
            read_timeout=timedelta(seconds=2),
        )
        with pytest.raises(CallFailed) as caught:
            request.param(wanted, TransportOptions(**options))
        found = network.explain_network_error(caught.value)
        if found is not None and isinstance(caught.value, RequestNotSent):
            assert found in str(caught.value)  # a scheduler's log has the text only
        return found

    return advice_for


@pytest.fixture
def tls_server(tmp_path):
    """A server on 127.0.0.1 with a certificate for this address that is not trusted."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with RawServer(answering(answer()), tls=context) as server:
        yield server


def test_a_certificate_that_is_not_trusted(advice, tls_server):
    """The option that makes it trusted is named."""
    assert "set verify to the path of the CA bundle" in advice(
        f"https://127.0.0.1:{tls_server.port}/"
    )


@pytest.mark.parametrize("advice", [blocking], indirect=True)  # aiohttp refuses such a name
def test_a_certificate_for_another_host(advice, tls_server, tmp_path):
    """A CA bundle would not help."""
    url = f"https://127.1:{tls_server.port}/"  # a name that leads to the same place
    assert "is for another" in advice(url, verify=str(tmp_path / "certificate.pem"))


def test_a_port_that_does_not_speak_tls(advice):
    """The address begins with https:// and should not."""
    with RawServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        assert "write http://" in advice(f"https://127.0.0.1:{server.port}/")


def test_tls_that_fails_in_another_way():
    """The two options that have to do with it are named."""
    assert "verify and client_cert" in network.explain_network_error(ssl.SSLError(1, "no luck"))


def test_a_port_where_nothing_listens(advice):
    """The port is doubted, and containers are remembered."""
    with refused_port() as port:
        assert "Nothing listens there" in advice(f"http://127.0.0.1:{port}/")


def test_a_host_that_does_not_answer(advice):
    """Firewalls and proxies are what usually keeps silent."""
    with unreachable_port() as port:
        assert "does not answer in time" in advice(f"http://127.0.0.1:{port}/")


def test_a_host_that_is_not_known(advice):
    """The name is doubted."""
    assert "host name is not known" in advice("http://airbyte.invalid/")


def test_a_proxy_that_is_not_there_or_refuses_connections(advice):
    """It is the proxy's fault, not the server's."""
    with refused_port() as port:
        proxies = {"http": f"http://127.0.0.1:{port}"}
        assert "at the proxy's address" in advice("http://airbyte.invalid/", proxies=proxies)
    refusal = answer(status="407 Proxy Authentication Required")
    with RawServer(answering(refusal)) as proxy:
        told = advice("https://airbyte.invalid/", proxies={"https": proxy.url})
        assert "The proxy refused the connection" in told


def test_what_the_network_does_not_explain(advice):
    """A server that hangs up is not a matter of settings."""
    with RawServer(Peer.read_request) as server:
        assert advice(server.url) is None
