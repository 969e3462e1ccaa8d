"""Requests are what Airbyte's API asks for, and answers are read whatever they are."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from http import HTTPStatus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airbyte_sync import (
    BadRequest,
    CallFailed,
    Connection,
    ConnectionStatus,
    Forbidden,
    InvalidInput,
    Job,
    JobNotRunning,
    JobPage,
    JobQuery,
    JobStatus,
    JobType,
    NotFound,
    RefusedOnTheWay,
    ServerTrouble,
    StateConflict,
    SyncAlreadyRunning,
    Throttled,
    Unauthorized,
    UnexpectedReply,
    Unprocessable,
)
from airbyte_sync.jobs import FailureReason
from airbyte_sync_http import ClientCredentials, HttpResponse, ServerSettings
from airbyte_sync_http.protocol import messages
from tests.http import replies
from tests.http.replies import ID, SETTINGS, reply

HOUR = timedelta(hours=1)
CREDENTIALS = ClientCredentials(client_id="me", client_secret="s3cr3t")
JOB = replies.JOB | {
    "lastUpdatedAt": "2026-08-21T10:31:09Z",
    "duration": "PT49H3M2S",
    "bytesSynced": 1048576,
    "rowsSynced": 5000,
}
CONNECTION = replies.CONNECTION | {"schedule": {"scheduleType": "manual"}}
REPORT = {
    "job": {"id": 1234, "status": "failed"},
    "attempts": [
        {
            "attempt": {
                "id": 0,
                "status": "failed",
                "failureSummary": {
                    "failures": [
                        {
                            "failureOrigin": "source",
                            "failureType": "config_error",
                            "externalMessage": "The password is wrong",
                            "internalMessage": "401",
                            "stacktrace": "Traceback",
                            "timestamp": 1787307302000,
                        }
                    ],
                    "partialSuccess": False,
                },
            }
        }
    ],
}
HTML = b"<!doctype html>\n<html><head><title>Airbyte &amp; friends</title></head></html>"

ASKED_AT = datetime(2026, 8, 21, 10, 15, tzinfo=timezone.utc)
SUBMIT = messages.submit(SETTINGS, ID, JobType.SYNC, ASKED_AT)
FETCH = messages.fetch_job(SETTINGS, 1234)
CANCEL = messages.cancel(SETTINGS, 1234)
FIND = messages.find_jobs(SETTINGS, JobQuery(connection_id=ID))
CONNECT = messages.fetch_connection(SETTINGS, ID)
LIST = messages.list_connections(SETTINGS, None, 0)
TOKEN = messages.fetch_token(SETTINGS, CREDENTIALS)
EXPLAIN = messages.explain_failure(SETTINGS, 1234)
PAGE = {"data": [JOB]}
SOLD = {"access_token": "e30.e30.c2ln", "expires_in": 900}
CALLS = [
    pytest.param(call, body, kind, id=name)
    for name, call, body, kind in (
        ("submit", SUBMIT, JOB, Job),
        ("fetch", FETCH, JOB, Job),
        ("cancel", CANCEL, JOB, Job),
        ("find", FIND, PAGE, JobPage),
        ("connection", CONNECT, CONNECTION, Connection),
        ("connections", LIST, {"data": [CONNECTION]}, tuple),
        ("token", TOKEN, SOLD, messages.AccessToken),
        ("explain", EXPLAIN, REPORT, FailureReason | None),
    )
]
"""Every call with a body that it reads, and what it reads."""


def utc(*parts):
    return datetime(*parts, tzinfo=timezone.utc)


def without(document, name):
    return {key: value for key, value in document.items() if key != name}


# --- requests ---


@pytest.mark.parametrize(
    ("call", "method", "target", "body"),
    [
        (SUBMIT, "POST", "/jobs", {"connectionId": ID, "jobType": "sync"}),
        (FETCH, "GET", "/jobs/1234", None),
        (CANCEL, "DELETE", "/jobs/1234", None),
        (
            FIND,
            "GET",
            f"/jobs?connectionId={ID}&limit=20&offset=0&orderBy=createdAt%7CDESC",
            None,
        ),
        (
            messages.find_jobs(
                SETTINGS,
                JobQuery(connection_id=ID, job_type=JobType.REFRESH, limit=9, offset=2),
            ),
            "GET",
            f"/jobs?connectionId={ID}&limit=9&offset=2&orderBy=createdAt%7CDESC&jobType=refresh",
            None,
        ),
        (
            messages.find_jobs(
                SETTINGS, JobQuery(workspace_id="w", status=JobStatus.RUNNING, limit=100)
            ),
            "GET",
            "/jobs?workspaceIds=w&limit=100&offset=0&orderBy=createdAt%7CDESC&status=running",
            None,
        ),
        (
            messages.find_jobs(SETTINGS, JobQuery(limit=1)),
            "GET",
            "/jobs?limit=1&offset=0&orderBy=createdAt%7CDESC",
            None,
        ),
        (
            messages.find_jobs(
                SETTINGS,
                JobQuery(updated_since=datetime(2026, 8, 21, 12, 15, 7, 9, timezone(2 * HOUR))),
            ),
            "GET",
            "/jobs?limit=20&offset=0&orderBy=updatedAt%7CASC&updatedAtStart=2026-08-21T10%3A15%3A07Z",
            None,
        ),
        (messages.fetch_connection(SETTINGS, "a/b?c"), "GET", "/connections/a%2Fb%3Fc", None),
        (
            messages.list_connections(SETTINGS, "w", 100),
            "GET",
            "/connections?limit=100&offset=100&workspaceIds=w",
            None,
        ),
        (
            messages.fetch_token(SETTINGS, CREDENTIALS),
            "POST",
            "/applications/token",
            {
                "client_id": "me",
                "client_secret": "s3cr3t",
                "grant-type": "client_credentials",
            },
        ),
    ],
)
def test_a_request(call, method, target, body):
    """Method, target and JSON body are as the OpenAPI file has them."""
    request = call.request
    assert (method, SETTINGS.base_url + target) == (request.method, request.url)
    assert body == (None if request.body is None else json.loads(request.body))
    assert (body is not None) == ("Content-Type" in request.headers)


def test_a_submission_may_take_longer():
    """A submission has a timeout of its own."""
    assert SETTINGS.submit_timeout == SUBMIT.request.read_timeout
    assert SETTINGS.read_timeout == CANCEL.request.read_timeout == FETCH.request.read_timeout


def test_extra_headers_go_before_our_own():
    """What the network wants is sent with every request, in place of our defaults."""
    settings = ServerSettings(base_url="http://h", headers={"user-agent": "Mozilla", "X-A": "1"})
    headers = messages.fetch_job(settings, 1).request.headers
    assert {"Accept": "application/json", "user-agent": "Mozilla", "X-A": "1"} == headers


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (101, 0), (-1, 0), (20, -1)])
def test_a_page_that_airbyte_does_not_give(limit, offset):
    """It is refused before anything is sent."""
    with pytest.raises(InvalidInput, match="1 to 100"):
        messages.find_jobs(SETTINGS, JobQuery(connection_id=ID, limit=limit, offset=offset))


# --- answers ---


def test_a_job():
    """Every field is read."""
    job = FETCH.read(reply(JOB))
    assert (1234, "succeeded", "sync", ID) == (
        job.job_id,
        job.status.word,
        job.job_type,
        job.connection_id,
    )
    assert utc(2026, 8, 21, 10, 15) == job.created_at
    assert utc(2026, 8, 21, 10, 31, 9) == job.ended_at
    assert timedelta(hours=49, minutes=3, seconds=2) == job.duration
    assert (5000, 1048576) == (job.rows, job.bytes)


@pytest.mark.parametrize("name", ["lastUpdatedAt", "duration", "bytesSynced", "rowsSynced"])
@pytest.mark.parametrize("value", [None, "", "soon", -1, True, [], {}, 1e400])
def test_a_statistic_never_hides_a_job(name, value):
    """What only informs is left out when it is missing or unreadable."""
    job = FETCH.read(reply({**JOB, name: value}))
    assert "succeeded" == job.status.word
    assert None in {job.ended_at, job.duration, job.bytes, job.rows}
    assert job == FETCH.read(reply(without(JOB, name)))


@pytest.mark.parametrize("name", ["jobId", "status", "jobType", "startTime", "connectionId"])
@pytest.mark.parametrize("value", [None, "", [], {}, 1.5, True, -1, float("nan")])
def test_what_decides_must_be_readable(name, value):
    """A job without its id, status or time is none; the error names the place."""
    with pytest.raises(UnexpectedReply, match=rf"But {name} is"):
        FETCH.read(reply({**JOB, name: value}))
    with pytest.raises(UnexpectedReply, match=rf"data\[1\]\.{name} is missing"):
        FIND.read(reply({"data": [JOB, without(JOB, name)]}))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-21T10:15Z", utc(2026, 8, 21, 10, 15)),
        ("2026-08-21T10:15:07Z", utc(2026, 8, 21, 10, 15, 7)),
        ("2026-08-21T10:15:07.123456789Z", utc(2026, 8, 21, 10, 15, 7)),
        ("2026-08-21T12:15:07+02:00", utc(2026, 8, 21, 10, 15, 7)),
        ("2026-08-21T12:15+02:00", utc(2026, 8, 21, 10, 15)),
    ],
)
def test_a_time(text, moment):
    """Java leaves out seconds that are zero; the result is always UTC."""
    assert moment == FETCH.read(reply({**JOB, "startTime": text})).created_at


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-21",
        "2026-08-21T10:15",
        "2026-13-21T10:15Z",
        "2026-08-21T25:15Z",
        "0001-01-01T00:00+23:59",
        "9999-12-31T23:59-23:59",
        "٢٠٢٦-08-21T10:15Z",
        1787307300,
    ],
)
def test_a_time_that_is_none(text):
    """A time without a zone, or that no calendar has, is not guessed at."""
    with pytest.raises(UnexpectedReply, match="startTime"):
        FETCH.read(reply({**JOB, "startTime": text}))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT0S", timedelta(0)),
        ("PT5S", timedelta(seconds=5)),
        ("PT16M9S", timedelta(minutes=16, seconds=9)),
        ("PT8H6M12S", timedelta(hours=8, minutes=6, seconds=12)),
        ("P2DT3H", timedelta(days=2, hours=3)),
        ("PT1.5S", timedelta(seconds=1)),
        ("P1Y", None),
        ("PT99999999999999999H", None),
        ("PT" + "9" * 5000 + "S", None),
    ],
)
def test_a_duration(text, duration):
    """ISO 8601 as Java writes it; anything else is left out."""
    assert duration == FETCH.read(reply({**JOB, "duration": text})).duration


def test_a_page():
    """The order is the server's, and so is the time; the links are not looked at."""
    older = {**JOB, "jobId": 7, "status": "hibernating"}
    body = {"data": [JOB, older], "next": "http://localhost:1/x", "previous": ""}
    page = FIND.read(reply(body, Date="Fri, 21 Aug 2026 10:15:07 GMT"))
    assert [1234, 7] == [job.job_id for job in page.jobs]
    assert utc(2026, 8, 21, 10, 15, 7) == page.server_time


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Aug 2026 10:15:07 GMT", "0"])
def test_a_server_without_a_clock(date):
    """A date that cannot be read is none."""
    assert FIND.read(reply({"data": []}, Date=date)).server_time is None


