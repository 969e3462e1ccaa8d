"""What Airflow knows of a task instance, and how each release tells it. See also ``compat/airflow.py``.

==============================  =================  =====================  ==============================
question                        2.11               3.0 to 3.2             3.3 and 3.4
==============================  =================  =====================  ==============================
how far had it come?            not known          not known              ``task_state_store``
when was it first tried?        history of tries   the run's start        (not needed)
when was the last try over?     history of tries   the time in its id     (not needed)
when was its first poke?        database           the task instance      the task instance
what did the last poke see?     not known          not known              ``task_state_store``
==============================  =================  =====================  ==============================

Whether a task was killed, or still waits, is asked in ``task_states``. How far it had come is read in
``worker/checkpoint_store.py``, and what is known of its earlier tries in ``worker/earlier_tries.py``.

Source: the code of Airflow 2.11.2, 3.0.6, 3.1.8, 3.2.2 and 3.3.2, and what it did when it was tried.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat.task_states import TaskKey

if TYPE_CHECKING:
    from airbyte_sync import Checkpoint


def is_in_loop(context: Any) -> bool:
    """Whether a task belongs to a loop of Airflow 3.4: only its context and its region tell."""
    if context.get("loop") is not None:
        return True
    task_instance = context.get("ti")
    return (
        getattr(task_instance, "region_id", None) is not None
        and TaskKey.of(task_instance).is_in_loop
    )


TRY_NUMBER = "try_number"
JOB_ID = "job_id"


def defer_kwargs(context: Any, checkpoint: Checkpoint) -> dict[str, Any]:
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


def row_of(key: TaskKey) -> Any:
    """
    Return what the database of Airflow 2 says of a task: its state, and which process is in charge of it.

    Returns:
        A row with ``state``, ``try_number``, ``job_id``, ``trigger_id`` and ``triggerer_id``; ``None`` where
        there is none.
    """
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = (
        select(
            TaskInstance.state,
            TaskInstance.try_number,
            TaskInstance.job_id,
            TaskInstance.trigger_id,
            Trigger.triggerer_id,
        )
        .outerjoin(Trigger, TaskInstance.trigger_id == Trigger.id)
        .where(
            TaskInstance.dag_id == key.dag_id,
            TaskInstance.task_id == key.task_id,
            TaskInstance.run_id == key.run_id,
            TaskInstance.map_index == key.map_index,
        )
    )
    with create_session() as session:
        return session.execute(query).one_or_none()


def start_of(context: Any) -> datetime:
    """Return when this try began: a deferral and its resumption keep that moment."""
    return getattr(context.get("ti"), "start_date", None) or datetime.now(timezone.utc)


def deadline_of(
    context: Any, execution_timeout: timedelta | None, *, began: datetime | None = None
) -> datetime | None:
    """
    Return when a try must be over, a little before Airflow itself ends it.

    Airflow 2.11 ends a deferred task when its ``execution_timeout`` has passed, and its job
    is not followed any more; Airflow 3 does not end it at all. A task that is resumed later than that
    is failed by Airflow 2.11 before any code of ours runs, so that ``soft_fail`` is not heard: the
    time left must do for a worker to begin.
    """
    if execution_timeout is None:
        return None
    began = began or start_of(context)
    return began + execution_timeout - min(timedelta(seconds=30), execution_timeout * 0.1)


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


def is_tried_again(context: Any) -> bool:
    """Tell whether a failure of this try is followed by another one: each clear adds all retries again."""
    task_instance = context.get("ti")
    max_tries = getattr(task_instance, "max_tries", 0) or 0
    return 0 < getattr(task_instance, "try_number", 1) <= max_tries
