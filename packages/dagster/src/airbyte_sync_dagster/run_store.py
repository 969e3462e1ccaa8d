"""Where a sync stands, kept where Dagster keeps all of a run: in its event log.

A run worker on another machine reads it, too. Nothing is overwritten, so a worker that Dagster takes for
dead does no harm while it is still at work.
"""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import DagsterEventType, EventLogEntry
from dagster._core.events import EngineEventData

from airbyte_sync import Checkpoint, InvalidCheckpoint
from airbyte_sync_runner import OnInterrupt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Context = dg.OpExecutionContext | dg.AssetExecutionContext
_REQUEST, _CHECKPOINT = "airbyte-sync/request", "airbyte-sync/checkpoint"


class RunStore:
    """The requests of a run and of all it is a re-execution of: an ``AsyncRequestStore``."""

    def __init__(self, context: Context) -> None:
        self.instance, self.run, self.log = context.instance, context.run, context.log
        op_context = getattr(context, "op_execution_context", context)
        self.step_key: str = op_context.get_step_execution_context().step.key

    @asynccontextmanager
    async def open(self, key: str, run_id: str | None = None) -> "AsyncIterator[_Request]":  # noqa: ARG002
        """Open a request. Nothing is locked: Dagster runs a step once at a time."""
        yield _Request(self, key)

    def on_interrupt(self) -> OnInterrupt:
        """Cancel where Dagster ends the run, of which it makes a note before it stops the process.

        After an eviction or a restart a re-execution goes on, unless the instance ends with the process.
        """
        if self.instance.is_ephemeral or self.entries(self.run, "RUN_CANCELING", "RUN_CANCELED"):
            return OnInterrupt.CANCEL
        self.log.warning(
            "Interrupted: the sync goes on in Airbyte; re-execute this run to follow it"
        )
        return OnInterrupt.LEAVE_RUNNING

    def entries(self, run: dg.DagsterRun, *types: str) -> list[EventLogEntry]:
        """Return what Dagster has recorded of a run."""
        wanted = {DagsterEventType[each] for each in types}
        return list(self.instance.all_logs(run.run_id, of_type=wanted))


class _Request:
    """One request: an ``AsyncOpenRequest``."""

    def __init__(self, store: RunStore, key: str) -> None:
        self._store, self._key = store, key
        self._noted: Checkpoint | None = None

    async def load(self) -> Checkpoint | None:
        """Return what was noted last, unless Dagster has recorded since that the step succeeded."""
        group = self._store.instance.get_run_group(self._store.run.run_id)
        notes = [
            (entry.timestamp, run, entry)
            for run in (group[1] if group else [self._store.run])
            for entry in self._store.entries(run, "ENGINE_EVENT")
            if _facts(entry).get(_REQUEST) == self._key
        ]
        if not notes:
            return None
        noted_at, run, note = max(notes, key=lambda each: each[0])
        for end in self._store.entries(run, "STEP_SUCCESS"):
            if end.step_key == note.step_key and end.timestamp >= noted_at:
                return None
        try:
            self._noted = Checkpoint.from_json(_facts(note)[_CHECKPOINT])
        except InvalidCheckpoint as error:
            self._store.log.warning("What run %s noted is ignored: %s", run.run_id, error)
        return self._noted

    async def save(self, checkpoint: Checkpoint) -> None:
        if checkpoint == self._noted:
            return  # renewed, for stores that forget
        job = "no job yet" if checkpoint.job_id is None else f"Airbyte job {checkpoint.job_id}"
        text = f"Noted for a re-execution of this run: {job}"
        kept = dg.MetadataValue.json(checkpoint.to_json())
        data, store = EngineEventData({_REQUEST: self._key, _CHECKPOINT: kept}), self._store
        store.instance.report_engine_event(text, store.run, data, step_key=store.step_key)
        self._noted = checkpoint

    async def clear(self) -> None:
        """Do nothing: what was delivered is what Dagster records of the step."""


def _facts(entry: EventLogEntry) -> dict[str, Any]:
    data = entry.dagster_event and entry.dagster_event.event_specific_data
    metadata = data.metadata if isinstance(data, EngineEventData) else {}
    return {name: value.value for name, value in metadata.items()}
