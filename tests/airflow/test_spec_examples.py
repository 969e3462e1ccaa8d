"""The specification's usage examples run as they stand."""

from datetime import timedelta
from pathlib import Path

import pytest

from airbyte_sync_local import ServerConnection, job_scripts

EXAMPLES = (Path(__file__).parent / "spec_dags" / "spec_examples.py").read_text()
RENAMED_IN_AIRFLOW_3 = {
    "schedule_interval=": "schedule=",
    "from airflow.operators.bash import": "from airflow.providers.standard.operators.bash import",
}
SPECIFICATION = Path(__file__).parents[2].parent / "shared" / "seed" / "sync-operations.md"

AT_ONCE = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))


# The examples use names that Airflow 3 deprecates, and dag.test() itself warns of its own parts.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def dag(load_dag_file):
    """The examples' DAG."""
    from airflow import __version__

    source = EXAMPLES
    if __version__.startswith("3"):
        for before, after in RENAMED_IN_AIRFLOW_3.items():
            assert before in source
            source = source.replace(before, after)
    return load_dag_file("spec_examples", source).dag


def test_all_examples_run_to_success(dag, airbyte, connect, monkeypatch, submissions):
    """Blocking, asynchronous with sensor, deferrable, dynamic, and with retries and a clean-up."""
    connections = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
    for connection_id in (*connections, "connection-uuid-123"):
        airbyte.add_connection(ServerConnection(connection_id=connection_id), job_scripts=[AT_ONCE])
    for conn_id in ("airbyte_default", "airbyte_of_the_team"):
        connect(conn_id, host=airbyte.base_url, login="the-client-id", password="the-client-secret")
    monkeypatch.setenv("AIRFLOW_VAR_CUSTOMER_CONNECTION_ID", connections[0])
    monkeypatch.setenv("AIRFLOW_VAR_AIRBYTE_CONN", "airbyte_of_the_team")

    run = dag.test(run_conf={"connection_id": connections[1]})

    states = {task.task_id: str(task.state) for task in run.get_task_instances()}
    assert dict.fromkeys(dag.task_ids, "success") == states
    assert "success" == str(run.state)
    assert [
        "11111111-1111-4111-8111-111111111111",
        "22222222-2222-4222-8222-222222222222",
        "connection-uuid-123",
        "connection-uuid-123",
        "connection-uuid-123",
    ] == sorted(record.body["connectionId"] for record in submissions())


@pytest.mark.skipif(
    not SPECIFICATION.exists(), reason="the specification is not beside this checkout"
)
def test_the_examples_are_the_specifications():
    """Every line of its usage examples is there, in order."""
    text = SPECIFICATION.read_text()
    usage = text[text.index("## Usage Examples") : text.index("## Execution Modes")]
    inside, lines = False, []
    for line in usage.splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside and line:
            lines.append(line)
    ours = iter(EXAMPLES.splitlines())
    assert [] == [line for line in lines if line not in ours]
