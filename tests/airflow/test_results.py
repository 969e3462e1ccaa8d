"""What a task leaves behind: the XCom ``airbyte_job``, the same in every mode, and the link."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync_airflow.compat.airflow import AirflowException
from airbyte_sync_airflow.exceptions import AirbyteSyncFailed
from airbyte_sync_airflow.links import AirbyteJobLink
from airbyte_sync_airflow.report.job_summary import JobSummary
from airbyte_sync_local import Fault, answers, job_scripts

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

MINUTE = timedelta(minutes=1)
LINK_KEY = getattr(AirbyteJobLink(), "xcom_key", None)
"""Airflow 3 keeps links under a key of theirs."""


@pytest.fixture
def job(context):
    """The XCom as it is now."""

    def look():
        return context["ti"].xcoms.get("airbyte_job")

    return look


def expected_of(airbyte, connection, **differences):
    (made,) = airbyte.jobs[-1:]
    return {
        "job_id": made.job_id,
        "job_type": "sync",
        "status": "succeeded",
        "connection_id": connection.connection_id,
        "connection_name": connection.name,
        "rows": 1000,
        "bytes": 65536,
        "started_at": made.created_at.replace(microsecond=0).isoformat(),
        "duration_seconds": 2.0,
        "url": f"{airbyte.base_url}/workspaces/{connection.workspace_id}/connections/"
        f"{connection.connection_id}/timeline?jobId={made.job_id}&openLogs=true",
        "attached": False,
        "failure_reason": None,
        **differences,
    }


# --------------------------------------------------------------------------------------------------
# The same in every mode


def test_blocking(airbyte, connection, operator, context, job):
    """Everything is known at the end."""
    operator().execute(context)
    assert expected_of(airbyte, connection) == job()


def test_deferred(airbyte, connection, operator, context, job, run_deferred):
    """The trigger sends what it saw last."""
    assert 1 == run_deferred(lambda: operator(deferrable=True), context)
    assert expected_of(airbyte, connection) == job()


def test_deferred_behind_another_sync(
    start_job, airbyte, connection, operator, context, job, run_deferred, clock
):
    """The trigger comes to the job and hands it back; the task tells of it and defers again."""
    start_job(job_scripts.succeeds(lasts=5 * MINUTE))
    clock.advance(MINUTE)
    assert 2 == run_deferred(lambda: operator(deferrable=True), context)
    assert expected_of(airbyte, connection, job_id=2) == job()
    assert 2 == context["ti"].xcoms["return_value"]


def test_deferred_behind_another_sync_the_job_is_told_before_the_second_wait(
    start_job, operator, context, job, defer, event_of, clock
):
    """A job that only a trigger knows would be lost with it."""
    start_job(job_scripts.succeeds(lasts=5 * MINUTE))
    clock.advance(MINUTE)
    first = defer(operator(deferrable=True).execute, context)
    assert job() is None
    second = defer(operator(deferrable=True).execute_complete, context, event_of(first))
    assert 2 == job()["job_id"] == second.checkpoint["job_id"]
    assert job() == second.job


def test_asynchronous(airbyte, connection, operator, context, job):
    """As far as it is known when Airbyte has taken the sync."""
    operator(asynchronous=True).execute(context)
    known = expected_of(
        airbyte, connection, status="pending", rows=None, bytes=None, duration_seconds=None
    )
    assert known == job()


def test_sensor(start_job, airbyte, connection, sensor, context, job, clock):
    """It tells the same of the job it follows; a job of somebody else's."""
    start_job()
    clock.advance(MINUTE)
    assert sensor().poke(context)
    assert expected_of(airbyte, connection, attached=True) == job()


def test_deferred_sensor(start_job, airbyte, connection, sensor, context, job, defer, event_of):
    """In the triggerer as well."""
    start_job()
    task = sensor(deferrable=True)
    task.execute_complete(context, event_of(defer(task.execute, context)))
    assert expected_of(airbyte, connection, attached=True) == job()
    assert "return_value" not in context["ti"].xcoms


# --------------------------------------------------------------------------------------------------
# Streams


@pytest.fixture
def of_streams(airbyte, connection, connect):
    """Make the connection one of so many streams, whose names take so many characters, and ask for them."""

    def make(count, width=4, **extra):
        names = tuple(f"{number:0{width}}" for number in range(count))
        airbyte.add_connection(replace(connection, streams=names, stream_namespace="shop"))
        connect(
            host=airbyte.base_url,
            login="the-client-id",
            password="the-client-secret",
            extra={"streams": True, **extra},
        )

    return make


