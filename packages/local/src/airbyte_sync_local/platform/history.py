"""What an event makes of a job: its status, its statistics and its attempts. Pure functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync_local.platform import statuses
from airbyte_sync_local.platform.model import Attempt

if TYPE_CHECKING:
    from airbyte_sync_local.platform.engine import JobEvent
    from airbyte_sync_local.platform.model import ServerJob

_ENDS_AN_ATTEMPT = statuses.TERMINAL | {statuses.INCOMPLETE}


class ImpossibleTransition(Exception):
    """An engine reported a change of status that no Airbyte makes: the engine has a bug."""


def after(job: ServerJob, event: JobEvent) -> ServerJob:
    """
    Return the job as it is after an event.

    Raises:
        ImpossibleTransition: The status cannot follow the job's present one.
    """
    status = job.status if event.status is None else event.status
    if not statuses.may_follow(job.status, status):
        raise ImpossibleTransition(
            f"job {job.job_id} is {job.status!r} and cannot become {status!r}; fix the engine"
        )
    rows = job.rows if event.rows is None else event.rows
    size = job.bytes if event.bytes is None else event.bytes
    return replace(
        job,
        status=status,
        updated_at=job.updated_at if status == job.status else event.at,
        rows=rows,
        bytes=size,
        attempts=_attempts_after(job, event, rows=rows, size=size),
    )


def _attempts_after(
    job: ServerJob, event: JobEvent, *, rows: int, size: int
) -> tuple[Attempt, ...]:
    attempts = job.attempts
    is_open = bool(attempts) and attempts[-1].ended_at is None
    if event.status == statuses.RUNNING and not is_open:
        new = Attempt(number=len(attempts), created_at=event.at, updated_at=event.at)
        attempts, is_open = (*attempts, new), True
    if not attempts:
        return attempts
    last = attempts[-1]
    if is_open:
        last = replace(last, rows=rows, bytes=size, updated_at=event.at)
    if is_open and event.status in _ENDS_AN_ATTEMPT:
        succeeded = event.status == statuses.SUCCEEDED
        last = replace(last, status="succeeded" if succeeded else "failed", ended_at=event.at)
    if event.failure is not None:
        last = replace(last, failure=event.failure)
    return (*attempts[:-1], last)
