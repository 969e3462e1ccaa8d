"""No credential is readable anywhere but where it was put, whatever a server or a proxy repeats."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from datetime import timedelta

import pytest

from airbyte_sync import JobQuery, JobType
from airbyte_sync_http import (
    BasicAuth,
    ServerSettings,
    TransportOptions,
    open_async_gateway,
    open_gateway,
)
from airbyte_sync_http.auth.credentials import secrets_of
from airbyte_sync_http.auth.hiding import MOST_TOKENS, Secrets, hide, hide_unknown, without_secrets
from airbyte_sync_http.protocol.json_node import JsonNode
from airbyte_sync_http.protocol.streams import endpoint
from airbyte_sync_testkit.contract.raw_server import RawServer
from tests import canaries

ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
CALLS = {
    "submit": (ID, JobType.SYNC),
    "cancel": (1,),
    "fetch_job": (1,),
    "find_jobs": (JobQuery(),),
    "fetch_connection": (ID,),
    "find_connections": ("Shop", None),
    "list_connections": (),
    "list_active_jobs": (),
    "explain_failure": (1,),
    "fetch_details": (1, ID),
    "check": (),
    "fetch_lineage": (ID,),
}


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    caplog.set_level(logging.DEBUG)


def settings(port, auth, proxy_port=None, scheme="http"):
    proxies = {} if proxy_port is None else {scheme: canaries.proxy_url(proxy_port)}
    return ServerSettings(
        base_url=f"{scheme}://127.0.0.1:{port}",
        auth=canaries.AUTHS[auth],
        headers=canaries.HEADERS,
        transport=TransportOptions(proxies=proxies),
        read_timeout=timedelta(seconds=5),
        explain_timeout=timedelta(seconds=5),
    )


def told_by_requests(server):
    """Make every call over Requests; return each result and error."""
    told = []
    for name, arguments in CALLS.items():
        with open_gateway(server) as gateway:
            try:
                told.append(getattr(gateway, name)(*arguments))
            except Exception as error:
                told.append(error)
    return told


def told_by_aiohttp(server):
    """The same over aiohttp."""

    async def call():
        told = []
        for name, arguments in CALLS.items():
            async with open_async_gateway(server) as gateway:
                if hasattr(gateway, name):
                    try:
                        told.append(await getattr(gateway, name)(*arguments))
                    except Exception as error:
                        told.append(error)
        return told

    return asyncio.run(call())


def require_no_leak(told, caplog):
    texts = [record.getMessage() for record in caplog.records] + [caplog.text]
    for each in told:
        texts += canaries.texts_of(each) if isinstance(each, BaseException) else [repr(each)]
        if hasattr(each, "source"):
            texts.append(repr([each.source.configuration, each.destination.configuration]))
    assert [] == [leak for text in texts for leak in canaries.leaks(text)]


@pytest.mark.parametrize("tell", [told_by_requests, told_by_aiohttp], ids=["requests", "aiohttp"])
@pytest.mark.parametrize("auth", canaries.AUTHS)
@pytest.mark.parametrize("echo", canaries.ECHOES)
def test_what_a_server_repeats_is_not_told(tell, auth, echo, caplog):
    """Neither in a result, nor in an error or those that it was made from, nor in a library's log."""
    with RawServer(canaries.echoing(echo)) as server:
        told = tell(settings(server.port, auth))
    assert len(told) >= len(CALLS) - 1
    require_no_leak(told, caplog)


@pytest.mark.parametrize("tell", [told_by_requests, told_by_aiohttp], ids=["requests", "aiohttp"])
@pytest.mark.parametrize("echo", canaries.ECHOES)
def test_what_a_token_route_repeats_is_not_told(tell, echo, caplog):
    """It is sent the client secret."""
    with RawServer(canaries.echoing_all(echo)) as server:
        require_no_leak(tell(settings(server.port, "client credentials")), caplog)


