"""When to give up, and what to tell the person who has to go on from there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync.commands import ExplainFailure, Flow
from airbyte_sync.errors import (
    CallFailed,
    DeadlinePassed,
    NotFound,
    QueueTimedOut,
    ServerUnreachable,
    SubmitInDoubt,
    SyncAlreadyRunning,
    SyncCancelled,
    SyncFailed,
    SyncNotDone,
    SyncTimedOut,
    WrongAddress,
)
from airbyte_sync.jobs import Job, JobStatus

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.jobs import FailureReason
    from airbyte_sync.phases import Cancelling, Failures, FindingJob
    from airbyte_sync.policy import SyncPolicy

PATIENCE_WITH_STRANGERS = timedelta(minutes=1)
"""How long to ask a server that has never answered as Airbyte does, and gives other answers."""


def ensure_succeeded(job: Job, policy: SyncPolicy) -> Flow[Job]:
    """Return a job that succeeded, and raise for any other end, with the reason where there is one."""
    if job.status == JobStatus.FAILED:
        reason = (yield from _reason_of(job)) if policy.explain else None
        why = "" if reason is None else f": {reason.message} ({reason.origin}, {reason.kind})"
        raise SyncFailed(
            f"Airbyte job {job.job_id} failed{why}. Open the job in Airbyte for the logs; Airbyte has "
            "already made all its own attempts.",
            job=job,
            reason=reason,
        )
    if job.status == JobStatus.CANCELLED:
        raise SyncCancelled(
            f"Airbyte job {job.job_id} was cancelled: by a person, or by Airbyte itself (a breaking "
            "schema change and a too long queue end this way). The connection's timeline in Airbyte "
            "tells.",
            job=job,
        )
    return job


def _reason_of(job: Job) -> Flow[FailureReason | None]:
    try:
        return (yield from ExplainFailure(job.job_id))
    except CallFailed:
        return None  # a reason is worth a few seconds, and never the outcome itself


def timed_out(
    checkpoint: Checkpoint,
    cancelling: Cancelling,
    policy: SyncPolicy,
    outcome: str,
    job: Job | None = None,
    *,
    has_ended: bool = False,
    may_need_more_time: bool = False,
) -> SyncNotDone:
    """
    Say which clock has run out, and what became of the job.

    Args:
        checkpoint: Where the request stands.
        cancelling: Its phase.
        policy: The policy of the request.
        outcome: What became of the job, as the end of a sentence.
        job: The job, where it was polled.
        has_ended: Whether Airbyte says that it has ended.
        may_need_more_time: Whether to advise how to give more.
    """
    kind, patience, advice = _clock(checkpoint, policy, is_queue=cancelling.queued_too_long)
    did_not = "begin" if cancelling.queued_too_long else "end"
    more_time = (
        f" {advice[0].upper()}{advice[1:]} if it needs longer." if may_need_more_time else ""
    )
    return kind(
        f"Airbyte job {cancelling.job_id} did not {did_not}{patience}{outcome}{more_time}",
        job=job,
        retry_safe=has_ended or checkpoint.has_nothing_to_cancel,
    )


def clock_of_the_wait(
    checkpoint: Checkpoint, policy: SyncPolicy
) -> tuple[type[SyncNotDone], str, str]:
    """Return the error for the clock that ends the wait for a job, its words, and how to give more time."""
    return _clock(checkpoint, policy, is_queue=is_queue_deadline_first(checkpoint))


def _clock(
    checkpoint: Checkpoint, policy: SyncPolicy, *, is_queue: bool
) -> tuple[type[SyncNotDone], str, str]:
    if is_queue:
        default, advice = "", "raise queue_timeout"
        if policy.queue_timeout is None:
            default, advice = (
                ", by default the value of timeout",
                "set queue_timeout to more than that",
            )
        return QueueTimedOut, f"{_within(policy.time_to_begin)} (queue_timeout{default})", advice
    if checkpoint.deadline_name is not None and checkpoint.deadline is not None:
        patience = f" by {checkpoint.deadline:%H:%M:%S} UTC ({checkpoint.deadline_name})"
        return DeadlinePassed, patience, f"raise {checkpoint.deadline_name}"
    return SyncTimedOut, f"{_within(policy.timeout)} (timeout)", "raise timeout"


def _within(duration: timedelta | None) -> str:
    return "" if duration is None else f" within {duration.total_seconds():g} s"


def with_timeout(checkpoint: Checkpoint, policy: SyncPolicy, now: datetime) -> Checkpoint:
    """
    Start the policy's ``timeout``, because the request has its job from now on.

    A deadline of the caller's stays where it is earlier. A checkpoint of a release in which ``timeout``
    counted from the request keeps the deadline that it was put away with.
    """
    is_callers = checkpoint.deadline_name is not None
    if policy.timeout is None or (checkpoint.deadline is not None and not is_callers):
        return checkpoint
    deadline = now + policy.timeout
    if checkpoint.deadline is not None and checkpoint.deadline < deadline:
        return checkpoint
    return replace(checkpoint, deadline=deadline, deadline_name=None)


def is_queued_too_long(checkpoint: Checkpoint, now: datetime) -> bool:
    """Whether the time to wait for the job to begin is over."""
    return checkpoint.queue_deadline is not None and now >= checkpoint.queue_deadline


def is_late(checkpoint: Checkpoint, now: datetime) -> bool:
    """Whether the deadline has passed."""
    return checkpoint.deadline is not None and now >= checkpoint.deadline


def is_queue_deadline_first(checkpoint: Checkpoint) -> bool:
    """Whether the time to begin ends before the time to end does, or with it."""
    queue_deadline, deadline = checkpoint.queue_deadline, checkpoint.deadline
    return queue_deadline is not None and (deadline is None or queue_deadline <= deadline)


def has_waited_too_long(checkpoint: Checkpoint, now: datetime) -> bool:
    """Whether a request without a job has none to expect: the time to begin, or any deadline, is over."""
    return is_late(checkpoint, now) or is_queued_too_long(checkpoint, now)


def is_unreachable(checkpoint: Checkpoint, policy: SyncPolicy, now: datetime) -> bool:
    """Whether calls have failed for too long."""
    return _is_too_long(checkpoint.failures, policy, now)


def _is_too_long(series: Failures | None, policy: SyncPolicy, now: datetime) -> bool:
    return series is not None and now - series.since >= policy.unreachable_timeout


def without_a_job(
    checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed | None = None
) -> SyncNotDone:
    """Say what is known when a clock has run out and the request has no job."""
    if checkpoint.in_doubt:
        return submit_in_doubt(checkpoint, error)
    kind, patience, advice = clock_of_the_wait(checkpoint, policy)
    return kind(
        f"no sync of connection {checkpoint.connection_id} could be started{patience}, and none is running "
        f"for this request. Start it again, or {advice}.{last_error(error)}",
        retry_safe=True,
    )


def submit_in_doubt(checkpoint: Checkpoint, error: CallFailed | None) -> SubmitInDoubt:
    """Say that it is unknown whether the sync was started."""
    return SubmitInDoubt(
        f"a sync of connection {checkpoint.connection_id} was asked for at "
        f"{checkpoint.asked_at:%Y-%m-%d %H:%M:%S} UTC, and {_how_it_was_lost(checkpoint)}: it may be "
        "running. Look at the connection's timeline in Airbyte before you start it again."
        + last_error(error)
    )


def lost_again(checkpoint: Checkpoint) -> SubmitInDoubt:
    """Say that a second submission had an unknown outcome, too, and that no job came of either."""
    return SubmitInDoubt(
        f"a sync of connection {checkpoint.connection_id} was submitted {checkpoint.submissions.lost} "
        f"times since {checkpoint.asked_at:%Y-%m-%d %H:%M:%S} UTC, and {_how_it_was_lost(checkpoint)}. "
        "Airbyte lists no job that came of it. Airbyte or a proxy in front of it fails at starting "
        "syncs: look at their logs, and at the connection's timeline before you start it again."
    )


def _how_it_was_lost(checkpoint: Checkpoint) -> str:
    status = checkpoint.submissions.lost_status
    if status is None:
        return "Airbyte's answer was lost"
    return f"the last answer was HTTP status {status}, which leaves the outcome open"


def record_what_is_left(checkpoint: Checkpoint, error: CallFailed) -> None:
    """Record in a refusal that ends a flow that a job of ours may go on; it speaks of one call only."""
    if not (checkpoint.has_nothing_to_cancel or isinstance(error, NotFound)):
        error.retry_safe = False


def give_up_on_a_stranger(checkpoint: Checkpoint, now: datetime, error: CallFailed) -> None:
    """Raise when a server that has never answered as Airbyte does had its time to do so."""
    since = checkpoint.strange_since
    if since is None or now - since < PATIENCE_WITH_STRANGERS:
        return
    in_doubt = (
        f"The sync of connection {checkpoint.connection_id} that was asked for at "
        f"{checkpoint.asked_at:%Y-%m-%d %H:%M:%S} UTC may have been started if Airbyte is behind it. "
        if checkpoint.in_doubt
        else ""
    )
    raise WrongAddress(
        f"what answers at the server's address has never answered as Airbyte does, for "
        f"{(now - since).total_seconds():.0f} s. {in_doubt}The last error: {error}",
        retry_safe=checkpoint.has_nothing_to_cancel,
    ) from error


def give_up_when_unreachable(
    checkpoint: Checkpoint, policy: SyncPolicy, now: datetime, error: CallFailed
) -> None:
    """Raise when calls have failed for too long."""
    if not is_unreachable(checkpoint, policy, now):
        return
    if checkpoint.in_doubt:
        raise submit_in_doubt(checkpoint, error) from error
    if checkpoint.job_id is None:
        raise _none_was_accepted(checkpoint, policy, error) from error
    patience = f"{policy.unreachable_timeout.total_seconds():g} s"
    raise ServerUnreachable(
        f"Airbyte job {checkpoint.job_id} could not be seen for {patience}. It may well be running, and "
        f"was left alone: look at it in Airbyte before you start it again.{last_error(error)}",
        retry_safe=checkpoint.has_nothing_to_cancel,
    ) from error


def _none_was_accepted(
    checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed
) -> ServerUnreachable:
    patience = f"{policy.unreachable_timeout.total_seconds():g} s"
    return ServerUnreachable(
        f"Airbyte accepted no sync of connection {checkpoint.connection_id} for {patience}; none is "
        f"running for this request. Start it again when Airbyte is back.{last_error(error)}",
        retry_safe=True,
    )


def give_up_postponing(
    checkpoint: Checkpoint,
    finding: FindingJob,
    policy: SyncPolicy,
    now: datetime,
    error: CallFailed,
) -> None:
    """Raise when submissions were surely not carried out for too long."""
    if not _is_too_long(finding.submit_failures, policy, now):
        return
    if checkpoint.in_doubt:
        raise submit_in_doubt(checkpoint, error) from error
    raise _none_was_accepted(checkpoint, policy, error) from error


def give_up_submitting(
    checkpoint: Checkpoint, finding: FindingJob, policy: SyncPolicy, now: datetime
) -> None:
    """Raise when submissions have met conflicts for too long, and no job came of any."""
    # A single one may be resolved late, by a process that resumes: only a series of them is given up.
    series = finding.submit_failures
    is_series = finding.search_until is not None and series is not None and series.count > 1
    if not (is_series and _is_too_long(series, policy, now)):
        return
    if checkpoint.in_doubt:
        raise submit_in_doubt(checkpoint, None)
    raise SyncAlreadyRunning(
        f"Airbyte says that connection {checkpoint.connection_id} is busy, but lists no active job "
        "of it: its own state is stale. Cancel or reset the connection in Airbyte."
    )


def last_error(error: CallFailed | None) -> str:
    """Return the end of a text that names what went wrong last."""
    return "" if error is None else f" The last error: {error}"
