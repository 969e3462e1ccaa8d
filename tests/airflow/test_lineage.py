"""Lineage: datasets named as OpenLineage names them, no secret in them, and never a task in trouble."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from time import monotonic

import pytest
from airflow.providers.openlineage.extractors.base import DefaultExtractor, OperatorLineage
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_new_uuid

from airbyte_sync_airflow.exceptions import AirbyteSyncFailed
from airbyte_sync_airflow.openlineage.dataset_names import (
    DatasetName,
    destination_name,
    source_name,
)
from airbyte_sync_airflow.openlineage.extract import facets_on_complete
from airbyte_sync_airflow.openlineage.facets import AirbyteJobRunFacet, operator_lineage
from airbyte_sync_airflow.report.job_summary import JobSummary
from airbyte_sync_http.protocol.streams import Endpoint, Lineage, Stream
from airbyte_sync_local import Actor, Fault, ServerConnection, answers, job_scripts

AIRBYTE = "airbyte.internal:8000"
STREAM = Stream(name="users", namespace="shop", written_as="raw_users", written_to="lake")
WITHOUT_NAMESPACE = Stream(name="users", written_as="raw_users")
SERVER = {"host": "db.internal", "port": 1234, "database": "app"}
JOB = JobSummary(
    job_id=7,
    job_type="sync",
    status="succeeded",
    connection_id="c",
    connection_name="Shop to lake",
    rows=1000,
    bytes=65536,
    started_at="2026-08-21T10:15:00+00:00",
    duration_seconds=2.0,
    url="http://airbyte.internal:8000/workspaces/w/connections/c/timeline?jobId=7&openLogs=true",
)


def source(kind, configuration, stream=STREAM):
    end = Endpoint(role="source", endpoint_id="s-1", kind=kind, configuration=configuration)
    return source_name(end, stream, AIRBYTE)


def destination(kind, configuration, stream=STREAM):
    end = Endpoint(role="destination", endpoint_id="d-1", kind=kind, configuration=configuration)
    return destination_name(end, stream, AIRBYTE)


def named(namespace, name):
    return DatasetName(namespace=namespace, name=name)


# --------------------------------------------------------------------------------------------------
# Names


@pytest.mark.parametrize(
    ("kind", "configuration", "namespace", "name"),
    [
        ("postgres", SERVER, "postgres://db.internal:1234", "app.shop.users"),
        ("postgres", SERVER | {"port": None}, "postgres://db.internal:5432", "app.shop.users"),
        ("mssql", SERVER | {"port": "1433"}, "mssql://db.internal:1433", "app.shop.users"),
        ("mysql", SERVER, "mysql://db.internal:1234", "shop.users"),
        ("clickhouse", SERVER, "clickhouse://db.internal:1234", "shop.users"),
        (
            "oracle",
            {"host": "db", "connection_data": {"service_name": "ORCL"}},
            "oracle://db:1521",
            "ORCL.shop.users",
        ),
        (
            "redshift",
            {"host": "main.c0ffee.eu-west-1.redshift.amazonaws.com", "database": "Dev"},
            "redshift://main.eu-west-1:5439",
            "dev.shop.users",
        ),
        ("redshift", SERVER, "redshift://db.internal:1234", "app.shop.users"),
        (
            "snowflake",
            {"host": "org-acc.snowflakecomputing.com", "database": "app"},
            "snowflake://org-acc",
            "app.shop.users",
        ),
        (
            "bigquery",
            {"project_id": "p-1", "dataset_id": "d"},
            "bigquery",
            "p-1.shop.users",
        ),
        ("s3", {"bucket": "lake"}, "s3://lake", "shop/users"),
        ("gcs", {"bucket": "lake"}, "gs://lake", "shop/users"),
        (
            "azure-blob-storage",
            {
                "azure_blob_storage_account_name": "acc",
                "azure_blob_storage_container_name": "box",
            },
            "wasbs://box@acc.dfs.core.windows.net",
            "shop/users",
        ),
    ],
)
def test_a_source_is_named_by_convention(kind, configuration, namespace, name):
    """A table has the name that every other producer gives it."""
    assert named(namespace, name) == source(kind, configuration)


@pytest.mark.parametrize(
    ("kind", "configuration", "namespace", "name"),
    [
        ("postgres", SERVER, "postgres://db.internal:1234", "app.lake.raw_users"),
        ("mssql-v2", SERVER, "mssql://db.internal:1234", "app.lake.raw_users"),
        ("mysql", SERVER, "mysql://db.internal:1234", "lake.raw_users"),
        ("oracle", {"host": "db", "sid": "ORCL"}, "oracle://db:1521", "ORCL.lake.raw_users"),
        (
            "snowflake",
            {"host": "https://xy1.eu-central-1.snowflakecomputing.com/", "database": "app"},
            "snowflake://xy1.eu-central-1.aws",
            "APP.LAKE.RAW_USERS",
        ),
        (
            "databricks",
            {"hostname": "adb.azuredatabricks.net", "database": "main"},
            "unitycatalog://adb.azuredatabricks.net",
            "main.lake.raw_users",
        ),
        ("bigquery", {"project_id": "p-1", "dataset_id": "d"}, "bigquery", "p-1.lake.raw_users"),
        ("s3", {"s3_bucket_name": "lake"}, "s3://lake", "lake/raw_users"),
        ("gcs", {"gcs_bucket_name": "lake"}, "gs://lake", "lake/raw_users"),
    ],
)
def test_a_destination_is_named_by_convention(kind, configuration, namespace, name):
    """The connection's rules decide about schema and table."""
    assert named(namespace, name) == destination(kind, configuration)