def test_a_connection():
    """What is not known is not needed, and a new status word is no error."""
    call = messages.fetch_connection(SETTINGS, ID)
    connection = call.read(reply(CONNECTION))
    assert (ID, "Shop", "w", "s", "d") == (
        connection.connection_id,
        connection.name,
        connection.workspace_id,
        connection.source_id,
        connection.destination_id,
    )
    statuses = [
        call.read(reply({**CONNECTION, "status": word})).status
        for word in ("active", "inactive", "deprecated", "locked", "frozen")
    ]
    assert list(ConnectionStatus) == statuses


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ([], "the document is a list where an object belongs"),
        ("text", "the document is a str where an object belongs"),
        (None, "the document is missing where an object belongs"),
        ({}, "data is missing where a list belongs"),
        ({"data": {}}, "data is a dict where a list belongs"),
        ({"data": [7]}, r"data\[0\] is a int where an object belongs"),
        (10**4200, "the document is a float where an object belongs"),
    ],
)
def test_another_document(body, complaint):
    """JSON of another shape is not Airbyte's; the error names the place."""
    with pytest.raises(UnexpectedReply, match=complaint):
        FIND.read(reply(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"jobId": 1',
        b"Successful operation",
        b"\xff\xfe",
        b"[" * 100_000,
        HTML,
    ],
    ids=["empty", "cut", "cut later", "text", "no UTF-8", "deep", "page"],
)
def test_what_is_no_document(body):
    """Half a document, a page or noise is not Airbyte's API; the error says where to look."""
    with pytest.raises(UnexpectedReply, match="That is not Airbyte's public API") as caught:
        FETCH.read(reply(body))
    assert (200, False) == (caught.value.status, caught.value.retry_safe)


