"""Why a job failed: read from the Config API, in haste, and never in anybody's way."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest

from airbyte_sync import (
    Forbidden,
    InvalidInput,
    NotFound,
    RequestNotSent,
    ResponseNotReceived,
    UnexpectedReply,
)
from airbyte_sync.jobs import FailureReason
from airbyte_sync.ports import AsyncReasonPort, ReasonPort
from airbyte_sync_http import (
    AsyncAirbyteGateway,
    ClientCredentials,
    HttpResponse,
    ServerSettings,
    open_async_gateway,
    open_gateway,
)
from airbyte_sync_http.protocol import messages
from airbyte_sync_local import (
    Caller,
    Fault,
    LocalAirbyte,
    ManualClock,
    Quirks,
    answers,
    job_scripts,
)
from airbyte_sync_local import RequireClientCredentials as Application

SETTINGS = ServerSettings(base_url="http://localhost:8000")
CONFIG_API = "POST /api/v1/jobs/get_without_logs"


def failure(**members):
    return {"failureOrigin": "source", "failureType": "config_error", **members}


def attempt(*failures, status="failed", **members):
    summary = {"failures": list(failures), "partialSuccess": False}
    return {"attempt": {"status": status, "failureSummary": summary, **members}}


def explained(*attempts):
    body = json.dumps({"job": {"id": 1}, "attempts": list(attempts)}).encode()
    return messages.explain_failure(SETTINGS, 1).read(HttpResponse(status=200, body=body))


def message(text, name="externalMessage"):
    reason = explained(attempt(failure(**{name: text})))
    return reason and reason.message


# --- reading ---


def test_a_reason():
    """The text for users, what failed and the kind of failure are told."""
    expected = FailureReason(message="Wrong password", origin="source", kind="config_error")
    assert expected == explained(attempt(failure(externalMessage="Wrong password", timestamp=1)))


def test_the_last_failed_attempt_counts():
    """Earlier attempts are history, and one that has not failed explains nothing."""
    first, last = (attempt(failure(externalMessage=text)) for text in ("first", "last"))
    assert "last" == explained(first, last, attempt(status="running")).message
    assert None is explained(first, attempt())


def test_the_first_failure_is_the_cause():
    """What came later is mostly a consequence; a failure without a time comes last."""
    reason = explained(
        attempt(
            failure(externalMessage="unknown time"),
            failure(externalMessage="later", timestamp=7),
            failure(externalMessage="cause", timestamp=3),
            failure(internalMessage="no words for users", timestamp=1),
        )
    )
    assert "cause" == reason.message


def test_words_for_developers_are_better_than_none():
    """The internal message is told where no failure has one for users."""
    blank = failure(externalMessage=" \n", internalMessage="NullPointerException")
    reason = explained(attempt(blank, {"internalMessage": "later", "timestamp": 5}))
    assert "later" == reason.message  # the blank one has no time
    assert ("unknown", "unknown") == (reason.origin, reason.kind)
    assert "NullPointerException" == explained(attempt(blank)).message


@pytest.mark.parametrize(
    "document",
    [
        *([], None, 7, "text", {}, {"attempts": None}, {"attempts": 7}, {"attempts": []}),
        *({"attempts": [entry]} for entry in (None, 7, [], {}, {"attempt": []}, {"attempt": {}})),
        {"attempts": [{"attempt": {"status": "failed"}}]},
        {"attempts": [{"attempt": {"status": "failed", "failureSummary": 7}}]},
        {"attempts": [attempt(None, 7, [], {}, failure(externalMessage=["x"], timestamp="y"))]},
    ],
)
def test_where_no_source_says_there_is_no_reason(document):
    """Whatever is missing or of another shape is no reason, and no error."""
    answer = HttpResponse(status=200, body=json.dumps(document).encode())
    assert None is messages.explain_failure(SETTINGS, 1).read(answer)


@pytest.mark.parametrize("name", ["externalMessage", "internalMessage"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\n\tb \x1b[31m", "a b [31m"),
        ("x" * 501, "x" * 500 + "..."),
        ("x" * 500, "x" * 500),
        ("Boom\n  at io.airbyte.Main.run(Main.kt:7)\n", "Boom"),
        ("Boom\nTraceback (most recent call last):\n  File", "Boom"),
        ("Boom. Stack trace: io.airbyte", "Boom."),
        ("Traceback (most recent call last):\n x", None),
        ("looked at db.example (down)", "looked at db.example (down)"),
        ("no route to postgres://ann:s3cr3t@db:5432/x", "no route to postgres://***@db:5432/x"),
        ("sent Authorization: Bearer abcdefghijklmnop.q", "sent Authorization: Bearer ***"),
        ("Bearer authentication", "Bearer authentication"),
    ],
)
def test_a_message_is_for_people(name, text, expected):
    """One line of sensible length, without a stack trace and without credentials."""
    assert expected == message(text, name)


# --- asking ---


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://localhost:8000", "http://localhost:8000/api/v1/jobs/get_without_logs"),
        ("https://api.airbyte.com", "https://cloud.airbyte.com/api/v1/jobs/get_without_logs"),
    ],
)
def test_the_config_api_is_asked_in_haste(base_url, url):
    """The older API stands beside the public one, and gets a few seconds only."""
    request = messages.explain_failure(ServerSettings(base_url=base_url), 7).request
    assert ("POST", url, {"id": 7}) == (request.method, request.url, json.loads(request.body))
    assert timedelta(seconds=2) == request.connect_timeout
    assert timedelta(seconds=3) == request.read_timeout


def test_haste_never_takes_longer():
    """Timeouts that are shorter anyway stay as they are."""
    short = timedelta(milliseconds=10)
    settings = replace(SETTINGS, connect_timeout=short, read_timeout=short).with_short_timeouts()
    assert (short, short) == (settings.connect_timeout, settings.read_timeout)


def test_a_time_out_of_nothing_is_refused():
    """Who wants no reasons does not ask for them."""
    with pytest.raises(InvalidInput, match="explain_timeout"):
        replace(SETTINGS, explain_timeout=timedelta(0))


# --- over HTTP ---


class Gateways:
    """Asks with either gateway."""

    def __init__(self, style):
        self.style = style

    def explain(self, settings, job_id, *, before=()):
        if self.style == "blocking":
            with open_gateway(settings) as gateway:
                for seen in before:
                    gateway.fetch_job(seen)
                return gateway.explain_failure(job_id)
        return asyncio.run(self._explain(settings, job_id, before))

    async def _explain(self, settings, job_id, before):
        async with open_async_gateway(settings) as gateway:
            for seen in before:
                await gateway.fetch_job(seen)
            return await gateway.explain_failure(job_id)


@pytest.fixture(params=["blocking", "async"])
def gateways(request):
    return Gateways(request.param)


def failed_job(airbyte, clock):
    connection = airbyte.add_connection(job_scripts=[job_scripts.fails("The password is wrong")])
    job = airbyte.start_external_job(connection.connection_id)
    clock.advance(timedelta(minutes=1))
    return job.job_id


@pytest.fixture
def airbyte():
    clock = ManualClock()
    with LocalAirbyte(clock=clock) as airbyte:
        failed_job(airbyte, clock)
        yield airbyte


def test_both_gateways_are_reason_ports(scripted):
    """They keep the ports' methods."""
    assert isinstance(open_gateway(SETTINGS), ReasonPort)
    assert isinstance(AsyncAirbyteGateway(scripted(None), SETTINGS), AsyncReasonPort)


