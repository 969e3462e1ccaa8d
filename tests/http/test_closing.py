"""What is closed refuses: it neither sends anything nor opens anything anew."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from airbyte_sync import (
    AlreadyClosed,
    AsyncPortInterpreter,
    AsyncSystemClock,
    CallFailed,
    JobQuery,
    JobType,
    PortInterpreter,
    SyncPolicy,
    SyncRequest,
    SystemClock,
    arun,
    run,
    sync,
)
from airbyte_sync_http import (
    AirbyteGateway,
    HttpRequest,
    HttpResponse,
    ServerSettings,
    open_async_gateway,
    open_gateway,
)
from airbyte_sync_http.transports.aiohttp_transport import AiohttpTransport
from airbyte_sync_http.transports.requests_transport import RequestsTransport
from airbyte_sync_local import LocalAirbyte

ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
CALLS = [
    ("submit", ID, JobType.SYNC),
    ("cancel", 1),
    ("fetch_job", 1),
    ("find_jobs", JobQuery()),
    ("fetch_connection", ID),
    ("find_connections", "Orders", None),
    ("list_connections",),
    ("list_active_jobs",),
    ("explain_failure", 1),
    ("fetch_details", 1, ID),
    ("check",),
]
calls = pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])


@pytest.fixture
def airbyte():
    with LocalAirbyte() as server:
        yield server


@pytest.fixture
def settings(airbyte):
    return ServerSettings(base_url=airbyte.base_url)


def request_to(airbyte):
    return HttpRequest(
        method="GET",
        url=f"{airbyte.base_url}/jobs",
        headers={},
        connect_timeout=timedelta(seconds=5),
        read_timeout=timedelta(seconds=5),
    )


@calls
def test_a_closed_gateway_refuses(call, scripted):
    """Whatever its transport would do: nothing is sent."""
    transport = scripted(lambda _: HttpResponse(status=200, body=b'{"data": []}'))
    gateway = AirbyteGateway(transport, ServerSettings(base_url="http://localhost:8000"))
    gateway.close()
    name, *arguments = call
    with pytest.raises(AlreadyClosed, match="this gateway was closed, so nothing was sent"):
        getattr(gateway, name)(*arguments)
    assert [] == transport.sent


@calls
def test_a_closed_async_gateway_refuses(call, settings):
    """It opened a session that nothing closed before."""

    async def scene():
        async with open_async_gateway(settings) as gateway:
            await gateway.check()
        name, *arguments = call
        with pytest.raises(AlreadyClosed, match="this gateway was closed, so nothing was sent"):
            await getattr(gateway, name)(*arguments)
        await gateway.close()

    asyncio.run(scene())


def test_a_closed_transport_refuses(airbyte):
    """Who shares one among gateways closes it, and the gateways hear of it."""
    transport = RequestsTransport()
    assert 200 == transport.send(request_to(airbyte)).status
    transport.close()
    transport.close()
    with pytest.raises(AlreadyClosed, match="this transport was closed"):
        transport.send(request_to(airbyte))


def test_a_closed_async_transport_refuses(airbyte):
    """No second session is opened, also where none was opened before."""

    async def scene():
        for is_used in (True, False):
            transport = AiohttpTransport()
            if is_used:
                assert 200 == (await transport.send(request_to(airbyte))).status
            await transport.close()
            await transport.close()
            with pytest.raises(AlreadyClosed, match="this transport was closed"):
                await transport.send(request_to(airbyte))

    asyncio.run(scene())


def test_a_transport_that_is_closed_under_a_request_is_no_bug(airbyte):
    """The request ends as one whose answer was lost, or as refused: never with an error of the library."""

    async def scene():
        transport = AiohttpTransport()
        requests = [asyncio.create_task(transport.send(request_to(airbyte))) for _ in range(20)]
        await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        await transport.close()
        for end in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(end, (HttpResponse, CallFailed, AlreadyClosed))

    asyncio.run(scene())


def test_a_flow_over_a_closed_gateway_ends_at_once(settings):
    """It is no outage to be waited out."""
    with open_gateway(settings) as gateway:
        pass
    with pytest.raises(AlreadyClosed):
        run(
            sync(SyncRequest(connection_id=ID), SyncPolicy()),
            PortInterpreter(gateway, SystemClock()),
        )


def test_an_async_flow_over_a_closed_gateway_ends_at_once(settings):
    """As a blocking one does."""

    async def scene():
        async with open_async_gateway(settings) as gateway:
            pass
        interpreter = AsyncPortInterpreter(gateway, AsyncSystemClock())
        with pytest.raises(AlreadyClosed):
            await arun(sync(SyncRequest(connection_id=ID), SyncPolicy()), interpreter)

    asyncio.run(scene())
