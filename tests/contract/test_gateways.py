"""Both gateways keep the published contract, each over its own transport."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import replace

import pytest

from airbyte_sync import (
    AsyncSyncGateway,
    RequestNotSent,
    SyncGateway,
    Unauthorized,
    UnexpectedReply,
)
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway, ClientCredentials, ServerSettings
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_http.transports.aiohttp_transport import AiohttpTransport
from airbyte_sync_http.transports.requests_transport import RequestsTransport
from airbyte_sync_local import Fault, answers
from airbyte_sync_testkit.contract import AsyncGatewayContract, GatewayContract
from airbyte_sync_testkit.contract.gateway import PORT_METHODS


class TestAirbyteGateway(GatewayContract):
    @pytest.fixture
    def new_gateway(self):
        return lambda settings, clock: AirbyteGateway(
            RequestsTransport(settings.transport), settings, clock=clock
        )

    def test_a_wrong_address_is_explained(self, open_gateway, airbyte):
        """The error says what to write."""
        settings = ServerSettings(base_url=f"{airbyte.base_url}/airbyte/v1")
        with pytest.raises(UnexpectedReply, match=f"write {airbyte.api_url}"):
            open_gateway(settings).fetch_job(1)

    def test_a_second_refusal_is_explained(self, guarded_gateway, guarded):
        """Fresh tokens that are refused, too, come from the wrong place."""
        guarded.inject(
            Fault(on="GET *", do="answer", answer=answers.unauthorized_empty(), times=None)
        )
        with pytest.raises(Unauthorized, match="token URL"):
            guarded_gateway.fetch_job(1)

    def test_a_wrong_secret_is_explained(self, open_gateway, settings):
        """The client secret is named, and not shown."""
        auth = ClientCredentials(client_id="me", client_secret="guess")
        with pytest.raises(Unauthorized, match="client secret is wrong"):
            open_gateway(replace(settings, auth=auth)).fetch_job(1)

    def test_a_server_without_a_token_route_is_explained(self, open_gateway, airbyte, settings):
        """The error says that no credentials are needed."""
        with pytest.raises(Unauthorized, match="no credentials are needed"):
            open_gateway(replace(settings, base_url=airbyte.base_url)).fetch_job(1)

    def test_an_outage_of_the_token_route_is_explained(self, guarded_gateway, guarded):
        """The error says what was missing."""
        guarded.inject(Fault(on="POST /applications/token", do="drop"))
        with pytest.raises(RequestNotSent, match="no access token"):
            guarded_gateway.fetch_job(1)


class TestAsyncAirbyteGateway(AsyncGatewayContract):
    @pytest.fixture
    def new_gateway(self):
        return lambda settings, clock: AsyncAirbyteGateway(
            AiohttpTransport(settings.transport), settings, clock=clock
        )


class ServersWatch:
    """Shows the server's time, and leaves it alone: a feed sleeps in the background."""

    def __init__(self, clock):
        self.now = clock.now

    async def sleep(self, duration):
        await asyncio.sleep(duration.total_seconds())


class FedGateway(AsyncAirbyteGateway):
    """A gateway that looks through a feed, as waiters do."""

    def __init__(self, transport, settings, clock):
        super().__init__(transport, settings, clock=clock)
        gateway = AsyncAirbyteGateway(transport, settings, clock=clock)
        self.feed = JobFeed(gateway, ServersWatch(clock))
        self.fetch_job = self.feed.recent_job
        self.find_jobs = self.feed.find_jobs

    async def close(self):
        await self.feed.close()
        await super().close()


class TestJobFeed(AsyncGatewayContract):
    @pytest.fixture
    def new_gateway(self):
        return lambda settings, clock: FedGateway(
            AiohttpTransport(settings.transport), settings, clock
        )


class TestJobFeedReadingAfresh(AsyncGatewayContract):
    @pytest.fixture
    def new_gateway(self):
        def open_one(settings, clock):
            gateway = FedGateway(AiohttpTransport(settings.transport), settings, clock)
            gateway.fetch_job = gateway.feed.fetch_job
            return gateway

        return open_one


def test_both_are_what_the_flows_ask_for():
    """Each has every port of its colour."""
    assert issubclass(AirbyteGateway, SyncGateway)
    assert issubclass(AsyncAirbyteGateway, AsyncSyncGateway)


def test_twins_have_the_same_methods():
    """The async gateway has the blocking one's methods, arguments and all."""
    for name in [*PORT_METHODS, "close", "__init__"]:
        blocking = inspect.signature(getattr(AirbyteGateway, name)).parameters
        twin = inspect.signature(getattr(AsyncAirbyteGateway, name)).parameters
        assert list(twin) == list(blocking)
