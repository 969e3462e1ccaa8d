"""Finding the job: look for the job of this request on the server before anything is submitted (again)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airbyte_sync.commands import FetchConnection, Flow, Now, SaveCheckpoint
from airbyte_sync.errors import CallFailed, ConnectionUnavailable
from airbyte_sync.events import Origin
from airbyte_sync.flows.connection_busy import resolve_conflict
from airbyte_sync.flows.connections import why_it_takes_no_jobs
from airbyte_sync.flows.failures import (
    give_up_submitting,
    has_waited_too_long,
    lost_again,
    without_a_job,
)
from airbyte_sync.flows.job_list import is_left_over, list_jobs, on_the_servers_clock
from airbyte_sync.flows.polling import on_poll_failure, pause_until_due, record_answer, with_wake_at
from airbyte_sync.flows.transitions import Happened, enter, request_made_anew
from airbyte_sync.flows.watching import start_watching
from airbyte_sync.jobs import Job, JobStatus, newest
from airbyte_sync.phases import ConnectionBusy, EarlierJobs, FindingJob, Submitting
from airbyte_sync.policy import OnConflict, SyncPolicy
from airbyte_sync.requests import JobQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airbyte_sync.checkpoint import Checkpoint

LONGEST_CREATION = timedelta(seconds=150)
"""The least time from a submission until a list without its job proves that nothing came of it.

