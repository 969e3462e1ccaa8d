"""Whatever a server, an adapter or a person gives: events and XComs can be stored, errors are ours."""

import asyncio
import json
import ssl
from datetime import datetime, timezone
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from dependency_injector import providers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airbyte_sync import (
    AirbyteSyncError,
    Checkpoint,
    FailureReason,
    InvalidInput,
    Job,
    JobStatus,
    Origin,
    SyncFailed,
    SyncPolicy,
    UnexpectedReply,
)
from airbyte_sync_airflow.compat.airflow import AirflowException, AirflowFailException
from airbyte_sync_airflow.composition import Container
from airbyte_sync_airflow.config.arguments import check_choice, check_seconds, job_id_from
from airbyte_sync_airflow.config.connection import server_from
from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_airflow.links import AirbyteJobLink
from airbyte_sync_airflow.report.job_summary import JobSummary
from airbyte_sync_airflow.report.task_log import Follower
from airbyte_sync_airflow.task import rendered
from airbyte_sync_airflow.triggerer.event import failure, outcome_of
from airbyte_sync_airflow.triggers import AirbyteSyncTrigger
from airbyte_sync_airflow.worker.earlier_tries import _newest_job_upstream
from airbyte_sync_http import HttpResponse
from airbyte_sync_http.protocol.cleaning import is_clean
from airbyte_sync_testkit.contract.loopback_certificate import CERTIFICATE, KEY
from airbyte_sync_testkit.contract.raw_server import RawServer, answer, answering

NOW = datetime(2026, 8, 21, 10, 15, tzinfo=timezone.utc)
ID = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"
ORIGIN = Origin.STARTED
JOB = {
    "jobId": 5,
    "status": "failed",
    "jobType": "sync",
    "startTime": "2026-08-21T10:15Z",
    "connectionId": ID,
}
ODD = ["\x00", "\ud800", "a\x1b[31mb", "x" * 5000, "succeeded\x00", "\u2028", "line\nbreak"]
TEXTS = st.text(max_size=20) | st.sampled_from([*ODD, "", "5", "9" * 5000, "true", ID])
NUMBERS = st.integers() | st.sampled_from([2**63, 10**20, -1]) | st.floats()
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def is_fit(value):
    """Tell whether a database and a serializer take a value."""
    if isinstance(value, dict):
        return all(map(is_fit, value)) and all(map(is_fit, value.values()))
    if isinstance(value, str):
        return is_clean(value) and len(value) <= 2500
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or (isinstance(value, float) and abs(value) < 1e9)


# --- what is made of a job ---


@given(
    job=st.builds(
        Job,
        job_id=st.integers(0, 2**63 - 1),
        status=st.builds(JobStatus, TEXTS),
        job_type=TEXTS,
        connection_id=TEXTS,
        created_at=st.datetimes(timezones=st.just(timezone.utc)),
        duration=st.none() | st.timedeltas(),
        rows=st.none() | NUMBERS,
        bytes=st.none() | NUMBERS,
    ),
    text=TEXTS,
)
def test_a_job_of_any_adapter_can_be_stored(job, text):
    """An event and an XCom are clean, whichever adapter read the job."""
    connection = SimpleNamespace(name=text, workspace_id=text, connection_id=job.connection_id)
    seen = JobSummary(job_id=job.job_id).seen(job).described(connection, "http://h")
    assert is_fit(seen.to_json())
    error = SyncFailed(f"it failed: {text}", job=job, reason=FailureReason(message=text))
    event = failure(error, seen.failed(error))
    assert is_fit(event)
    outcome = outcome_of(json.loads(json.dumps(event)))
    assert is_fit(str(outcome.error))


@pytest.mark.parametrize("job_id", [10**20, -1, "5", None, True])
def test_an_id_that_is_none_is_no_job(job_id):
    """A follower does not take note of a job that no database can hold."""
    with pytest.raises(UnexpectedReply, match="is not the id of an Airbyte job"):
        JobSummary(job_id=job_id)
    with pytest.raises(TypeError):
        JobSummary.from_json({"job_id": job_id})


class Lines:
    def __init__(self):
        self.lines = []

    def info(self, message, *arguments):
        self.lines.append(message % arguments)

    warning = info


