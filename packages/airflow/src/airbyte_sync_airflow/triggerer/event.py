"""A trigger's end, as the event that tells the task of it.

A trigger lives in another process than the task, so its end travels as JSON and is judged in the
task: the same error becomes the same exception in every mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airbyte_sync import Checkpoint, JobStatus, errors
from airbyte_sync.texts import shown
from airbyte_sync_airflow import exceptions
from airbyte_sync_airflow.exceptions_from_errors import exception_for
from airbyte_sync_airflow.report.job_summary import JobSummary
from airbyte_sync_http.protocol.cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airbyte_sync_airflow.compat.airflow import AirflowException

_UPGRADE_ORDER = (
    "The triggerer runs another release than the worker that deferred this task: upgrade the triggerers "
    "first, then the workers. Another try goes on with the sync."
)
"""For a checkpoint that a triggerer could not read: no task fails for good while its sync runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventOutcome:
    """What a trigger's event says."""

    job: JobSummary | None = None
    """The job, as far as the trigger knew it."""
    checkpoint: Checkpoint | None = None
    """Set, with the job, where the request has only just got it: from here it is waited for."""
    error: AirflowException | None = None
    """What the task is to raise."""

    def job_id(self) -> int:
        """
        Return the id of the job that has succeeded.

        Raises:
            AirflowException: It has not.
        """
        if self.error is not None:
            raise self.error
        if self.job is None:
            raise exceptions.AirbyteTransientError(
                "the trigger reported neither a job nor an error"
            )
        return self.job.job_id


def success(job: JobSummary) -> dict[str, Any]:
    """Return the event of a trigger whose job succeeded."""
    return {"job": job.to_json()}


def obtained(checkpoint: Checkpoint, job: JobSummary, for_version: object) -> dict[str, Any]:
    """
    Return the event of a trigger that has a job, so that the task can report it first.

    Args:
        checkpoint: From where the job is waited for.
        job: The job.
        for_version: The version of the checkpoint that the task deferred with: its worker may be older.
    """
    return {"checkpoint": checkpoint.to_json(for_version=for_version), "job": job.to_json()}


def failure(error: errors.AirbyteSyncError, job: JobSummary | None) -> dict[str, Any]:
    """Return the event of a trigger whose flow raised ``error``."""
    # An adapter's own error is read as the nearest one that the domain knows.
    name = next(kind.__name__ for kind in type(error).__mro__ if hasattr(errors, kind.__name__))
    event: dict[str, Any] = {"error": name, "message": clean(str(error))}
    return event if job is None else event | {"job": job.to_json()}


def outcome_of(
    event: Any,
    *,
    awaited: int | None = None,
    when_late: type[AirflowException] = exceptions.AirbyteSyncTimedOut,
) -> EventOutcome:
    """
    Read a trigger's event.

    Args:
        event: What the trigger sent.
        awaited: The job that the task waits for; ``None`` where the task does not know it.
        when_late: What to raise when the job did not end within ``timeout``.

    Returns:
        What it says. Only an event about the awaited job that says that it has succeeded is a success.
        Everything else is an error: what cannot be read is never taken for a success.
    """
    outcome = _read(event, when_late)
    job = outcome.job
    if job is None:
        return outcome
    if awaited is not None and job.job_id != awaited:
        another = exceptions.AirbyteTransientError(
            f"the trigger ended with an event about Airbyte job {job.job_id}, but this task waits for "
            f"job {awaited}. Check job {awaited} in Airbyte to see what became of it."
        )
        return EventOutcome(error=outcome.error or another)
    if outcome.error is None and outcome.checkpoint is None and not _has_succeeded(job):
        return EventOutcome(
            job=job,
            error=exceptions.AirbyteTransientError(
                f"the trigger ended without an error, but Airbyte job {job.job_id} was "
                f"{job.status!r} when it was last polled. Check it in Airbyte before you start it "
                "again."
            ),
        )
    return outcome


def _has_succeeded(job: JobSummary) -> bool:
    return isinstance(job.status, str) and JobStatus(job.status).is_success


def _read(event: Any, when_late: type[AirflowException]) -> EventOutcome:
    try:
        match event:
            case {"error": str(name), "message": str(message), **others} if others.keys() <= {
                "job"
            }:
                kind, message = _error_named(name), clean(message)
                if issubclass(kind, errors.InvalidCheckpoint):
                    message = f"{message}. {_UPGRADE_ORDER}"
                return EventOutcome(
                    job=_job_in(others), error=exception_for(kind, message, when_late)
                )
            case {"job": told, "checkpoint": stored, **others} if not others:
                job, checkpoint = JobSummary.from_json(told), Checkpoint.from_json(stored)
                if checkpoint.job_id == job.job_id:
                    return EventOutcome(job=job, checkpoint=checkpoint)
            case {"job": told, **others} if not others:
                return EventOutcome(job=JobSummary.from_json(told))
    except (errors.AirbyteSyncError, TypeError, ValueError):
        pass
    return EventOutcome(
        error=exceptions.AirbyteTransientError(
            f"the trigger ended with an event that cannot be read: {shown(event)}. Check the connection's "
            "timeline in Airbyte to see what became of the sync."
        )
    )


def _job_in(event: Mapping[Any, Any]) -> JobSummary | None:
    return JobSummary.from_json(event["job"]) if "job" in event else None


def _error_named(name: str) -> type[errors.AirbyteSyncError]:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.AirbyteSyncError):
        return kind
    return errors.AirbyteSyncError
