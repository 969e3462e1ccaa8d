"""Both transports keep the published contract, and what only they promise."""

from __future__ import annotations

import asyncio
from contextlib import closing
from itertools import repeat
from time import monotonic

import aiohttp
import pytest
import requests

from airbyte_sync import ResponseNotReceived
from airbyte_sync_http.transports import limits
from airbyte_sync_http.transports.aiohttp_transport import AiohttpTransport
from airbyte_sync_http.transports.requests_transport import BoundedAdapter, RequestsTransport
from airbyte_sync_testkit.contract import AsyncTransportContract, TransportContract
from airbyte_sync_testkit.contract.raw_server import RawServer, answer, answering
from airbyte_sync_testkit.contract.transport import SHORT, get


class TestRequests(TransportContract):
    @pytest.fixture
    def new_transport(self):
        return RequestsTransport

    def test_uses_no_connection_that_was_idle_for_long(self, monkeypatch):
        """A load balancer may have forgotten it."""
        with RawServer(answering(answer())) as server, closing(RequestsTransport()) as transport:
            for _ in range(2):
                transport.send(get(server.url))
            assert 1 == server.connections
            monkeypatch.setattr(limits, "LONGEST_IDLE", -1)
            transport.send(get(server.url))
            assert 2 == server.connections

    def test_an_injected_session_may_have_the_bounds_too(self):
        """It mounts the adapter; without it, the silence within an answer is bounded."""

        def dripping(peer):
            peer.read_request()
            peer.drip(b"HTTP/1.1 200 OK\r\nX-Long: ", repeat(b"x"))

        with RawServer(dripping) as server, requests.Session() as session:
            session.mount("http://", BoundedAdapter())
            began = monotonic()
            with pytest.raises(ResponseNotReceived):
                RequestsTransport(session=session).send(get(server.url, read_timeout=SHORT))
        assert monotonic() - began < 2

    def test_leaves_an_injected_session_open(self):
        """Who hands a session in closes it."""
        with RawServer(answering(answer())) as server, requests.Session() as session:
            for _ in range(2):
                transport = RequestsTransport(session=session)
                assert 200 == transport.send(get(server.url)).status
                transport.close()
        assert 1 == server.connections


class TestAiohttp(AsyncTransportContract):
    @pytest.fixture
    def new_transport(self):
        return AiohttpTransport

    def test_keeps_no_connection_that_is_idle_for_long(self):
        """A load balancer may have forgotten it."""

        async def kept():
            transport = AiohttpTransport()
            try:
                return transport._open_session().connector._keepalive_timeout
            finally:
                await transport.close()

        assert limits.LONGEST_IDLE == asyncio.run(kept()) < 30

    def test_leaves_an_injected_session_open(self):
        """Who hands a session in closes it."""

        async def use_twice(url):
            async with aiohttp.ClientSession() as session:
                for _ in range(2):
                    transport = AiohttpTransport(session=session)
                    assert 200 == (await transport.send(get(url))).status
                    await transport.close()

        with RawServer(answering(answer())) as server:
            asyncio.run(use_twice(server.url))
        assert 1 == server.connections
