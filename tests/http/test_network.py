"""What transports of one's own may lean on: proxies and compression."""

from __future__ import annotations

import gzip
import zlib

import pytest

from airbyte_sync_http import network


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
