"""WATCH: poll a job until it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import FetchJob, Flow, Now, Report, SaveCheckpoint
from airbyte_sync.errors import CallFailed, JobGone, NotFound
from airbyte_sync.events import JobEnded, JobLeftOver, JobObtained, JobPolled, Origin, StatusChanged
from airbyte_sync.flows.cancelling import to_cancel
from airbyte_sync.flows.failures import (
    is_late,
    is_queue_deadline_first,
    is_queued_too_long,
    with_timeout,
)
from airbyte_sync.flows.job_list import list_jobs, newer_that_ended
from airbyte_sync.flows.polling import (
    job_id_of,
    may_pass,
    on_poll_failure,
    pause_until_due,
    record_poll,
    require_same_connection,
    with_next_poll,
)
from airbyte_sync.jobs import JobQuery, JobType

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.jobs import Job
    from airbyte_sync.policy import SyncPolicy

MISSING_FOR = timedelta(seconds=60)
MISSING_POLLS = 3
"""For how long, and how often, Airbyte must say that it does not know a job that it has shown before."""

FIRST_LIST = 256
"""After how many polls the list is asked for the first time whether the job is a leftover. Who shares a feed
polls once a minute, so that an hour of ten thousand waits costs no request more."""

SPREAD = 32
"""Over how many polls the jobs that began together are spread when they ask the list."""

PAGE = 100
MOST_PAGES = 20
"""How many pages are read back to find a job. Airbyte lists at most 100 jobs a page."""

_LISTED = (None, JobType.REFRESH, JobType.CLEAR)
"""Servers up to v2.0.0 list only syncs and resets unless another type is asked for (``JobsHelper.kt``)."""


def wait_until_it_ends(
    checkpoint: Checkpoint, policy: SyncPolicy
) -> Flow[tuple[Job | None, Checkpoint]]:
    """Poll until the job ends, or return no job and the phase CANCEL when the deadline passes."""
    job_id = job_id_of(checkpoint)
    while True:
        now = yield from pause_until_due(checkpoint, policy.poll.floor)
        is_to_be_judged = is_late(checkpoint, now) or is_queued_too_long(checkpoint, now)
        try:
            job = yield from FetchJob(job_id, recent=not is_to_be_judged)
            require_same_connection(checkpoint, job)
        except CallFailed as error:
            is_refusal = error.retry_safe is False and not may_pass(checkpoint)
            if is_late(checkpoint, now) and not is_refusal:
                return None, to_cancel(checkpoint, policy, now)
            if isinstance(error, NotFound) and may_pass(checkpoint):
                checkpoint = yield from _missing(checkpoint, error, now)
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            continue
        previous = checkpoint.status
        checkpoint = record_poll(checkpoint, job)
        if job.status.is_final:
            yield from Report(JobEnded(job=job))
            return job, checkpoint
        if job.status != previous:
            yield from Report(StatusChanged(job=job, previous=previous))
        else:
            yield from Report(JobPolled(job=job, at=now))
        checkpoint = yield from _tell_once_if_left_over(checkpoint, job, now)
        if not job.status.is_waiting_to_run:
            checkpoint = replace(checkpoint, queue_deadline=None)
        elif is_queued_too_long(checkpoint, now) and is_queue_deadline_first(checkpoint):
            overdue = replace(checkpoint, queued_too_long=True)
            return None, to_cancel(overdue, policy, now)
        if is_late(checkpoint, now):
            return None, to_cancel(checkpoint, policy, now)
        checkpoint = with_next_poll(checkpoint, policy, now, job_id)


def _tell_once_if_left_over(checkpoint: Checkpoint, job: Job, now: datetime) -> Flow[Checkpoint]:
    """
    Ask the job list whether a newer job has ended, and report it once.

    It is asked after 256, 512 polls and so on, and at the deadline. The wait goes on: its own time limits end
    it. Asking ever more rarely costs a server next to nothing, and thousands that began together do not ask
    together.
    """
    polls = checkpoint.looks - job.job_id % SPREAD
    is_due = (polls >= FIRST_LIST and polls & (polls - 1) == 0) or is_late(checkpoint, now)
    if checkpoint.newer_ended is not None or not is_due:
        return checkpoint
    newer = yield from newer_that_ended(job)
    if newer is None:
        return checkpoint
    yield from Report(JobLeftOver(job=job, newer=newer))
    return replace(checkpoint, newer_ended=newer.job_id)


def _missing(checkpoint: Checkpoint, error: NotFound, now: datetime) -> Flow[Checkpoint]:
    """
    Record that Airbyte does not know a job that it has shown before.

    A gateway with a wrong route or a server with an old database says so, too, and it passes. The job is
    gone when Airbyte said it several times over a minute and the job list does not have it either.

    Raises:
        JobGone: It is.
    """
    since = checkpoint.missing_since or now
    checkpoint = replace(
        checkpoint, missing_since=since, missing_polls=checkpoint.missing_polls + 1
    )
    is_repeated = checkpoint.missing_polls >= MISSING_POLLS and now - since >= MISSING_FOR
    if not is_repeated or (yield from _may_be_listed(checkpoint)):
        return checkpoint
    # The same request made again is a new one.
    yield from SaveCheckpoint(
        Checkpoint(
            phase=Phase.SUBMIT,
            connection_id=checkpoint.connection_id,
            job_type=checkpoint.job_type,
            asked_at=checkpoint.asked_at,
        )
    )
    raise JobGone(
        f"Airbyte job {checkpoint.job_id} of connection {checkpoint.connection_id} is gone: Airbyte "
        f"showed it before, says since {since:%H:%M:%S} UTC that it does not know it, and does not list "
        f"it any more. It was deleted, or the server was set up anew. How the sync ended is unknown; "
        "a retry starts a new one."
    ) from error


def _may_be_listed(checkpoint: Checkpoint) -> Flow[bool]:
    """Read the connection's job list back to where the job belongs; say whether it may be in it."""
    if checkpoint.connection_id is None:
        return True
    for job_type in _LISTED:
        query = JobQuery(connection_id=checkpoint.connection_id, job_type=job_type, limit=PAGE)
        if (yield from _is_in_list(query, job_id_of(checkpoint))):
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


def start_watching(
    checkpoint: Checkpoint, policy: SyncPolicy, job: Job, origin: Origin
) -> Flow[Checkpoint]:
    yield from Report(JobObtained(job=job, origin=origin))
    now = yield from Now()
    watching = replace(
        checkpoint,
        phase=Phase.WATCH,
        job_id=job.job_id,
        origin=origin,
        status=job.status,
        answered_since=None,
        in_doubt=False,
        settle_until=None,
        failing_since=None,
        failures=0,
        looks=0,
        submit_failing_since=None,
        submit_failures=0,
        lost_submissions=0,
        lost_status=None,
        has_met_airbyte=True,
        strange_since=None,
    )
    watching = with_timeout(watching, policy, now)
    if not job.status.is_final:
        watching = with_next_poll(watching, policy, now, job.job_id)
    yield from SaveCheckpoint(watching)
    return watching
