"""When a trigger's task was killed, and how to finish a cancellation on a loop that does not wait.

Airflow stops a trigger for many reasons: its task was marked failed or successful, cleared, or has timed
out; the triggerer shuts down, or another one takes its triggers over. Only the first kind means that
nobody wants the sync any more, and only the task's state tells. Whatever does not surely mean that
leaves the sync running: the next try, or the next triggerer, follows it.

Airflow also cancels a trigger again every second while it is ending, so what must be done runs in a
task of its own.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync import Checkpoint, SyncPolicy, abandon, arun
from airbyte_sync_airflow.rendering import Follower
from airbyte_sync_airflow.sharing import shared_servers
from airbyte_sync_airflow.task_instances import KILLED, state_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from airbyte_sync_airflow.triggers import AirbyteSyncTrigger

T = TypeVar("T")

LOOKUP_SECONDS = 12.0
"""How long to ask for a task's state; it took more than three seconds on a busy Airflow 3.3."""
CANCEL_SECONDS = 25.0
"""How long to insist on a cancellation; Airflow 3.3 gives ``on_kill`` thirty seconds."""


async def finish(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """
    Await something to its end, however often we are cancelled meanwhile.

    Args:
        work: What to do.
        seconds: How long it may take.

    Raises:
        TimeoutError: It took longer.
        Exception: What it raises.
    """
    task = asyncio.ensure_future(asyncio.wait_for(work, seconds))
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
        except Exception:
            break
    return task.result()


async def was_killed(task_instance: Any, *, if_unknown: bool) -> bool:
    """
    Tell whether nobody waits for a trigger's task any more.

    Args:
        task_instance: The trigger's.
        if_unknown: What to believe where Airflow does not say.
    """
    from asgiref.sync import sync_to_async

    try:
        state = await finish(sync_to_async(state_of)(task_instance), LOOKUP_SECONDS)
    except Exception:
        return if_unknown
    return state in KILLED


async def cancel_if_killed(
    trigger: AirbyteSyncTrigger, checkpoint: Checkpoint | None, *, if_unknown: bool
) -> None:
    """
    Cancel the sync of a trigger that was stopped, if it was because its task was killed.

    Args:
        trigger: Says how to reach Airbyte, and who waited.
        checkpoint: How far it had come; ``None`` where it had not begun.
        if_unknown: Whether to take the task for killed where Airflow does not say.
    """
    try:
        if checkpoint is None:
            checkpoint = Checkpoint.from_json(trigger.checkpoint)
        if not await was_killed(trigger.task_instance, if_unknown=if_unknown):
            trigger.log.info("This wait is over; the sync goes on")
            return
        await finish(_cancel(trigger, checkpoint), CANCEL_SECONDS)
    except Exception:
        job_id = None if checkpoint is None else checkpoint.job_id
        trigger.log.exception("Could not cancel Airbyte job %s: cancel it in Airbyte", job_id)


async def _cancel(trigger: AirbyteSyncTrigger, checkpoint: Checkpoint) -> None:
    policy = SyncPolicy(cancel_timeout=timedelta(seconds=CANCEL_SECONDS - 5))
    trigger.log.warning("The task was killed: cancelling its sync")
    servers = shared_servers()
    server = await servers.read(trigger.airbyte_conn_id, trigger.api_version)
    async with servers.use(server) as parts:
        session = parts.async_interpreter(Follower(trigger.log))
        await arun(abandon(checkpoint, policy), session)