def test_a_log_line_is_one_line():
    """What a server said cannot forge a second line, nor a byte that no file takes."""
    log = Lines()
    job = Job(
        job_id=5,
        status=JobStatus("odd\x00\ud800\nAirbyte job 5 ended: succeeded"),
        job_type="sync",
        connection_id=ID,
        created_at=NOW,
    )
    from airbyte_sync.events import JobEnded, PollFailed

    follower = Follower(log, JobSummary(job_id=5, status="running"))
    follower(JobEnded(job=job))
    error = UnexpectedReply("a\nb" + "c" * 9000)
    follower(PollFailed(error=error, failing_since=NOW, next_poll=NOW))
    assert 2 == len(log.lines)
    assert all(is_clean(line) and len(line) < 2500 for line in log.lines)


# --- events ---


@settings(max_examples=200)
@given(
    event=VALUES
    | st.fixed_dictionaries(
        {}, optional={"error": TEXTS, "message": TEXTS, "job": VALUES, "checkpoint": VALUES}
    )
    | st.fixed_dictionaries(
        {
            "job": st.fixed_dictionaries(
                {"job_id": NUMBERS}, optional={"status": VALUES, "rows": VALUES}
            )
        }
    )
)
def test_whatever_an_event_is_it_ends_in_a_word_of_ours(event):
    """What cannot be read is an error of ours, with a text of bounded length."""
    outcome = outcome_of(event)
    try:
        job_id = outcome.job_id()
    except AirflowException as error:
        job_id, text = 0, str(error)
    else:
        text = ""
    assert 0 <= job_id < 2**63
    assert len(text) < 3000


def trigger_of(**changes):
    checkpoint = Checkpoint.watching(5, ORIGIN, asked_at=NOW, connection_id=ID)
    arguments = {
        "airbyte_conn_id": "airbyte_default",
        "checkpoint": checkpoint.to_json(),
        "policy": SyncPolicy(timeout=None).to_json(),
        "job": {"job_id": 5},
    }
    return AirbyteSyncTrigger(**{**arguments, **changes})


class Canned:
    """An async transport that gives the same answer to everything."""

    def __init__(self, answer):
        self.answer = answer

    async def send(self, request):
        if isinstance(self.answer, Exception):
            raise self.answer
        return HttpResponse(status=200, body=self.answer)

    async def close(self):
        pass


@pytest.fixture
def answered(parts, connect):
    """Run a trigger against a server that always answers the same; return its event."""
    connect(host="http://h")

    def run(answer, trigger=None):
        async def events():
            return [event.payload async for event in (trigger or trigger_of()).run()]

        body = answer if isinstance(answer, (bytes, Exception)) else json.dumps(answer).encode()
        made = providers.Factory(lambda *_: Canned(body))
        with Container.open_async_transport.override(made):
            (payload,) = asyncio.run(events())
        return payload

    return run


@pytest.mark.parametrize(
    "odd",
    [
        {"rowsSynced": 10**20, "bytesSynced": 10**400},
        {"lastUpdatedAt": "9999-12-31T23:59Z", "duration": "PT99999999999H"},
        {"message": "\x00\ud800" * 5000},
        {
            "attempts": [
                {
                    "attempt": {
                        "status": "failed",
                        "failureSummary": {
                            "failures": [
                                {"externalMessage": "\x00no\ud800", "failureOrigin": "\x00"}
                            ]
                        },
                    }
                }
            ]
        },
    ],
)
def test_an_odd_answer_does_not_reach_the_event(answered, odd):
    """The triggerer can store and send on whatever came of it, and the job's end is told."""
    event = answered({**JOB, **odd})
    assert is_fit(event)
    assert "SyncFailed" == event["error"]
    assert "failed" == event["job"]["status"]


def test_a_success_with_a_nul_is_none(answered):
    """The status is taken as it is: what is no word is no answer, and the wait ends in an error."""
    event = answered({**JOB, "status": "succeeded\x00"})
    assert is_fit(event)
    assert "ServerUnreachable" == event["error"]