@pytest.mark.parametrize(
    ("kind", "configuration", "name"),
    [
        ("postgres", SERVER | {"schema": "dwh"}, "app.dwh.raw_users"),
        ("postgres", SERVER, "app.public.raw_users"),
        ("redshift", SERVER, "app.public.raw_users"),
        ("mysql", SERVER, "app.raw_users"),
        ("databricks", {"hostname": "h", "database": "main"}, "main.default.raw_users"),
        ("oracle", {"host": "h", "sid": "ORCL"}, "ORCL.airbyte.raw_users"),
        (
            "snowflake",
            {"host": "a-b.snowflakecomputing.com", "database": "APP", "schema": "dwh"},
            "APP.DWH.RAW_USERS",
        ),
        ("bigquery", {"project_id": "p", "dataset_id": "d"}, "p.d.raw_users"),
        ("bigquery", {"project_id": "p", "dataset_id": "other:d"}, "other.d.raw_users"),
        ("s3", {"s3_bucket_name": "lake"}, "raw_users"),
    ],
)
def test_a_destination_has_a_default_schema(kind, configuration, name):
    """Where the connection leaves the choice to the destination, its configuration decides."""
    assert name == destination(kind, configuration, WITHOUT_NAMESPACE).name


@pytest.mark.parametrize(
    ("configuration", "name"),
    [
        (SERVER | {"schemas": ["shop"]}, "app.shop.users"),
        (SERVER | {"schema": "shop"}, "app.shop.users"),
        (SERVER | {"schemas": ["shop", "crm"]}, "source-postgres/s-1/users"),
        (SERVER, "source-postgres/s-1/users"),
    ],
)
def test_a_source_of_one_schema(configuration, name):
    """Older servers do not tell the schema of a stream; one that is the only one is known all the same."""
    assert name == source("postgres", configuration, WITHOUT_NAMESPACE).name


@pytest.mark.parametrize(
    ("host", "account"),
    [
        ("org-acc.snowflakecomputing.com", "org-acc"),
        ("org-acc.privatelink.snowflakecomputing.com", "org-acc"),
        ("xy12345.snowflakecomputing.com", "xy12345.us-west-1.aws"),
        ("xy12345.us-east-1.snowflakecomputing.com", "xy12345.us-east-1.aws"),
        ("xy12345.europe-west4.gcp.snowflakecomputing.com", "xy12345.europe-west4.gcp"),
    ],
)
def test_an_account_of_snowflake(host, account):
    """A locator is completed as Airflow's own Snowflake tasks complete it."""
    configuration = {"host": host, "database": "APP", "schema": "X"}
    assert f"snowflake://{account}" == destination("snowflake", configuration).namespace


