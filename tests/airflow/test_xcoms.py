"""XComs and links as Airflow itself stores them: with a backend of one's own, and where there is no job."""

import json
from datetime import timedelta

import pytest

from airbyte_sync_airflow.links import AirbyteJobLink
from airbyte_sync_local import Fault, ServerConnection, answers

try:
    from airflow.sdk.execution_time import task_runner, xcom
except ImportError:
    task_runner = None

DAG_FILE = """
import os
from datetime import datetime
try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task
from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator

with DAG("xcoms_of_a_sync", schedule=None, start_date=datetime(2026, 1, 1)) as dag_sync:
    AirbyteTriggerSyncOperator(task_id="sync", connection_id=os.environ["THE_CONNECTION"])

with DAG("xcoms_of_a_hook", schedule=None, start_date=datetime(2026, 1, 1)) as dag_hook:

    @task
    def look():
        hook = AirbyteHook()
        job = hook.submit_sync_connection(os.environ["THE_CONNECTION"])
        return hook.get_job_details(job.job_id).to_json()

    @task
    def use(job):
        return f"{job['job_id']} {job['status']}"

    use(look())
"""


@pytest.fixture
def dag_file(airbyte, connection, load_dag_file, monkeypatch):
    """Two DAGs; the file is imported once for all tests, so the connection's id is always the same."""
    fixed = airbyte.add_connection(
        ServerConnection(connection_id="11111111-1111-4111-8111-111111111111")
    )
    monkeypatch.setenv("THE_CONNECTION", fixed.connection_id)
    return load_dag_file("xcoms", DAG_FILE)


@pytest.mark.filterwarnings("default")  # dag.test() warns of its own parts
def test_a_failure_before_there_is_a_job_logs_no_error_about_an_xcom(
    airbyte, dag_file, caplog, capsys
):
    """The one error is why the task failed: Airflow asks for the link, and there is none."""
    airbyte.inject(Fault(on="POST /jobs", do="answer", answer=answers.forbidden()))
    run = dag_file.dag_sync.test()
    assert "failed" == str(run.state)
    out, err = capsys.readouterr()
    told = caplog.text + out + err
    assert "XCom not found" not in told


@pytest.mark.filterwarnings("default")
def test_what_the_hook_returns_can_be_a_tasks_result(dag_file):
    """With ``to_json()``: Airflow refuses to read back a class that is not on its allow list."""
    run = dag_file.dag_hook.test()
    (used,) = (each for each in run.get_task_instances() if each.task_id == "use")
    assert "success" == str(used.state)


@pytest.fixture
def elsewhere(monkeypatch):
    """A backend that keeps values outside of the database, where it leaves a reference."""
    if task_runner is None:
        from airflow.models import taskinstance
        from airflow.models import xcom as xcom_of_airflow_2

        base, places = xcom_of_airflow_2.BaseXCom, [xcom_of_airflow_2, taskinstance]
    else:
        base, places = xcom.BaseXCom, [xcom, task_runner]
    kept = {}

    class Elsewhere(base):
        @staticmethod
        def serialize_value(value, **_):
            reference = f"elsewhere://{len(kept)}"
            kept[reference] = value
            return reference if task_runner else json.dumps(reference).encode()

        @staticmethod
        def deserialize_value(result):
            stored = result.value
            return kept[stored if task_runner else json.loads(stored)]

    for place in places:
        monkeypatch.setattr(place, "XCom", Elsewhere)
    return kept


def link_in_the_ui():
    """Return what a person's click opens: Airflow 3 reads the row as it is, Airflow 2 asks the link."""
    from airflow.utils.session import create_session
    from sqlalchemy import select

    if task_runner is None:
        from airflow.models import TaskInstance

        with create_session() as session:
            query = select(TaskInstance).where(TaskInstance.dag_id == "xcoms_of_a_sync")
            *_, instance = session.scalars(query.order_by(TaskInstance.start_date))
            return AirbyteJobLink().get_link(object(), ti_key=instance.key)
    from airflow.models.xcom import XComModel

    with create_session() as session:
        query = select(XComModel.value).where(
            XComModel.dag_id == "xcoms_of_a_sync", XComModel.key == AirbyteJobLink().xcom_key
        )
        *_, link = session.scalars(query.order_by(XComModel.timestamp))
        return link


@pytest.mark.filterwarnings("default")
def test_with_an_xcom_backend_of_ones_own_the_link_is_right_while_the_task_waits(
    airbyte, dag_file, elsewhere, clock
):
    """Airflow's UI has no XCom backend: it takes a link as it stands in the database."""
    seen = []
    clock.at(clock.now() + timedelta(seconds=1), lambda: seen.append(link_in_the_ui()))
    run = dag_file.dag_sync.test()
    (url,) = {value["url"] for value in elsewhere.values() if isinstance(value, dict)}
    assert ("success", [url], url) == (str(run.state), seen, link_in_the_ui())