def test_a_foreign_exception_is_told_without_its_repr(answered):
    """The repr of an encoding error holds the text that could not be encoded: a password."""
    try:
        "hunter2-\u0142".encode("latin-1")
    except UnicodeEncodeError as error:
        event = answered(error)
    assert "Airbyte job 5 goes on" in event["message"]
    assert "UnicodeEncodeError" in event["message"]
    assert "hunter2" not in json.dumps(event)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(["checkpoint", "policy", "job"]), value=VALUES)
def test_whatever_a_trigger_carries_it_ends_in_an_event(answered, name, value):
    """Arguments from a database, of another release or damaged, do not end the triggerer."""
    event = answered({**JOB, "status": "succeeded"}, trigger_of(**{name: value}))
    assert is_fit(event)
    if name == "job":  # it only informs
        assert "succeeded" == event["job"]["status"]


@pytest.mark.parametrize("job", [[], "x", {"job_id": 10**20}, {"job_id": "5"}, 7])
def test_a_trigger_whose_job_is_none_still_waits(answered, job):
    """The checkpoint says which job to follow; the summary is for people."""
    event = answered({**JOB, "status": "succeeded"}, trigger_of(job=job))
    assert (5, "succeeded") == (event["job"]["job_id"], event["job"]["status"])


# --- arguments ---


@given(value=VALUES)
def test_readers_of_arguments_raise_only_our_own_errors(value):
    """Job ids, durations and choices of any kind are taken or refused."""
    for read in (
        job_id_from,
        lambda given: check_seconds("timeout", given),
        lambda given: check_choice("job_type", given, SimpleNamespace(__args__=("sync",))),
    ):
        try:
            read(value)
        except AirflowException as error:
            assert len(str(error)) < 1000  # noqa: PT017 - it may be raised or not


def test_numbers_that_python_does_not_print():
    """An integer of thousands of digits is refused, not printed."""
    for read in (job_id_from, lambda given: check_seconds("timeout", given)):
        for value in (10**5000, "9" * 4301):
            with pytest.raises(AirflowFailException):
                read(value)


class Rendering:
    def __init__(self, value):
        self.workspace_id = self.airbyte_conn_id = self.connection_name = "{{ it }}"
        self.value = value

    def render_template(self, template, context):
        return self.value


@pytest.mark.parametrize("argument", ["workspace_id", "airbyte_conn_id", "connection_name"])
def test_what_a_template_gives(argument):
    """A text without the blanks around it, or a UUID; anything else is refused before it is sent."""
    assert ID == rendered(Rendering(f" {ID}\n"), argument, {})
    assert ID == rendered(Rendering(UUID(ID)), argument, {})
    for value in ("", " ", [], [ID], 7, None, {}, "a\x00", "\ud800", "x" * 301, 10**5000):
        with pytest.raises(AirflowFailException, match=f"{argument} .* rendered to"):
            rendered(Rendering(value), argument, {})


@pytest.mark.parametrize("workspace_id", ["", [], 7, " "])
def test_a_workspace_that_is_none_is_not_sent(connection, operator, context, airbyte, workspace_id):
    """Without a usable workspace nothing is asked: an empty one would mean all of them."""
    task = operator(connection_name="Orders", workspace_id=workspace_id)
    with pytest.raises(AirflowFailException, match="workspace_id"):
        task.execute(context)
    assert [] == [record for record in airbyte.requests if "connections" in record.path]


@pytest.mark.parametrize("write", [lambda id_: f" {id_}\n", UUID])
def test_a_connection_id_as_people_write_it(connection, operator, context, airbyte, write):
    """Blanks around it, and a UUID object, mean the connection."""
    task = operator("x", asynchronous=True)
    task.connection_id = write(connection.connection_id)
    assert 1 == task.execute(context)


@pytest.mark.parametrize("connection_id", ["..", ".", "a\x00b", "\ud800", UUID(int=0), []])
def test_a_connection_id_that_leads_elsewhere(
    connection, operator, context, submissions, connection_id
):
    """Nothing is asked at another address, and the error is ours."""
    task = operator("x")
    task.connection_id = connection_id
    with pytest.raises(AirflowException):
        task.execute(context)
    assert [] == [made for made in submissions() if made.status == 200]


