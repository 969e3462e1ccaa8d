"""The trigger: goes on with a flow where a task left off, in the triggerer's event loop.

It carries identifiers and settings only; credentials are read from the Airflow connection when it
starts. Nothing in it blocks the loop: what must block is done once, in a thread. Airflow imports this
module in the loop, so it is light; the flows come with the first trigger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class AirbyteSyncTrigger(BaseTrigger):
    """
    Wait for the end of a sync, doing on the way whatever its flow still has to do.

    Args:
        airbyte_conn_id: The Airflow connection that leads to the Airbyte server.
        checkpoint: Where the flow stands: :meth:`airbyte_sync.Checkpoint.to_json`.
        policy: How to see it through: :meth:`airbyte_sync.SyncPolicy.to_json`.
        api_version: The version in the API's address.
    """

    def __init__(
        self,
        airbyte_conn_id: str,
        checkpoint: dict[str, Any],
        policy: dict[str, Any],
        api_version: str = "v1",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.airbyte_conn_id = airbyte_conn_id
        self.checkpoint = checkpoint
        self.policy = policy
        self.api_version = api_version

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, all of JSON types."""
        return (
            "airbyte_sync_airflow.triggers.AirbyteSyncTrigger",
            {
                "airbyte_conn_id": self.airbyte_conn_id,
                "checkpoint": self.checkpoint,
                "policy": self.policy,
                "api_version": self.api_version,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Drive the flow to its end and send one event: see :mod:`airbyte_sync_airflow.outcome`."""
        await _import_in_a_thread("airbyte_sync_airflow.composition")
        from airbyte_sync import (
            AirbyteSyncError,
            Checkpoint,
            InvalidInput,
            SyncPolicy,
            arun,
            resume,
        )
        from airbyte_sync_airflow.outcome import failure, success
        from airbyte_sync_airflow.rendering import TaskLog
        from airbyte_sync_airflow.sessions import async_session

        try:
            flow = resume(Checkpoint.from_json(self.checkpoint), SyncPolicy.from_json(self.policy))
            async with async_session(
                self.airbyte_conn_id, self.api_version, TaskLog(self.log)
            ) as session:
                result = await arun(flow, session)
        except InvalidInput as error:
            event = failure(type(error)(f"{self._who_is_left_alone()}{error}"))
        except AirbyteSyncError as error:
            event = failure(error)
        else:
            event = success(result.job.job_id)
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    def _who_is_left_alone(self) -> str:
        job_id = self.checkpoint.get("job_id")
        if job_id is None:
            return ""
        return f"Airbyte job {job_id} goes on, and nobody follows it any more: "


async def _import_in_a_thread(module: str) -> None:
    """Import a module and all that it needs, while the loop goes on."""
    from importlib import import_module

    from asgiref.sync import sync_to_async

    await sync_to_async(import_module)(module)