@pytest.mark.parametrize(
    ("kind", "configuration"),
    [
        ("stripe", {"account_id": "acct_1", "client_secret": "x"}),
        ("postgres", {}),
        ("postgres", {"host": "db"}),
        ("postgres", SERVER | {"host": "**********"}),
        ("postgres", SERVER | {"host": {"_secret": "x"}}),
        ("postgres", SERVER | {"host": "postgres://ann:s3cr3t@db"}),
        ("postgres", SERVER | {"port": True}),
        ("postgres", SERVER | {"port": "s3cr3t"}),
        ("postgres", SERVER | {"database": "app?password=s3cr3t"}),
        ("postgres", SERVER | {"database": ""}),
        ("clickhouse", SERVER | {"port": None}),
        ("oracle", {"host": "db"}),
        ("oracle", {"host": "db", "connection_data": {}}),
        ("snowflake", SERVER),
        ("bigquery", {"dataset_id": "d"}),
        ("s3", {"bucket": "secret_coordinate::v1"}),
        ("s3", {}),
    ],
)
def test_everything_else_is_named_by_where_airbyte_keeps_it(kind, configuration):
    """An unknown type, or a part that is missing, masked or not what it should be, gives a stable name."""
    expected = named(f"airbyte://{AIRBYTE}", f"source-{kind}/s-1/shop/users")
    assert expected == source(kind, configuration)


@pytest.mark.parametrize("dataset_id", [None, 7, "", "**********", "p p:", "p?:d"])
def test_a_dataset_that_cannot_be_one(dataset_id):
    """BigQuery's default dataset has a form of its own, and is read as carefully."""
    configuration = {"project_id": "p", "dataset_id": dataset_id}
    found = destination("bigquery", configuration, WITHOUT_NAMESPACE)
    assert named(f"airbyte://{AIRBYTE}", "destination-bigquery/d-1/raw_users") == found


def test_two_accounts_of_one_service_have_two_names():
    """The id keeps apart what only credentials tell apart."""
    ends = [Endpoint(role="source", endpoint_id=f"s-{n}", kind="stripe") for n in (1, 2)]
    assert 2 == len({source_name(end, STREAM, AIRBYTE).name for end in ends})


# --------------------------------------------------------------------------------------------------
# Facets


def lineage(*streams, source_kind="postgres", destination_kind="s3", **configuration):
    everything = {**SERVER, "s3_bucket_name": "lake", **configuration}
    return Lineage(
        source=Endpoint(
            role="source", endpoint_id="s-1", kind=source_kind, configuration=everything
        ),
        destination=Endpoint(
            role="destination",
            endpoint_id="d-1",
            kind=destination_kind,
            configuration=everything,
        ),
        streams=streams or (STREAM,),
    )


def event(found):
    """Return the whole event as it would be sent."""
    return Serde.to_json(
        RunEvent(
            eventType=RunState.COMPLETE,
            eventTime=datetime(2026, 8, 21, tzinfo=timezone.utc).isoformat(),
            run=Run(runId=str(generate_new_uuid()), facets=found.run_facets),
            job=Job(namespace="default", name="dag.task", facets=found.job_facets),
            inputs=found.inputs,
            outputs=found.outputs,
        )
    )


def of(datasets):
    return [(dataset.namespace, dataset.name) for dataset in datasets]


