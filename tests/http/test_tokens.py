"""The life of a token: fetched once, replaced in time, and never twice at once."""

from __future__ import annotations

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from time import sleep

import pytest

from airbyte_sync import (
    CallFailed,
    InvalidInput,
    JobType,
    RefusedOnTheWay,
    RequestNotSent,
    Unauthorized,
    UnexpectedReply,
)
from airbyte_sync_http import (
    AirbyteGateway,
    AsyncAirbyteGateway,
    BasicAuth,
    BearerToken,
    ClientCredentials,
    HttpResponse,
    NoAuth,
    ServerSettings,
    TokenCache,
)
from airbyte_sync_http.protocol import messages

SETTINGS = ServerSettings(
    base_url="http://localhost:8000",
    auth=ClientCredentials(client_id="me", client_secret="s3cr3t"),
)
JOB = {
    "jobId": 1,
    "status": "running",
    "jobType": "sync",
    "startTime": "2026-08-21T10:15Z",
    "connectionId": "c",
}
CALLERS = 20


def response(status=200, body=None, **headers):
    return HttpResponse(status=status, headers=headers, body=json.dumps(body).encode())


def jwt(**claims):
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{middle}.c2ln"


class Server:
    """Issues tokens t1, t2, ..., and takes the newest only."""

    def __init__(self, lifetime=900):
        self.lifetime = lifetime
        self.issued = 0
        self.token_answer = None

    def __call__(self, request):
        if request.url.endswith("/applications/token"):
            self.issued += 1
            body = {"access_token": f"t{self.issued}", "expires_in": self.lifetime}
            return self.token_answer or response(body=body)
        if request.headers["Authorization"] != f"Bearer t{self.issued}":
            return response(401)
        return response(body=JOB)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def transport(server, scripted):
    return scripted(server)


@pytest.fixture
def gateway(transport, clock):
    return AirbyteGateway(transport, SETTINGS, clock=clock)


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (NoAuth(), None),
        (BasicAuth(username="ann", password="ü:1"), "Basic YW5uOsO8OjE="),
        (BearerToken(token="abc"), "Bearer abc"),
    ],
)
def test_constant_credentials(scripted, auth, header):
    """They go into the header of every request."""
    transport = scripted(lambda _: response(body=JOB))
    AirbyteGateway(transport, replace(SETTINGS, auth=auth)).fetch_job(1)
    assert header == transport.sent[0].headers.get("Authorization")


def test_an_authorization_header_of_ones_own_is_sent_as_it_is(scripted):
    """Where there are no other credentials."""
    transport = scripted(lambda _: response(body=JOB))
    settings = replace(SETTINGS, auth=NoAuth(), headers={"authorization": "Basic proxy"})
    AirbyteGateway(transport, settings).fetch_job(1)
    assert "Basic proxy" == transport.sent[0].headers["authorization"]


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
@pytest.mark.parametrize(
    "auth",
    [
        BasicAuth(username="ann", password="s3cr3t"),
        BearerToken(token="s3cr3t"),
        ClientCredentials(client_id="me", client_secret="s3cr3t"),
    ],
    ids=lambda auth: type(auth).__name__,
)
def test_credentials_and_an_authorization_header_are_refused_together(auth, name):
    """Neither is dropped without a word."""
    with pytest.raises(InvalidInput, match="a request can carry one of them only") as refusal:
        replace(SETTINGS, auth=auth, headers={name: "Basic s3cr3t"})
    assert "s3cr3t" not in str(refusal.value)


@pytest.mark.parametrize(
    ("auth", "advice"),
    [
        (NoAuth(), "wants credentials"),
        (BasicAuth(username="ann", password="s3cr3t"), "user name or the password"),
        (BearerToken(token="s3cr3t"), "The token is wrong or has ended"),
    ],
)
def test_a_refusal_of_constant_credentials_is_final(scripted, auth, advice):
    """They cannot be renewed, so they get no second try."""
    transport = scripted(lambda _: response(401))
    with pytest.raises(Unauthorized, match=advice) as caught:
        AirbyteGateway(transport, replace(SETTINGS, auth=auth)).fetch_job(1)
    assert 1 == len(transport.sent)
    assert "s3cr3t" not in str(caught.value)


def test_a_token_that_the_server_forgot_is_replaced(gateway, server):
    """A restarted server may not take a token that has not ended; the caller notices nothing."""
    gateway.fetch_job(1)
    server.issued += 1
    gateway.fetch_job(1)
    assert 3 == server.issued


@pytest.mark.parametrize(("lifetime", "good_for"), [(1, 0.8), (10, 8), (180, 150), (900, 870)])
def test_a_token_is_replaced_a_little_before_its_end(gateway, server, clock, lifetime, good_for):
    """Thirty seconds before, or a fifth of a short life before."""
    server.lifetime = lifetime
    gateway.fetch_job(1)
    clock.sleep(timedelta(seconds=good_for) - timedelta(microseconds=1))
    gateway.fetch_job(1)
    assert 1 == server.issued
    clock.sleep(timedelta(microseconds=1))
    gateway.fetch_job(1)
    assert 2 == server.issued