@pytest.mark.parametrize("tell", [told_by_requests, told_by_aiohttp], ids=["requests", "aiohttp"])
@pytest.mark.parametrize("where", ["given", "environment"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("echo", canaries.ECHOES)
def test_what_a_proxy_repeats_is_not_told(tell, where, scheme, echo, caplog, monkeypatch):
    """It is sent a user name and a password: with the request, or with CONNECT, which it refuses."""
    with RawServer(canaries.echoing_all(echo)) as proxy:
        server = settings(1, "basic", proxy.port if where == "given" else None, scheme)
        if where == "environment":
            monkeypatch.setenv(f"{scheme}_proxy", canaries.proxy_url(proxy.port))
            monkeypatch.setattr("urllib.request.proxy_bypass", lambda host: False)
            monkeypatch.setattr(
                "airbyte_sync_http.transports.network.proxy_bypass", lambda host: False
            )
        told = tell(server)
    require_no_leak(told, caplog)
    assert proxy.requests
    if scheme == "https":  # a tunnel shows the proxy nothing else
        assert all(request.method == "CONNECT" for request in proxy.requests)
        assert not any("authorization" in request.headers for request in proxy.requests)
        assert not any("x-api-key" in request.headers for request in proxy.requests)


# --------------------------------------------------------------------------------------------------
# What is hidden


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_text_of_one_to_three_characters_is_not_hidden(length):
    """It is a part of too many words; together with the user name it is hidden."""
    password = "sync"[:length]
    server = ServerSettings(base_url="http://h", auth=BasicAuth(username="me", password=password))
    secrets = secrets_of(server)
    text = "a sync of Airbyte"
    assert text == secrets.hide(text)
    coded = b64encode(f"me:{password}".encode()).decode()
    assert "seen *** here" == secrets.hide(f"seen me:{password} here")
    if len(coded) > 8:
        assert coded not in secrets.hide(f"seen {coded} here")


def test_what_decides_is_not_hidden(scripted):
    """A password that is a word of Airbyte's changes no status, no type and no id."""
    from airbyte_sync_http import AirbyteGateway, HttpResponse

    body = b"""{"jobId": 1, "status": "succeeded", "jobType": "sync", "startTime": "2026-08-21T10:15Z",
        "connectionId": "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"}"""
    transport = scripted(lambda _: HttpResponse(status=200, body=body))
    for password in ("succeeded", "sync", "54d0"):
        auth = BasicAuth(username="me", password=password)
        server = ServerSettings(base_url="http://localhost:8000", auth=auth)
        job = AirbyteGateway(transport, server).submit(ID, JobType.SYNC)
        assert ("succeeded", "sync", ID) == (job.status.word, job.job_type, job.connection_id)


def test_a_refusal_keeps_its_meaning(scripted):
    """A password that is a word of a refusal changes no error's class, only its text."""
    from airbyte_sync import SyncAlreadyRunning
    from airbyte_sync_http import AirbyteGateway, HttpResponse

    body = b'{"exceptionClassName": "x", "message": "A sync is already running for: it"}'
    transport = scripted(lambda _: HttpResponse(status=409, body=body))
    auth = BasicAuth(username="me", password="already")
    gateway = AirbyteGateway(transport, ServerSettings(base_url="http://h", auth=auth))
    with pytest.raises(SyncAlreadyRunning, match=r"A sync is \*\*\* running"):
        gateway.submit(ID, JobType.SYNC)


def test_a_configuration_that_is_nested_too_deep_is_left_out():
    """It is read whole, so it is cleaned whole or not told."""
    deep: object = "x"
    for _ in range(3000):
        deep = [deep]
    body = {"sourceId": "s", "sourceType": "t", "configuration": {"a": deep}}
    assert {} == endpoint(JsonNode(body), "source").configuration


def test_a_connection_is_found_by_a_name_with_a_credential_in_it(scripted):
    """A password may be a word of a name: the connection is found, and its name told without."""
    from airbyte_sync_http import AirbyteGateway, HttpResponse
    from tests.http.test_gateway import page

    named = page([1]).body.replace(b"Shop", b"prod shop")
    transport = scripted(lambda _: HttpResponse(status=200, body=named))
    auth = BasicAuth(username="me", password="prod")
    gateway = AirbyteGateway(transport, ServerSettings(base_url="http://h", auth=auth))
    [found] = gateway.find_connections("prod shop", None)
    assert "*** shop" == found.name


def test_the_last_tokens_are_hidden_and_no_more():
    """A refused one is still repeated by servers; one of last week is not, and memory has an end."""
    secrets = Secrets()
    tokens = [f"{number}-is-a-token" for number in range(MOST_TOKENS + 1)]
    assert all(secrets.learn(token) for token in tokens)
    assert not secrets.learn(tokens[-1])
    assert [tokens[0]] == [token for token in tokens if secrets.hide(token) == token]


def test_a_credential_that_was_cut_is_hidden():
    """Twelve characters of it are enough to know it."""
    secrets = Secrets(["abcdefghijklmnopqrstuvwxyz"])
    assert "x *** y" == secrets.hide("x abcdefghijklmnopq y")
    assert "x abcdefghijk y" == secrets.hide("x abcdefghijk y")


def test_unknown_credentials_are_hidden_where_they_stand():
    """A session of one's own may have credentials that no setting names."""
    assert "https://***@h/x" == hide_unknown("https://user:p@ss@h/x")
    assert "Bearer *** x" == hide_unknown("Bearer abcdefghijklmnopq x")
    assert "https://h/x?m=a@b" == hide_unknown("https://h/x?m=a@b")


def test_nothing_is_in_force_outside_of_a_call():
    """Another gateway's texts are not touched."""
    secrets = Secrets(["credential"])
    with secrets.in_force():
        assert "***" == hide("credential")
    assert "credential" == hide("credential")


def test_what_may_change_is_read_for_a_call_and_for_its_error():
    """And not for every text: reading an environment takes longer than hiding what it says."""
    passwords = iter(["first-password", "second-password", "third-password", "fourth-password"])
    secrets = Secrets(more=lambda: [next(passwords)])
    assert "***" == secrets.hide("first-password")
    with secrets.in_force():
        assert "***" == hide("second-password")
        assert "***" == hide("second-password")
    with pytest.raises(ValueError, match=r"^\*\*\*$"), secrets.in_force():
        raise ValueError("fourth-password")


class FromAttributes(Exception):
    """As aiohttp's: its text does not come from its arguments."""

    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (FromAttributes, ["a credential"]),
        (ValueError, ["a credential", {"in": "credential"}]),
        (PermissionError, [1, "credential", "credential"]),
        (UnicodeEncodeError, ["latin-1", "credential\u0142", 10, 11, "no credential"]),
        (KeyError, ["credential"]),
        (ConnectionError, [ValueError("credential")]),
    ],
)
@pytest.mark.parametrize("place", ["itself", "cause", "context"])
def test_an_error_shows_no_credential(kind, arguments, place):
    """Neither itself nor what it was made from; it is still of its class."""
    error = kind(*arguments)
    outer = error if place == "itself" else RuntimeError("outer")
    if place != "itself":
        setattr(outer, f"__{place}__", error)
    with pytest.raises(type(outer)) as caught, Secrets(["credential"]).in_force():
        raise outer
    for one in {outer, error}:
        assert "credential" not in str(one) + repr(one) + repr(one.args)
    assert isinstance(error, kind)
    assert kind.__name__ == type(error).__name__
    assert caught.value is outer


def test_an_error_without_credentials_is_left_as_it_is():
    """Its arguments and class are the same objects."""
    argument = {"a": 1}
    error = ValueError("text", argument)
    without_secrets(error)
    assert argument is error.args[1]
    assert ValueError is type(error)


def test_a_header_is_hidden_with_and_without_its_scheme():
    """A server may repeat either."""
    server = ServerSettings(base_url="http://h", headers={"Authorization": "Token abcdefgh"})
    assert "got *** and ***" == secrets_of(server).hide("got Token abcdefgh and abcdefgh")
