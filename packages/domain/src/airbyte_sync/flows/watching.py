"""Watching: poll a job until it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync.commands import FetchJob, Flow, Now, Report, SaveCheckpoint
from airbyte_sync.errors import CallFailed, JobGone, NotFound
from airbyte_sync.events import JobEnded, JobLeftOver, JobObtained, JobPolled, StatusChanged
from airbyte_sync.flows.ending import result_of
from airbyte_sync.flows.failures import (
    is_late,
    is_queue_deadline_first,
    is_queued_too_long,
    with_timeout,
)
from airbyte_sync.flows.job_list import list_jobs, newer_that_ended
from airbyte_sync.flows.polling import (
    on_poll_failure,
    pause_until_due,
    record_answer,
    require_same_connection,
    with_next_poll,
)
from airbyte_sync.flows.transitions import Happened, enter, request_made_anew
from airbyte_sync.jobs import JobType
from airbyte_sync.phases import Failures, Watching
from airbyte_sync.requests import JobQuery

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.events import Origin
    from airbyte_sync.jobs import Job
    from airbyte_sync.policy import SyncPolicy
    from airbyte_sync.results import SyncResult

MISSING_FOR = timedelta(seconds=60)
MISSING_POLLS = 3
"""For how long, and how often, Airbyte must say that it does not know a job that it has shown before."""

FIRST_LIST = 256
"""After how many polls the list is asked for the first time whether the job is a leftover. A wait that shares
a feed polls once a minute, so that an hour of ten thousand waits costs no request more."""

SPREAD = 32
"""Over how many polls the jobs that began together are spread when they ask the list."""

PAGE = 100
MOST_PAGES = 20
"""How many pages are read back to find a job. Airbyte lists at most 100 jobs a page."""

_LISTED = (None, JobType.REFRESH, JobType.CLEAR)
"""Servers up to v2.0.0 list only syncs and resets unless another type is asked for (``JobsHelper.kt``)."""


def start_watching(
    checkpoint: Checkpoint, policy: SyncPolicy, happened: Happened, job: Job, origin: Origin
) -> Flow[Checkpoint]:
    """Go on from the moment that the request has its job."""
    yield from Report(JobObtained(job=job, origin=origin))
    now = yield from Now()
    watching = Watching(
        job_id=job.job_id,
        origin=origin,
        connection_id=checkpoint.connection_id,
        status=job.status,
    )
    checkpoint = replace(enter(record_answer(checkpoint), happened, watching), polls=0)
    checkpoint = with_timeout(checkpoint, policy, now)
    if not job.status.is_final:
        checkpoint = with_next_poll(checkpoint, policy, now, job.job_id)
    yield from SaveCheckpoint(checkpoint)
    return checkpoint


def wait_until_it_ends(
    checkpoint: Checkpoint, watching: Watching, policy: SyncPolicy
) -> Flow[SyncResult | Checkpoint]:
    """Poll until the job ends, or go on to the phase Cancelling when a deadline passes."""
    while True:
        now = yield from pause_until_due(checkpoint, policy.poll.floor)
        is_to_be_judged = is_late(checkpoint, now) or is_queued_too_long(checkpoint, now)
        try:
            job = yield from FetchJob(watching.job_id, recent=not is_to_be_judged)
            require_same_connection(checkpoint, job)
        except CallFailed as error:
            is_refusal = not error.retry_may_help and not checkpoint.may_have_a_job
            if is_late(checkpoint, now) and not is_refusal:
                return _to_cancelling(checkpoint, watching, policy, now)
            if isinstance(error, NotFound) and checkpoint.may_have_a_job:
                watching = yield from _missing(checkpoint, watching, error, now)
                checkpoint = replace(checkpoint, phase=watching)
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            continue
        previous = watching.status
        watching = record_poll(watching, job)
        checkpoint = replace(record_answer(checkpoint), phase=watching)
        if job.status.is_final:
            yield from Report(JobEnded(job=job))
            return (yield from result_of(job, watching.origin, policy))
        if job.status != previous:
            yield from Report(StatusChanged(job=job, previous=previous))
        else:
            yield from Report(JobPolled(job=job, at=now))
        watching = yield from _tell_once_if_left_over(checkpoint, watching, job, now)
        checkpoint = replace(checkpoint, phase=watching)
        if not job.status.is_waiting_to_run:
            checkpoint = replace(checkpoint, queue_deadline=None)
        elif is_queued_too_long(checkpoint, now) and is_queue_deadline_first(checkpoint):
            return _to_cancelling(checkpoint, watching, policy, now, queued_too_long=True)
        if is_late(checkpoint, now):
            return _to_cancelling(checkpoint, watching, policy, now)
        checkpoint = with_next_poll(checkpoint, policy, now, watching.job_id)


def record_poll(watching: Watching, job: Job) -> Watching:
    """Record a poll that succeeded."""
    connection_id = watching.connection_id or job.connection_id
    return replace(watching, connection_id=connection_id, status=job.status, missing=None)


def _to_cancelling(
    checkpoint: Checkpoint,
    watching: Watching,
    policy: SyncPolicy,
    now: datetime,
    *,
    queued_too_long: bool = False,
) -> Checkpoint:
    cancelling = replace(
        watching.to_be_cancelled(now + policy.cancel_timeout), queued_too_long=queued_too_long
    )
    checkpoint = replace(checkpoint, wake_at=None, polls=0)
    return enter(checkpoint, Happened.DEADLINE_PASSED, cancelling)


def _tell_once_if_left_over(
    checkpoint: Checkpoint, watching: Watching, job: Job, now: datetime
) -> Flow[Watching]:
    """
    Ask the job list whether a newer job has ended, and report it once.

    It is asked after 256, 512 polls and so on, and at the deadline. The wait goes on: its own time limits end
    it. Asking ever more rarely costs a server next to nothing, and thousands that began together do not ask
    together.
    """
    polls = checkpoint.polls - job.job_id % SPREAD
    is_due = (polls >= FIRST_LIST and polls & (polls - 1) == 0) or is_late(checkpoint, now)
    if watching.newer_ended is not None or not is_due:
        return watching
    newer = yield from newer_that_ended(job)
    if newer is None:
        return watching
    yield from Report(JobLeftOver(job=job, newer=newer))
    return replace(watching, newer_ended=newer.job_id)


def _missing(
    checkpoint: Checkpoint, watching: Watching, error: NotFound, now: datetime
) -> Flow[Watching]:
    """
    Record that Airbyte does not know a job that it has shown before.

    A gateway with a wrong route or a server with an old database says so, too, and it passes. The job is
    gone when Airbyte said it several times over a minute and the job list does not have it either.

    Raises:
        JobGone: It is.
    """
    missing = Failures.one_more(watching.missing, now)
    watching = replace(watching, missing=missing)
    is_repeated = missing.count >= MISSING_POLLS and now - missing.since >= MISSING_FOR
    connection_id = watching.connection_id
    if not is_repeated or connection_id is None:
        return watching
    if (yield from _may_be_listed(connection_id, watching.job_id)):
        return watching
    yield from SaveCheckpoint(request_made_anew(checkpoint, Happened.JOB_GONE, connection_id))
    raise JobGone(
        f"Airbyte job {watching.job_id} of connection {connection_id} is gone: Airbyte showed it before, has "
        f"said since {missing.since:%H:%M:%S} UTC that it does not know it, and does not list it any more. "
        "It was deleted, or the server was set up anew. How the sync ended is unknown; "
        "a retry starts a new one."
    ) from error


def _may_be_listed(connection_id: str, job_id: int) -> Flow[bool]:
    """Read the connection's job list back to where the job belongs; say whether it may be in it."""
    for job_type in _LISTED:
        query = JobQuery(connection_id=connection_id, job_type=job_type, limit=PAGE)
        if (yield from _is_in_list(query, job_id)):
            return True
    return False


def _is_in_list(query: JobQuery, job_id: int) -> Flow[bool]:
    for page in range(MOST_PAGES):
        try:
            listed = yield from list_jobs(replace(query, offset=page * PAGE))
        except CallFailed:
            return True  # a list that cannot be read proves nothing
        ids = [job.job_id for job in listed.jobs]
        if job_id in ids:
            return True
        if len(ids) < PAGE or min(ids) < job_id:
            return False
    return True
