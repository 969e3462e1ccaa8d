"""Both transports keep the published contract, and what only they promise."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
import requests

from airbyte_sync_http.transports.aiohttp import AiohttpTransport
from airbyte_sync_http.transports.requests import RequestsTransport
from airbyte_sync_testkit.contract import AsyncTransportContract, TransportContract
from airbyte_sync_testkit.contract.raw_server import RawServer, answer, answering
from airbyte_sync_testkit.contract.transport import get


class TestRequests(TransportContract):
    @pytest.fixture
    def new_transport(self):
        return RequestsTransport

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