@pytest.mark.parametrize("lifetime", [0, -5])
def test_a_token_without_a_life_serves_one_call(gateway, server, lifetime):
    """A server whose tokens end at once is served all the same."""
    server.lifetime = lifetime
    assert [1, 1] == [gateway.fetch_job(1).job_id for _ in range(2)]
    assert 2 == server.issued


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"access_token": "opaque"}, 180),
        ({"access_token": "opaque", "expires_in": 900}, 900),
        ({"access_token": "opaque", "expires_in": "900"}, 180),
        ({"access_token": "opaque", "expires_in": 1e300}, 180),
        ({"access_token": "opaque", "expires_in": True}, 180),
        ({"access_token": jwt(iat=1000, exp=1060), "expires_in": 900}, 60),
        ({"access_token": jwt(iat=1000, exp=9000), "expires_in": 900}, 900),
        ({"access_token": jwt(exp=1787307367), "expires_in": 900}, 60),
        ({"access_token": jwt(exp="soon"), "expires_in": 900}, 900),
        ({"access_token": jwt(iat=5, exp=1)}, 0),
        ({"access_token": "a.!!!.c", "expires_in": 900}, 900),
        ({"access_token": "a.b.c.d", "expires_in": 900}, 900),
    ],
)
def test_a_lifetime_is_the_shorter_one_on_the_servers_clock(body, seconds):
    """``expires_in`` reports a setting; the token itself knows better, where it can be read."""
    answer = response(body=body, Date="Fri, 21 Aug 2026 10:15:07 GMT")
    token = messages.fetch_token(SETTINGS, SETTINGS.auth).read(answer)
    assert timedelta(seconds=seconds) == token.lifetime


@pytest.mark.parametrize("text", ["", "two words", "line\nbreak", "ümlaut", None, 7, ["t"]])
def test_what_is_no_token(text):
    """What is not printable ASCII in one word is never put into a header."""
    with pytest.raises(UnexpectedReply, match="access_token"):
        messages.fetch_token(SETTINGS, SETTINGS.auth).read(response(body={"access_token": text}))


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_by_the_token_route_is_final(gateway, server, transport, status):
    """The text says which part is wrong; what the token is for is not sent."""
    words = {"message": "s3cr3t is not it", "_links": {}}
    server.token_answer = response(status, words)
    with pytest.raises(Unauthorized, match=r"applications/token.*\*\*\* is not it") as caught:
        gateway.fetch_job(1)
    assert ("no token route" in str(caught.value)) == (status == 404)
    assert 1 == len(transport.sent)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_by_an_identity_provider_is_final(gateway, server, status):
    """It speaks as RFC 6749 says."""
    server.token_answer = response(status, {"error": "invalid_client"})
    with pytest.raises(Unauthorized):
        gateway.fetch_job(1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (response(500, {"message": "out of order"}), RequestNotSent),
        (response(503, Retry_After="5"), RequestNotSent),
        (response(302, Location="https://sso/"), RefusedOnTheWay),
        (response(200, {"token": "what"}), RefusedOnTheWay),
        (HttpResponse(status=200, body=b"<html>"), RefusedOnTheWay),
        (response(403, {"message": "RBAC: access denied"}), RefusedOnTheWay),
        (response(404, {"message": "no Route matched with those values"}), RefusedOnTheWay),
        (HttpResponse(status=405), RefusedOnTheWay),
    ],
)
def test_any_other_trouble_with_the_token_route_leaves_no_doubt(gateway, server, answer, error):
    """The request that needs the token was surely not sent; a gateway is told from an outage."""
    server.token_answer = answer
    with pytest.raises(CallFailed, match="the request that needs it was not sent") as caught:
        gateway.submit("c", JobType.SYNC)
    assert (error, None, True) == (
        type(caught.value),
        caught.value.status,
        caught.value.retry_safe,
    )


def test_an_outage_is_over_when_it_is_over(gateway, server):
    """A failed fetch is not remembered by callers that come later."""
    server.token_answer = response(503)
    for _ in range(2):
        with pytest.raises(RequestNotSent):
            gateway.fetch_job(1)
    server.token_answer = None
    assert 1 == gateway.fetch_job(1).job_id
    assert 3 == server.issued


def test_gateways_share_tokens(transport, server, clock):
    """Two gateways with one cache need one token; other credentials or servers need their own."""
    tokens = TokenCache()
    for _ in range(2):
        AirbyteGateway(transport, SETTINGS, tokens, clock).fetch_job(1)
    assert 1 == server.issued
    other_secret = ClientCredentials(client_id="me", client_secret="other")
    for settings in (
        replace(SETTINGS, auth=other_secret),
        replace(SETTINGS, base_url="http://other"),
    ):
        AirbyteGateway(transport, settings, tokens, clock).fetch_job(1)
    assert 3 == server.issued


