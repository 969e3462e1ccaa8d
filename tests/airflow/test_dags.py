"""In a DAG: mapped, wired with XComs, serialized."""

import json

import pytest

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task


def dag():
    return DAG("d", schedule=None)


def test_an_xcom_for_the_airflow_connection_is_a_dependency(operator, sensor):
    """Not a template field, and yet the task runs after the one that gives it."""
    with dag():

        @task
        def conn():
            return "airbyte_default"

        sync = operator("x", airbyte_conn_id=conn())
        wait = sensor(sync.output, task_id="b", airbyte_conn_id=conn())
    assert {"conn"} == sync.upstream_task_ids
    assert {"sync", "conn__1"} == wait.upstream_task_ids


def test_it_can_be_mapped_over_connections():
    """The usual way to sync many."""
    with dag() as mapped:
        AirbyteTriggerSyncOperator.partial(task_id="a", deferrable=True).expand(
            connection_id=["x", "y"]
        )
    assert ["a"] == list(mapped.task_ids)


def test_a_dag_with_it_can_be_serialized(operator, sensor):
    """What the scheduler and the UI see of it."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    with dag() as made:
        sync = operator("x", deferrable=True)
        sensor(sync.output, task_id="b")
    document = json.loads(json.dumps(Serialization.to_dict(made)))
    assert "#6C51FD" in json.dumps(document)
    assert {"sync", "b"} == set(Serialization.from_dict(document).task_ids)


@pytest.mark.parametrize("value", [3, 3.0, "3"])
def test_numbers_may_come_as_text(operator, value):
    """Variables render as text."""
    operator("x", wait_seconds=value, timeout=value)
