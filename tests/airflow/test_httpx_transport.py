"""The example of a transport over httpx carries a DAG, because the Airflow connection names it."""

import logging

import pytest

DAG_FILE = """
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from datetime import datetime
with DAG("{name}", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    in_a_worker = AirbyteTriggerSyncOperator(task_id="in_a_worker", connection_id="{first}")
    deferred = AirbyteTriggerSyncOperator(task_id="deferred", connection_id="{second}", deferrable=True)
    in_a_worker >> deferred
"""


@pytest.fixture
def sent_by_httpx():
    """Count the requests that httpx has sent: its engine logs each."""
    sent = []

    class Counting(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("send_request_headers.started"):
                sent.append(record)

    engine = logging.getLogger("httpcore.http11")
    before, handler = engine.level, Counting()
    engine.addHandler(handler)
    engine.setLevel(logging.DEBUG)
    yield lambda: len(sent)
    engine.removeHandler(handler)
    engine.setLevel(before)


@pytest.mark.filterwarnings("default")  # dag.test() warns of its own parts
@pytest.mark.parametrize(
    ("named", "carries_all"),
    [
        (["transport", "async_transport"], True),
        (["transport"], False),
        (["async_transport"], False),
    ],
    ids=["both", "workers", "triggerer"],
)
def test_a_dag_runs_through_it(
    load_dag_file, airbyte, connect, sent_by_httpx, request, named, carries_all
):
    """One extra is for workers, the other for the triggerer; with both, httpx sends all there is."""
    connect(
        host=airbyte.base_url,
        login="the-client-id",
        password="the-client-secret",
        extra=dict.fromkeys(named, "httpx"),
    )
    name = f"over_httpx_{request.node.callspec.id}"
    first, second = (airbyte.add_connection().connection_id for _ in range(2))
    text = DAG_FILE.format(name=name, first=first, second=second)
    run = load_dag_file(name, text).dag.test()
    assert "success" == str(run.state)
    assert ["succeeded", "succeeded"] == [job.status for job in airbyte.jobs]
    assert 0 < sent_by_httpx() <= len(airbyte.requests)
    assert carries_all is (sent_by_httpx() == len(airbyte.requests))