Airbyte waits up to 60 s for a job to be created (``TemporalClient.kt``); users report creations that took
up to 130 s (apache/airflow#71092).
"""

MIN_INTERVAL = timedelta(seconds=1)
"""The least time between two requests for the list while a job is searched whose submission is in doubt."""


def end_of_search(submitted_at: datetime, lost_at: datetime, policy: SyncPolicy) -> datetime:
    """
    Return until when the job of a lost submission may still appear.

    Args:
        submitted_at: When the submission was made, or the latest moment at which it may have been.
        lost_at: When it was known that its answer would not come.
        policy: Its ``adopt_window`` counts from ``lost_at``.
    """
    return max(lost_at + policy.adopt_window, submitted_at + LONGEST_CREATION)


def find_or_adopt(
    checkpoint: Checkpoint, finding: FindingJob, policy: SyncPolicy
) -> Flow[Checkpoint]:
    """
    Look for the job of this request on the server; submit only when there is none.

    A job that appeared after the request was made is its own, or as fresh as its own. One that is still
    reported as running although a newer one has ended is a leftover, and counts for nothing. One that was
    there before is a matter of ``on_conflict``. Only where a submission of ours is in doubt is it ours to
    cancel: after a plain refusal it is surely another client's.
    """
    earlier = finding.earlier
    while True:
        now = yield from pause_until_due(checkpoint)
        try:
            page = yield from list_jobs(JobQuery(connection_id=finding.connection_id))
        except CallFailed as error:
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            continue
        checkpoint = record_answer(checkpoint)
        now = yield from Now()  # a slow reply must not make our own job look older than the request
        since = on_the_servers_clock(checkpoint.asked_at, now, page.server_time)
        jobs = list(_jobs_of_this_request(page.jobs, checkpoint, finding.after_job_id, since))
        left_over = [job for job in page.jobs if is_left_over(job, page)]
        stale = [
            job
            for job in jobs
            if earlier is not None
            and (is_stale(job, earlier, now, page.server_time) or job in left_over)
        ]
        fresh = newest(job for job in jobs if job not in stale and job not in left_over)
        if fresh is not None:
            # As fresh as our own; but only where a submission is in doubt may it be our own.
            origin = Origin.ADOPTED if finding.submissions.in_doubt else Origin.ATTACHED
            return (
                yield from start_watching(checkpoint, policy, Happened.JOB_FOUND, fresh, origin)
            )
        if earlier is not None and stale and len(stale) >= earlier.tries:
            return restart(checkpoint, finding, now, newest(stale))
        active = newest(
            job for job in page.jobs if not job.status.is_final and job not in left_over
        )
        # Our own may still come to life behind it: only queueing needs no decision about that.
        may_decide = policy.on_conflict is OnConflict.QUEUE or not _is_open(finding, now)
        if active is not None and may_decide:
            return (yield from resolve_conflict(checkpoint, finding, policy, active))
        if has_waited_too_long(checkpoint, now):
            raise without_a_job(checkpoint, policy)
        if finding.search_until is None or now >= finding.search_until:
            if earlier is not None:
                return restart(checkpoint, finding, now, newest(stale))
            give_up_submitting(checkpoint, finding, policy, now)
            if not finding.submissions.lost:
                return _to_submitting(checkpoint, finding)
            proven = replace(finding, nothing_came=True)
            return (
                yield from after_nothing_came(replace(checkpoint, phase=proven), proven, policy)
            )
        until = min(now + max(policy.poll.floor, MIN_INTERVAL), finding.search_until)
        checkpoint = with_wake_at(checkpoint, now, until)


def after_nothing_came(
    checkpoint: Checkpoint, finding: FindingJob, policy: SyncPolicy
) -> Flow[Checkpoint]:
    """
    Go on after a submission was lost and surely no job came of it.

    The connection tells why where it can: it is unknown, or takes no jobs. Otherwise the submission is
    made once more. A second one that is lost is not bad luck any more.
    """
    connection_id = finding.connection_id
    anew = request_made_anew(checkpoint, Happened.NOTHING_FOUND, connection_id)
    while True:
        now = yield from pause_until_due(checkpoint)
        if has_waited_too_long(checkpoint, now):
            raise without_a_job(checkpoint, policy)
        try:
            connection = yield from FetchConnection(connection_id)
        except CallFailed as error:
            if not error.retry_may_help:
                yield from SaveCheckpoint(anew)
                status = finding.submissions.lost_status
                lost = "" if status is None else f" (it was answered with {status})"
                raise type(error)(
                    f"a sync of connection {connection_id} was submitted{lost}, no job came of it, and "
                    f"the connection cannot be read: {error}",
                    status=error.status,
                ) from error
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            continue
        break
    reason = why_it_takes_no_jobs(connection)
    if reason is not None:
        yield from SaveCheckpoint(anew)
        raise ConnectionUnavailable(reason, connection=connection)
    if finding.submissions.lost > 1:
        raise lost_again(checkpoint)
    return _to_submitting(replace(record_answer(checkpoint), wake_at=None), finding)


def _to_submitting(checkpoint: Checkpoint, finding: FindingJob) -> Checkpoint:
    submitting = Submitting(
        connection_id=finding.connection_id,
        after_job_id=finding.after_job_id,
        submissions=finding.submissions,
        submit_failures=finding.submit_failures,
    )
    return enter(checkpoint, Happened.NOTHING_FOUND, submitting)


def is_stale(job: Job, earlier: EarlierJobs, now: datetime, server_time: datetime | None) -> bool:
    """Whether a job that earlier tries left behind came to nothing, or is not their answer."""
    if not job.status.is_final:
        return False
    answered_since = on_the_servers_clock(earlier.answered_since, now, server_time)
    ended_at = job.ended_at or job.created_at
    return job.status != JobStatus.SUCCEEDED or ended_at < answered_since


def restart(
    checkpoint: Checkpoint, finding: FindingJob, now: datetime, stale: Job | None
) -> Checkpoint:
    """Make the request as if for the first time: nothing that runs is left of earlier tries."""
    after_job_id = finding.after_job_id if stale is None else stale.job_id
    checkpoint = replace(checkpoint, asked_at=now, failures=None)
    return begin(checkpoint, Happened.NOTHING_FOUND, finding.connection_id, after_job_id)


def begin(
    checkpoint: Checkpoint,
    happened: Happened,
    connection_id: str,
    after_job_id: int | None = None,
) -> Checkpoint:
    """Enter the first phase of a request: a job that would cancel the running one is not submitted unseen."""
    if checkpoint.job_type.preempts:
        finding = FindingJob(connection_id=connection_id, after_job_id=after_job_id)
        return enter(checkpoint, Happened.TO_BE_FOUND, finding)
    submitting = Submitting(connection_id=connection_id, after_job_id=after_job_id)
    return enter(checkpoint, happened, submitting)


def _is_open(finding: FindingJob, now: datetime) -> bool:
    """Whether a submission in doubt may still come to life."""
    search_until = finding.search_until
    return finding.submissions.in_doubt and search_until is not None and now < search_until


def job_in_doubt(
    checkpoint: Checkpoint, phase: Submitting | FindingJob | ConnectionBusy
) -> Flow[Job | None]:
    """Look once for the active job of a submission that is in doubt."""
    page = yield from list_jobs(JobQuery(connection_id=phase.connection_id))
    now = yield from Now()
    since = on_the_servers_clock(checkpoint.asked_at, now, page.server_time)
    jobs = _jobs_of_this_request(page.jobs, checkpoint, phase.after_job_id, since)
    return newest(job for job in jobs if not job.status.is_final and not is_left_over(job, page))


def _jobs_of_this_request(
    jobs: Iterable[Job], checkpoint: Checkpoint, after_job_id: int | None, since: datetime
) -> Iterator[Job]:
    """
    Yield the jobs that began since the request was made: its own, or as fresh as its own.

    How they ended does not matter. A process that resumes cannot know whether the submission
    before was carried out, so a job that failed may well be the request's own, and must not be run twice.
    """
    for job in jobs:
        is_fresh = job.created_at >= since
        is_known_not_to_be_ours = after_job_id is not None and job.job_id <= after_job_id
        if checkpoint.job_type.covers(job.job_type) and is_fresh and not is_known_not_to_be_ours:
            yield job