# --- refusals ---


def problem(status, title, message=None, **members):
    data = None if message is None else {"message": message}
    return {
        "status": status,
        "type": "about:blank",
        "title": title,
        "detail": "Generic.",
        "data": data,
    }


HATEOAS = {
    "message": "Bad Request",
    "_links": {"self": {"href": "/api"}},
    "_embedded": {"errors": [{"message": "Invalid client id or token"}]},
}


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, problem(400, "bad-request", "Invalid order by"), BadRequest, "Invalid order by"),
        (400, HATEOAS, BadRequest, "Invalid client id or token"),
        (400, {"errorId": "e-1"}, BadRequest, "errorId e-1"),
        (400, {"_embedded": {"errors": [7, {"message": "odd"}]}}, BadRequest, "odd"),
        (400, {"_embedded": {"errors": 7}, "title": "bare"}, BadRequest, "bare"),
        (400, {"message": "bad"}, RefusedOnTheWay, "bad"),
        (401, problem("401", "invalid-access-token"), Unauthorized, "Generic"),
        (401, b"", Unauthorized, "401. Check"),
        (403, problem(403, "forbidden", "Caller may not"), Forbidden, "Caller may not"),
        (401, HTML, RefusedOnTheWay, "a firewall or a proxy in front"),
        (403, HTML, RefusedOnTheWay, r"a web page \(Airbyte & friends\).*a firewall or a proxy"),
        (403, {"message": "RBAC: access denied"}, RefusedOnTheWay, "RBAC.*a firewall or a proxy"),
        (404, problem(404, "resource-not-found"), NotFound, "Generic"),
        (404, {"errorId": "e-1"}, NotFound, "errorId e-1"),
        (404, {"message": "no Route matched with those values"}, RefusedOnTheWay, "no Route"),
        (404, HATEOAS, RefusedOnTheWay, "Invalid client id"),
        (404, problem(404, "Not Found"), RefusedOnTheWay, "Generic"),
        (404, HTML, RefusedOnTheWay, "web application answers there"),
        (404, b"default backend - 404", RefusedOnTheWay, "its path is the usual one"),
        (405, b"", RefusedOnTheWay, "its path is the usual one"),
        (408, problem(408, "Request timeout exceeded"), ServerTrouble, "Generic"),
        (409, problem(409, "state-conflict", "Could not"), StateConflict, "Could not"),
        (409, b"", RefusedOnTheWay, "its path is the usual one"),
        (409, {"message": "conflict"}, RefusedOnTheWay, "conflict"),
        (409, {"errorId": "e-1"}, StateConflict, "Look at the connection"),
        (422, problem(422, "unprocessable-entity", "No refresh"), Unprocessable, "No refresh"),
        (422, {"detail": [{"loc": ["body"]}]}, RefusedOnTheWay, "answered with 422"),
        (451, HTML, RefusedOnTheWay, "a web page"),
        (499, b"", ServerTrouble, "answered with 499. Try"),
        (429, {"message": "You are being rate limited."}, Throttled, "rate limited"),
        (500, {"type": "about:blank", "status": 500}, ServerTrouble, "answered with 500. Try"),
        (500, {"errorId": "e-1"}, ServerTrouble, "errorId e-1"),
        (502, HTML, ServerTrouble, "a web page"),
        (504, b"<html>", ServerTrouble, "a web page. Try"),
        (599, [], ServerTrouble, "answered with 599"),
        (301, b"", RefusedOnTheWay, "its path is the usual one"),
        (999, b"", ServerTrouble, "answered with 999"),
        (100, b"", UnexpectedReply, "its path is the usual one"),
    ],
)
def test_a_refusal(status, body, error, words):
    """The status decides, and the text has the most specific words that the server gave."""
    with pytest.raises(error, match=words) as caught:
        SUBMIT.read(reply(body, status))
    assert (error, status) == (type(caught.value), caught.value.status)
    assert f"POST {SUBMIT.request.url} was answered with {status}" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (SUBMIT, f"A sync is already running for: {ID}", SyncAlreadyRunning),
        (SUBMIT, "A sync is already running", SyncAlreadyRunning),
        (SUBMIT, f"The connection manager workflow for connection {ID} is deleted", StateConflict),
        (SUBMIT, "Could not fulfill request", StateConflict),
        (CANCEL, "Job is not currently running", JobNotRunning),
        (FETCH, "Job is not currently running", NotFound),
        (SUBMIT, "Job is not currently running", StateConflict),
        (CANCEL, "Could not fulfill request", StateConflict),
    ],
)
def test_409_has_several_meanings(call, message, error):
    """The words tell them apart, in today's shape and in the older API's."""
    for body in (problem(409, "try-again-later", message), {"message": message, "errorId": "e"}):
        with pytest.raises(error) as caught:
            call.read(reply(body, 409))
        assert error is type(caught.value)


