"""PyAirbyte's ``airbyte.cloud``, unmodified, works against the server."""

from importlib.metadata import version
from uuid import uuid4

import pytest
from airbyte import cloud
from airbyte.exceptions import AirbyteConnectionSyncError

from airbyte_sync_local import (
    Actor,
    LocalAirbyte,
    RequireClientCredentials,
    ServerConnection,
    job_scripts,
    statuses,
)
from airbyte_sync_local.platform.model import DEFAULT_WORKSPACE_ID


@pytest.fixture
def auth():
    # The SDK keeps tokens for the whole process by id and secret, whatever server sold them.
    return RequireClientCredentials(client_id="me", client_secret=uuid4().hex)


@pytest.fixture
def airbyte(auth):
    with LocalAirbyte(auth=auth) as server:
        yield server


@pytest.fixture
def add(airbyte):
    def connection(life):
        row = ServerConnection(
            name="Orders",
            streams=("users", "orders"),
            source=Actor(type="faker", name="People", configuration={"count": 10}),
            destination=Actor(
                type="duckdb", name="Lake", configuration={"destination_path": "/local/lake.db"}
            ),
            state={"users": {"cursor": "2026-01-01"}},
        )
        return airbyte.add_connection(row, job_scripts=[life])

    return connection


@pytest.fixture
def workspace(airbyte, auth):
    return cloud.CloudWorkspace(
        workspace_id=DEFAULT_WORKSPACE_ID,
        client_id=auth.client_id,
        client_secret=auth.client_secret,
        api_root=airbyte.api_url,
    )


def test_this_is_the_published_version():
    """What is proven here is proven for it."""
    assert "0.71.3" == version("airbyte")


def test_it_loads_a_workspace(workspace, add):
    """The workspace is found, and its connections, sources and destinations are listed."""
    row = add(job_scripts.succeeds())
    workspace.connect()
    (connection,), (source,), (destination,) = (
        workspace.list_connections(),
        workspace.list_sources(),
        workspace.list_destinations(),
    )
    assert (row.connection_id, "Orders") == (connection.connection_id, connection.name)
    assert (row.source_id, "People") == (source.connector_id, source.name)
    assert (row.destination_id, "Lake") == (destination.connector_id, destination.name)


def test_it_runs_a_sync_to_its_end(workspace, add):
    """The sync is started and followed, and its streams, attempts and logs are read."""
    connection = workspace.get_connection(add(job_scripts.succeeds(rows=10)).connection_id)
    result = connection.run_sync(wait_timeout=60)
    assert (10, 65536) == (result.records_synced, result.bytes_synced)
    assert ["users", "orders"] == list(result.stream_names)
    (attempt,) = result.get_attempts()
    assert (0, "succeeded", 10) == (attempt.attempt_number, attempt.status, attempt.records_synced)
    assert "attempt 0 succeeded" in attempt.get_full_log_text()
    assert result.start_time <= attempt.created_at


def test_a_failed_sync_is_its_own_error(workspace, add):
    """The reason is in the attempt's log."""
    connection = workspace.get_connection(
        add(job_scripts.fails("The password is wrong")).connection_id
    )
    result = connection.run_sync(wait=False)
    with pytest.raises(AirbyteConnectionSyncError):
        result.wait_for_completion(wait_timeout=60, raise_failure=True)
    (attempt,) = result.get_attempts()
    assert "The password is wrong" in attempt.get_full_log_text()


def test_it_cancels(airbyte, workspace, add):
    """A sync that runs is cancelled."""
    connection = workspace.get_connection(add(job_scripts.never_ends()).connection_id)
    result = connection.run_sync(wait=False)
    while airbyte.jobs[0].status == statuses.PENDING:
        pass
    connection.cancel_sync(result.job_id)
    assert "cancelled" == result.get_job_status()


def test_it_reads_earlier_syncs_and_state(workspace, add):
    """The newest sync is found, and how far the streams have come is told."""
    connection = workspace.get_connection(add(job_scripts.succeeds()).connection_id)
    connection.run_sync(wait_timeout=60)
    assert "succeeded" == connection.get_sync_result().get_job_status()
    assert {"cursor": "2026-01-01"} == connection.get_stream_state("users")
