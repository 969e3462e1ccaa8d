"""Flows for processes of their own: ``python flows.py <flow> <connection id>``."""

import asyncio
import sys
from uuid import UUID

from prefect import flow, get_client, serve
from prefect.flow_engine import run_flow
from prefect.states import Crashed, Scheduled

from airbyte_sync_prefect import sync_connection, sync_connection_async

POLICY = {"poll_interval": 1}


@flow
def blocking(connection_id):
    return sync_connection(connection_id, "local", **POLICY).job.rows


@flow
def submitted(connection_id):
    return sync_connection.submit(connection_id, "local", **POLICY).result().job.rows


@flow
async def asynchronous(connection_id):
    return (await sync_connection_async(connection_id, "local", **POLICY)).job.rows


STYLES = {"blocking": blocking, "submitted": submitted, "asynchronous": asynchronous}


def run(chosen, *arguments):
    """Run a flow to its end."""
    outcome = chosen(*arguments)
    return asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome


def run_again(style, flow_run_id):
    """Run a flow run once more whose process is gone, as its retry does."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Crashed(), force=True)
        client.set_flow_run_state(flow_run_id, Scheduled(), force=True)
        flow_run = client.read_flow_run(flow_run_id)
    run(run_flow, STYLES[style], flow_run, flow_run.parameters)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve(*(chosen.to_deployment("local") for chosen in STYLES.values()))
        case ["again", style, flow_run_id]:
            run_again(style, UUID(flow_run_id))
        case [style, connection_id]:
            run(STYLES[style], connection_id)
