"""The work on a reply is bounded: bytes taken from the socket, values built, characters matched."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from airbyte_sync import AirbyteSyncError, JobQuery, JobType, texts
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway, ClientCredentials, ServerSettings
from airbyte_sync_http.protocol import json_node, messages
from airbyte_sync_http.protocol.json_node import MOST_VALUES
from airbyte_sync_http.protocol.messages import SMALL
from airbyte_sync_http.transports import network
from airbyte_sync_http.transports.aiohttp_transport import AiohttpTransport
from airbyte_sync_http.transports.requests_transport import RequestsTransport
from airbyte_sync_testkit.contract.raw_server import RawServer, answering

ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
KB, MB = 1024, 1024 * 1024
HUGE = 30 * MB

LARGEST_PIECE = 512 * KB
"""What a library hands on at a time, beyond the limit at which it is stopped."""
BUFFERS = 12 * MB
"""What the sockets of both ends take without being read."""
MOST_MATCHED = 48 * KB
"""Characters of a reply that patterns look at, apart from those that look at each character a few times."""

FEW_LOOKS_A_CHARACTER = {
    id(pattern) for pattern in (texts._BLANKS, texts._UNFIT, json_node._LONG_NUMBER)
}
"""Patterns that are at most some twenty characters long: linear, whatever the text."""


@dataclass
class Work:
    """What was done on a reply."""

    received: int = 0
    parsed: int = 0
    """Bytes that were parsed as JSON."""
    values: int = 0
    matched: Counter = field(default_factory=Counter)
    """Characters that each pattern was given."""

    @property
    def characters(self):
        return sum(self.matched.values())


PLACE_OF_THE_TEXT = {"search": 0, "match": 0, "fullmatch": 0, "findall": 0, "sub": 1, "subn": 1}


class Counting:
    """A pattern that counts the characters it is given."""

    def __init__(self, pattern, work):
        self._pattern = pattern
        self._work = work

    def __getattr__(self, name):
        method = getattr(self._pattern, name)
        if name not in PLACE_OF_THE_TEXT:
            return method

        def counted(*arguments, **options):
            self._work.matched[self._pattern.pattern] += len(arguments[PLACE_OF_THE_TEXT[name]])
            return method(*arguments, **options)

        return counted


def values_in(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(values_in, inner))


@pytest.fixture
def work(monkeypatch):
    """Count what is done, in all modules of domain and adapters."""
    done = Work()
    feed, loads = network.BodyReader.feed, json.loads

    def counted_feed(reader, piece):
        done.received += len(piece)
        return feed(reader, piece)

    def counted_loads(body, **options):
        done.parsed += len(body)
        value = loads(body, **options)
        done.values += values_in(value)
        return value

    monkeypatch.setattr(network.BodyReader, "feed", counted_feed)
    for name, module in list(sys.modules.items()):
        if not name.startswith(("airbyte_sync.", "airbyte_sync_http")):
            continue
        for attribute, value in list(vars(module).items()):
            if isinstance(value, re.Pattern) and id(value) not in FEW_LOOKS_A_CHARACTER:
                monkeypatch.setattr(module, attribute, Counting(value, done))
    monkeypatch.setattr(json_node.json, "loads", counted_loads)
    return done


# --- what is asked ---

SERVER = ServerSettings(base_url="http://localhost:8000")
CALLS = {
    "fetch_job": (messages.fetch_job(SERVER, 1), [1]),
    "cancel": (messages.cancel(SERVER, 1), [1]),
    "submit": (None, [ID, JobType.SYNC]),
    "find_jobs": (messages.find_jobs(SERVER, JobQuery()), [JobQuery()]),
    "fetch_connection": (messages.fetch_connection(SERVER, ID), [ID]),
    "find_connections": (messages.list_connections(SERVER, None, 0), ["Shop", None]),
    "list_active_jobs": (messages.find_jobs(SERVER, JobQuery()), [ID]),
    "explain_failure": (messages.explain_failure(SERVER, 1), [1]),
    "fetch_details": (messages.fetch_details(SERVER, 1), [1, ID]),
    "fetch_lineage": (messages.fetch_route(SERVER, ID), [ID]),
    "token": (
        messages.fetch_token(SERVER, ClientCredentials(client_id="i", client_secret="s")),
        None,
    ),
}


def limits_of(name):
    call = CALLS[name][0] or CALLS["fetch_job"][0]
    return call.request.answer_limit, call.most_values


def settings_for(server, name):
    auth = {"auth": ClientCredentials(client_id="i", client_secret="s")} if name == "token" else {}
    timeouts = dict.fromkeys(
        ("read_timeout", "submit_timeout", "explain_timeout"), timedelta(seconds=10)
    )
    return ServerSettings(base_url=server.url, **auth, **timeouts)


def blocking(settings, method, arguments):
    with AirbyteGateway(RequestsTransport(settings.transport), settings) as gateway:
        return getattr(gateway, method)(*arguments)


def asynchronous(settings, method, arguments):
    async def ask():
        transport = AiohttpTransport(settings.transport)
        async with AsyncAirbyteGateway(transport, settings) as gateway:
            return await getattr(gateway, method)(*arguments)

    return asyncio.run(ask())


def ask(work, drive, server, name):
    """Ask, and pass over what came of it: an error of ours, or a value."""
    method = "fetch_job" if name == "token" else name
    if drive is asynchronous and method == "fetch_lineage":
        method = "fetch_connection"  # only a worker asks for it
    arguments = CALLS[name][1] or [1]
    settings = settings_for(server, name)
    vars(work).update(vars(Work()))  # what was done on the settings is none of the reply's
    with suppress(AirbyteSyncError):
        drive(settings, method, arguments)


# --- what is answered ---


def titled(text):
    return b"text/html", b"<html><title>" + text


def message(text):
    return b"application/json", json.dumps({"data": {"message": text}, "errorId": "x"}).encode()


def report(text):
    failure = {"externalMessage": text, "internalMessage": text, "failureOrigin": "source"}
    attempt = {"status": "failed", "failureSummary": {"failures": [failure]}}
    return b"application/json", json.dumps({"attempts": [{"attempt": attempt}]}).encode()


TRACES = {
    "line breaks": "\n" * 350 * KB,
    "blanks": " \t" * 175 * KB,
    "frames": "at x.y(Z.java:1)\n" * 20 * KB,
    "no frames": "at x" * 80 * KB,
    "files": '  File "' * 40 * KB,
    "credentials": "https://a:" * 35 * KB,
    "bearers": "bearer " * 50 * KB,
    "stack": "stack " * 60 * KB,
}
BODIES = {
    "unended titles": titled(b"<title " * 50 * KB),
    "titles": titled(b"<title>" * 50 * KB),
    "a long title": titled(b"x" * 350 * KB),
    "entities": titled(b"&amp;&#x41;&am" * 25 * KB),
    "many tags": (b"text/html", b"<" * 350 * KB),
    "blank page": (b"text/html", b" " * 350 * KB),
    "deep lists": (b"application/json", b"[" * 100 * KB),
    "deep objects": (b"application/json", b'{"data":' * 100 * KB),
    "many items": (b"application/json", b'{"data":[' + b"{}," * 90 * KB + b"{}]}"),
    "many members": (b"application/json", b"{" + b'"a":0,' * 50 * KB + b'"b":0}'),
    "digits": (b"application/json", b'{"jobId":' + b"9" * 400 * KB + b"}"),
    "escapes": (b"application/json", b'{"status":"' + b"\\u0000" * 60 * KB + b'"}'),
    "a long id": message("a" * 350 * KB),
    "a long time": (
        b"application/json",
        json.dumps({"jobId": 1, "startTime": "2" * 300 * KB}).encode(),
    ),
    **{f"message of {name}": message(text) for name, text in TRACES.items()},
    **{f"report of {name}": report(text) for name, text in TRACES.items()},
}

BOTH = pytest.mark.parametrize("drive", [blocking, asynchronous])
MOST_REQUESTS = 5
"""A page of connections that is too large is asked for in parts; a refused token is bought anew."""


@BOTH
@pytest.mark.parametrize(
    "name",
    [
        *("fetch_job", "find_jobs", "find_connections", "explain_failure", "fetch_details"),
        *("fetch_lineage", "token"),
    ],
)
def test_a_hostile_body_costs_little(work, drive, name):
    """Titles, stack traces, nesting, items: as a success and as an error."""
    limit, most_values = limits_of(name)
    for place, (kind, (content_type, body)) in enumerate(BODIES.items()):
        for status in (b"200 OK", b"404 Not Found" if place % 2 else b"502 Bad Gateway"):
            head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
            with RawServer(answering(head % (status, content_type, len(body)) + body)) as server:
                ask(work, drive, server, name)
            requests = len(server.requests)
            assert 1 <= requests <= MOST_REQUESTS, kind
            assert work.received <= requests * (limit + LARGEST_PIECE), kind
            assert work.parsed <= requests * max(4 * SMALL.bytes, 2 * limit), kind
            assert work.values <= requests * max(4 * MOST_VALUES, most_values), kind
            assert work.characters <= requests * MOST_MATCHED, (kind, status, work.matched)


@BOTH
@pytest.mark.parametrize("name", CALLS)
def test_of_a_huge_body_little_is_read(work, drive, name):
    """Thirty MB are not taken from the socket, by none of the calls."""
    limit, _ = limits_of(name)

    def pouring(peer):
        if peer.read_request() is not None:
            head = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n{"data":[' % HUGE
            peer.pour(head, b'{"jobId":1},' * 340, HUGE)

    with RawServer(pouring) as server:
        ask(work, drive, server, name)
    requests = len(server.requests)
    assert 1 <= requests <= MOST_REQUESTS
    assert work.received <= requests * (limit + LARGEST_PIECE)
    assert server.poured <= requests * (limit + LARGEST_PIECE + BUFFERS)
    assert 0 == work.values
    assert work.characters <= requests * 4 * KB  # of our own address and texts
