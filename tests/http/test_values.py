"""Whatever a server sends, what is read of it is clean and small, and reading it is little work."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timezone
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airbyte_sync import (
    AirbyteSyncError,
    CallFailed,
    InvalidInput,
    JobQuery,
    JobType,
    NotFound,
    UnexpectedReply,
)
from airbyte_sync_http import (
    AirbyteGateway,
    BasicAuth,
    BearerToken,
    ClientCredentials,
    HttpResponse,
    ServerSettings,
    TransportOptions,
    addresses,
    listing,
)
from airbyte_sync_http.protocol import cleaning, errors_from_responses, failure_reasons, messages
from airbyte_sync_http.transports.base import AnswerTooLarge
from tests.http.replies import CONNECTION, ID, JOB, SETTINGS, reply

ASKED_AT = datetime(2026, 8, 21, 10, 15, tzinfo=timezone.utc)
FETCH = messages.fetch_job(SETTINGS, 1234)
CALLS = {
    "job": FETCH,
    "page": messages.find_jobs(SETTINGS, JobQuery()),
    "connection": messages.fetch_connection(SETTINGS, ID),
    "connections": messages.list_connections(SETTINGS, None, 0),
    "route": messages.fetch_route(SETTINGS, ID),
    "source": messages.fetch_source(SETTINGS, ID),
    "destination": messages.fetch_destination(SETTINGS, ID),
    "reason": messages.explain_failure(SETTINGS, 1),
    "token": messages.fetch_token(SETTINGS, ClientCredentials(client_id="me", client_secret="s")),
}
ODD = ["\x00", "\x1b[31m", "\ud800", "\udfff", "\x85", "\u2028", "\n", "\x7f"]


# --- what decides ---


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["status", "jobType", "connectionId"])
def test_what_decides_is_exact_or_no_answer(name, odd):
    """A status "succeeded" with a NUL at its end is no success, and no status either."""
    with pytest.raises(UnexpectedReply, match=f"{name} is a text that no id, status or type"):
        FETCH.read(reply({**JOB, name: f"{JOB[name]}{odd}"}))


def test_a_word_has_a_length():
    """No id has thousands of characters."""
    with pytest.raises(UnexpectedReply, match="connectionId is a text"):
        FETCH.read(reply({**JOB, "connectionId": "x" * 201}))


@pytest.mark.parametrize("text", [str(2**63), "1" + "0" * 20, "9" * 4300, "9" * 4301])
def test_a_number_fits_into_63_bits(text):
    """An amount beyond them is left out; a job's id beyond them is no answer."""
    body = json.dumps({**JOB, "rowsSynced": "N", "bytesSynced": "N"}).replace('"N"', text)
    job = FETCH.read(reply(body.encode()))
    assert (1234, None, None) == (job.job_id, job.rows, job.bytes)
    with pytest.raises(UnexpectedReply, match="jobId"):
        FETCH.read(reply(json.dumps(JOB).replace("1234", text).encode()))
    largest = FETCH.read(reply({**JOB, "rowsSynced": 2**63 - 1}))
    assert 2**63 - 1 == largest.rows


@pytest.mark.parametrize("nothing", [0, "0", "000"])
def test_no_job_has_the_id_zero(nothing):
    """Some serializers write it where there is none."""
    for call in (FETCH, CALLS["page"], messages.submit(SETTINGS, ID, JobType.SYNC, ASKED_AT)):
        with pytest.raises(UnexpectedReply, match="jobId is 0, which no job has"):
            call.read(reply({**JOB, "jobId": nothing, "data": [{**JOB, "jobId": nothing}]}))


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00Z", "1969-12-31T23:59Z", "2200-01-01T00:00Z", "9999-12-31T23:59:59Z"]
)
def test_a_moment_can_be_calculated_with(text):
    """The years 1 and 9999 are no job's: of its creation they are no answer, of its end they are left out."""
    with pytest.raises(UnexpectedReply, match="startTime"):
        FETCH.read(reply({**JOB, "startTime": text}))
    assert FETCH.read(reply({**JOB, "lastUpdatedAt": text})).ended_at is None
    late = datetime(9999, 12, 31, tzinfo=timezone.utc)
    page = CALLS["page"].read(reply({"data": []}, Date=f"{late:%a, %d %b %Y %H:%M:%S GMT}"))
    assert page.server_time is None


