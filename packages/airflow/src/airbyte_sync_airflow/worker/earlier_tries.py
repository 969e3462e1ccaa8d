"""What Airflow tells of earlier tries of the same request, where it kept no checkpoint of them.

Airflow 2.11 has a history of tries. Airflow 3.0 to 3.2 have none that a task can read: the start of the run,
and the time in the id of this try, bound when the earlier ones ran. From 3.3 on a task has a store
(:mod:`~airbyte_sync_airflow.worker.checkpoint_store`), and this is needed only for tries of an older release.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airbyte_sync import EarlierTries
from airbyte_sync_airflow.compat.task_instance import is_in_loop
from airbyte_sync_airflow.report.job_summary import XCOM_KEY, summary_in

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

LATEST_DETECTION = timedelta(minutes=6)
"""Airflow notices a dead worker after five minutes (``task_instance_heartbeat_timeout``)."""


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
        _log.warning("Could not read the Airbyte jobs of the upstream tasks: %s", error)
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
