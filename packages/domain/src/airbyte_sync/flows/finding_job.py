"""Finding the job: look for the job of this request on the server before anything is submitted (again)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import (
    FetchConnection,
    Flow,
    Now,
    SaveCheckpoint,
)
from airbyte_sync.errors import (
    CallFailed,
    ConnectionUnavailable,
)
from airbyte_sync.events import (
    Origin,
)
from airbyte_sync.flows.connection_busy import resolve_conflict
from airbyte_sync.flows.connections import why_it_takes_no_jobs
from airbyte_sync.flows.failures import (
    give_up_submitting,
    has_waited_too_long,
    lost_again,
    without_a_job,
)
from airbyte_sync.flows.job_list import is_left_over, list_jobs, on_the_servers_clock
from airbyte_sync.flows.polling import (
    connection_id_of,
    on_poll_failure,
    pause_until_due,
    record_answer,
    with_wake_at,
)
from airbyte_sync.flows.watching import start_watching
from airbyte_sync.jobs import (
    Job,
    JobQuery,
    JobStatus,
    newest,
)
from airbyte_sync.policy import OnConflict, SyncPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_CREATION = timedelta(seconds=150)
"""The least time from a submission until a list without its job proves that nothing came of it.

Airbyte waits up to 60 s for a job to be created (``TemporalClient.kt``); users report creations that took
up to 130 s (apache/airflow#71092).
"""

MIN_INTERVAL = timedelta(seconds=1)
"""The least time between two looks for a job whose submission is in doubt."""


def end_of_search(submitted_at: datetime, lost_at: datetime, policy: SyncPolicy) -> datetime:
    """
    Return until when the job of a lost submission may still appear.

    Args:
        submitted_at: When the submission was made, or the latest moment at which it may have been.
        lost_at: When it was known that its answer would not come.
        policy: Its ``adopt_window`` counts from ``lost_at``.
    """
    return max(lost_at + policy.adopt_window, submitted_at + LONGEST_CREATION)


def find_or_adopt(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """
    Look for the job of this request on the server; submit only when there is none.

    A job that appeared after the request was made is its own, or as fresh as its own. One that is still
    told to be running although a newer one has ended is a leftover, and counts for nothing. One that was
    there before is a matter of ``on_conflict``. Only where a submission of ours is in doubt is it ours to
    cancel: after a plain refusal it is surely somebody else's.
    """
    while True:
        now = yield from pause_until_due(checkpoint)
        connection_id = connection_id_of(checkpoint)
        try:
            page = yield from list_jobs(JobQuery(connection_id=connection_id))
        except CallFailed as error:
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            continue
        checkpoint = record_answer(checkpoint)
        now = yield from Now()  # a slow reply must not make our own job look older than the request
        since = on_the_servers_clock(checkpoint.asked_at, now, page.server_time)
        jobs = list(_jobs_of_this_request(page.jobs, checkpoint, since))
        left_over = [job for job in page.jobs if is_left_over(job, page)]
        spent = [
            job
            for job in jobs
            if is_stale(job, checkpoint, now, page.server_time)
            or (job in left_over and checkpoint.answered_since is not None)
        ]
        fresh = newest(job for job in jobs if job not in spent and job not in left_over)
        if fresh is not None:
            # As fresh as our own; but only where a submission is in doubt may it be our own.
            origin = Origin.ADOPTED if checkpoint.in_doubt else Origin.ATTACHED
            return (yield from start_watching(checkpoint, policy, fresh, origin))
        if spent and len(spent) >= checkpoint.earlier_tries:
            return restart(checkpoint, now, newest(spent))
        active = newest(
            job for job in page.jobs if not job.status.is_final and job not in left_over
        )
        # Our own may still come to life behind it: only queueing needs no decision about that.
        may_decide = policy.on_conflict is OnConflict.QUEUE or not _is_open(checkpoint, now)
        if active is not None and may_decide:
            return (yield from resolve_conflict(checkpoint, policy, active))
        if has_waited_too_long(checkpoint, now):
            raise without_a_job(checkpoint, policy)
        if checkpoint.settle_until is None or now >= checkpoint.settle_until:
            if checkpoint.answered_since is not None:
                return restart(checkpoint, now, newest(spent))
            give_up_submitting(checkpoint, policy, now)
            if not checkpoint.lost_submissions:
                return replace(checkpoint, phase=Phase.SUBMIT, settle_until=None)
            proven = replace(checkpoint, nothing_came=True)
            return (yield from after_nothing_came(proven, policy))
        until = min(now + max(policy.poll.floor, MIN_INTERVAL), checkpoint.settle_until)
        checkpoint = with_wake_at(checkpoint, now, until)


def after_nothing_came(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """
    Go on after a submission was lost and surely no job came of it.

    The connection tells why where it can: it is unknown, or takes no jobs. Otherwise the submission is
    made once more. A second one that is lost is not bad luck any more.
    """
    connection_id = connection_id_of(checkpoint)
    while True:
        now = yield from pause_until_due(checkpoint)
        if has_waited_too_long(checkpoint, now):
            raise without_a_job(checkpoint, policy)
        try:
            connection = yield from FetchConnection(connection_id)
        except CallFailed as error:
            if error.retry_safe is False:
                yield from SaveCheckpoint(without_submission(checkpoint))
                lost = f" (it was answered with {checkpoint.lost_status})"
                raise type(error)(
                    f"a sync of connection {connection_id} was submitted"
                    f"{'' if checkpoint.lost_status is None else lost}, no job came of it, and the "
                    f"connection cannot be read: {error}",
                    status=error.status,
                ) from error
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            continue
        break
    reason = why_it_takes_no_jobs(connection)
    if reason is not None:
        yield from SaveCheckpoint(without_submission(checkpoint))
        raise ConnectionUnavailable(reason, connection=connection)
    if checkpoint.lost_submissions > 1:
        raise lost_again(checkpoint)
    return replace(
        record_answer(checkpoint),
        phase=Phase.SUBMIT,
        settle_until=None,
        nothing_came=False,
        wake_at=None,
    )


def without_submission(checkpoint: Checkpoint) -> Checkpoint:
    """Return what to remember of a request of which surely nothing came."""
    return Checkpoint(
        phase=Phase.SUBMIT,
        connection_id=checkpoint.connection_id,
        job_type=checkpoint.job_type,
        asked_at=checkpoint.asked_at,
    )


def is_stale(job: Job, checkpoint: Checkpoint, now: datetime, server_time: datetime | None) -> bool:
    """Whether a job that earlier tries left behind came to nothing, or is not their answer."""
    if checkpoint.answered_since is None or not job.status.is_final:
        return False
    answered_since = on_the_servers_clock(checkpoint.answered_since, now, server_time)
    ended_at = job.ended_at or job.created_at
    return job.status != JobStatus.SUCCEEDED or ended_at < answered_since


def restart(checkpoint: Checkpoint, now: datetime, spent: Job | None) -> Checkpoint:
    """Make the request as if for the first time: nothing that runs is left of earlier tries."""
    return replace(
        checkpoint,
        phase=Phase.LOOK if checkpoint.job_type.preempts else Phase.SUBMIT,
        asked_at=now,
        answered_since=None,
        in_doubt=False,
        settle_until=None,
        failing_since=None,
        failures=0,
        submit_failing_since=None,
        submit_failures=0,
        lost_submissions=0,
        lost_status=None,
        blocked_by=checkpoint.blocked_by if spent is None else spent.job_id,
    )


def _is_open(checkpoint: Checkpoint, now: datetime) -> bool:
    """Whether a submission in doubt may still come to life."""
    settle_until = checkpoint.settle_until
    return checkpoint.in_doubt and settle_until is not None and now < settle_until


def job_in_doubt(checkpoint: Checkpoint) -> Flow[Job | None]:
    """Look once for the active job of a submission that is in doubt."""
    page = yield from list_jobs(JobQuery(connection_id=connection_id_of(checkpoint)))
    now = yield from Now()
    since = on_the_servers_clock(checkpoint.asked_at, now, page.server_time)
    jobs = _jobs_of_this_request(page.jobs, checkpoint, since)
    return newest(job for job in jobs if not job.status.is_final and not is_left_over(job, page))


def _jobs_of_this_request(
    jobs: Iterable[Job], checkpoint: Checkpoint, since: datetime
) -> Iterator[Job]:
    """
    Yield the jobs that began since the request was made: its own, or as fresh as its own.

    How they ended does not matter. Whoever resumes cannot know whether the submission before was
    carried out, so a job that failed may well be the request's own, and must not be run twice.
    """
    for job in jobs:
        is_fresh = job.created_at >= since
        is_known_not_to_be_ours = (
            checkpoint.blocked_by is not None and job.job_id <= checkpoint.blocked_by
        )
        if checkpoint.job_type.covers(job.job_type) and is_fresh and not is_known_not_to_be_ours:
            yield job