def test_a_duration_is_bounded():
    """A hundred thousand hours is longer than any sync lasts."""
    assert FETCH.read(reply({**JOB, "duration": "PT100000H"})).duration is None


# --- what only informs ---


def test_a_name_is_clean_and_bounded():
    """Control characters and surrogates are replaced, white space is kept apart, the rest is cut."""
    names = ["Shop\x00\ud800", "a\tb\nc", "x" * 10_000, "plain  name 👩\u200d💻"]
    read = [
        CALLS["connection"].read(reply({**CONNECTION, "name": name})).name.replace("\ufffd", "?")
        for name in names
    ]
    assert ["Shop??", "a b c", "x" * 297 + "...", "plain  name 👩\u200d💻"] == read


def texts_in(value):
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            if field.name != "configuration":  # dataset names take only parts that look like one
                yield from texts_in(getattr(value, field.name))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from texts_in(item)


TEXTS = st.text(max_size=20) | st.sampled_from([*ODD, "succeeded", ID, "x" * 5000])
NUMBERS = st.integers() | st.sampled_from([2**63, -1, 10**20]) | st.floats()
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
FAILURE = {"internalMessage": "\x00x", "failureOrigin": "\ud800"}
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        name: VALUES | st.sampled_from(likely)
        for name, likely in {
            "jobId": [1],
            "status": ["succeeded", "succeeded\x00", "active"],
            "jobType": ["sync"],
            "startTime": ["2026-08-21T10:15Z", "0001-01-01T00:00Z"],
            "lastUpdatedAt": ["2026-08-21T10:15Z"],
            "duration": ["PT1S", "PT" + "9" * 50 + "H"],
            "rowsSynced": [5],
            "bytesSynced": [5],
            "connectionId": [ID],
            "name": ["Shop"],
            "workspaceId": [ID],
            "sourceId": ["s", ".."],
            "destinationId": ["d"],
            "sourceType": ["postgres"],
            "destinationType": ["s3"],
            "configuration": [{}],
            "configurations": [{"streams": [{"name": "a\x00", "namespace": "\ud800"}]}],
            "namespaceDefinition": ["custom_format"],
            "namespaceFormat": ["x" * 9000],
            "prefix": ["p\n"],
            "access_token": ["token", "t" * 20_000, "a.e30.c", "a.\x00.c"],
            "expires_in": [1, 1e300],
            "attempts": [
                [
                    {
                        "attempt": {
                            "status": "failed",
                            "failureSummary": {"failures": [{"internalMessage": "\x00x"}]},
                        }
                    }
                ]
            ],
            "message": ["A sync is already running", "\ud800"],
            "errorId": ["\x00"],
        }.items()
    },
)


@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(sorted(CALLS)),
    members=MEMBERS,
    in_a_list=st.booleans(),
    status=st.sampled_from([200, 200, 200, 400, 401, 404, 409, 429, 500, 302]),
    header=TEXTS,
)
def test_whatever_is_read_is_clean_and_bounded(name, members, in_a_list, status, header):
    """Every text that is handed on can be stored and encoded, and every number fits into 63 bits."""
    body = {"data": [members]} if in_a_list else members
    headers = {"Location": header, "Retry-After": header, "Date": header, "Content-Type": header}
    try:
        value = CALLS[name].read(reply(body, status, **headers))
    except AirbyteSyncError as error:
        value = str(error)
    for text in texts_in(value):
        assert cleaning.is_clean(text)
        assert len(text.encode()) <= 16 * 1024
    for job in getattr(value, "jobs", [value]):
        for number in ("job_id", "rows", "bytes"):
            assert (getattr(job, number, 0) or 0) < 2**63


# --- work ---


class Watched(bytes):
    """A body that remembers how much of it was taken at once."""

    taken = 0

    def __getitem__(self, key):
        part = super().__getitem__(key)
        if isinstance(key, slice):
            type(self).taken = max(type(self).taken, len(part))
        return part