@settings(max_examples=150, deadline=None)
@given(
    fields=st.fixed_dictionaries(
        {
            "host": TEXTS | st.sampled_from(["http://h", "http://ho\tst", "http://[", None]),
            "port": st.none() | st.integers(),
            "login": st.none() | TEXTS,
            "password": st.none() | TEXTS,
            "schema": st.none() | TEXTS,
        }
    ),
    extra=st.sampled_from(["[]", "null", "{", "[1]", '"x"', "7", "[" * 9000, "9" * 5000, "", None])
    | VALUES.map(json.dumps)
    | st.dictionaries(
        st.sampled_from(
            [
                *("auth", "proxies", "headers", "verify", "client_cert", "timeout", "read_timeout"),
                *("transport", "ui_url", "explain", "on_conflict", "queue_timeout"),
            ]
        ),
        VALUES,
    ).map(json.dumps),
)
def test_whatever_an_airflow_connection_holds(fields, extra):
    """It leads to a server, or the error is ours."""
    document = SimpleNamespace(conn_id="airbyte_default", extra=extra, **fields)
    try:
        document.extra_dejson = json.loads(extra or "{}")
    except (ValueError, RecursionError):
        document.extra_dejson = {}
    try:
        server_from(document, "v1")
    except AirbyteSyncError as error:
        text = str(error)
    else:
        text = ""
    assert is_clean(text)
    assert len(text) < 3000


class FallingOver(SimpleNamespace):
    """A connection of Airflow, which falls over an extra that is no object."""

    @property
    def extra_dejson(self):
        return dict(json.loads(self.extra or "{}").items())


@pytest.mark.parametrize("extra", ["[]", "null", "{}", "", None])
def test_an_empty_extra(extra):
    """Any kind of nothing is nothing."""
    fields = dict.fromkeys(["port", "login", "password", "schema"])
    document = FallingOver(conn_id="airbyte_default", host="http://h", extra=extra, **fields)
    assert "http://h/api/public/v1" == server_from(document, "v1").settings.base_url


def test_a_tab_within_a_host(connect):
    """The standard library would pass over it."""
    connect(host="http://ho\tst", port=8000)
    with pytest.raises(InvalidInput, match="odd character"):
        AirbyteHook()._server()


@pytest.mark.parametrize("job_id", ["5/../6", "..", None, 10**20, [], ""])
def test_a_hook_asks_for_jobs_by_number(connect, job_id):
    """A job id is never part of another address."""
    connect(host="http://127.0.0.1:1")
    for ask in (
        AirbyteHook().get_job_details,
        AirbyteHook().cancel_job,
        AirbyteHook().wait_for_job,
    ):
        with pytest.raises(AirflowFailException, match="airbyte_job_id"):
            ask(job_id)


def test_a_connection_test_says_that_nothing_is_verified(connect, tmp_path):
    """Who switches the check off sees it in the answer."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with RawServer(answering(answer(b'{"data": []}')), tls=context) as server:
        connect(host=server.url, extra={"verify": "false"})
        works, text = AirbyteHook().test_connection()
        assert works
        assert "certificate was not checked" in text
        connect(host=server.url, extra={"verify": str(certificate)})
        works, text = AirbyteHook().test_connection()
    assert works
    assert "certificate" not in text


# --- XComs of other tasks ---


def test_jobs_of_the_tasks_before(context):
    """A connection is the same in upper case, and what another task left under our key does no harm."""
    told = [
        {"job_id": 7, "connection_id": ID.upper()},
        {"job_id": 9, "connection_id": str(uuid4())},
        {"connection_id": ID},
        {"job_id": "11", "connection_id": ID},
        {"job_id": 10**20, "connection_id": ID},
        [],
        None,
        "x",
    ]
    task_instance = SimpleNamespace(xcom_pull=lambda task_ids, key: told)
    task = SimpleNamespace(upstream_task_ids={"a"})
    task.dag = SimpleNamespace(get_task=lambda _: SimpleNamespace(upstream_task_ids=set()))
    assert 7 == _newest_job_upstream(task_instance, task, ID)


def test_a_link_of_an_odd_xcom(monkeypatch):
    """The page of a task shows no link, and no error."""
    from airbyte_sync_airflow.compat import task_instance as task_instances

    for found in ([], "x", 7, None, {"url": None}):
        monkeypatch.setattr(task_instances, "xcom_of", lambda *_, found=found: found)
        assert "" == AirbyteJobLink().get_link(None, ti_key=None)
