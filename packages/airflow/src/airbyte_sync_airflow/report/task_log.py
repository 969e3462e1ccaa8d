"""What a person reads in the task's log: one line for each thing that happened.

Airflow shows the same lines whether a flow runs in a worker or in the triggerer.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from airbyte_sync import (
    Event,
    JobEnded,
    JobObtained,
    JobRecalled,
    Origin,
    ProgressThrottle,
    StatusChanged,
    describe,
)
from airbyte_sync.event_texts import introduce, readable_bytes
from airbyte_sync_airflow.report.job_summary import JobSummary

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync import Checkpoint, Job


class Logger(Protocol):
    """What is needed of a logger: Airflow's own differ between versions."""

    def info(self, message: str, /, *args: object) -> object: ...

    def warning(self, message: str, /, *args: object) -> object: ...


class TaskLog:
    """Writes events to a task's log; polls that show nothing new are summed up once a minute."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._is_due = ProgressThrottle()

    def __call__(self, event: Event) -> None:
        """Write what is worth a line."""
        if isinstance(event, (JobObtained, JobRecalled)):
            return  # the follower announces the job, with its name and its link
        if self._is_due(event):
            description = describe(event)
            write = self._log.warning if description.is_warning else self._log.info
            write(description.text)


def succeeded(job_id: int, job: JobSummary | None) -> str:
    """
    Return the last line of a task that a trigger waited for.

    It repeats the amounts: Airflow 3 may write a trigger's last lines to the triggerer's own log.

    Args:
        job_id: The job.
        job: What is known of it.
    """
    text = f"Airbyte job {job_id} succeeded"
    if job is None:
        return text
    if job.rows is not None:
        text += f", {job.rows:,} rows, {readable_bytes(job.bytes or 0)}"
    if job.duration_seconds is not None:
        text += f" in {timedelta(seconds=job.duration_seconds)}"
    return text


class Follower:
    """
    Watches a flow: writes the log, and knows the job as it was last seen.

    Args:
        log: The task's log.
        job: What is known of the job already; where that is its id only, the first poll announces it.
    """

    def __init__(self, log: Logger, job: JobSummary | None = None) -> None:
        self.job = job
        self._write = TaskLog(log)
        self._log = log
        is_known = job is None or job.status is not None
        self._introduce: Callable[..., str] | None = None if is_known else introduce
        self._held: tuple[JobEnded, ...] = ()

    def skip_announcement(self) -> None:
        """Do not announce the job: another process of the same try has done so."""
        self._introduce = None

    def __call__(self, event: Event) -> None:
        """Take note of an event, and write what is worth a line."""
        if isinstance(event, (JobObtained, JobRecalled)):
            self.job = JobSummary(job_id=event.job.job_id, attached=event.origin is Origin.ATTACHED)
            is_recalled = isinstance(event, JobRecalled)
            self._introduce = partial(introduce, origin=event.origin, is_recalled=is_recalled)
        seen: Job | None = getattr(event, "job", None)
        if self.job is not None and seen is not None and seen.job_id == self.job.job_id:
            self.job = self.job.seen(seen)
        is_in_announcement = isinstance(event, StatusChanged) and event.previous is None
        if self._introduce is not None and isinstance(event, JobEnded):
            self._held += (event,)  # a job is announced before its end is told
        elif self._introduce is None or not is_in_announcement:
            self._write(event)

    def continue_with(self, job: JobSummary, checkpoint: Checkpoint) -> None:
        """Go on where a trigger came to the job."""
        self.job = job
        self._introduce = partial(introduce, origin=checkpoint.origin or Origin.STARTED)

    def follow(self, job_id: int) -> None:
        """Go on with a job that is known by its id only: the first poll announces it."""
        self.job = JobSummary(job_id=job_id)
        self._introduce = introduce

    def announce(self) -> None:
        """Write how the task came to its job, with its name and its link; once."""
        introduce_as, job = self._introduce, self.job
        if introduce_as is None or job is None or job.status is None:
            return  # a job that was not polled yet is announced by the next poll
        self._introduce = None
        text = introduce_as(
            job_id=job.job_id,
            job_type=str(job.job_type),
            status=job.status,
            connection_id=str(job.connection_id),
            connection_name=job.connection_name,
            job_url=job.url,
        )
        self._log.info(text)
        held, self._held = self._held, ()
        for event in held:
            self._write(event)