class WatchedText(str):
    """A text that remembers how much of it was taken at once."""

    taken = 0
    __slots__ = ()

    def __getitem__(self, key):
        part = super().__getitem__(key)
        type(self).taken = max(type(self).taken, len(part))
        return part


def test_a_title_is_looked_for_at_the_head_of_a_page_only():
    """However large a page is, some KB of it are matched."""
    page = HttpResponse(status=502, headers={"Content-Type": "text/html"}, body=b"")
    page = replace(page, body=Watched(b"<html>" + b"<title" * 40_000))
    error = FETCH.read
    with pytest.raises(CallFailed, match="a web page"):
        error(page)
    assert 0 < Watched.taken <= 16 * 1024
    # Each start of a title is followed by a bounded number of characters.
    assert 2 == errors_from_responses._TITLE.pattern.count("{")
    assert "*" not in errors_from_responses._TITLE.pattern


def test_a_message_is_cut_before_it_is_searched():
    """A stack trace of a megabyte costs no more than its head, and half a credential is not shown."""
    text = WatchedText("\n" * 500_000 + "at x" * 100_000)
    assert "" == failure_reasons.readable_message(text)
    assert 0 < WatchedText.taken <= 4000
    cut = " " * 3980 + "https://user:password@host"
    assert "" == failure_reasons.readable_message(cut)
    assert "\\s" not in failure_reasons._STACK_TRACE.pattern, (
        "it would match line breaks, again and again"
    )


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.parametrize("unit", [b"[],", b'{"a":1},', b"0,", b'"a",', b"[", b'{"a":'])
def test_a_large_answer_is_refused_before_it_is_parsed(name, unit):
    """No more than a fraction of the body is allocated; 30 MB of JSON would become 2 GB."""
    call = CALLS[name]
    body = b'{"data":[' + unit * (call.request.answer_limit // len(unit) - 10)
    tracemalloc.start()
    try:
        with pytest.raises((AnswerTooLarge, UnexpectedReply)):
            call.read(reply(body))
        allocated = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert allocated < 64 * 1024


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_body_beyond_its_limit_is_none(name):
    """A transport that does not look at the limit is caught where the answer is read."""
    call = CALLS[name]
    with pytest.raises(AnswerTooLarge, match=f"more than {call.request.answer_limit} bytes"):
        call.read(reply(b" " * (call.request.answer_limit + 1)))


def test_limits_leave_room_for_what_airbyte_sends():
    """A page of jobs, a connection of a thousand streams and a job of twenty attempts are read."""
    statistics = {**JOB, "rowsSynced": 2**40, "bytesSynced": 2**50, "duration": "PT49H3M2S"}
    assert 100 == len(CALLS["page"].read(reply({"data": [statistics] * 100, "next": "x"})).jobs)
    fields_chosen = [{"fieldPath": [f"column_{number}"]} for number in range(12)]
    streams = [
        {"name": f"table_{number}", "syncMode": "incremental", "selectedFields": fields_chosen}
        for number in range(1000)
    ]
    large = {**CONNECTION, "configurations": {"streams": streams}}
    assert "Shop" == CALLS["connection"].read(reply(large)).name
    assert 1000 == len(CALLS["route"].read(reply(large)).streams)
    told = [
        {"streamName": f"table_{number}", "stats": {"recordsEmitted": 5}} for number in range(200)
    ]
    trace = {"externalMessage": "Wrong password", "stacktrace": "at x, y\n" * 500}
    attempt = {"status": "failed", "streamStats": told, "failureSummary": {"failures": [trace]}}
    reason = CALLS["reason"].read(reply({"attempts": [{"attempt": attempt}] * 20}))
    assert "Wrong password" == reason.message


def test_an_error_with_a_large_body_is_still_its_status():
    """A body that is no reply of Airbyte's hides no status."""
    answer = reply(b'{"message": "' + b"x" * 600_000 + b'"}', 404)
    with pytest.raises(CallFailed) as caught:
        CALLS["connection"].read(answer)
    assert 404 == caught.value.status
    known = {"message": "x", "errorId": "e-1", "exceptionStack": ["y"] * 5000}
    with pytest.raises(NotFound, match="x"):
        CALLS["connection"].read(reply(known, 404))


def test_a_page_has_as_many_jobs_as_airbyte_gives():
    """A hundred is the most that it lists."""
    with pytest.raises(UnexpectedReply, match="101 items where at most 100"):
        CALLS["page"].read(reply({"data": [JOB] * 101}))


def test_streams_are_bounded():
    """No event holds the datasets of ten thousand streams."""
    streams = [{"name": "a"}] * 10_000
    read = CALLS["route"].read(reply({**CONNECTION, "configurations": {"streams": streams}}))
    assert 5000 == len(read.streams)


# --- pages without an end ---


def connections_from(first, count, **members):
    return [{**CONNECTION, "connectionId": f"c{first + n}", **members} for n in range(count)]


def parameters_of(request):
    _, _, query = request.url.partition("?")
    return {name: int(value) for name, _, value in (p.partition("=") for p in query.split("&"))}


def test_connections_without_an_end(scripted):
    """A list that always has a next page is given up, with an error that says so."""

    def endless(request):
        asked = parameters_of(request)
        return reply({"data": connections_from(asked["offset"], asked["limit"])})

    transport = scripted(endless)
    with pytest.raises(UnexpectedReply, match="did not come to an end after 500 pages"):
        AirbyteGateway(transport, SETTINGS).find_connections("Shop", None)
    assert listing.MOST_PAGES == len(transport.sent)


def test_a_page_that_is_too_large_is_asked_for_in_parts(scripted):
    """A hundred connections of a thousand streams each are found in smaller pages."""
    everyone = connections_from(0, 150, configurations={"streams": [{"name": "x"}] * 3000})
    everyone[140]["name"] = "Wanted"

    def large(request):
        asked = parameters_of(request)
        return reply({"data": everyone[asked["offset"] :][: asked["limit"]]})

    transport = scripted(large)
    [found] = AirbyteGateway(transport, SETTINGS).find_connections("Wanted", None)
    assert "c140" == found.connection_id
    limits = [parameters_of(request)["limit"] for request in transport.sent]
    assert [100, 20] == limits[:2]
    everyone[0]["configurations"] = {"streams": [{"name": "x"}] * 200_000}
    with pytest.raises(AnswerTooLarge):
        AirbyteGateway(transport, SETTINGS).find_connections("Wanted", None)


# --- ids ---


@pytest.mark.parametrize(
    "ask",
    [
        lambda value: messages.submit(SETTINGS, value, JobType.SYNC, ASKED_AT),
        lambda value: messages.fetch_connection(SETTINGS, value),
        lambda value: messages.fetch_route(SETTINGS, value),
        lambda value: messages.fetch_source(SETTINGS, value),
        lambda value: messages.fetch_destination(SETTINGS, value),
        lambda value: messages.find_jobs(SETTINGS, JobQuery(connection_id=value)),
        lambda value: messages.list_connections(SETTINGS, value, 0),
    ],
)
def test_ids_that_are_sent(ask):
    """Blanks around an id and a UUID object are what a template gives; what leads elsewhere is refused."""
    assert ask(ID).request == ask(f" {ID}\n").request == ask(UUID(ID)).request
    for value in (
        "",
        " ",
        ".",
        "..",
        " .. ",
        "a\x00b",
        "\ud800",
        "a\tb",
        "x" * 300,
        7,
        [],
        None,
        b"x",
    ):
        if value is None and ask(ID).request.url.partition("?")[2]:
            continue  # no filter
        with pytest.raises(InvalidInput, match=r"expected an id of Airbyte|give a str"):
            ask(value)
    assert "a%2F..%2Fb" in messages.fetch_connection(SETTINGS, "a/../b").request.url


@pytest.mark.parametrize("ask", [messages.fetch_job, messages.cancel, messages.explain_failure])
@pytest.mark.parametrize("value", [-1, 2**63, True, "5", "5/../6", None, 1.0, []])
def test_job_ids_that_are_sent(ask, value):
    """A job id is a number of at most 63 bits."""
    for job_id in (value, 10**5000):
        with pytest.raises(InvalidInput, match="job_id is"):
            ask(SETTINGS, job_id)


# --- whatever a person writes ---

ANYTHING = VALUES | st.sampled_from(
    ["http://h\tost", "http://[", "http://h:99999", "http://h:" + "9" * 5000, "http://ho\x00st"]
)


@settings(max_examples=300, deadline=None)
@given(values=st.lists(ANYTHING, min_size=3, max_size=3), which=st.integers(0, 13))
def test_every_door_lets_only_our_own_errors_out(values, which):
    """Addresses, settings, credentials and options of any kind are taken or refused, never fall over."""
    one, two, three = values
    doors = [
        lambda: addresses.normalise_base_url(one, two),
        lambda: addresses.token_url("http://h", one),
        lambda: addresses.token_url(one, two),
        lambda: addresses.ui_url(one),
        lambda: addresses.normalise_ui_url(one),
        lambda: addresses.config_api_url(one),
        lambda: ServerSettings(base_url="http://h", headers={"X-A": one, "X-B": two}),
        lambda: ServerSettings(base_url="http://h", user_agent=one),
        lambda: BasicAuth(username=one, password=two),
        lambda: BearerToken(token=one),
        lambda: ClientCredentials(client_id=one, client_secret=two, token_url=three),
        lambda: ServerSettings(
            base_url="http://h",
            auth=ClientCredentials(client_id="a", client_secret="b", token_url=one),
        ),
        lambda: TransportOptions(proxies={"http": one}),
        lambda: TransportOptions(verify=one, client_cert=two),
    ]
    try:
        doors[which]()
    except InvalidInput as error:
        text = str(error)
    else:
        text = ""
    assert cleaning.is_clean(text)
    assert len(text) < 3000


def test_a_host_with_a_tab_is_refused():
    """The standard library passes over tabs and line breaks within a host."""
    for address in ("http://ho\tst", "http://ho\nst/x", "http://h\u2028x"):
        with pytest.raises(InvalidInput, match="odd character"):
            ServerSettings(base_url=address)


@pytest.mark.parametrize(
    "name", ["Transfer-Encoding", "content-length", "Connection", "Proxy-Authorization", "TE"]
)
def test_headers_that_are_not_ours_to_set(name):
    """What frames a request, or holds for one hop, is refused by its name."""
    with pytest.raises(InvalidInput, match=f"'{name}' belongs to the connection"):
        ServerSettings(base_url="http://h", headers={name: "x"})


def test_extra_headers_stay_with_their_server():
    """They may hold credentials, and a token URL of another origin is another server."""
    settings = ServerSettings(base_url="https://h", headers={"X-Key": "k3y"})

    def sent_to(url):
        application = ClientCredentials(client_id="a", client_secret="b", token_url=url)
        return messages.fetch_token(settings, application).request.headers

    for url in ("", "v1/applications/token", "https://h/oauth/token"):
        assert "k3y" == sent_to(url)["X-Key"]
    for url in ("https://idp/oauth/token", "http://h/oauth/token", "https://h:8443/token"):
        assert "X-Key" not in sent_to(url)
    assert "k3y" == messages.explain_failure(settings, 1).request.headers["X-Key"]


# --- cleaning itself ---


@given(st.text() | st.text(alphabet=st.sampled_from([odd[0] for odd in ODD])), st.integers(3, 40))
def test_what_is_clean(text, longest):
    """A cleaned text is clean, no longer than asked, and is not changed by cleaning it again."""
    cleaned = cleaning.clean(text, longest)
    assert cleaning.is_clean(cleaned)
    assert len(cleaned) <= longest
    assert cleaned == cleaning.clean(cleaned, longest)
    cleaned.encode()
    if cleaning.is_clean(text) and len(text) <= longest:
        assert cleaned == text


def test_an_exception_of_others_is_told_without_its_repr():
    """The repr of some holds what they are about: a password that cannot be encoded."""
    with pytest.raises(UnicodeEncodeError) as caught:
        "pässwörd\u0142".encode("latin-1")
    text = cleaning.told(caught.value)
    assert text.startswith("UnicodeEncodeError: ")
    assert "pässwörd" not in text
    assert cleaning.told(OSError("a\x00b" + "c" * 9000)).startswith("OSError: a\ufffdbccc")
    assert len(cleaning.told(OSError("c" * 9000))) < 2100
