"""Cancelling the sync of a task that is killed, or whose wait went wrong, in a worker."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

from airbyte_sync import SyncPolicy, abandon, run
from airbyte_sync_airflow.compat import AirflowTaskTimeout, current_context
from airbyte_sync_airflow.conn_id import rendered_conn_id
from airbyte_sync_airflow.connection import read_server
from airbyte_sync_airflow.rendering import Follower
from airbyte_sync_airflow.sessions import blocking_session
from airbyte_sync_airflow.task_instances import KILLED, checkpoint_left_behind, state_of

if TYPE_CHECKING:
    from airbyte_sync import Checkpoint
    from airbyte_sync_airflow.connection import AirbyteServer

LOOKUP = timedelta(seconds=1.5)
GRACE = timedelta(seconds=3)
"""Airflow 3 ends a task's process five seconds after it asked it to stop, with both of these in them."""


def abandon_when_killed(
    task: Any,
    *,
    conn_id: str,
    server: AirbyteServer | None,
    checkpoint: Checkpoint | None,
    is_wanted: bool | None,
) -> None:
    """
    Cancel the sync of a task that was told to stop, unless it goes on elsewhere. Never raises.

    Airflow stops a task's process not only when a person marks the task failed: also when it was cleared,
    when a worker shuts down, and when a new scheduler has started the task for a second time. The next
    try then goes on with the sync.

    Args:
        task: The operator or sensor.
        conn_id: The Airflow connection; empty where it was not rendered yet.
        server: Where that leads, where it was read already: a signal handler had better not ask.
        checkpoint: How far this process has come; ``None`` where it has only just begun.
        is_wanted: Whether to do it at all; ``None``: as the Airflow connection says.
    """
    if is_wanted is False:
        return
    try:
        context = current_context()
    except Exception:  # outside of a task nobody knows more than the checkpoint
        context = None
    is_out_of_time = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
    if context is not None and not is_out_of_time and _goes_on(context["ti"]):
        task.log.info("This process was told to stop, but not its task: the sync goes on")
        return
    abandon_sync(
        task,
        conn_id=conn_id,
        server=server,
        checkpoint=checkpoint,
        context=context,
        is_wanted=is_wanted,
    )


def _goes_on(task_instance: Any) -> bool:
    """Tell whether a task is still to be done. Whoever does not know believes that it was killed."""
    states: list[str | None] = []

    def ask() -> None:
        with suppress(Exception):  # whatever a release raises, it means the same
            states.append(state_of(task_instance))

    # A signal may have come in the middle of a question to Airflow, which then holds the line.
    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(LOOKUP.total_seconds())
    return bool(states) and states[0] not in KILLED


def abandon_sync(
    task: Any,
    *,
    conn_id: str,
    checkpoint: Checkpoint | None,
    context: Any,
    server: AirbyteServer | None = None,
    is_wanted: bool | None = True,
) -> None:
    """
    Cancel the sync of a task, if there is one and it is ours. Never raises.

    Args:
        task: The operator or sensor.
        conn_id: The Airflow connection; empty where it was not rendered yet.
        checkpoint: How far this process has come; ``None`` where it has only just begun, as a process does
            that Airflow starts to let a deferred task fail.
        context: The task's context, where there is one.
        server: Where ``conn_id`` leads, where it was read already.
        is_wanted: Whether to do it at all; ``None``: as the Airflow connection says.
    """
    try:
        if checkpoint is None and context is not None:
            checkpoint = checkpoint_left_behind(context, task.log)
        if checkpoint is None:
            return
        if server is None:
            server = read_server(conn_id or rendered_conn_id(task, context), task.api_version)
        if is_wanted is None and not server.policy.get("cancel_on_kill", True):
            return
        # What the task has open may be in the middle of a call: this needs a session of its own.
        hasty = replace(server, settings=server.settings.in_haste())
        with blocking_session(hasty, Follower(task.log)) as session:
            run(abandon(checkpoint, SyncPolicy(cancel_timeout=GRACE)), session)
    except Exception:
        job = "of this task" if checkpoint is None else f"{checkpoint.job_id}"
        task.log.exception("Could not cancel the Airbyte job %s: cancel it in Airbyte", job)
