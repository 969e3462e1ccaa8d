"""Where a task keeps how far it has come: for another try, for the next poke, and for a kill.

Airflow has a store for each task from 3.3 on (``task_state_store``). Before that, a checkpoint lives as long
as its process, and what another process left behind is read from the XCom ``airbyte_job``.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airbyte_sync import Checkpoint, InvalidCheckpoint, Origin
from airbyte_sync_airflow.report.job_summary import XCOM_KEY, JobSummary

if TYPE_CHECKING:
    from collections.abc import Callable

STORE_KEY = "airbyte_sync"


class RequestStore:
    """
    Remembers how far a task's request has come: a :class:`airbyte_sync.CheckpointStore`.

    For the life of the process always, and beyond it where Airflow has a store of its own.

    Args:
        context: The task's context.
        log: Where to tell of what could not be kept.
        on_save: Called after each checkpoint.
    """

    def __init__(self, context: Any, log: Any, on_save: Callable[[], None] | None = None) -> None:
        self._store = context.get("task_state_store")
        self._log = log
        self._on_save = on_save
        self._is_loaded = False
        self._is_empty = True
        self._loaded: Checkpoint | None = None
        self.checkpoint: Checkpoint | None = None
        """The last one that this process saved."""

    def load(self) -> Checkpoint | None:
        """Return what an earlier try saved. Airflow is asked once, however often this is called."""
        if not self._is_loaded:
            saved = None if self._store is None else self._store.get(STORE_KEY)
            self._is_loaded, self._is_empty = True, saved is None
            try:
                self._loaded = None if saved is None else Checkpoint.from_json(saved)
            except InvalidCheckpoint as error:
                self._log.warning("The checkpoint of an earlier try is ignored: %s", error)
        return self._loaded

    def begin(self) -> None:
        """
        Leave a mark as the first act of a request, so that another try knows that there was one.

        A checkpoint is kept before each submission. Another try that finds the mark alone knows that nothing
        was submitted, and need not look for a sync in Airbyte.
        """
        self.load()
        if self._store is not None and self._is_empty:
            mark = Checkpoint.asked(datetime.now(timezone.utc))
            self._store.set(STORE_KEY, mark.to_json())

    def save(self, checkpoint: Checkpoint) -> None:
        """Remember it. What cannot be kept stops a submission, and nothing that has begun."""
        self.checkpoint = self._loaded = checkpoint
        self._is_loaded = True
        try:
            if self._store is not None:
                self._store.set(STORE_KEY, checkpoint.to_json())
        except Exception:
            if checkpoint.job_id is None:
                raise
            self._log.warning(
                "Airflow could not save the id of Airbyte job %s: another try looks for it in Airbyte",
                checkpoint.job_id,
                exc_info=True,
            )
        if self._on_save is not None:
            self._on_save()

    def clear(self) -> None:
        """Forget: the task has succeeded, and the next request is a new one. A failure is no matter."""
        self.checkpoint = self._loaded = None
        try:
            if self._store is not None:
                self._store.delete(STORE_KEY)
        except Exception:
            self._log.warning(
                "Airflow could not delete what it keeps of this sync: if the task is cleared, it finds this "
                "sync again instead of starting one",
                exc_info=True,
            )


POKE_KEY = "airbyte_sync_poke"


class PokeStore:
    """
    Keeps what a rescheduled sensor knows from one poke to the next, where Airflow has a store.

    Airflow deletes a task's XComs before each poke, so that they keep nothing.

    Args:
        context: The task's context.
        log: Where to tell of what could not be kept.
    """

    def __init__(self, context: Any, log: Any) -> None:
        self._store = context.get("task_state_store")
        self._try_number = getattr(context.get("ti"), "try_number", 1)
        self._log = log

    def load(self, job_id: int) -> tuple[Checkpoint, JobSummary] | None:
        """Return what an earlier poke of the same try has kept about a job."""
        try:
            match None if self._store is None else self._store.get(POKE_KEY):
                case {"try_number": self._try_number, "checkpoint": checkpoint, "job": job}:
                    kept = Checkpoint.from_json(checkpoint), JobSummary.from_json(job)
                    return kept if kept[0].job_id == job_id else None
        except Exception:
            self._log.warning(
                "Airflow could not read what an earlier poke saved: this one starts over",
                exc_info=True,
            )
        return None

    def save(self, checkpoint: Checkpoint, job: JobSummary) -> bool:
        """Keep it for the next poke; return whether Airflow did."""
        if self._store is None:
            return False
        kept = {
            "try_number": self._try_number,
            "checkpoint": checkpoint.to_json(),
            "job": job.to_json(),
        }
        try:
            self._store.set(POKE_KEY, kept)
        except Exception:
            self._log.warning("Airflow could not save what this poke saw", exc_info=True)
            return False
        return True

    def clear(self) -> None:
        """Drop it: the wait is over. A failure does not matter, because another try does not read it."""
        with suppress(Exception):
            if self._store is not None:
                self._store.delete(POKE_KEY)


def checkpoint_left_behind(context: Any, log: Any) -> Checkpoint | None:
    """Return how far another process of the same try had come, as far as Airflow keeps it."""
    saved = RequestStore(context, log).load()
    if saved is not None:
        return saved
    job = job_left_behind(context)
    if job is None:
        return None
    return Checkpoint.watching(
        job.job_id,
        Origin.ATTACHED if job.attached else Origin.STARTED,
        asked_at=datetime.now(timezone.utc),
        connection_id=job.connection_id,
    )


def job_left_behind(context: Any) -> JobSummary | None:
    """Return what another process of the same try told of its job, with its link."""
    task_instance = context.get("ti")
    if task_instance is None:
        return None
    found = task_instance.xcom_pull(  # it survives a deferral, but not another try
        task_ids=task_instance.task_id, key=XCOM_KEY, map_indexes=task_instance.map_index
    )
    return None if found is None else JobSummary.from_json(found)