def test_a_failed_job_is_explained(airbyte, gateways):
    """A real request gives the reason that the job's life has."""
    reason = gateways.explain(ServerSettings(base_url=airbyte.api_url), 1)
    expected = FailureReason(message="The password is wrong", origin="source", kind="config_error")
    assert expected == reason


def test_the_same_token_works(gateways):
    """One token serves both APIs."""
    clock = ManualClock()
    auth = Application(client_id="me", client_secret="s3cr3t")
    with LocalAirbyte(clock=clock, auth=auth) as airbyte:
        job_id = failed_job(airbyte, clock)
        settings = ServerSettings(
            base_url=airbyte.api_url,
            auth=ClientCredentials(client_id="me", client_secret="s3cr3t"),
        )
        assert "config_error" == gateways.explain(settings, job_id, before=[job_id]).kind
        asked = [record.operation for record in airbyte.requests]
    assert ["POST /applications/token", "GET /jobs/{jobId}", CONFIG_API] == asked


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answers.error_id(404), NotFound),
        (answers.forbidden(), Forbidden),
        (answers.webapp_page(), UnexpectedReply),
    ],
)
def test_a_refusal_is_a_domain_error(airbyte, gateways, answer, error):
    """Where the Config API is closed or absent, the usual errors say so."""
    airbyte.inject(Fault(on=CONFIG_API, do="answer", answer=answer))
    with pytest.raises(error):
        gateways.explain(ServerSettings(base_url=airbyte.api_url), 1)


def test_an_unknown_job_is_hidden_from_members(gateways):
    """Who is no administrator gets 403."""
    with (
        LocalAirbyte(quirks=Quirks(caller=Caller.MEMBER)) as airbyte,
        pytest.raises(Forbidden),
    ):
        gateways.explain(ServerSettings(base_url=airbyte.api_url), 9)


@pytest.mark.parametrize("struck", [CONFIG_API, "POST /applications/token"])
def test_silence_is_not_borne_for_long(gateways, struck):
    """A stalling server costs one short timeout, also where a token is to be bought first."""
    auth = Application(client_id="me", client_secret="s3cr3t")
    with LocalAirbyte(auth=auth) as airbyte:
        airbyte.inject(Fault(on=struck, do="stall"))
        settings = ServerSettings(
            base_url=airbyte.api_url,
            auth=ClientCredentials(client_id="me", client_secret="s3cr3t"),
            explain_timeout=timedelta(milliseconds=50),
        )
        began = monotonic()
        with pytest.raises((ResponseNotReceived, RequestNotSent)):
            gateways.explain(settings, 1)
    assert monotonic() - began < 3
