"""What a person reads in the task's log: one line for each thing that happened.

Airflow shows the same lines whether a flow runs in a worker or in the triggerer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from airbyte_sync.events import (
    CancelRequested,
    Event,
    JobEnded,
    JobObtained,
    JobSeen,
    LookFailed,
    Origin,
    StatusChanged,
    SubmitPostponed,
    SubmitUncertain,
    WaitingForOther,
)

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.jobs import Job

PROGRESS_EVERY = timedelta(minutes=1)


class Logger(Protocol):
    """What is needed of a logger: Airflow's own differ between versions."""

    def info(self, message: str, /, *args: object) -> object: ...

    def warning(self, message: str, /, *args: object) -> object: ...


_OBTAINED = {
    Origin.STARTED: "Started Airbyte %s job %s on connection %s (%s)",
    Origin.ADOPTED: "Found Airbyte %s job %s on connection %s (%s), begun since this was asked for: "
    "following it as our own",
    Origin.ATTACHED: "Following Airbyte %s job %s on connection %s (%s), which somebody else started",
}


class TaskLog:
    """Writes events to a task's log; looks that show nothing new are summed up once a minute."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._next_progress: datetime | None = None

    def __call__(self, event: Event) -> None:
        """Write what is worth a line."""
        if not isinstance(event, JobSeen) or self._is_due(event.at):
            self._write(event)

    def _is_due(self, at: datetime) -> bool:
        """Tell whether a minute has passed; the first one begins with the first look."""
        if self._next_progress is None:
            self._next_progress = at + PROGRESS_EVERY
        if at < self._next_progress:
            return False
        self._next_progress = at + PROGRESS_EVERY
        return True

    def _write(self, event: Event) -> None:  # noqa: C901 - one case for each event is a table
        log = self._log
        match event:
            case JobObtained(job=job, origin=origin):
                log.info(_OBTAINED[origin], job.job_type, job.job_id, job.connection_id, job.status)
            case StatusChanged(job=job, previous=None):
                log.info("Airbyte job %s is %s%s", job.job_id, job.status, _progress(job))
            case StatusChanged(job=job, previous=previous):
                log.info(
                    "Airbyte job %s: %s -> %s%s", job.job_id, previous, job.status, _progress(job)
                )
            case JobSeen(job=job):
                log.info("Airbyte job %s is still %s%s", job.job_id, job.status, _progress(job))
            case JobEnded(job=job):
                log.info("Airbyte job %s ended: %s%s", job.job_id, job.status, _totals(job))
            case LookFailed(error=error, failing_since=since, next_look=next_look):
                log.warning(
                    "Could not look at Airbyte (failing since %s); looking again at %s: %s",
                    _clock_time(since),
                    _clock_time(next_look),
                    error,
                )
            case SubmitPostponed(error=error, next_try=next_try):
                log.warning(
                    "Airbyte did not take the sync; trying again at %s: %s",
                    _clock_time(next_try),
                    error,
                )
            case SubmitUncertain(error=error, look_until=look_until):
                log.warning(
                    "Airbyte's answer was lost, so the sync may have started; looking for it until %s "
                    "before anything else: %s",
                    _clock_time(look_until),
                    error,
                )
            case WaitingForOther(job=job):
                log.info(
                    "The connection is busy with Airbyte job %s (%s, %s), begun before this was asked "
                    "for; ours starts when it ends",
                    job.job_id,
                    job.job_type,
                    job.status,
                )
            case CancelRequested(job=job):
                log.warning("Cancelling Airbyte job %s (%s)", job.job_id, job.status)


def _progress(job: Job) -> str:
    if not job.rows and not job.bytes:
        return ""
    return f", {_amounts(job)} so far"


def _totals(job: Job) -> str:
    took = "" if job.duration is None else f" in {job.duration}"
    return f", {_amounts(job)}{took}" if job.rows is not None else took


def _amounts(job: Job) -> str:
    return f"{job.rows or 0:,} rows, {readable_bytes(job.bytes or 0)}"


def readable_bytes(amount: int) -> str:
    """Return an amount of bytes as a person says it."""
    size = float(amount)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004 - a decimal prefix is a thousand
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _clock_time(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"
