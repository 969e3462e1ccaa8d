"""dagster-airbyte, unmodified, loads a workspace and materializes its streams from the server."""

from datetime import timedelta
from importlib.metadata import version

import dagster as dg
import pytest
from dagster_airbyte import AirbyteWorkspace, airbyte_assets, load_airbyte_asset_specs

from airbyte_sync_local import (
    Actor,
    ServerConnection,
    job_scripts,
    statuses,
)
from airbyte_sync_local.platform.model import DEFAULT_WORKSPACE_ID

ORDERS = ServerConnection(
    name="Orders",
    streams=("users", "orders"),
    prefix="shop_",
    destination=Actor(type="postgres", configuration={"database": "lake", "schema": "raw"}),
)
QUICK = job_scripts.JobScript(
    steps=(
        job_scripts.Step(status=statuses.RUNNING),
        job_scripts.Step(status=statuses.SUCCEEDED, rows=10, bytes=640),
    )
)


@pytest.fixture
def workspace(airbyte, auth):
    return AirbyteWorkspace(
        rest_api_base_url=airbyte.api_url,
        configuration_api_base_url=f"{airbyte.base_url}/api/v1",
        workspace_id=DEFAULT_WORKSPACE_ID,
        client_id=auth.client_id,
        client_secret=auth.client_secret,
        request_max_retries=0,
        poll_interval=0.1,
        poll_timeout=20,
    )


def materialize(workspace):
    @airbyte_assets(connection_id=ORDERS.connection_id, workspace=workspace, name="orders")
    def orders(context: dg.AssetExecutionContext, airbyte: AirbyteWorkspace):
        yield from airbyte.sync_and_poll(context=context)

    return dg.materialize([orders], resources={"airbyte": workspace}, raise_on_error=False)


def test_this_is_the_published_version():
    """What is proven here is proven for it."""
    assert "0.29.27" == version("dagster-airbyte")


def test_it_loads_a_workspace(airbyte, workspace):
    """Connections, streams and destinations become assets."""
    airbyte.add_connection(ORDERS)
    with workspace.process_config_and_initialize_cm_cached() as initialized:
        specs = load_airbyte_asset_specs(workspace=initialized)
    assert [["shop_orders"], ["shop_users"]] == sorted(spec.key.path for spec in specs)
    metadata = specs[0].metadata
    assert ORDERS.connection_id == metadata["dagster-airbyte/connection_id"]
    assert "lake.raw.users" in {spec.metadata["dagster/table_name"] for spec in specs}


def test_it_syncs_and_polls(airbyte, workspace):
    """A sync is started, followed to its end, and its streams are materialized."""
    airbyte.add_connection(ORDERS, job_scripts=[QUICK])
    result = materialize(workspace)
    assert result.success
    assert [statuses.SUCCEEDED] == [job.status for job in airbyte.jobs]
    keys = [event.asset_key.path for event in result.get_asset_materialization_events()]
    assert [["shop_orders"], ["shop_users"]] == sorted(keys)


def test_a_failed_sync_fails(airbyte, workspace):
    """The run fails when the sync does."""
    airbyte.add_connection(ORDERS, job_scripts=[job_scripts.fails()])
    assert not materialize(workspace).success


def test_it_goes_on_with_a_running_sync(airbyte, workspace):
    """With its own option a sync that runs already is polled, and none is started."""
    airbyte.add_connection(ORDERS)
    airbyte.start_external_job(
        ORDERS.connection_id, job_scripts.succeeds(lasts=timedelta(seconds=1))
    )
    client = workspace.model_copy(update={"poll_previous_running_sync": True}).get_client()
    output = client.sync_and_poll(ORDERS.connection_id)
    assert (1, 1) == (output.job_details["jobId"], len(airbyte.jobs))


def test_it_cancels_what_it_gives_up(airbyte, workspace):
    """Its own timeout reaches the server."""
    airbyte.add_connection(ORDERS, job_scripts=[job_scripts.never_ends()])
    client = workspace.model_copy(update={"poll_timeout": 2}).get_client()
    with pytest.raises(dg.Failure, match="Timeout"):
        client.sync_and_poll(ORDERS.connection_id)
    assert [statuses.CANCELLED] == [job.status for job in airbyte.jobs]
