"""Submitting: one submission, and what its answer says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airbyte_sync.commands import FetchConnection, Flow, Now, Report, SaveCheckpoint, SubmitSync
from airbyte_sync.errors import CallFailed, ConnectionUnavailable, StateConflict, SyncAlreadyRunning
from airbyte_sync.events import Origin, SubmitPostponed, SubmitUncertain
from airbyte_sync.flows.connections import why_it_takes_no_jobs
from airbyte_sync.flows.failures import (
    give_up_on_a_stranger,
    give_up_postponing,
    has_waited_too_long,
    without_a_job,
)
from airbyte_sync.flows.finding_job import end_of_search
from airbyte_sync.flows.polling import (
    backoff,
    record_answer,
    record_who_answered,
    require_same_connection,
    with_backoff,
)
from airbyte_sync.flows.transitions import Happened, enter
from airbyte_sync.flows.watching import start_watching
from airbyte_sync.phases import Failures, FindingJob, Submissions, Submitting

if TYPE_CHECKING:
    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.policy import SyncPolicy

CONFLICT_SETTLE = timedelta(seconds=5)
"""How long to wait before submitting again when Airbyte says "running" but lists no active job."""


def submit_once(
    checkpoint: Checkpoint, submitting: Submitting, policy: SyncPolicy
) -> Flow[Checkpoint]:
    """Submit once. Whatever goes wrong, the next thing is to look for the job."""
    now = yield from Now()
    if has_waited_too_long(checkpoint, now):
        raise without_a_job(checkpoint, policy)
    submissions = submitting.submissions
    finding = submitting.to_be_found()
    # If this process dies now, the request made again does not know what became of it.
    lost = replace(
        finding,
        submissions=Submissions(in_doubt=True, lost=submissions.lost + 1),
        search_until=end_of_search(now, now, policy),
    )
    yield from SaveCheckpoint(enter(checkpoint, Happened.NOT_SUBMITTED, lost))
    try:
        job = yield from SubmitSync(submitting.connection_id, checkpoint.job_type)
        require_same_connection(checkpoint, job)
    except SyncAlreadyRunning as error:
        yield from clear_pending(checkpoint)
        return (yield from _busy(record_answer(checkpoint), finding, policy, error))
    except StateConflict as error:
        yield from _explain_conflict(checkpoint, submitting, error)
        return (yield from _doubt(record_answer(checkpoint), lost, policy, error, now))
    except CallFailed as error:
        if not error.retry_safe:
            return (yield from _doubt(checkpoint, lost, policy, error, now))
        yield from clear_pending(checkpoint)
        if error.retry_may_help:
            return (yield from _postpone(checkpoint, finding, policy, error))
        raise type(error)(
            f"no sync of connection {submitting.connection_id} was started: {error}",
            status=error.status,
        ) from error
    return (yield from start_watching(checkpoint, policy, Happened.SUBMITTED, job, Origin.STARTED))


def _busy(
    checkpoint: Checkpoint, finding: FindingJob, policy: SyncPolicy, error: SyncAlreadyRunning
) -> Flow[Checkpoint]:
    """The connection is said to be busy: look with what, after a moment for races to settle."""
    now = yield from Now()
    failures = Failures.one_more(finding.submit_failures, now)
    settling = max(CONFLICT_SETTLE, backoff(checkpoint, policy, error, failures))
    finding = replace(finding, submit_failures=failures, search_until=now + settling)
    return enter(checkpoint, Happened.NOT_SUBMITTED, finding)


def _postpone(
    checkpoint: Checkpoint, finding: FindingJob, policy: SyncPolicy, error: CallFailed
) -> Flow[Checkpoint]:
    """Nothing was started: stay away for a while."""
    now = yield from Now()
    failures = Failures.one_more(finding.submit_failures, now)
    finding = replace(finding, submit_failures=failures)
    checkpoint = enter(checkpoint, Happened.NOT_SUBMITTED, finding)
    checkpoint = record_who_answered(checkpoint, error, now)
    give_up_on_a_stranger(checkpoint, now, error)
    give_up_postponing(checkpoint, finding, policy, now, error)
    checkpoint = with_backoff(checkpoint, policy, now, error, failures)
    yield from Report(SubmitPostponed(error=error, next_try=checkpoint.wake_at or now))
    return checkpoint


def _doubt(
    checkpoint: Checkpoint,
    lost: FindingJob,
    policy: SyncPolicy,
    error: CallFailed,
    submitted_at: datetime,
) -> Flow[Checkpoint]:
    """Something may have been started: search for it for a while before submitting again."""
    now = yield from Now()
    failures = Failures.one_more(lost.submit_failures, now)
    checkpoint = record_who_answered(checkpoint, error, now)
    until = max(
        end_of_search(submitted_at, now, policy),
        now + backoff(checkpoint, policy, error, failures),
    )
    yield from Report(SubmitUncertain(error=error, look_until=until))
    lost = replace(
        lost,
        submissions=replace(lost.submissions, lost_status=error.status),
        submit_failures=failures,
        search_until=until,
    )
    return enter(checkpoint, Happened.NOT_SUBMITTED, lost)


def clear_pending(checkpoint: Checkpoint) -> Flow[None]:
    """Remember that nothing was started, unless an earlier submission is still in doubt."""
    if not checkpoint.in_doubt:
        yield from SaveCheckpoint(checkpoint)


def _explain_conflict(
    checkpoint: Checkpoint, submitting: Submitting, error: StateConflict
) -> Flow[None]:
    """Say why a connection refuses jobs, where its status tells."""
    try:
        connection = yield from FetchConnection(submitting.connection_id)
    except CallFailed:
        return  # the reason stays unknown; the caller treats the conflict as a doubt
    reason = why_it_takes_no_jobs(connection)
    if reason is not None:
        yield from clear_pending(checkpoint)
        raise ConnectionUnavailable(reason, connection=connection) from error