def test_each_stream_is_an_input_and_an_output():
    """Inputs and outputs come in the order of the streams."""
    other = Stream(name="orders", namespace="shop", written_as="raw_orders", written_to="lake")
    found = operator_lineage(f"http://{AIRBYTE}/api/public/v1", lineage(STREAM, other), JOB)
    server = "postgres://db.internal:1234"
    assert [(server, "app.shop.users"), (server, "app.shop.orders")] == of(found.inputs)
    assert [("s3://lake", "lake/raw_users"), ("s3://lake", "lake/raw_orders")] == of(found.outputs)


def test_the_only_stream_has_the_jobs_numbers():
    """Rows and bytes of the job are those of its one output."""
    (output,) = operator_lineage(f"http://{AIRBYTE}", lineage(), JOB).outputs
    statistics = output.outputFacets["outputStatistics"]
    assert (1000, 65536) == (statistics.rowCount, statistics.size)


@pytest.mark.parametrize(
    ("streams", "job"),
    [((STREAM, STREAM), JOB), ((STREAM,), replace(JOB, rows=None, bytes=None)), ((STREAM,), None)],
)
def test_numbers_of_nobody_knows_which_stream_are_told_of_none(streams, job):
    """Several streams share the job's numbers, and a job that was not looked at has none."""
    found = operator_lineage(f"http://{AIRBYTE}", lineage(*streams), job)
    assert [{}] * len(streams) == [output.outputFacets for output in found.outputs]


def test_facets_can_be_sent_on():
    """What a server or another task put into names and numbers is clean, bounded, or left out."""
    odd = "a\x00\ud800" + "x" * 5000
    stream = Stream(name=odd, namespace=odd, written_as=odd, written_to=odd)
    ends = [
        Endpoint(
            role=role, endpoint_id=odd, kind=odd, configuration={"host": odd, "port": 10**9999}
        )
        for role in ("source", "destination")
    ]
    lineage = Lineage(source=ends[0], destination=ends[1], streams=(stream,))
    told = operator_lineage(
        "http://h", lineage, replace(JOB, rows=10**20, status=odd, connection_name=odd)
    )
    text = event(told)
    text.encode()
    assert len(text) < 20_000
    assert told.run_facets["airbyteJob"].rows is None
    assert "outputStatistics" in told.outputs[0].outputFacets


def test_the_job_is_told():
    """The run says which job of which Airbyte it was, where to look at it and what it moved."""
    found = operator_lineage(f"http://{AIRBYTE}/api/public/v1", None, JOB)
    query, told = found.run_facets["externalQuery"], found.run_facets["airbyteJob"]
    assert ("7", f"airbyte://{AIRBYTE}") == (query.externalQueryId, query.source)
    expected = AirbyteJobRunFacet(
        jobId=7,
        jobType="sync",
        status="succeeded",
        connectionId="c",
        connectionName="Shop to lake",
        rows=1000,
        bytes=65536,
        startedAt="2026-08-21T10:15:00+00:00",
        durationSeconds=2.0,
        url=JOB.url,
    )
    assert expected == told
    assert JOB.url == json.loads(event(found))["run"]["facets"]["airbyteJob"]["url"]


def test_without_a_job_nothing_is_said_of_it():
    """The datasets are told all the same."""
    found = operator_lineage(f"http://{AIRBYTE}", lineage(), None)
    assert ({}, 1, 1) == (found.run_facets, len(found.inputs), len(found.outputs))


# --------------------------------------------------------------------------------------------------
# Secrets