class AsyncTransport:
    """A scripted transport that lets other tasks go first."""

    def __init__(self, script):
        self.script = script
        self.sent = []

    async def send(self, request):
        self.sent.append(request)
        await asyncio.sleep(0)
        return self.script(request)

    async def close(self):
        pass


def test_threads_fetch_one_token_together(scripted, clock):
    """However many find none, one fetches it and the others wait."""
    together = Barrier(CALLERS)
    server = Server()
    gateway = AirbyteGateway(scripted(server), SETTINGS, clock=clock)

    def fetch(_):
        together.wait()
        return gateway.fetch_job(1).job_id

    with ThreadPoolExecutor(CALLERS) as pool:
        assert [1] * CALLERS == list(pool.map(fetch, range(CALLERS)))
        server.issued += 1
        assert [1] * CALLERS == list(pool.map(fetch, range(CALLERS)))
    assert 3 == server.issued


class Gathering(TokenCache):
    """Lets no caller look for a token before all of them do."""

    def __init__(self):
        super().__init__()
        self._all = Barrier(CALLERS)

    def entry(self, settings, credentials):
        self._all.wait()
        return super().entry(settings, credentials)


def test_threads_share_a_failure(scripted, clock):
    """Callers that wait for a fetch share its failure, rather than trying one by one."""
    transport = scripted(lambda _: sleep(0.5) or response(503))  # time for all to get in line
    gateway = AirbyteGateway(transport, SETTINGS, Gathering(), clock)

    def fetch(_):
        with pytest.raises(RequestNotSent) as caught:
            gateway.fetch_job(1)
        return caught.value

    with ThreadPoolExecutor(CALLERS) as pool:
        errors = list(pool.map(fetch, range(CALLERS)))
    assert CALLERS == len({id(error) for error in errors})
    assert 1 == len(transport.sent)


def test_tasks_fetch_one_token_together(clock):
    """However many find none, one fetches it and the others wait."""
    server = Server()
    gateway = AsyncAirbyteGateway(AsyncTransport(server), SETTINGS, clock=clock)

    async def fetch_together():
        for _ in range(2):
            jobs = await asyncio.gather(*(gateway.fetch_job(1) for _ in range(CALLERS)))
            assert [1] * CALLERS == [job.job_id for job in jobs]
            server.issued += 1

    asyncio.run(fetch_together())
    assert 2 + 2 == server.issued  # fetched and made useless, twice


def test_tasks_share_a_failure(clock):
    """Callers that wait for a fetch share its failure; later ones try again."""
    transport = AsyncTransport(lambda _: response(503))
    gateway = AsyncAirbyteGateway(transport, SETTINGS, clock=clock)

    async def fetch_together():
        calls = (gateway.fetch_job(1) for _ in range(CALLERS))
        return await asyncio.gather(*calls, return_exceptions=True)

    errors = asyncio.run(fetch_together())
    assert {RequestNotSent} == {type(error) for error in errors}
    assert CALLERS == len({id(error) for error in errors})
    assert 1 == len(transport.sent)
    asyncio.run(fetch_together())
    assert 2 == len(transport.sent)


def test_a_cancelled_fetch_leaves_the_turn_to_the_next(clock):
    """Cancelling the task that fetches does not fail those that wait for it."""
    server = Server()
    gateway = AsyncAirbyteGateway(AsyncTransport(server), SETTINGS, clock=clock)

    async def cancel_the_first():
        first, second = (asyncio.create_task(gateway.fetch_job(1)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert 1 == (await second).job_id
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(cancel_the_first())


def test_one_cache_serves_both_styles(transport, server, clock):
    """A token that the blocking gateway fetched serves the async one."""
    tokens = TokenCache()
    AirbyteGateway(transport, SETTINGS, tokens, clock).fetch_job(1)
    gateway = AsyncAirbyteGateway(AsyncTransport(server), SETTINGS, tokens, clock)
    assert 1 == asyncio.run(gateway.fetch_job(1)).job_id
    assert 1 == server.issued


def test_a_second_refusal_is_final(scripted, clock):
    """A fresh token that is refused, too, is from another server; there is no third try."""

    def answer(request):
        issued = response(body={"access_token": "t", "expires_in": 900})
        return issued if request.url.endswith("/applications/token") else response(401)

    transport = scripted(answer)
    with pytest.raises(Unauthorized, match="A fresh token was refused, too") as caught:
        AirbyteGateway(transport, SETTINGS, clock=clock).fetch_job(1)
    assert (401, 4) == (caught.value.status, len(transport.sent))
