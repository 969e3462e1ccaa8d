"""Both gateways keep the contract, each over its own transport."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import ExitStack

import pytest
from gateway_contract import GatewayContract, OnALoop

from airbyte_sync import AsyncSyncGateway, SyncGateway
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway
from airbyte_sync_http.transports.aiohttp import AiohttpTransport
from airbyte_sync_http.transports.requests import RequestsTransport

PORT_METHODS = [
    "cancel",
    "fetch_connection",
    "fetch_job",
    "find_connections",
    "find_jobs",
    "submit",
]


class TestAirbyteGateway(GatewayContract):
    @pytest.fixture
    def open_gateway(self):
        with ExitStack() as stack:
            yield lambda settings, clock: stack.enter_context(
                AirbyteGateway(RequestsTransport(settings.transport), settings, clock=clock)
            )

    def test_has_every_port(self, gateway):
        """It is what the flows ask for."""
        assert isinstance(gateway, SyncGateway)


class TestAsyncAirbyteGateway(GatewayContract):
    @pytest.fixture
    def open_gateway(self):
        loop = asyncio.new_event_loop()
        opened = []

        def open_one(settings, clock):
            transport = AiohttpTransport(settings.transport)
            opened.append(AsyncAirbyteGateway(transport, settings, clock=clock))
            return OnALoop(opened[-1], loop)

        yield open_one
        for one in opened:
            loop.run_until_complete(one.close())
        loop.close()

    def test_has_every_port(self):
        """It is what the flows ask for, and every method is a coroutine."""
        assert issubclass(AsyncAirbyteGateway, AsyncSyncGateway)
        methods = [getattr(AsyncAirbyteGateway, name) for name in PORT_METHODS]
        assert all(inspect.iscoroutinefunction(method) for method in methods)


def test_twins_have_the_same_methods():
    """The async gateway has the blocking one's methods, arguments and all."""
    for name in [*PORT_METHODS, "close", "__init__"]:
        blocking = inspect.signature(getattr(AirbyteGateway, name)).parameters
        twin = inspect.signature(getattr(AsyncAirbyteGateway, name)).parameters
        assert list(twin) == list(blocking)