def test_a_redirect_is_explained():
    """The text says where to, without what follows the question mark."""
    answer = reply(b"", 302, Location="https://sso.corp/login?state=s3cr3t")
    with pytest.raises(
        UnexpectedReply, match=r"redirect to https://sso\.corp/login, which"
    ) as caught:
        FETCH.read(answer)
    assert "s3cr3t" not in str(caught.value)


def test_a_long_message_is_cut():
    """Foreign words stay on one line and within bounds."""
    with pytest.raises(ServerTrouble) as caught:
        FETCH.read(reply({"message": "a\r\n\x1b[31m" + "b" * 100_000}, 500))
    assert "a [31mbbb" in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("999999999999999999999", 3600),
        ("Fri, 21 Aug 2026 10:16:07 GMT", 60),
        ("Fri, 21 Aug 2026 10:16:07 -0000", 60),
        ("Fri, 21 Aug 2026 10:00:00 GMT", 0),
        ("Fri, 21 Aug 2099 10:00:00 GMT", 3600),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
    ],
)
@pytest.mark.parametrize(("status", "error"), [(429, Throttled), (503, ServerTrouble)])
def test_retry_after(status, error, value, seconds):
    """Seconds, or a date on the server's own clock; never longer than an hour."""
    date = "Fri, 21 Aug 2026 10:15:07 GMT"
    with pytest.raises(error) as caught:
        FETCH.read(reply({}, status, Retry_After=value, Date=date))
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert expected == caught.value.retry_after


