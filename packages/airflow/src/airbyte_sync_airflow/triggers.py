"""The trigger: goes on with a flow where a task left off, in the triggerer's event loop.

It carries identifiers and settings only; credentials are read from the Airflow connection when it
starts. Nothing in it blocks the loop: what must block is done once, in a thread. Airflow imports this
module in the loop, so it is light; the flows come with the first trigger.
"""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airbyte_sync_airflow.triggerer.request import TriggerProgress, TriggerRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HAS_ON_KILL = hasattr(BaseTrigger, "on_kill")
"""Airflow 3.3 calls ``on_kill``; a trigger of an earlier release has to find out by itself."""


class AirbyteSyncTrigger(BaseTrigger):
    """
    Wait for the end of a sync, doing on the way whatever its flow still has to do.

    Where the request has no job yet, the trigger ends as soon as it has one: the task then tells of it
    and defers again, so that the job is never known to a trigger alone.

    Args:
        airbyte_conn_id: The Airflow connection that leads to the Airbyte server.
        checkpoint: Where the flow stands: :meth:`airbyte_sync.Checkpoint.to_json`.
        policy: How to see it through: :meth:`airbyte_sync.SyncPolicy.to_json`.
        api_version: The version in the API's address.
        job: What is known of the job: the XCom ``airbyte_job``.
        cancel_on_kill: Cancel the sync when the task is killed while it waits here.
        in_loop: Whether the task belongs to a loop of Airflow 3.4: states of tasks are then not told for
            its own iteration.
    """

    def __init__(  # noqa: PLR0917 - Airflow makes it of keywords
        self,
        airbyte_conn_id: str,
        checkpoint: dict[str, Any],
        policy: dict[str, Any],
        api_version: str = "v1",
        job: dict[str, Any] | None = None,
        cancel_on_kill: bool = True,  # noqa: FBT001, FBT002
        in_loop: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.airbyte_conn_id = airbyte_conn_id
        self.checkpoint = checkpoint
        self.policy = policy
        self.api_version = api_version
        self.job = job
        self.cancel_on_kill = cancel_on_kill
        self.in_loop = in_loop
        self._progress = TriggerProgress()
        self._has_fired = False

    @property
    def log(self) -> Any:
        """The log, one for all triggers: Airflow knows by context variables whose line it is."""
        return self.logger()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, all of JSON types."""
        arguments: dict[str, Any] = {
            "airbyte_conn_id": self.airbyte_conn_id,
            "checkpoint": self.checkpoint,
            "policy": self.policy,
            "api_version": self.api_version,
            "job": self.job,
            "cancel_on_kill": self.cancel_on_kill,
        }
        if self.in_loop:  # a triggerer of an earlier release of ours need not know it elsewhere
            arguments["in_loop"] = True
        return "airbyte_sync_airflow.triggers.AirbyteSyncTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Drive the flow and send one event: see :mod:`airbyte_sync_airflow.triggerer.event`."""
        try:
            await import_in_a_thread("airbyte_sync_airflow.triggerer.run")
            from airbyte_sync_airflow.triggerer.run import wait

            event = await wait(self._request(), self._progress)
        except CancelledError:
            if not HAS_ON_KILL:
                from airbyte_sync_airflow.triggerer.cancel import ON_CANCEL_SECONDS

                await self._cancel_if_killed(ON_CANCEL_SECONDS)
            raise
        self._has_fired = True
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Cancel the sync when the task was killed; Airflow 3.3 also calls this when it was not."""
        await import_in_a_thread("airbyte_sync_airflow.triggerer.cancel")
        from airbyte_sync_airflow.triggerer.cancel import ON_KILL_SECONDS

        await self._cancel_if_killed(ON_KILL_SECONDS)

    async def _cancel_if_killed(self, seconds: float) -> None:
        from airbyte_sync_airflow.triggerer.cancel import cancel_if_killed, stopped_trigger

        if self._has_fired or not self.cancel_on_kill:
            return
        stopped = stopped_trigger(self._request(), self._progress)
        if stopped is not None:
            await cancel_if_killed(stopped, seconds)

    def _request(self) -> TriggerRequest:
        from airbyte_sync_airflow.compat.task_states import TaskKey

        return TriggerRequest(
            conn_id=self.airbyte_conn_id,
            api_version=self.api_version,
            checkpoint=self.checkpoint,
            policy=self.policy,
            job=self.job,
            key=None
            if self.task_instance is None
            else TaskKey.of(self.task_instance, in_loop=self.in_loop),
            trigger_id=self.trigger_id,
            triggerer_id=getattr(self, "triggerer_job_id", None),
            log=self.log,
        )


_IMPORTED: set[str] = set()


async def import_in_a_thread(module: str) -> None:
    """Import a module and all that it needs, while the loop goes on."""
    from importlib import import_module

    from airbyte_sync_airflow.triggerer.threads import in_own_thread

    if module not in _IMPORTED:
        await in_own_thread(import_module, module)
        _IMPORTED.add(module)
