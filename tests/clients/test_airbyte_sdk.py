"""Airbyte's own Python SDK, unmodified, works against the server."""

from datetime import timedelta

import airbyte_api
import pytest
from airbyte_api import models
from airbyte_api.errors import SDKError

from airbyte_sync_local import (
    LocalAirbyte,
    ManualClock,
    ServerConnection,
    job_scripts,
    utc_now,
)

# The SDK and its dependencies warn about themselves; their warnings prove nothing about us.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def clock():
    # The SDK asks the real clock whether its token has ended, so the hands start there.
    return ManualClock(utc_now())


@pytest.fixture
def airbyte(clock, auth):
    with LocalAirbyte(clock=clock, auth=auth) as airbyte:
        yield airbyte


@pytest.fixture
def connection(airbyte):
    return airbyte.add_connection(
        ServerConnection(name="Orders"), job_scripts=[job_scripts.never_ends()]
    )


@pytest.fixture
def sdk(airbyte, auth):
    credentials = models.SchemeClientCredentials(
        client_id=auth.client_id,
        client_secret=auth.client_secret,
        # A relative one would lose the path of the server's address.
        token_url=f"{airbyte.api_url}/applications/token",
    )
    security = models.Security(client_credentials=credentials)
    with airbyte_api.AirbyteAPI(server_url=airbyte.api_url, security=security) as sdk:
        yield sdk


def create(sdk, connection):
    request = {"connection_id": connection.connection_id, "job_type": models.JobTypeEnum.SYNC}
    return sdk.jobs.create_job(request=request).job_response


def test_it_triggers_and_polls(sdk, connection, clock):
    """A job is created and read again, and its statuses are the SDK's enum."""
    job = create(sdk, connection)
    clock.advance(timedelta(seconds=1))
    again = sdk.jobs.get_job(request={"job_id": job.job_id}).job_response
    assert (models.JobStatusEnum.PENDING, models.JobStatusEnum.RUNNING) == (
        job.status,
        again.status,
    )
    assert (connection.connection_id, 0) == (again.connection_id, again.rows_synced)


def test_it_cancels(sdk, connection, clock):
    """A running job is cancelled."""
    job = create(sdk, connection)
    clock.advance(timedelta(seconds=1))
    cancelled = sdk.jobs.cancel_job(request={"job_id": job.job_id}).job_response
    assert models.JobStatusEnum.CANCELLED == cancelled.status


def test_it_lists(sdk, connection):
    """The list of a connection's jobs is read."""
    job = create(sdk, connection)
    request = {"connection_id": connection.connection_id, "order_by": "createdAt|DESC"}
    found = sdk.jobs.list_jobs(request=request).jobs_response
    assert [job.job_id] == [row.job_id for row in found.data]


def test_it_reads_connections_and_workspaces(sdk, connection):
    """Connections and workspaces pass the SDK's models."""
    request = {"connection_id": connection.connection_id}
    row = sdk.connections.get_connection(request=request).connection_response
    listed = sdk.connections.list_connections(request={}).connections_response.data
    workspaces = sdk.workspaces.list_workspaces(request={}).workspaces_response.data
    assert ("Orders", [row.connection_id]) == (row.name, [other.connection_id for other in listed])
    assert [row.workspace_id] == [workspace.workspace_id for workspace in workspaces]


def test_refusals_are_its_own_errors(sdk, connection, clock):
    """A running sync is an error of the SDK with the server's text."""
    create(sdk, connection)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(SDKError, match="A sync is already running"):
        create(sdk, connection)
