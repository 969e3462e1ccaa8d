"""What a person reads in the task's log: one line for each thing that happened.

Airflow shows the same lines whether a flow runs in a worker or in the triggerer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from airbyte_sync.events import (
    CancelRequested,
    EarlierTryLookedFor,
    Event,
    JobEnded,
    JobLeftOver,
    JobObtained,
    JobPolled,
    JobRecalled,
    Origin,
    PollFailed,
    StatusChanged,
    SubmitPostponed,
    SubmitUncertain,
    WaitingForOther,
)
from airbyte_sync_airflow.report.job_summary import JobSummary
from airbyte_sync_http.protocol.cleaning import clean

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.jobs import Job

PROGRESS_EVERY = timedelta(minutes=1)


class Logger(Protocol):
    """What is needed of a logger: Airflow's own differ between versions."""

    def info(self, message: str, /, *args: object) -> object: ...

    def warning(self, message: str, /, *args: object) -> object: ...


_OBTAINED = {
    Origin.STARTED: "Started Airbyte %s job %s of connection %s (%s)%s",
    Origin.ADOPTED: "Found Airbyte %s job %s of connection %s (%s), begun since this was asked for: "
    "following it as our own%s",
    Origin.ATTACHED: "Following Airbyte %s job %s of connection %s (%s), which was started elsewhere%s",
}
_FOLLOWED = "Following Airbyte %s job %s of connection %s (%s)%s"
_RECALLED = "Going on with Airbyte %s job %s of connection %s (%s), which an earlier try started%s"


class CleanLog:
    """Writes what a server, an adapter or a library said: without control characters, of bounded length."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def info(self, message: str, /, *args: object) -> None:
        """Write a line."""
        self._log.info(message, *map(_fit_for_a_log, args))

    def warning(self, message: str, /, *args: object) -> None:
        """Write a warning."""
        self._log.warning(message, *map(_fit_for_a_log, args))


def _fit_for_a_log(value: object) -> object:
    return value if isinstance(value, (int, float, type(None))) else clean(str(value))


class TaskLog:
    """Writes events to a task's log; polls that show nothing new are summed up once a minute."""

    def __init__(self, log: Logger) -> None:
        self._log = CleanLog(log)
        self._next_progress: datetime | None = None

    def __call__(self, event: Event) -> None:
        """Write what is worth a line."""
        if not isinstance(event, JobPolled) or self._is_due(event.at):
            self._write(event)

    def _is_due(self, at: datetime) -> bool:
        """Tell whether a minute has passed; the first one begins with the first poll."""
        if self._next_progress is None:
            self._next_progress = at + PROGRESS_EVERY
        if at < self._next_progress:
            return False
        self._next_progress = at + PROGRESS_EVERY
        return True

    def _write(self, event: Event) -> None:  # noqa: C901 - one case for each event is a table
        log = self._log
        match event:
            case JobObtained() | JobRecalled():
                pass  # the follower announces it, with its name and its link
            case EarlierTryLookedFor(since=since, look_until=look_until):
                log.info(
                    "An earlier try may have started a sync: looking in Airbyte for a job that began "
                    "since %s; if there is none by %s, a new one is started",
                    _clock_time(since),
                    _clock_time(look_until),
                )
            case StatusChanged(job=job, previous=None):
                log.info("Airbyte job %s is %s%s", job.job_id, job.status, _progress(job))
            case StatusChanged(job=job, previous=previous):
                log.info(
                    "Airbyte job %s: %s -> %s%s", job.job_id, previous, job.status, _progress(job)
                )
            case JobPolled(job=job):
                log.info("Airbyte job %s is still %s%s", job.job_id, job.status, _progress(job))
            case JobEnded(job=job):
                log.info("Airbyte job %s ended: %s%s", job.job_id, job.status, _totals(job))
            case PollFailed(error=error, failing_since=since, next_poll=next_poll):
                log.warning(
                    "Could not poll Airbyte (failing since %s); polling again at %s: %s",
                    _clock_time(since),
                    _clock_time(next_poll),
                    error,
                )
            case SubmitPostponed(error=error, next_try=next_try):
                log.warning(
                    "Airbyte did not accept the sync; trying again at %s: %s",
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
            case JobLeftOver(job=job, newer=newer):
                log.warning(
                    "Airbyte job %s is still reported as %s, but the newer job %s of the connection has "
                    "ended (%s). Airbyte runs one job of a connection at a time, so job %s is a leftover on "
                    "which nothing works any more",
                    job.job_id,
                    job.status,
                    newer.job_id,
                    newer.status,
                    job.job_id,
                )
            case CancelRequested(job=job):
                log.warning("Cancelling Airbyte job %s (%s)", job.job_id, job.status)


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
        self._log = CleanLog(log)
        self._announcement = "" if job is None or job.status is not None else _FOLLOWED
        self._held: list[JobEnded] = []

    def skip_announcement(self) -> None:
        """Do not announce the job: another process of the same try has done so."""
        self._announcement = ""

    def __call__(self, event: Event) -> None:
        """Take note of an event, and write what is worth a line."""
        if isinstance(event, (JobObtained, JobRecalled)):
            self.job = JobSummary(job_id=event.job.job_id, attached=event.origin is Origin.ATTACHED)
            is_recalled = isinstance(event, JobRecalled)
            self._announcement = _RECALLED if is_recalled else _OBTAINED[event.origin]
        seen: Job | None = getattr(event, "job", None)
        if self.job is not None and seen is not None and seen.job_id == self.job.job_id:
            self.job = self.job.seen(seen)
        is_in_announcement = isinstance(event, StatusChanged) and event.previous is None
        if self._announcement and isinstance(event, JobEnded):
            self._held.append(event)  # a job is announced before its end is told
        elif not (self._announcement and is_in_announcement):
            self._write(event)

    def continue_with(self, job: JobSummary | None, checkpoint: Checkpoint) -> None:
        """Go on where a trigger came to the job."""
        self.job = job
        self._announcement = _OBTAINED[checkpoint.origin or Origin.STARTED]

    def follow(self, job_id: int, *, attached: bool) -> None:
        """Go on with a job that is known by its id only: the first poll announces it."""
        self.job = JobSummary(job_id=job_id, attached=attached)
        self._announcement = _FOLLOWED

    def announce(self) -> None:
        """Write how the task came to its job, with its name and its link; once."""
        text, job = self._announcement, self.job
        if not text or job is None or job.status is None:
            return  # a job that was not polled yet is announced by the next poll
        self._announcement = ""
        of_connection = job.connection_id
        if job.connection_name is not None:
            of_connection = f"{job.connection_name!r} ({job.connection_id})"
        where = "" if job.url is None else f": {job.url}"
        self._log.info(text, job.job_type, job.job_id, of_connection, job.status, where)
        while self._held:
            self._write(self._held.pop(0))


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