def test_blocking_with_streams(airbyte, connection, operator, context, job, of_streams):
    """Where the connection asks for it, the dict tells what was committed by stream."""
    of_streams(3)
    operator().execute(context)
    amounts = [("0000", 334, 21846), ("0001", 333, 21845), ("0002", 333, 21845)]
    streams = {
        "streams": [
            {"name": name, "namespace": "shop", "rows": rows, "bytes": size}
            for name, rows, size in amounts
        ],
        "others": 0,
        "other_rows": None,
        "other_bytes": None,
    }
    assert expected_of(airbyte, connection, streams=streams) == job()
    assert job() == JobSummary.from_json(json.loads(json.dumps(job()))).to_json()


def test_deferred_with_a_thousand_streams(
    operator, context, job, of_streams, defer, event_of, state_store
):
    """Event and XCom name a hundred of them, however long, and count the rest; a checkpoint has none."""
    of_streams(1000, width=250)
    trigger = defer(operator(deferrable=True).execute, context)
    event = event_of(trigger)
    operator(deferrable=True).execute_complete(context, event)
    streams = job()["streams"]
    assert (100, 900, 900) == (len(streams["streams"]), streams["others"], streams["other_rows"])
    assert len(json.dumps(event)) < 64_000
    assert len(json.dumps(job())) < 64_000
    assert "0000000" not in json.dumps(trigger.checkpoint)


def test_without_being_asked_for_no_stream_is_read(airbyte, operator, context, job, of_streams):
    """A thousand syncs cost no request more."""
    of_streams(3, streams="false")
    operator().execute(context)
    assert "streams" not in job()
    assert "POST /api/v1/jobs/get_without_logs" not in [
        request.operation for request in airbyte.requests
    ]


@pytest.mark.parametrize("odd", [7, {}, {"streams": [7]}, {"streams": [{"name": 7}]}, []])
def test_odd_streams_are_left_out(odd):
    """What another program stored may be anything."""
    assert "streams" not in JobSummary.from_json({"job_id": 7, "streams": odd}).to_json()


# --------------------------------------------------------------------------------------------------
# Told early


def test_blocking_it_is_told_before_the_wait(operator, context, clock):
    """A person who looks meanwhile finds the job."""
    first_second = []
    clock.at(
        clock.now() + timedelta(seconds=1),
        lambda: first_second.append(json.loads(json.dumps(context["ti"].xcoms))),
    )
    operator(wait_seconds=60).execute(context)
    (told,) = first_second
    assert 1 == told["airbyte_job"]["job_id"]
    assert "pending" == told["airbyte_job"]["status"]
    assert told["airbyte_job"]["url"] is not None
    if LINK_KEY is not None:
        assert told[LINK_KEY] == told["airbyte_job"]["url"]


@pytest.mark.parametrize("kind", ["operator", "sensor"])
def test_deferred_it_is_told_before_the_wait(
    start_job, operator, sensor, context, job, defer, kind
):
    """The trigger begins with what the XCom says."""
    task = operator(deferrable=True)
    if kind == "sensor":
        start_job()
        task = sensor(deferrable=True)
    trigger = defer(task.execute, context)
    assert 1 == job()["job_id"]
    assert job()["url"] is not None
    assert job() == trigger.job


# --------------------------------------------------------------------------------------------------
# When it goes wrong


def failed(airbyte, connection, **differences):
    reason = {"rows": 0, "bytes": 0, "status": "failed", "failure_reason": REASON}
    return expected_of(airbyte, connection, **(reason | differences))


REASON = "The source answered: invalid credentials"


