"""PyAirbyte's ``airbyte.cloud``, unmodified, works against the server."""

from importlib.metadata import version

import pytest
from airbyte import cloud
from airbyte.exceptions import AirbyteConnectionSyncError

from airbyte_sync_local import Actor, ServerConnection, job_scripts, statuses
from airbyte_sync_local.platform.model import DEFAULT_WORKSPACE_ID

ORDERS = ServerConnection(
    name="Orders",
    streams=("users", "orders"),
    source=Actor(type="faker", name="People", configuration={"count": 10}),
    destination=Actor(
        type="duckdb", name="Lake", configuration={"destination_path": "/local/lake.db"}
    ),
    state={"users": {"cursor": "2026-01-01"}},
)


@pytest.fixture
def workspace(airbyte, auth):
    return cloud.CloudWorkspace(
        workspace_id=DEFAULT_WORKSPACE_ID,
        client_id=auth.client_id,
        client_secret=auth.client_secret,
        api_root=airbyte.api_url,
    )


@pytest.fixture
def connection_with(airbyte, workspace):
    """Give a connection's jobs a script, and return PyAirbyte's own connection."""

    def connection(script):
        airbyte.add_connection(ORDERS, job_scripts=[script])
        return workspace.get_connection(ORDERS.connection_id)

    return connection


def test_this_is_the_published_version():
    """What is proven here is proven for it."""
    assert "0.71.3" == version("airbyte")


def test_it_loads_a_workspace(airbyte, workspace):
    """The workspace is found, and its connections, sources and destinations are listed."""
    row = airbyte.add_connection(ORDERS)
    workspace.connect()
    (connection,), (source,), (destination,) = (
        workspace.list_connections(),
        workspace.list_sources(),
        workspace.list_destinations(),
    )
    assert (row.connection_id, "Orders") == (connection.connection_id, connection.name)
    assert (row.source_id, "People") == (source.connector_id, source.name)
    assert (row.destination_id, "Lake") == (destination.connector_id, destination.name)


def test_it_runs_a_sync_to_its_end(connection_with):
    """The sync is started and followed, and its streams, attempts and logs are read."""
    connection = connection_with(job_scripts.succeeds(rows=10))
    result = connection.run_sync(wait_timeout=60)
    assert (10, 65536) == (result.records_synced, result.bytes_synced)
    assert ["users", "orders"] == list(result.stream_names)
    (attempt,) = result.get_attempts()
    assert (0, "succeeded", 10) == (attempt.attempt_number, attempt.status, attempt.records_synced)
    assert "attempt 0 succeeded" in attempt.get_full_log_text()
    assert result.start_time <= attempt.created_at


def test_a_failed_sync_is_its_own_error(connection_with):
    """The reason is in the attempt's log."""
    connection = connection_with(job_scripts.fails("The password is wrong"))
    result = connection.run_sync(wait=False)
    with pytest.raises(AirbyteConnectionSyncError):
        result.wait_for_completion(wait_timeout=60, raise_failure=True)
    (attempt,) = result.get_attempts()
    assert "The password is wrong" in attempt.get_full_log_text()


def test_it_cancels(airbyte, connection_with):
    """A sync that runs is cancelled."""
    connection = connection_with(job_scripts.never_ends())
    result = connection.run_sync(wait=False)
    while airbyte.jobs[0].status == statuses.PENDING:
        pass
    connection.cancel_sync(result.job_id)
    assert "cancelled" == result.get_job_status()


def test_it_reads_earlier_syncs_and_state(connection_with):
    """The newest sync is found, and how far the streams have come is told."""
    connection = connection_with(job_scripts.succeeds())
    connection.run_sync(wait_timeout=60)
    assert "succeeded" == connection.get_sync_result().get_job_status()
    assert {"cursor": "2026-01-01"} == connection.get_stream_state("users")
