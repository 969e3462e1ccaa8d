"""What a gateway does beyond single calls."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from airbyte_sync import BadRequest, RefusedOnTheWay, UnexpectedReply
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


def jobs(ids, status="running"):
    """Answer jobs with these ids, created one after the other."""
    listed = [
        {
            "jobId": number,
            "status": status,
            "jobType": "sync",
            "startTime": f"2026-08-21T{number // 60 % 24:02}:{number % 60:02}Z",
            "connectionId": "c",
        }
        for number in ids
    ]
    return HttpResponse(status=200, body=json.dumps({"data": listed}).encode())


def asked_of(request):
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def test_a_server_with_few_jobs_is_asked_once_what_is_active(scripted):
    """All of its jobs fit on one page."""
    transport = scripted(lambda _: jobs(range(99, 0, -1)))
    found = AirbyteGateway(transport, SETTINGS).list_active_jobs("c", "w")
    assert (99, 1) == (len(found), len(transport.sent))
    [asked] = map(asked_of, transport.sent)
    assert {
        "connectionId": "c",
        "limit": "100",
        "offset": "0",
        "orderBy": "createdAt|DESC",
    } == asked


def test_what_is_active_is_asked_for_by_every_status(scripted):
    """Pages go by offset; what was ended meanwhile is left out, and what is told twice counts once."""

    def answer(request):
        asked = asked_of(request)
        if "status" not in asked:
            return jobs(range(1000, 900, -1), "succeeded")
        if asked["status"] != "running":
            return jobs([77], "incomplete")
        return jobs(range(250 - int(asked["offset"]), 0, -1)[:100])

    transport = scripted(answer)
    found = AirbyteGateway(transport, SETTINGS).list_active_jobs(workspace_id="w")
    assert list(range(250, 0, -1)) == [job.job_id for job in found]
    asked = [asked_of(request) for request in transport.sent]
    words = [None, "pending", "queued", *["running"] * 3, "incomplete"]
    assert words == [each.get("status") for each in asked]
    assert {"w"} == {each["workspaceIds"] for each in asked}


@pytest.mark.parametrize("body", [{"errorId": "x"}, {"message": "Bad Request"}])
def test_a_server_that_has_no_queued_jobs(scripted, body):
    """Servers up to v2.0.0 do not know the word; any other refusal is one."""
    refused = {"queued"}

    def answer(request):
        status = asked_of(request).get("status")
        if status in refused:
            return HttpResponse(status=400, body=json.dumps(body).encode())
        return jobs(range(1, 101) if status is None else [7])

    gateway = AirbyteGateway(scripted(answer), SETTINGS)
    assert 100 == len(gateway.list_active_jobs())
    refused.add("running")
    with pytest.raises((BadRequest, RefusedOnTheWay)):
        gateway.list_active_jobs()


def test_active_jobs_without_an_end(scripted):
    """A list that always has a next page is given up; one that repeats a page has come to its end."""
    endless = scripted(lambda request: jobs(_hundred_from(int(asked_of(request)["offset"]))))
    with pytest.raises(UnexpectedReply, match="that are pending did not come to an end after 100"):
        AirbyteGateway(endless, SETTINGS).list_active_jobs()
    repeating = scripted(lambda _: jobs(range(1, 101)))
    assert 100 == len(AirbyteGateway(repeating, SETTINGS).list_active_jobs())
    assert 1 + 4 * 2 == len(repeating.sent)


def _hundred_from(offset):
    return range(offset + 1, offset + 101)


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
    """One list of connections proves both, blocking and async."""
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
