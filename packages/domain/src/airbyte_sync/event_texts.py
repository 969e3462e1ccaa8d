"""What a person reads of an event: one sentence each, and which events are worth a line.

Logs, terminals and schedulers show the same words, because they all take them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airbyte_sync.base_errors import InvalidInput
from airbyte_sync.checks import require_duration
from airbyte_sync.errors import RefusedOnTheWay, RequestNotSent
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
from airbyte_sync.texts import clean

if TYPE_CHECKING:
    from airbyte_sync.jobs import Job, JobStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """An event in words."""

    text: str
    """One line without control characters; what a server said in it is cut to 2,000 characters."""
    is_warning: bool = False
    """Whether something went wrong or is cancelled, so that a log shows the line as a warning."""


def describe(  # noqa: C901 - one case for each event is a table
    event: Event, *, connection_name: str | None = None, job_url: str | None = None
) -> Description:
    """
    Return what an event means, for a person.

    Args:
        event: What a flow reported.
        connection_name: What people call the connection, where it is known: the line that tells how the
            request came to its job says it.
        job_url: The job's page in Airbyte's web application, where it is known: it stands on that line, too.

    Returns:
        A sentence without a full stop. All moments are in UTC.
    """
    match event:
        case JobObtained(job=job, origin=origin) | JobRecalled(job=job, origin=origin):
            return Description(
                text=introduce(
                    job_id=job.job_id,
                    job_type=job.job_type,
                    status=job.status,
                    connection_id=job.connection_id,
                    origin=origin,
                    is_recalled=isinstance(event, JobRecalled),
                    connection_name=connection_name,
                    job_url=job_url,
                )
            )
        case EarlierTryLookedFor(since=since, look_until=look_until):
            return Description(
                text="An earlier try may have started a sync: looking in Airbyte for a job that began "
                f"since {_clock_time(since)}; if there is none by {_clock_time(look_until)}, a new one is "
                "started"
            )
        case StatusChanged(job=job, previous=None):
            return Description(text=f"{_named(job)} is {_word(job)}{_progress(job)}")
        case StatusChanged(job=job, previous=previous):
            return Description(
                text=f"{_named(job)}: {clean(str(previous))} -> {_word(job)}{_progress(job)}"
            )
        case JobPolled(job=job):
            return Description(text=f"{_named(job)} is still {_word(job)}{_progress(job)}")
        case JobEnded(job=job):
            return Description(text=f"{_named(job)} ended: {_word(job)}{_totals(job)}")
        case PollFailed(error=error, failing_since=since, next_poll=next_poll):
            return Description(
                text=f"Could not poll Airbyte (failing since {_clock_time(since)}); polling again at "
                f"{_clock_time(next_poll)}: {clean(str(error))}",
                is_warning=True,
            )
        case SubmitPostponed(error=error, next_try=next_try):
            has_arrived = not isinstance(error, (RequestNotSent, RefusedOnTheWay))
            what = (
                "Airbyte did not accept the sync"
                if has_arrived
                else "The submission of the sync did not reach Airbyte"
            )
            return Description(
                text=f"{what}; trying again at {_clock_time(next_try)}: {clean(str(error))}",
                is_warning=True,
            )
        case SubmitUncertain(error=error, look_until=look_until):
            return Description(
                text="Airbyte's answer was lost, so the sync may have started; looking for it until "
                f"{_clock_time(look_until)} before anything else: {clean(str(error))}",
                is_warning=True,
            )
        case WaitingForOther(job=job):
            return Description(
                text=f"The connection is busy with {_named(job)} ({clean(job.job_type)}, {_word(job)}), "
                "begun before this request; ours starts when it ends"
            )
        case JobLeftOver(job=job, newer=newer):
            return Description(
                text=f"{_named(job)} is still reported as {_word(job)}, but the newer job {newer.job_id} of "
                f"the connection has ended ({_word(newer)}). Airbyte runs one job of a connection at a "
                f"time, so job {job.job_id} is a leftover that nothing works on any more",
                is_warning=True,
            )
        case CancelRequested(job=job):
            return Description(text=f"Cancelling {_named(job)} ({_word(job)})", is_warning=True)


def introduce(
    *,
    job_id: int,
    job_type: str,
    status: JobStatus | str,
    connection_id: str,
    origin: Origin | None = None,
    is_recalled: bool = False,
    connection_name: str | None = None,
    job_url: str | None = None,
) -> str:
    """
    Say how a request came to its job: for a shell that does so later than the event, when it knows names.

    Args:
        job_id: The job.
        job_type: Airbyte's word for what it does.
        status: Airbyte's word for where it stands now.
        connection_id: Its connection.
        origin: How the request came to it; ``None`` where it was known by its id from the beginning.
        is_recalled: Whether an earlier try of the request came to it.
        connection_name: As for :func:`describe`.
        job_url: As for :func:`describe`.
    """
    name = clean(connection_id)
    if connection_name is not None:
        name = f"{clean(repr(connection_name))} ({name})"
    job = f"Airbyte {clean(job_type)} job {job_id} of connection {name} ({clean(str(status))})"
    where = "" if job_url is None else f": {clean(job_url)}"
    if is_recalled:
        return f"Going on with {job}, which an earlier try started{where}"
    match origin:
        case Origin.STARTED:
            return f"Started {job}{where}"
        case Origin.ADOPTED:
            return f"Found {job}, begun since this request: following it as our own{where}"
        case Origin.ATTACHED:
            return f"Following {job}, which was started elsewhere{where}"
        case None:
            return f"Following {job}{where}"


class ProgressThrottle:
    """
    Holds back polls that show nothing new, so that a long sync is no reason for a thousand lines.

    It counts for each job on its own, so that many syncs can share one. Use it in one thread or event
    loop.

    Args:
        every: How often such a poll of a job is let through. The first time begins with the first poll.

    Raises:
        InvalidInput: ``every`` is no ``timedelta``, or below zero.
    """

    def __init__(self, every: timedelta = timedelta(minutes=1)) -> None:
        require_duration("every", every)
        if every < timedelta(0):
            raise InvalidInput(f"every is {every}: give a duration that is not below zero")
        self._every = every
        self._due: dict[int, datetime] = {}

    def __call__(self, event: Event) -> bool:
        """Tell whether an event is worth a line now: each is, but for a poll that shows nothing new."""
        if isinstance(event, JobEnded):
            self._due.pop(event.job.job_id, None)
        if not isinstance(event, JobPolled):
            return True
        due = self._due.setdefault(event.job.job_id, event.at + self._every)
        if event.at < due:
            return False
        self._due[event.job.job_id] = event.at + self._every
        return True


def readable_bytes(amount: int) -> str:
    """Return an amount of bytes as a person says it, in decimal units: ``65.5 kB``."""
    size = float(amount)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004 - a decimal prefix is a thousand
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _named(job: Job) -> str:
    return f"Airbyte job {job.job_id}"


def _word(job: Job) -> str:
    return clean(job.status.word)


def _progress(job: Job) -> str:
    if not job.rows and not job.bytes:
        return ""
    return f", {_amounts(job)} so far"


def _totals(job: Job) -> str:
    took = "" if job.duration is None else f" in {job.duration}"
    return f", {_amounts(job)}{took}" if job.rows is not None else took


def _amounts(job: Job) -> str:
    return f"{job.rows or 0:,} rows, {readable_bytes(job.bytes or 0)}"


def _clock_time(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"