def test_a_failure_tells_its_reason(airbyte, connection, operator, context, job):
    """Airbyte's own words."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails(REASON)])
    with pytest.raises(AirflowException, match=REASON):
        operator().execute(context)
    assert failed(airbyte, connection) == job()


def test_deferred_a_failure_tells_the_same(
    airbyte, connection, operator, context, job, run_deferred
):
    """Also without a worker."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails(REASON)])
    with pytest.raises(AirflowException, match=REASON):
        run_deferred(lambda: operator(deferrable=True), context)
    assert failed(airbyte, connection) == job()


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensors_failure_tells_the_same(
    start_job, airbyte, connection, sensor, context, job, defer, event_of, clock, deferrable
):
    """Of the job that it followed."""
    start_job(job_scripts.fails(REASON))
    task = sensor(deferrable=deferrable)
    if deferrable:
        event = event_of(defer(task.execute, context))
        with pytest.raises(AirflowException, match=REASON):
            task.execute_complete(context, event)
    else:
        clock.advance(MINUTE)
        with pytest.raises(AirflowException, match=REASON):
            task.poke(context)
    assert failed(airbyte, connection, attached=True) == job()


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_time_out_tells_what_became_of_the_job(
    airbyte, connection, operator, context, job, run_deferred, deferrable
):
    """It was cancelled, and the text says why."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])

    def execute():
        if deferrable:
            run_deferred(lambda: operator(deferrable=True, timeout=60), context)
        else:
            operator(timeout=60).execute(context)

    with pytest.raises(AirflowException, match="timeout"):
        execute()
    assert "cancelled" == job()["status"]
    assert "did not end within 60 s (timeout) and was cancelled" in job()["failure_reason"]


def test_a_failure_before_there_is_a_job_tells_of_none(airbyte, connection, operator, context):
    """There is nothing to look at."""
    airbyte.inject(Fault(on="POST /jobs", do="answer", answer=answers.forbidden()))
    with pytest.raises(AirflowException):
        operator().execute(context)
    assert {} == context["ti"].xcoms


# --------------------------------------------------------------------------------------------------
# Somebody else's


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_attached_job_is_marked(
    start_job, airbyte, connection, operator, context, job, run_deferred, clock, deferrable
):
    """So that no task of ours ever cancels it."""
    life = job_scripts.succeeds(lasts=timedelta(seconds=119))
    start_job(life)
    clock.advance(MINUTE)
    if deferrable:
        run_deferred(lambda: operator(deferrable=True, on_conflict="attach"), context)
    else:
        operator(on_conflict="attach").execute(context)
    assert expected_of(airbyte, connection, attached=True, duration_seconds=120.0) == job()


# --------------------------------------------------------------------------------------------------
# Where XComs are not wanted


def test_without_xcoms_nothing_is_pushed(
    airbyte, connection, operator, sensor, context, run_deferred, clock
):
    """``do_xcom_push=False`` holds in every mode, on success and on failure."""
    operator(do_xcom_push=False).execute(context)
    operator(do_xcom_push=False, asynchronous=True).execute(context)
    clock.advance(MINUTE)
    run_deferred(lambda: operator(do_xcom_push=False, deferrable=True), context)
    task = sensor(do_xcom_push=False)
    assert task.poke(context)
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails()])
    with pytest.raises(AirflowException):
        operator(do_xcom_push=False).execute(context)
    assert {} == context["ti"].xcoms


# --------------------------------------------------------------------------------------------------
# Where the job can be looked at


def test_the_web_application_may_be_elsewhere(
    airbyte, connect_with, connection, operator, context, job
):
    """``ui_url`` of the Airflow connection."""
    connect_with(ui_url="https://airbyte.example")
    operator().execute(context)
    url = expected_of(airbyte, connection)["url"].replace(
        airbyte.base_url, "https://airbyte.example"
    )
    assert url == job()["url"]


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "answer", "answer": answers.internal_error()},
        {"do": "answer", "answer": answers.forbidden()},
        {"do": "answer", "answer": answers.webapp_page()},
        {"do": "drop"},
    ],
)
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_connection_that_cannot_be_looked_up_breaks_nothing(
    airbyte, connection, operator, context, job, run_deferred, fault, deferrable
):
    """Its name is for people; the sync goes on without."""
    airbyte.inject(Fault(on="GET /connections/{connectionId}", times=None, **fault))
    if deferrable:
        run_deferred(lambda: operator(deferrable=True), context)
    else:
        operator().execute(context)
    assert expected_of(airbyte, connection, connection_name=None, url=None) == job()


def test_a_name_for_people_holds_no_task_up(airbyte, connection, operator, context, job):
    """It is waited for as long as the reason of a failure is, 3 s, and not as long as a poll, 30 s."""
    slow = Fault(
        on="GET /connections/{connectionId}", do="delay", wait=timedelta(seconds=3.5), times=None
    )
    airbyte.inject(slow)
    assert 1 == operator(asynchronous=True).execute(context)
    assert {"job_id": 1, "connection_name": None, "url": None}.items() <= job().items()


@pytest.mark.parametrize(("lasts", "questions"), [(MINUTE / 2, 1), (2 * MINUTE, 2)])
def test_a_name_that_airbyte_did_not_tell_is_not_asked_for_again_at_once(
    airbyte, connection, operator, context, job, lasts, questions
):
    """The end of a task is held up once more only where that is worth it."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds(lasts=lasts)])
    airbyte.inject(Fault(on="GET /connections/{connectionId}", do="drop"))
    operator().execute(context)
    asked = [each.operation for each in airbyte.requests].count("GET /connections/{connectionId}")
    assert (questions, questions > 1) == (asked, job()["url"] is not None)


# --------------------------------------------------------------------------------------------------
# The link


@pytest.fixture
def xcom_says(monkeypatch):
    """Let Airflow answer for an XCom."""

    def answer(value):
        try:
            from airflow.sdk.execution_time.xcom import XCom
        except ImportError:
            from airflow.models.xcom import XCom

        def get_value(*, ti_key, key):
            assert ("the-key", "airbyte_job") == (ti_key, key)
            return value

        monkeypatch.setattr(XCom, "get_value", staticmethod(get_value))

    return answer


