"""What Airflow knows of a task instance, and how each release tells it. See also ``compat``.

==============================  =================  =====================  ==============================
question                        2.11               3.0 to 3.2             3.3 and 3.4
==============================  =================  =====================  ==============================
how far had it come?            nobody knows       nobody knows           ``task_state_store``
when was it first tried?        history of tries   the run's start        (not needed)
when was the last try over?     history of tries   the time in its id     (not needed)
when was its first poke?        database           the task instance      the task instance
what did the last poke see?     not known          not known              ``task_state_store``
==============================  =================  =====================  ==============================

Whether a task was killed, or still waits, is asked in ``task_states``.

Source: the code of Airflow 2.11.2, 3.0.6, 3.1.8, 3.2.2 and 3.3.2, and what it did when it was tried.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airbyte_sync import Checkpoint, EarlierTries, InvalidCheckpoint, Origin
from airbyte_sync_airflow.compat.task_states import TaskKey
from airbyte_sync_airflow.report.job_summary import XCOM_KEY, JobSummary, summary_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)

STORE_KEY = "airbyte_sync"

LATEST_DETECTION = timedelta(minutes=6)
"""Airflow notices a dead worker after five minutes (``task_instance_heartbeat_timeout``)."""


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
        self.checkpoint: Checkpoint | None = None

    def load(self) -> Checkpoint | None:
        """Return what an earlier try saved."""
        saved = None if self._store is None else self._store.get(STORE_KEY)
        try:
            return None if saved is None else Checkpoint.from_json(saved)
        except InvalidCheckpoint as error:
            self._log.warning("What an earlier try left behind is passed over: %s", error)
            return None

    def begin(self) -> None:
        """
        Leave a mark as the first act of a request, so that another try knows that there was one.

        A checkpoint is kept before each submission. Another try that finds the mark alone knows that nothing
        was submitted, and need not look for a sync in Airbyte.
        """
        if self._store is not None and self._store.get(STORE_KEY) is None:
            mark = Checkpoint.asked(datetime.now(timezone.utc))
            self._store.set(STORE_KEY, mark.to_json())

    def save(self, checkpoint: Checkpoint) -> None:
        """Remember it. What cannot be kept stops a submission, and nothing that has begun."""
        self.checkpoint = checkpoint
        try:
            if self._store is not None:
                self._store.set(STORE_KEY, checkpoint.to_json())
        except Exception:
            if checkpoint.job_id is None:
                raise
            self._log.warning(
                "Airflow could not keep the id of Airbyte job %s: another try looks for it in Airbyte",
                checkpoint.job_id,
                exc_info=True,
            )
        if self._on_save is not None:
            self._on_save()

    def clear(self) -> None:
        """Forget: the task has succeeded, and the next request is a new one. A failure is no matter."""
        self.checkpoint = None
        try:
            if self._store is not None:
                self._store.delete(STORE_KEY)
        except Exception:
            self._log.warning(
                "Airflow could not forget this sync: clearing the task finds it again, and starts none",
                exc_info=True,
            )


def is_in_loop(context: Any) -> bool:
    """Whether a task belongs to a loop of Airflow 3.4: only its context and its region tell."""
    if context.get("loop") is not None:
        return True
    task_instance = context.get("ti")
    return (
        getattr(task_instance, "region_id", None) is not None
        and TaskKey.of(task_instance).is_in_loop
    )


def was_cleared(task_instance: Any, task: Any) -> bool:
    """Whether this is the first try since a clear: each adds all retries to the tries already made."""
    first_try_since_clear = task_instance.max_tries - (task.retries or 0) + 1
    return bool(task_instance.try_number <= first_try_since_clear)


def may_have_run_without_a_store(context: Any, task: Any) -> bool:
    """
    Whether an earlier try of a request may have run that Airflow keeps nothing of.

    Where Airflow has a store (3.3), a try of ours leaves a mark in it before anything else. Without a mark,
    a task that was cleared makes a new request: a success has emptied the store, or, from 3.4 on, the
    clear has. One that is tried again may have been run by an earlier release, or by the official provider.
    In a loop the sync of another iteration would be taken for its own, so nothing is guessed there.

    Args:
        context: The task's context, in whose store nothing was found.
        task: The operator.
    """
    task_instance = context.get("ti")
    if getattr(task_instance, "try_number", 1) <= 1 or is_in_loop(context):
        return False
    return context.get("task_state_store") is None or not was_cleared(task_instance, task)


def earlier_tries(
    context: Any, task: Any, connection_id: str | None, unreachable_timeout: timedelta
) -> EarlierTries | None:
    """
    Return what Airflow tells about earlier tries of the same request.

    A task that is cleared after it succeeded is a new request; one that is cleared or tried again
    before is still the same.

    Args:
        context: The task's context.
        task: The operator.
        connection_id: The Airbyte connection that it syncs.
        unreachable_timeout: How long a try may have gone on without seeing its job.

    Returns:
        ``None`` where this is the first try, or where nothing is to be guessed.
    """
    if not may_have_run_without_a_store(context, task):
        return None
    task_instance = context["ti"]
    if getattr(task_instance, "id", None) is None:
        return _tries_in_the_history(context)
    over_at = _time_of(task_instance.id)
    is_cleared = was_cleared(task_instance, task)
    blind_for = timedelta(0) if is_cleared else LATEST_DETECTION + unreachable_timeout
    dag_run = context["dag_run"]
    # Clearing a run that has ended gives it a new start; when it was due does not change.
    starts = (dag_run.start_date, getattr(dag_run, "run_after", None))
    return EarlierTries(
        since=min(start for start in starts if start is not None),
        over_at=over_at,
        tries=task_instance.try_number - 1,
        succeeded_after=over_at - blind_for,
        after_job=_newest_job_upstream(task_instance, task, connection_id),
    )


def _newest_job_upstream(task_instance: Any, task: Any, connection_id: str | None) -> int | None:
    """Return the connection's newest job among those of the tasks before: it cannot be this task's."""
    before: set[str] = set()
    to_visit = [task]
    while to_visit:
        new = to_visit.pop().upstream_task_ids - before
        before |= new
        to_visit.extend(task.dag.get_task(task_id) for task_id in new)
    if not before:
        return None
    try:
        told = task_instance.xcom_pull(task_ids=sorted(before), key=XCOM_KEY)
    except (
        Exception
    ) as error:  # 3.4 answers 400 or 409 where it cannot tell which iteration is meant
        _log.warning("Airflow does not tell the Airbyte jobs of the tasks before: %s", error)
        return None
    jobs = filter(None, map(summary_in, _flat(told)))
    wanted = (connection_id or "").lower()  # a UUID may be written in upper case
    job_ids = (job.job_id for job in jobs if (job.connection_id or "").lower() == wanted)
    return max(job_ids, default=None)


def _flat(told: Any) -> Iterator[Any]:
    """Yield XComs that were pulled together: of a task in a loop there is one for each iteration."""
    if isinstance(told, Sequence) and not isinstance(told, str):
        for each in told:
            yield from _flat(each)
    elif told is not None:
        yield told


def _time_of(identifier: UUID | str) -> datetime:
    """Return when an id was made. Airflow 3 gives a task instance a new one after each try."""
    milliseconds = UUID(str(identifier)).int >> 80  # RFC 9562, UUID version 7
    return datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)


def _tries_in_the_history(context: Any) -> EarlierTries | None:
    from airflow.models.taskinstancehistory import TaskInstanceHistory as History
    from airflow.utils.session import create_session
    from sqlalchemy import select

    task_instance = context["ti"]
    query = (
        select(History.try_number, History.start_date, History.end_date, History.state)
        .where(
            History.dag_id == task_instance.dag_id,
            History.task_id == task_instance.task_id,
            History.run_id == task_instance.run_id,
            History.map_index == task_instance.map_index,
            History.try_number < task_instance.try_number,
        )
        .order_by(History.try_number.desc())
    )
    with create_session() as session:
        tries = session.execute(query).all()
    unfinished = list(takewhile(lambda each: each.state != "success", tries))
    begun = [each.start_date for each in unfinished if each.start_date is not None]
    if tries and tries[0].try_number == task_instance.try_number - 1:
        over_at = tries[0].end_date or task_instance.start_date
        if not begun:
            return None
        return EarlierTries(since=begun[-1], over_at=over_at, tries=len(begun))
    # A scheduler that died leaves no record of the tries that it looked after; they may even go on.
    now = task_instance.start_date
    last_end = tries[0].end_date if tries else context["dag_run"].start_date
    return EarlierTries(
        since=begun[-1] if begun else last_end,
        over_at=now,
        tries=len(begun) + 1,
        succeeded_after=now - LATEST_DETECTION,
    )


TRY_NUMBER = "try_number"
JOB_ID = "job_id"


def noted_for_later(context: Any, checkpoint: Checkpoint) -> dict[str, Any]:
    """
    Return what a task that defers notes for :func:`is_of_an_earlier_try` and :func:`awaited_job`.

    ``dag.test()`` of 2.11, 3.0, 3.1 and 3.3 drops it.
    """
    noted = {TRY_NUMBER: getattr(context.get("ti"), "try_number", 1)}
    return noted if checkpoint.job_id is None else noted | {JOB_ID: checkpoint.job_id}


def awaited_job(next_kwargs: dict[str, Any] | None) -> int | None:
    """
    Return the job that a task noted when it deferred, as far as there was one and Airflow kept it.

    What the task noted is taken out of ``next_kwargs``.
    """
    return None if next_kwargs is None else next_kwargs.pop(JOB_ID, None)


def is_of_an_earlier_try(context: Any, next_kwargs: dict[str, Any] | None) -> bool:
    """
    Tell whether Airflow resumes a new try where the one before, which has failed, had ended.

    Airflow 3.0 does so, and the new try has to begin at its beginning. What the task noted is taken
    out of ``next_kwargs``.
    """
    noted = None if next_kwargs is None else next_kwargs.pop(TRY_NUMBER, None)
    return noted is not None and noted != getattr(context.get("ti"), "try_number", noted)


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
                "Airflow could not tell what an earlier poke saw: this one begins anew",
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
            self._log.warning("Airflow could not keep what this poke saw", exc_info=True)
            return False
        return True

    def clear(self) -> None:
        """Drop it: the wait is over. A failure does not matter, because another try does not read it."""
        with suppress(Exception):
            if self._store is not None:
                self._store.delete(POKE_KEY)


def first_poke(context: Any) -> datetime | None:
    """Return when the first poke of this try of a rescheduled sensor began; ``None``: it is this one."""
    task_instance = context.get("ti")
    if task_instance is None:
        return None
    if getattr(task_instance, "id", None) is None:
        return _first_poke_in_the_database(task_instance)
    # Its rows hang on the task instance's id, which is a new one after each try.
    found: datetime | None = task_instance.get_first_reschedule_date(context)
    return found


def _first_poke_in_the_database(task_instance: Any) -> datetime | None:
    from airflow.models.taskreschedule import TaskReschedule
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    query = select(func.min(TaskReschedule.start_date)).where(
        TaskReschedule.dag_id == task_instance.dag_id,
        TaskReschedule.task_id == task_instance.task_id,
        TaskReschedule.run_id == task_instance.run_id,
        TaskReschedule.map_index == task_instance.map_index,
        TaskReschedule.try_number == task_instance.try_number,
    )
    with create_session() as session:
        found: datetime | None = session.scalar(query)
    return found


def start_of(context: Any) -> datetime:
    """Return when this try began: a deferral and its resumption keep that moment."""
    return getattr(context.get("ti"), "start_date", None) or datetime.now(timezone.utc)


def deadline_of(
    context: Any, execution_timeout: timedelta | None, *, began: datetime | None = None
) -> datetime | None:
    """
    Return when a try must be over, a little before Airflow itself ends it.

    Airflow 2.11 ends a deferred task when its ``execution_timeout`` has passed, and then nobody knows
    the job any more; Airflow 3 does not end it at all.
    """
    if execution_timeout is None:
        return None
    began = began or start_of(context)
    return began + execution_timeout - min(timedelta(seconds=5), execution_timeout * 0.1)


def push_link(task_instance: Any, key: str | None, url: str) -> None:
    """
    Store a link where Airflow's UI reads it: in Airflow 3 under a key of its own, in the database.

    Airflow's own links pass by a custom XCom backend, because the API server has none. Airflow 2 keeps no
    links: its webserver asks for them.
    """
    if key is None:
        return
    from airflow.sdk.execution_time.xcom import XCom

    push = getattr(XCom, "_set_xcom_in_db", None)
    if push is None:  # Airflow 3.0, whose own links are pushed like any other XCom
        task_instance.xcom_push(key=key, value=url)
        return
    names = ("dag_id", "task_id", "run_id", "map_index")
    push(key=key, value=url, **{name: getattr(task_instance, name) for name in names})


def xcom_of(ti_key: Any, key: str) -> Any:
    """Return an XCom of a task instance that is known by its key alone; ``None`` where there is none."""
    try:
        from airflow.sdk.execution_time.xcom import XCom
    except ImportError:  # Airflow 2
        from airflow.models.xcom import XCom  # type: ignore[no-redef]

    return XCom.get_value(ti_key=ti_key, key=key)


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


def is_tried_again(context: Any) -> bool:
    """Tell whether a failure of this try is followed by another one: each clear adds all retries again."""
    task_instance = context.get("ti")
    max_tries = getattr(task_instance, "max_tries", 0) or 0
    return 0 < getattr(task_instance, "try_number", 1) <= max_tries
