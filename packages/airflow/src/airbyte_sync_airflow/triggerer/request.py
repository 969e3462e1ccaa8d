"""What a trigger was asked to do, a frozen value, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airbyte_sync import Checkpoint
    from airbyte_sync_airflow.compat.task_states import TaskKey
    from airbyte_sync_airflow.config.connection import AirbyteServer


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerRequest:
    """A wait that a task left to a trigger, as Airflow kept it: not read and not checked yet."""

    conn_id: str
    """The Airflow connection that leads to the Airbyte server."""
    api_version: str
    checkpoint: Mapping[str, Any]
    policy: Mapping[str, Any]
    job: Mapping[str, Any] | None
    key: TaskKey | None
    """Whose wait it is; ``None`` in ``dag.test()``, where no Airflow knows the task."""
    trigger_id: int | None
    """The trigger's own row in Airflow's database."""
    triggerer_id: int | None
    """The triggerer that runs it; ``None`` where Airflow does not tell a trigger."""
    log: Any
    """The task's log."""


@dataclass(slots=True)
class TriggerProgress:
    """How far a trigger has come, so that a kill finds the job. As a store it serves the trigger alone."""

    checkpoint: Checkpoint | None = None
    """``None`` where it has not begun."""
    server: AirbyteServer | None = None
    """Where its Airflow connection leads; ``None`` where that was not read yet."""

    async def load(self) -> Checkpoint | None:
        """Return nothing: what was known before came with the request."""
        return None

    async def save(self, checkpoint: Checkpoint) -> None:
        """Take note of how far the flow has come."""
        self.checkpoint = checkpoint