@pytest.mark.parametrize(
    ("xcom", "expected"),
    [
        ({"job_id": 1, "url": "https://airbyte.example/1"}, "https://airbyte.example/1"),
        ({"job_id": 1, "url": None}, ""),
        (None, ""),
    ],
)
def test_the_link_leads_to_the_job(operator, xcom_says, xcom, expected):
    """Airflow hides a link that is empty."""
    xcom_says(xcom)
    assert expected == AirbyteJobLink().get_link(operator(), ti_key="the-key")


def test_airflow_serializes_the_operator_with_its_link(operator, sensor):
    """The web server sees nothing but what is serialized."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    with DAG("d", schedule=None) as dag:
        sync = operator("x", task_id="a")
        sensor(sync.output, task_id="b")
    document = json.loads(json.dumps(Serialization.to_dict(dag)))
    tasks = {
        task["__var"]["task_id"]: task["__var"]["_operator_extra_links"]
        for task in document["dag"]["tasks"]
    }
    links = (
        [{"airbyte_sync_airflow.links.AirbyteJobLink": {}}]
        if LINK_KEY is None
        else {"Airbyte job": "_link_AirbyteJobLink"}
    )
    assert {"a": links, "b": links} == tasks
    read = Serialization.from_dict(document)
    assert ["Airbyte job"] == [link.name for link in read.get_task("a").operator_extra_links]


@pytest.mark.filterwarnings("default")  # dag.test() warns of its own parts
def test_in_a_real_run_the_link_is_there(airbyte, connection, load_dag_file, monkeypatch):
    """Airflow keeps XCom and link as the task pushed them."""
    airbyte.add_connection(connection, job_scripts=[AT_ONCE])
    monkeypatch.setenv("THE_CONNECTION", connection.connection_id)
    module = load_dag_file("linked", DAG_FILE)
    run = module.dag.test()
    assert "success" == str(run.state)
    stored = stored_xcoms(run, "sync")
    expected = expected_of(airbyte, connection, duration_seconds=0.0)
    assert expected == stored["airbyte_job"]
    assert expected["job_id"] == stored["return_value"]
    if LINK_KEY is None:
        (instance,) = [each for each in run.get_task_instances() if each.task_id == "sync"]
        assert expected["url"] == AirbyteJobLink().get_link(None, ti_key=instance.key)
    else:
        assert expected["url"] == stored[LINK_KEY]


AT_ONCE = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))
DAG_FILE = """
import os
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from datetime import datetime
with DAG("linked", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    AirbyteTriggerSyncOperator(task_id="sync", connection_id=os.environ["THE_CONNECTION"])
"""


def stored_xcoms(run, task_id):
    """Read Airflow's own table."""
    from airflow.utils.session import create_session
    from sqlalchemy import select

    try:
        from airflow.models.xcom import XComModel
    except ImportError:
        from airflow.models.xcom import XCom as XComModel
    with create_session() as session:
        rows = session.scalars(
            select(XComModel).where(XComModel.run_id == run.run_id, XComModel.task_id == task_id)
        )
        found = {row.key: row.value for row in rows}
    return {key: _read(value) for key, value in found.items()}


def _read(value):
    is_json = isinstance(value, bytes) or (isinstance(value, str) and value.startswith("{"))
    return json.loads(value) if is_json else value


# --------------------------------------------------------------------------------------------------
# An Airflow in trouble


@pytest.fixture
def deaf(context, monkeypatch):
    """An Airflow that takes no XCom."""

    def refuse(key, value):
        raise RuntimeError("the API server is away")

    monkeypatch.setattr(context["ti"], "xcom_push", refuse)


@pytest.mark.usefixtures("deaf")
def test_an_xcom_that_airflow_does_not_take_fails_no_sync(operator, context):
    """The sync was good."""
    assert 1 == operator().execute(context)


def test_an_xcom_backend_that_refuses_the_job_leaves_the_link(
    operator, context, monkeypatch, airbyte, connection
):
    """Airflow 3 stores links past any XCom backend."""
    push = context["ti"].xcom_push

    def refuse(key, value):
        if key == "airbyte_job":
            raise RuntimeError("the bucket is away")
        push(key, value)

    monkeypatch.setattr(context["ti"], "xcom_push", refuse)
    task = operator()
    task.execute(context)
    url = expected_of(airbyte, connection)["url"]
    assert url == AirbyteJobLink().get_link(task, ti_key=None)
    assert ({} if LINK_KEY is None else {LINK_KEY: url}) == context["ti"].xcoms


@pytest.mark.usefixtures("deaf")
def test_nor_does_it_hide_why_a_sync_failed(operator, airbyte, connection, context):
    """Retry rules go by the exception."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.fails()])
    with pytest.raises(AirbyteSyncFailed):
        operator().execute(context)
