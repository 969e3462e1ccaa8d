"""What a job did: read from the Config API, else from its connection, in haste and within bounds."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone

import pytest

from airbyte_sync import (
    Attempt,
    CallFailed,
    FailureReason,
    JobDetails,
    JobStreams,
    StreamTotals,
    UnexpectedReply,
)
from airbyte_sync.ports import AsyncDetailPort, DetailPort
from airbyte_sync_http import (
    AirbyteGateway,
    AsyncAirbyteGateway,
    HttpResponse,
    ServerSettings,
    open_async_gateway,
    open_gateway,
)
from airbyte_sync_http.protocol import messages
from airbyte_sync_local import (
    Fault,
    LocalAirbyte,
    ManualClock,
    ServerConnection,
    answers,
    job_scripts,
)

SETTINGS = ServerSettings(base_url="http://localhost:8000")
CONFIG_API = "POST /api/v1/jobs/get_without_logs"
NOON = datetime(2026, 8, 21, 12, tzinfo=timezone.utc)
EPOCH = int(NOON.timestamp())
MINUTE = timedelta(minutes=1)


def read(attempts=(), **job):
    body = json.dumps({"job": {"id": 1, **job}, "attempts": list(attempts)}).encode()
    return messages.fetch_details(SETTINGS, 1).read(HttpResponse(status=200, body=body))


def committed(rows, size):
    return {"recordsCommitted": rows, "bytesCommitted": size, "recordsEmitted": rows + 1}


def attempt(number=0, **members):
    return {"attempt": {"id": number, "status": "succeeded", **members}}


# --- what is read ---


def test_the_job_tells_what_it_committed_of_each_stream():
    """Over all its attempts, as rows and bytes of the job are meant."""
    streams = [
        {"streamName": "users", "streamNamespace": "shop", **committed(5, 50)},
        {"streamName": "orders", **committed(7, 70)},
    ]
    details = read([attempt(streamStats=[])] * 2, streamAggregatedStats=streams)
    assert (
        StreamTotals(name="orders", rows=7, bytes=70),
        StreamTotals(name="users", namespace="shop", rows=5, bytes=50),
    ) == details.streams.streams


def test_an_only_attempt_tells_as_much():
    """Older servers do not add up the attempts of a job."""
    stats = [{"streamName": "orders", "streamNamespace": "shop", "stats": committed(7, 70)}]
    [stream] = read([attempt(streamStats=stats)]).streams.streams
    assert StreamTotals(name="orders", namespace="shop", rows=7, bytes=70) == stream


def test_of_several_attempts_only_the_names_are_told():
    """What each has moved does not add up: a full refresh begins anew."""
    stats = [{"streamName": "orders", "stats": committed(7, 70)}]
    [stream] = read([attempt(streamStats=stats)] * 2).streams.streams
    assert StreamTotals(name="orders") == stream


def test_attempts():
    """With their times, amounts and failures."""
    summary = {"failures": [{"externalMessage": "too slow", "failureOrigin": "source"}]}
    first = attempt(
        0,
        status="failed",
        createdAt=EPOCH,
        endedAt=EPOCH + 60,
        recordsSynced=5,
        bytesSynced=50,
        failureSummary=summary,
    )
    last = attempt(1, createdAt=EPOCH + 90, totalStats=committed(7, 70), recordsSynced=1)
    assert (
        Attempt(
            number=0,
            status="failed",
            started_at=NOON,
            ended_at=NOON + MINUTE,
            rows=5,
            bytes=50,
            failure=FailureReason(message="too slow", origin="source"),
        ),
        Attempt(number=1, status="succeeded", started_at=NOON + 1.5 * MINUTE, rows=7, bytes=70),
    ) == read([first, last]).attempts


def test_the_last_twenty_attempts_are_told():
    """A job with progress may have many more."""
    attempts = read([attempt(number) for number in range(1000)]).attempts
    assert list(range(980, 1000)) == [attempt.number for attempt in attempts]


def test_names_are_made_fit_and_bounded():
    """They go into logs, databases and JSON."""
    streams = [{"streamName": "a\n\x00" + "x" * 1000, "streamNamespace": ""}]
    [stream] = read(streamAggregatedStats=streams).streams.streams
    assert ("a \ufffdxxx", 300, None) == (stream.name[:6], len(stream.name), stream.namespace)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        [],
        [7],
        [{}],
        [{"streamName": 7}],
        {"streamName": "x"},
    ],
)
def test_what_cannot_be_read_is_left_out(odd):
    """Nothing in the report is promised."""
    nothing = JobDetails()
    assert nothing == read(streamAggregatedStats=odd)
    assert nothing == read([{"attempt": odd}])
    assert None is read([attempt(streamStats=odd)]).streams


@pytest.mark.parametrize(
    "amounts",
    [{}, {"recordsCommitted": -1, "bytesCommitted": "7"}, {"recordsCommitted": 2**64}],
)
def test_odd_amounts_are_left_out(amounts):
    """The name is told without them."""
    streams = [{"streamName": "x", **amounts}]
    assert (StreamTotals(name="x"),) == read(streamAggregatedStats=streams).streams.streams


@pytest.mark.parametrize("moment", [-1, 10**18, "soon", 10**11])
def test_odd_moments_are_left_out(moment):
    """Years that cannot be calculated with are no moments."""
    [found] = read([attempt(createdAt=moment, endedAt=moment)]).attempts
    assert (None, None) == (found.started_at, found.ended_at)


def test_a_report_about_another_job_is_no_answer():
    """A cache or a proxy may mix up replies."""
    with pytest.raises(UnexpectedReply, match="about job 2, and job 1 was asked for"):
        read(id=2)


# --- where it is asked for ---


class Gateways:
    """Asks with either gateway."""

    def __init__(self, style):
        self.style = style

    def fetch(self, settings, connection_id, job_id=1):
        if self.style == "blocking":
            with open_gateway(settings) as gateway:
                return gateway.fetch_details(job_id, connection_id)
        return asyncio.run(self._fetch(settings, connection_id, job_id))

    async def _fetch(self, settings, connection_id, job_id):
        async with open_async_gateway(settings) as gateway:
            return await gateway.fetch_details(job_id, connection_id)


@pytest.fixture(params=["blocking", "async"])
def gateways(request):
    return Gateways(request.param)


@pytest.fixture
def airbyte():
    clock = ManualClock()
    with LocalAirbyte(clock=clock) as airbyte:
        airbyte.clock = clock
        yield airbyte


def ended_job(airbyte, *streams, script=None):
    row = ServerConnection(streams=streams, stream_namespace="shop")
    connection = airbyte.add_connection(row, job_scripts=[script or job_scripts.succeeds()])
    airbyte.start_external_job(connection.connection_id)
    airbyte.clock.advance(10 * MINUTE)
    return connection.connection_id


def test_the_config_api_is_asked_first(airbyte, gateways):
    """It has the amounts, and one request is enough."""
    script = job_scripts.retries_then_succeeds(rows=11)
    connection_id = ended_job(airbyte, "orders", "users", script=script)
    details = gateways.fetch(ServerSettings(base_url=airbyte.base_url), connection_id)
    assert [("orders", "shop", 6), ("users", "shop", 5)] == [
        (stream.name, stream.namespace, stream.rows) for stream in details.streams.streams
    ]
    assert ["failed", "succeeded"] == [attempt.status for attempt in details.attempts]
    assert "did not answer in time" in details.attempts[0].failure.message
    assert [CONFIG_API] == [request.operation for request in airbyte.requests]


def test_without_the_config_api_the_connection_names_its_streams(airbyte, gateways):
    """Not every server has that API, and not every caller may use it."""
    connection_id = ended_job(airbyte, "orders", "users")
    airbyte.inject(Fault(on=CONFIG_API, do="answer", answer=answers.forbidden()))
    details = gateways.fetch(ServerSettings(base_url=airbyte.base_url), connection_id)
    names = [StreamTotals(name=name, namespace="shop") for name in ("orders", "users")]
    assert JobDetails(streams=JobStreams.of(names)) == details


def test_where_the_connection_cannot_be_read_attempts_are_told_all_the_same(airbyte, gateways):
    """One source is better than none."""
    connection_id = ended_job(airbyte)
    settings = ServerSettings(base_url=airbyte.base_url)
    on = "GET /connections/{connectionId}"
    airbyte.inject(Fault(on=on, do="answer", answer=answers.bad_gateway()))
    details = gateways.fetch(settings, connection_id)
    assert (None, 1) == (details.streams, len(details.attempts))


def test_where_no_source_answers_it_is_an_error(airbyte, gateways):
    """The caller goes on without details."""
    airbyte.inject(Fault(on="*", do="answer", answer=answers.bad_gateway(), times=None))
    with pytest.raises(CallFailed):
        gateways.fetch(ServerSettings(base_url=airbyte.base_url), "c")


def test_of_a_thousand_streams_a_hundred_are_told(airbyte, gateways):
    """The rest is counted."""
    names = [f"stream {number:03}" for number in range(1000)]
    connection_id = ended_job(airbyte, *names)
    streams = gateways.fetch(ServerSettings(base_url=airbyte.base_url), connection_id).streams
    assert (100, 900) == (len(streams.streams), streams.others)
    assert (900, 900 * 65) == (streams.other_rows, streams.other_bytes)


def test_a_report_that_is_too_large_is_not_read(airbyte, gateways):
    """The streams of the connection are, without amounts."""
    names = [f"stream {number:03}" for number in range(1000)]
    script = job_scripts.retries_then_succeeds(attempts=9)
    connection_id = ended_job(airbyte, *names, script=script)
    details = gateways.fetch(ServerSettings(base_url=airbyte.base_url), connection_id)
    assert (1000, None, ()) == (
        details.streams.count,
        details.streams.other_rows,
        details.attempts,
    )


def test_it_is_asked_in_haste():
    """Details are not worth a long wait."""
    request = messages.fetch_details(SETTINGS, 7).request
    url = "http://localhost:8000/api/v1/jobs/get_without_logs"
    assert ("POST", url, {"id": 7}) == (request.method, request.url, json.loads(request.body))
    assert (2, 3) == (
        request.connect_timeout.total_seconds(),
        request.read_timeout.total_seconds(),
    )


def test_both_gateways_are_ports():
    """The flows find what they ask for."""
    assert issubclass(AirbyteGateway, DetailPort)
    assert issubclass(AsyncAirbyteGateway, AsyncDetailPort)