def test_a_retry_date_without_a_clock():
    """A date is of no use where the server does not tell the time."""
    with pytest.raises(Throttled) as caught:
        FETCH.read(reply({}, 429, Retry_After="Fri, 21 Aug 2026 10:16:07 GMT"))
    assert caught.value.retry_after is None


# --- anything at all ---

unhurried = settings(deadline=None)  # a busy machine is no failure

huge_numbers = st.sampled_from([1e308, -1e308, 10**400, -(10**400), 2**63, float("inf")])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | huge_numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [
        *JOB,
        *CONNECTION,
        *("data", "message", "_embedded", "errors", "detail", "title", "errorId"),
        *("access_token", "expires_in"),
        *("attempts", "attempt", "status", "failureSummary", "failures", "externalMessage"),
    ]
)
documents = st.recursive(
    json_values | st.sampled_from([JOB, CONNECTION, REPORT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=10,
)
odd_values = json_values | huge_numbers
bodies = st.binary() | documents.map(lambda value: json.dumps(value).encode())
headers = st.dictionaries(
    st.sampled_from(["Date", "Retry-After", "Location", "Content-Type"]), st.text()
)


@pytest.mark.parametrize(("call", "good", "kind"), CALLS)
@unhurried
@given(
    status=st.sampled_from(HTTPStatus).map(int) | st.integers(100, 999),
    body=bodies,
    headers=headers,
)
def test_any_answer_is_read_or_refused(call, good, kind, status, body, headers):
    """Whatever a server sends, the result is a value or a domain error with the status."""
    result = outcome(call, HttpResponse(status=status, headers=headers, body=body))
    assert isinstance(result, (kind, CallFailed))
    assert not isinstance(result, CallFailed) or result.status == status


@pytest.mark.parametrize(("call", "good", "kind"), CALLS)
@unhurried
@given(data=st.data())
def test_a_body_that_is_cut_is_no_document(call, good, kind, data):
    """Half a document is refused, wherever the connection broke."""
    whole = json.dumps(good).encode()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(UnexpectedReply, match="That is not Airbyte's public API"):
        call.read(reply(cut))


@pytest.mark.parametrize(("call", "good", "kind"), CALLS[:-1])
@unhurried
@given(data=st.data())
def test_a_part_changed_at_random_is_read_or_named(call, good, kind, data):
    """Wrong types and odd numbers give a value, or an error that names a part that was changed."""
    row = good["data"][0] if "data" in good else good
    changes = data.draw(st.dictionaries(st.sampled_from([*row]), odd_values, min_size=1))
    changed = {**row, **changes}
    result = outcome(call, reply({"data": [changed]} if "data" in good else changed))
    assert isinstance(result, (kind, UnexpectedReply))
    if isinstance(result, UnexpectedReply):
        told = [f"{name} is" for name in changes] + ["it is about", "of another connection"]
        assert any(words in str(result) for words in told)


@unhurried
@given(path=st.lists(st.integers(0, 5), max_size=12), value=documents)
def test_a_report_changed_anywhere_is_read_or_left_out(path, value):
    """A reason is best effort: whatever is odd in a report is as if it were not there."""
    report = json.loads(json.dumps(REPORT))
    put(report, path, value)
    assert isinstance(outcome(EXPLAIN, reply(report)), FailureReason | None)


def put(place, path, value):
    """Replace what is found by taking the n-th member, then its n-th member, and so on."""
    for depth, index in enumerate(path, start=1):
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = keys[index % len(keys)]
        if depth == len(path) or not isinstance(place[key], (dict, list)):
            place[key] = value
            return
        place = place[key]


def outcome(call, answer):
    try:
        return call.read(answer)
    except CallFailed as error:
        return error
