"""What a gateway does beyond single calls."""

from __future__ import annotations

import asyncio
import json

import pytest

from airbyte_sync import UnexpectedReply
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway, HttpResponse, ServerSettings

SETTINGS = ServerSettings(base_url="http://localhost:8000")


def page(numbers):
    """Answer connections with these numbers, all of one name."""
    connections = [
        {
            "connectionId": str(number),
            "name": "Shop",
            "status": "active",
            "workspaceId": "w",
            "sourceId": "s",
            "destinationId": "d",
        }
        for number in numbers
    ]
    return HttpResponse(status=200, body=json.dumps({"data": connections}).encode())


def test_a_server_that_repeats_a_page_is_asked_no_further(scripted):
    """A list without an end, as of a proxy that drops the offset, ends at what is known."""
    transport = scripted(lambda _: page(range(100)))
    found = AirbyteGateway(transport, SETTINGS).find_connections("Shop", None)
    assert (100, 2) == (len(found), len(transport.sent))


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (99, 1), (100, 2), (101, 2), (250, 3)])
def test_a_short_page_is_the_last(scripted, count, requests):
    """Pages go by offset, since Airbyte's own links lead nowhere."""

    def answer(request):
        offset = int(request.url.partition("offset=")[2])
        return page(range(offset, min(offset + 100, count)))

    transport = scripted(answer)
    found = AirbyteGateway(transport, SETTINGS).find_connections("Shop", None)
    assert (count, requests) == (len(found), len(transport.sent))


def test_a_connection_listed_twice_is_found_once(scripted):
    """A list that shifts between two pages shows one connection on both."""
    pages = iter([page(range(100)), page(range(99, 120))])
    transport = scripted(lambda _: next(pages))
    assert 120 == len(AirbyteGateway(transport, SETTINGS).find_connections("Shop", None))


def test_leaving_the_block_closes_the_transport(scripted):
    """A gateway is a context manager, and closes once."""
    transport = scripted(lambda _: page([]))
    with AirbyteGateway(transport, SETTINGS) as gateway:
        gateway.find_connections("Shop", None)
        assert 0 == transport.closed
    assert 1 == transport.closed


def test_leaving_the_async_block_closes_the_transport():
    """An async gateway is an async context manager."""

    class Closing:
        closed = 0

        async def close(self):
            self.closed += 1

    async def enter_and_leave(transport):
        async with AsyncAirbyteGateway(transport, SETTINGS):
            assert 0 == transport.closed

    transport = Closing()
    asyncio.run(enter_and_leave(transport))
    assert 1 == transport.closed


def test_a_check_asks_for_what_needs_address_and_credentials(scripted):
    """One list of connections proves both, in both colours."""
    transport = scripted(lambda _: page([1]))
    AirbyteGateway(transport, SETTINGS).check()

    class Async:
        async def send(self, request):
            return transport.send(request)

    asyncio.run(AsyncAirbyteGateway(Async(), SETTINGS).check())
    expected = ("GET", f"{SETTINGS.base_url}/connections?limit=1&offset=0")
    assert [expected] * 2 == [(sent.method, sent.url) for sent in transport.sent]


def test_a_check_says_what_is_wrong(scripted):
    """A page where the API should be means that the address is wrong."""
    transport = scripted(lambda _: HttpResponse(status=200, body=b"<html>"))
    with pytest.raises(UnexpectedReply, match="address is probably wrong"):
        AirbyteGateway(transport, SETTINGS).check()
