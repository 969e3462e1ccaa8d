"""Both transports keep the contract."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest
import requests
from raw_server import Peer, RawServer, answer, answering
from transport_contract import OnALoop, TransportContract, get

from airbyte_sync import RequestNotSent
from airbyte_sync_http import AsyncTransport
from airbyte_sync_http.transports.aiohttp import AiohttpTransport
from airbyte_sync_http.transports.requests import RequestsTransport


class TestRequests(TransportContract):
    @pytest.fixture
    def open_transport(self):
        opened = []

        def open_one(options=None):
            opened.append(RequestsTransport(options))
            return opened[-1]

        yield open_one
        for transport in opened:
            transport.close()

    def test_serves_several_threads(self, open_transport):
        """Requests from several threads do not disturb one another."""
        with RawServer(answering(answer())) as server, ThreadPoolExecutor(8) as pool:
            transport = open_transport()
            targets = [f"/{number}" for number in range(40)]
            requests_made = [get(server.url + target) for target in targets]
            answers = list(pool.map(transport.send, requests_made))
        assert {200} == {response.status for response in answers}
        assert sorted(targets) == sorted(request.target for request in server.requests)

    def test_leaves_an_injected_session_open(self):
        """Who hands a session in closes it."""
        with RawServer(answering(answer())) as server, requests.Session() as session:
            for _ in range(2):
                transport = RequestsTransport(session=session)
                assert 200 == transport.send(get(server.url)).status
                transport.close()
        assert 1 == server.connections

    def test_a_bundle_of_the_environment_that_is_gone_is_no_doubt(self, monkeypatch):
        """Requests looks at ``REQUESTS_CA_BUNDLE`` before it connects."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
        with pytest.raises(RequestNotSent, match="CA certificate bundle"):
            RequestsTransport().send(get("https://127.0.0.1:1"))


class TestAiohttp(TransportContract):
    @pytest.fixture
    def open_transport(self):
        opened = []

        def open_one(options=None):
            opened.append(OnALoop(AiohttpTransport(options)))
            return opened[-1]

        yield open_one
        for transport in opened:
            transport.close()

    def test_is_an_async_transport(self):
        """It has the methods of the protocol, as coroutines."""
        assert isinstance(AiohttpTransport(), AsyncTransport)
        assert inspect.iscoroutinefunction(AiohttpTransport.send)
        assert inspect.iscoroutinefunction(AiohttpTransport.close)

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

    def test_a_cancelled_request_closes_its_connection(self):
        """Cancelling passes through, and the server sees the connection go."""
        gone = []

        def waiting(peer: Peer) -> None:
            peer.read_request()
            gone.append(peer.read_request() is None)

        async def cancel_soon(url):
            transport = AiohttpTransport()
            task = asyncio.create_task(transport.send(get(url)))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await transport.close()

        with RawServer(waiting) as server:
            asyncio.run(cancel_soon(server.url))
        assert [True] == gone
