"""Cancelling the sync of a task that was killed: what worker and triggerer have in common.

Airflow stops a process for many reasons, of which a kill is one. Only Airflow's word that the task was killed
cancels its sync (:mod:`~airbyte_sync_airflow.compat.task_states`). How that word is asked for differs:
:mod:`airbyte_sync_airflow.worker.cancel` has a thread and seconds, and
:mod:`airbyte_sync_airflow.triggerer.cancel` an event loop and minutes. The cancellation itself is
:func:`cancel_sync`, a flow that each drives with its own session and clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airbyte_sync import abandon
from airbyte_sync_airflow.report.job_summary import named

if TYPE_CHECKING:
    from airbyte_sync import Checkpoint, Flow, Job, SyncPolicy
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary


class StillWantedError(Exception):
    """Airflow says that the task goes on. No domain error: no flow has to judge it."""


class NothingSaidError(Exception):
    """Airflow does not say in time whether the task was killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppedSync:
    """The sync of a task whose process was told to stop, as far as that process knows it."""

    checkpoint: Checkpoint | None
    """How far it had come; ``None`` where the process has only just begun, as after a deferral."""
    job: JobSummary | None
    """What is known of the job, for its link."""
    policy: SyncPolicy
    """Its ``cancel_timeout`` bounds the cancellation."""
    log: Any
    """The task's log."""

    def __str__(self) -> str:
        """Return what a log line calls the sync, with a link where one is known."""
        checkpoint = self.checkpoint
        if checkpoint is not None and checkpoint.job_id is not None:
            return named(checkpoint.job_id, self.job)
        if checkpoint is not None and checkpoint.connection_id is not None:
            return f"a sync of Airbyte connection {checkpoint.connection_id}"
        return "the sync of this task"

    @property
    def has_nothing_to_cancel(self) -> bool:
        """Whether there is no sync that would be cancelled."""
        return self.checkpoint is None or self.checkpoint.has_nothing_to_cancel


def cancel_sync(sync: StoppedSync) -> Flow[Job | None]:
    """
    Cancel a sync until Airbyte says that it has ended.

    Drive it with an interpreter that asks Airflow for its word before the first command that changes
    something (:func:`airbyte_sync_airflow.standstill.changes_something`).

    Args:
        sync: Whose task was killed, or is asked about meanwhile.

    Returns:
        The ended job, or ``None`` where there was none to cancel.

    Raises:
        AirbyteSyncError: It is not known to have ended.
    """
    if sync.checkpoint is None or sync.has_nothing_to_cancel:
        return None
    return (yield from abandon(sync.checkpoint, sync.policy))


def server_for_cancelling(server: AirbyteServer) -> AirbyteServer:
    """Return a server with short timeouts: a process that was told to stop has little time."""
    return replace(server, settings=server.settings.with_short_timeouts())


def log_that_it_failed(sync: StoppedSync) -> None:
    """Log the exception that is being handled, and what a person has to do."""
    sync.log.exception("Could not cancel %s: cancel it in Airbyte", sync)