TELLABLE = {
    **SERVER,
    "hostname": "h",
    "schema": "x",
    "sid": "ORCL",
    "project_id": "p",
    "dataset_id": "d",
    "bucket": "b",
    "s3_bucket_name": "b",
    "gcs_bucket_name": "b",
    "azure_blob_storage_account_name": "acc",
    "azure_blob_storage_container_name": "box",
}
SECRET = {
    "username": "s3cr3t-user",
    "password": "s3cr3t-password",
    "client_id": "s3cr3t-id",
    "client_secret": "**********",
    "access_key_id": "s3cr3t-key",
    "secret_access_key": "s3cr3t",
    "s3_bucket_path": "s3cr3t-path",
    "role": "s3cr3t-role",
    "warehouse": "s3cr3t-warehouse",
    "http_path": "/sql/s3cr3t",
    "jdbc_url_params": "password=s3cr3t",
    "credentials_json": '{"private_key": "s3cr3t"}',
    "credentials": {"auth_type": "s3cr3t", "password": "s3cr3t"},
    "tunnel_method": {"tunnel_host": "s3cr3t", "ssh_key": "s3cr3t", "tunnel_port": 31337},
    "connection_data": {"connection_type": "s3cr3t", "sid": "ORCL"},
    "replication_method": {"publication": "s3cr3t"},
    "schemas": ["x", "s3cr3t"],
    "not yet invented": ["s3cr3t", {"s3cr3t": "s3cr3t"}],
}
KINDS = [
    *("postgres", "mssql", "mssql-v2", "oracle", "redshift", "mysql", "clickhouse", "snowflake"),
    *("databricks", "bigquery", "s3", "gcs", "azure-blob-storage", "stripe", "duckdb"),
]


@pytest.mark.parametrize("stream", [STREAM, WITHOUT_NAMESPACE])
@pytest.mark.parametrize("kind", KINDS)
def test_no_other_value_of_a_configuration_is_told(kind, stream):
    """Whatever else a configuration holds, masked or not, is nowhere in the event."""
    ends = lineage(stream, source_kind=kind, destination_kind=kind, **TELLABLE, **SECRET)
    sent = event(operator_lineage(f"http://{AIRBYTE}", ends, JOB))
    assert [] == [part for part in ("s3cr3t", "***", "31337") if part in sent]


