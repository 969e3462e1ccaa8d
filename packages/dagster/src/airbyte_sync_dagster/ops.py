"""The op: a job of one connection, for graphs without assets."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from airbyte_sync_dagster.resource import Airbyte


class AirbyteSyncConfig(dg.Config):
    """What is run, and how: ``policy`` has the keys of ``SyncPolicy.from_config``."""

    connection_id: str
    job_type: str = "sync"
    policy: dict[str, Any] = Field(default={})


@dg.op(out=dg.Out(dict, is_required=False))
def airbyte_sync_op(
    context: dg.OpExecutionContext, config: AirbyteSyncConfig, airbyte: Airbyte
) -> Iterator[dg.Output[dict[str, Any]]]:
    """Run a job to its end. The output is the job as JSON; there is none where it was skipped."""
    ended = airbyte.sync(context, config.connection_id, config.job_type, **config.policy)
    if ended.result is not None:
        yield dg.Output(ended.result.job.to_json(), metadata=ended.metadata)
