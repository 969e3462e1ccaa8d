"""prefect-airbyte, unmodified, works against the server's Config API."""

import asyncio
import uuid
from datetime import timedelta
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest
from prefect.testing.utilities import prefect_test_harness
from prefect_airbyte.connections import AirbyteConnection
from prefect_airbyte.exceptions import AirbyteSyncJobFailed
from prefect_airbyte.flows import run_connection_sync
from prefect_airbyte.server import AirbyteServer

from airbyte_sync_local import LocalAirbyte, RequireBasicAuth, job_scripts, statuses

QUICK = job_scripts.JobScript(
    steps=(
        # It reads the last attempt at once, and so needs one from the first moment on.
        job_scripts.Step(status=statuses.RUNNING),
        job_scripts.Step(status=statuses.RUNNING, at=timedelta(seconds=1), rows=4),
        job_scripts.Step(status=statuses.SUCCEEDED, at=timedelta(seconds=2), rows=10),
    )
)


@pytest.fixture(scope="module", autouse=True)
def prefect_of_its_own():
    with prefect_test_harness():
        yield


@pytest.fixture
def airbyte():
    with LocalAirbyte(auth=RequireBasicAuth(username="me", password="hush")) as server:
        yield server


@pytest.fixture
def block(airbyte):
    """Makes its block for a connection."""
    address = urlsplit(airbyte.base_url)
    server = AirbyteServer(
        username="me", password="hush", server_host=address.hostname, server_port=address.port
    )

    def connection(life):
        row = airbyte.add_connection(job_scripts=[life])
        return AirbyteConnection(
            airbyte_server=server,
            connection_id=uuid.UUID(row.connection_id),
            poll_interval_s=1,
            status_updates=True,
        )

    return connection


def test_this_is_the_published_version():
    """What is proven here is proven for it."""
    assert "0.3.2" == version("prefect-airbyte")


async def sync(block):
    return await run_connection_sync(block)


def test_its_flow_runs_a_sync_to_its_end(block):
    """Health, connection, submission, polls with attempts: the flow returns what came of it."""
    result = asyncio.run(sync(block(QUICK)))
    assert (1, "succeeded", 10) == (result.job_id, result.job_status, result.records_synced)


def test_a_failed_sync_is_its_own_error(block):
    """The flow fails when the sync does."""
    failing = job_scripts.JobScript(
        steps=(
            job_scripts.Step(status=statuses.RUNNING),
            job_scripts.Step(status=statuses.FAILED, at=timedelta(seconds=1)),
        )
    )
    with pytest.raises(AirbyteSyncJobFailed, match="failed"):
        asyncio.run(sync(block(failing)))