@pytest.mark.parametrize(
    "value",
    [
        *(
            "https://ann:s3cr3t@db",
            "db;password=s3cr3t",
            "db?token=s3cr3t",
            "s3cr3t@db",
            "a b=s3cr3t",
        ),
        *("db/s3cr3t", "secret_coordinate::s3cr3t", "s3cr3t\n", {"_secret": "s3cr3t"}, ["s3cr3t"]),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_look_like_a_name_is_not_told(kind, value):
    """People write whole addresses where a name belongs, with what is in them."""
    everything = dict.fromkeys(TELLABLE, value) | {"schemas": [value]}
    ends = lineage(WITHOUT_NAMESPACE, source_kind=kind, destination_kind=kind)
    ends = Lineage(
        source=Endpoint(role="source", endpoint_id="s", kind=kind, configuration=everything),
        destination=Endpoint(
            role="destination", endpoint_id="d", kind=kind, configuration=everything
        ),
        streams=ends.streams,
    )
    assert "s3cr3t" not in event(operator_lineage(f"http://{AIRBYTE}", ends, JOB))


# --------------------------------------------------------------------------------------------------
# Asking


@pytest.fixture
def shop(airbyte, connection):
    """A connection of the Airbyte behind ``airbyte_default``."""
    return airbyte.add_connection(
        ServerConnection(
            connection_id=connection.connection_id,
            source=Actor(type="postgres", configuration={**SERVER, "password": "s3cr3t"}),
            destination=Actor(type="s3", configuration={"s3_bucket_name": "lake"}),
            streams=("users",),
            stream_namespace="shop",
            namespace_definition="source",
            prefix="raw_",
        )
    )


@pytest.fixture
def ask(shop):
    """Ask as the operator does."""

    def ask(**options):
        arguments = {
            "conn_id": "airbyte_default",
            "api_version": "v1",
            "connection_id": shop.connection_id,
            "job": JOB,
        }
        return facets_on_complete(**(arguments | options))

    return ask


@pytest.fixture
def log(caplog):
    """The lines that our modules write, by level; a test before may have left a thread that asks Airflow."""
    caplog.set_level(logging.DEBUG)
    return lambda: [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("airbyte_sync") and not record.name.endswith("task_states")
    ]


def test_datasets_come_from_airbyte(ask, log):
    """Three small requests, and nothing in the log."""
    found = ask()
    assert [("postgres://db.internal:1234", "app.shop.users")] == of(found.inputs)
    assert [("s3://lake", "shop/raw_users")] == of(found.outputs)
    assert {"externalQuery", "airbyteJob"} == set(found.run_facets)
    assert "s3cr3t" not in event(found)
    assert [] == log()


def test_openlineage_takes_them(ask):
    """The provider's own extractor calls the operator's method and gets what it understands."""

    class Operator:
        task_type = "AirbyteTriggerSyncOperator"

        def get_openlineage_facets_on_complete(self, task_instance):
            return ask()

    found = DefaultExtractor(Operator()).extract_on_complete(None)
    assert ask() == found


@pytest.mark.parametrize("script", [job_scripts.succeeds(), job_scripts.fails()])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_openlineage_takes_it_silently_that_there_is_nothing_to_tell(
    airbyte, connection, operator, context, caplog, script, asynchronous
):
    """The provider warns of ``None`` in the task's log: of each failed try, and of each asynchronous task."""
    airbyte.add_connection(connection, job_scripts=[script])
    task = operator(asynchronous=asynchronous)
    with suppress(AirbyteSyncFailed):
        task.execute(context)
    caplog.clear()
    manager = ExtractorManager()
    told = manager.validate_task_metadata(DefaultExtractor(task).extract_on_complete(None))
    is_told = not asynchronous and task._job is not None
    assert is_told == bool(told.run_facets)
    assert [] == [each.message for each in caplog.records if each.levelname == "WARNING"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(on="GET /connections/{connectionId}", do="drop"),
        Fault(on="GET /sources/{sourceId}", do="answer", answer=answers.forbidden()),
        Fault(on="GET /destinations/{destinationId}", do="answer", answer=answers.webapp_page()),
        Fault(on="POST /applications/token", do="answer", answer=answers.bad_gateway()),
    ],
    ids=lambda fault: fault.on,
)
def test_when_airbyte_does_not_answer_the_job_is_told_alone(airbyte, ask, log, fault):
    """Whatever goes wrong is a debug line."""
    airbyte.inject(fault)
    found = ask()
    assert ([], [], 7) == (found.inputs, found.outputs, found.run_facets["airbyteJob"].jobId)
    ((level, line),) = log()
    assert ("DEBUG", True) == (level, line.startswith("No datasets of Airbyte connection"))


def test_nobody_waits_long(airbyte, ask, log):
    """Airbyte may stall as it likes: the patience holds for all requests together."""
    airbyte.inject(Fault(on="GET /sources/{sourceId}", do="stall"))
    began = monotonic()
    found = ask(patience=timedelta(milliseconds=200))
    assert monotonic() - began < 2
    assert [] == found.inputs
    assert "took longer than 0.2 s" in log()[-1][1]


@pytest.mark.parametrize(
    "wrong", [{"conn_id": "nowhere"}, {"conn_id": ""}, {"api_version": "latest"}]
)
def test_a_wrong_connection_is_no_failure(ask, log, wrong):
    """Where nothing is known, nothing is told."""
    assert OperatorLineage() == ask(**wrong)
    assert ["DEBUG"] == [level for level, _ in log()]


WITHOUT_PROVIDER = """
import logging, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == {absent!r} or name.startswith({absent!r} + "."):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from airbyte_sync_airflow.openlineage.extract import facets_on_complete, no_facets

log = logging.getLogger("airbyte_sync_airflow.openlineage.extract")
log.setLevel(logging.DEBUG)
log.addHandler(logging.StreamHandler(sys.stdout))
found = facets_on_complete(conn_id="nowhere", api_version="v1", connection_id="c", job=None)
print("result:", found, no_facets())
"""


@pytest.mark.parametrize("absent", ["airflow.providers.openlineage", "openlineage"])
def test_without_the_provider_nothing_happens(absent):
    """No lineage, no error, not a line in the log, and Airflow is not even asked for the connection."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PROVIDER.format(absent=absent)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert "result: None None\n" == done.stdout
