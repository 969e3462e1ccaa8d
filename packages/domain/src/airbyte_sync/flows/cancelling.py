"""Cancelling: a deadline has passed, or a caller asks for the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airbyte_sync.commands import CancelJob, FetchJob, Flow, Report
from airbyte_sync.errors import (
    CallFailed,
    CancelUnconfirmed,
    JobNotRunning,
    NotFound,
    Refused,
    StateConflict,
    SyncAlreadyRunning,
    SyncNotDone,
)
from airbyte_sync.events import CancelRequested, JobEnded
from airbyte_sync.flows.ending import result_of
from airbyte_sync.flows.failures import last_error, record_what_is_left, timed_out
from airbyte_sync.flows.job_list import newer_that_ended
from airbyte_sync.flows.polling import (
    pause_until_due,
    require_same_connection,
    seed_of,
    with_wake_at,
)
from airbyte_sync.jobs import Job, JobStatus

if TYPE_CHECKING:
    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.events import Origin
    from airbyte_sync.phases import Cancelling
    from airbyte_sync.policy import SyncPolicy
    from airbyte_sync.results import SyncResult


_ABOUT_A_STATE = (NotFound, StateConflict, SyncAlreadyRunning)
"""Refusals of a cancellation that say how things are, and not that it is forbidden or impossible."""


def end_at_deadline(
    checkpoint: Checkpoint, cancelling: Cancelling, origin: Origin, policy: SyncPolicy
) -> Flow[SyncResult]:
    """Cancel a job of ours, or poll a last time one that is not to be cancelled."""
    if not (origin.is_ours_to_cancel and policy.cancel_on_timeout):
        return (yield from _poll_for_the_last_time(checkpoint, cancelling, origin, policy))
    try:
        job, cancelling = yield from cancel_until_terminal(checkpoint, cancelling, policy)
    except (CallFailed, CancelUnconfirmed) as error:
        raise timed_out(
            checkpoint,
            cancelling,
            policy,
            f", and its cancellation is not confirmed: {error} Check the job in Airbyte.",
            error.job if isinstance(error, SyncNotDone) else None,
        ) from error
    if cancelling.cancel_sent and job.status == JobStatus.CANCELLED:
        raise timed_out(
            checkpoint,
            cancelling,
            policy,
            f" and was cancelled; Airbyte says {job.status}.",
            job,
            has_ended=True,
            may_need_more_time=True,
        )
    return (yield from result_of(job, origin, policy))


def _poll_for_the_last_time(
    checkpoint: Checkpoint, cancelling: Cancelling, origin: Origin, policy: SyncPolicy
) -> Flow[SyncResult]:
    """See how a job stands that is not to be cancelled: a poll that fails is no reason to judge."""
    while True:
        now = yield from pause_until_due(checkpoint)
        try:
            job = yield from FetchJob(cancelling.job_id)
            require_same_connection(checkpoint, job)
        except CallFailed as error:
            if not error.retry_may_help and not checkpoint.may_have_a_job:
                record_what_is_left(checkpoint, error)
                raise
            if now >= cancelling.cancel_until:
                raise timed_out(
                    checkpoint,
                    cancelling,
                    policy,
                    ", as far as we know: it could not be seen. Look at it in Airbyte before you start "
                    f"it again.{last_error(error)}",
                ) from error
            checkpoint = pausing_between_tries(
                checkpoint, policy, now, error, cancelling.cancel_until
            )
            continue
        if not job.status.is_final:
            raise timed_out(
                checkpoint,
                cancelling,
                policy,
                "; it was left running.",
                job,
                may_need_more_time=True,
            )
        yield from Report(JobEnded(job=job))
        return (yield from result_of(job, origin, policy))


def cancel_until_terminal(
    checkpoint: Checkpoint, cancelling: Cancelling, policy: SyncPolicy
) -> Flow[tuple[Job, Cancelling]]:
    """
    Read, cancel while it has not ended, and again until it has.

    A cancellation is dropped without a word when it comes before the first attempt, and its reply
    may come before it took effect, so only a poll that shows an ended job is proof.
    """
    while True:
        now = yield from pause_until_due(checkpoint)
        job: Job | None = None
        failure: CallFailed | None = None
        try:
            job = require_same_connection(checkpoint, (yield from FetchJob(cancelling.job_id)))
            cancelling = replace(
                cancelling,
                connection_id=cancelling.connection_id or job.connection_id,
                status=job.status,
            )
            checkpoint = replace(checkpoint, phase=cancelling)
            if not job.status.is_final:
                if not cancelling.cancel_sent:
                    yield from _require_no_newer(job)
                yield from Report(CancelRequested(job=job))
                cancelling = replace(cancelling, cancel_sent=True)
                checkpoint = replace(checkpoint, phase=cancelling)
                job = yield from CancelJob(cancelling.job_id)
                require_same_connection(checkpoint, job)
        except JobNotRunning as error:
            failure = error  # it ended between the poll and the request: the next poll tells how
        except CallFailed as error:
            # The poll a moment ago showed the job: that it is unknown, or in another state, may pass.
            is_final_word = job is not None and not isinstance(error, _ABOUT_A_STATE)
            if not error.retry_may_help and (is_final_word or not checkpoint.may_have_a_job):
                record_what_is_left(checkpoint, error)
                raise
            failure = error
        if failure is None and job is not None and job.status.is_final:
            yield from Report(JobEnded(job=job))
            return job, cancelling
        if now >= cancelling.cancel_until:
            raise CancelUnconfirmed(
                f"Airbyte job {cancelling.job_id} had not ended "
                f"{policy.cancel_timeout.total_seconds():g} s after it was to be cancelled"
                + (f" ({failure})." if failure is not None else "."),
                job=job,
            ) from failure
        checkpoint = pausing_between_tries(
            checkpoint, policy, now, failure, cancelling.cancel_until
        )


def _require_no_newer(job: Job) -> Flow[None]:
    """
    Refuse to cancel a leftover: Airbyte would cancel whatever runs on its connection now.

    Raises:
        CancelUnconfirmed: A newer job of the connection has ended.
    """
    newer = yield from newer_that_ended(job)
    if newer is not None:
        raise CancelUnconfirmed(
            f"Airbyte job {job.job_id} is still reported as {job.status}, but the newer job "
            f"{newer.job_id} of the connection has ended, so it is a leftover that nothing works on. It was "
            "not cancelled, because Airbyte would cancel whatever runs on the connection now.",
            job=job,
        )


def pausing_between_tries(
    checkpoint: Checkpoint,
    policy: SyncPolicy,
    now: datetime,
    failure: CallFailed | None,
    latest: datetime,
) -> Checkpoint:
    """Pause a little after the deadline; longer where the server asks for it, but not beyond ``latest``."""
    pause = timedelta(seconds=2 ** min(checkpoint.polls, 3))
    if failure is not None and not isinstance(failure, Refused):
        backoff = policy.backoff(failure, failures=checkpoint.polls, seed=seed_of(checkpoint))
        pause = max(pause, backoff)
    until = min(now + pause, latest)
    return replace(with_wake_at(checkpoint, now, until), polls=checkpoint.polls + 1)
