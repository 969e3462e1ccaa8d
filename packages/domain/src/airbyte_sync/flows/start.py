"""What callers start, and where a checkpoint is resumed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import (
    FetchJob,
    Flow,
    LoadCheckpoint,
    Now,
    Report,
)
from airbyte_sync.errors import CallFailed
from airbyte_sync.events import EarlierTryLookedFor, JobRecalled, Origin
from airbyte_sync.flows.cancelling import (
    cancel_until_terminal,
    end_at_deadline,
    pausing_between_tries,
)
from airbyte_sync.flows.connection_busy import wait_for_other_job
from airbyte_sync.flows.connections import require_known_id
from airbyte_sync.flows.failures import ensure_succeeded, with_timeout
from airbyte_sync.flows.finding_job import (
    after_nothing_came,
    end_of_search,
    find_or_adopt,
    job_in_doubt,
)
from airbyte_sync.flows.job_list import newer_that_ended
from airbyte_sync.flows.polling import job_id_of, origin_of, pause_until_due
from airbyte_sync.flows.submitting import submit_once
from airbyte_sync.flows.watching import wait_until_it_ends
from airbyte_sync.jobs import JobStatus
from airbyte_sync.results import Submission, SyncResult

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.jobs import EarlierTries, Job, SyncRequest
    from airbyte_sync.policy import SyncPolicy


def sync(request: SyncRequest, policy: SyncPolicy) -> Flow[SyncResult]:
    """
    Run one sync to its end.

    Where the interpreter has a store, the same request asked again goes on with what it started before.

    Args:
        request: What to run.
        policy: How to see it through.

    Returns:
        The job, which has succeeded, and how we came to it.

    Raises:
        InvalidInput: The connection id is not a UUID, and the server does not know it.
        Refused: The server said no to something that repeating cannot mend.
        ConnectionUnavailable: The connection is inactive, locked or deleted.
        SyncNotDone: One of its subclasses says what became of the sync.
    """
    submission = yield from submit(request, policy)
    return (yield from resume(submission.checkpoint, policy))


def submit(request: SyncRequest, policy: SyncPolicy) -> Flow[Submission]:
    """
    Come to a job, and do not wait for its end.

    Args:
        request: What to run.
        policy: How to see it through.

    Returns:
        The job's id, and a checkpoint from which :func:`resume` waits for its end.

    Raises:
        As :func:`sync`, as far as it gets.
    """
    now = yield from Now()
    fresh = Checkpoint(
        phase=Phase.LOOK if request.job_type.preempts else Phase.SUBMIT,
        connection_id=request.connection_id,
        job_type=request.job_type,
        asked_at=now,
        deadline=request.end_by,
        limit=None if request.end_by is None else request.limit,
        queue_deadline=None if policy.time_to_begin is None else now + policy.time_to_begin,
    )
    checkpoint = yield from _restore(fresh, policy)
    if checkpoint is fresh:
        if not request.has_uuid:
            yield from require_known_id(request.connection_id)
        if request.earlier is not None:
            checkpoint = yield from _after_earlier_tries(fresh, request.earlier, policy)
    return (yield from _submission(checkpoint, policy))


def obtain(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Submission]:
    """
    Go on with :func:`submit` from a checkpoint.

    Args:
        checkpoint: From a :class:`~airbyte_sync.commands.Pause` of it.
        policy: The policy of the request.

    Returns:
        As :func:`submit`.

    Raises:
        As :func:`submit`.
    """
    if checkpoint.phase is Phase.SUBMIT:
        checkpoint = replace(checkpoint, phase=Phase.LOOK)
    return (yield from _submission(checkpoint, policy))


def resume(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[SyncResult]:
    """
    Go on from a checkpoint, in whatever phase it was put away.

    Args:
        checkpoint: From a :class:`~airbyte_sync.commands.Pause` or from :func:`submit`.
        policy: The policy of the request.

    Returns:
        As :func:`sync`.

    Raises:
        As :func:`sync`.
    """
    checkpoint = (yield from obtain(checkpoint, policy)).checkpoint
    if checkpoint.phase is Phase.WATCH:
        origin = origin_of(checkpoint)
        job, checkpoint = yield from wait_until_it_ends(checkpoint, policy)
        if job is not None:
            return SyncResult(job=(yield from ensure_succeeded(job, policy)), origin=origin)
    return (yield from end_at_deadline(checkpoint, policy))


def end_now(
    checkpoint: Checkpoint, policy: SyncPolicy, *, limit: str | None = None
) -> Flow[SyncResult]:
    """
    Poll once more and judge, because a clock that the caller keeps has run out.

    Args:
        checkpoint: From a :class:`~airbyte_sync.commands.Pause`.
        policy: The policy of the request.
        limit: What the caller calls its clock, for error texts; ``None``: the policy's ``timeout``.

    Returns:
        As :func:`resume`: the job may have succeeded meanwhile.

    Raises:
        As :func:`resume`; :class:`~airbyte_sync.errors.SyncTimedOut` where the job has not ended.
    """
    now = yield from Now()
    return (yield from resume(replace(checkpoint, deadline=now, limit=limit, wake_at=None), policy))


def watch(
    job_id: int,
    policy: SyncPolicy,
    *,
    end_by: datetime | None = None,
    limit: str = "end_by",
    is_ours: bool = False,
) -> Flow[Job]:
    """
    Follow a job that is known by its id.

    Args:
        job_id: The job.
        policy: Its poll schedule and timeouts hold. ``timeout`` counts from this call.
        end_by: When the caller's own time is over.
        limit: What the caller calls that deadline, for error texts.
        is_ours: Whether the caller is responsible for the job: only then may a time-out, or
            :func:`abandon`, cancel it.

    Returns:
        The job, which has succeeded.

    Raises:
        Refused: The server does not show us the job.
        SyncNotDone: One of its subclasses says what became of it.
    """
    now = yield from Now()
    checkpoint = watching(job_id, policy, began=now, end_by=end_by, limit=limit, is_ours=is_ours)
    result = yield from resume(checkpoint, policy)
    return result.job


def watching(
    job_id: int,
    policy: SyncPolicy,
    *,
    began: datetime,
    end_by: datetime | None = None,
    limit: str = "end_by",
    is_ours: bool = False,
) -> Checkpoint:
    """
    Return where a wait for a known job stands that began at some moment, perhaps in another program.

    Args:
        job_id: The job.
        policy: Its ``timeout`` counts from ``began``.
        began: When the wait began.
        end_by: As for :func:`watch`.
        limit: As for :func:`watch`.
        is_ours: As for :func:`watch`.

    Returns:
        A checkpoint for :func:`resume` and :func:`end_now`.
    """
    checkpoint = Checkpoint(
        phase=Phase.WATCH,
        asked_at=began,
        deadline=end_by,
        limit=None if end_by is None else limit,
        job_id=job_id,
        origin=Origin.ADOPTED if is_ours else Origin.ATTACHED,
    )
    return with_timeout(checkpoint, policy, began)


def cancel(job_id: int, policy: SyncPolicy) -> Flow[Job]:
    """
    Cancel a job until the server says that it has ended.

    Who puts this flow away at a pause goes on by calling it again: it reads before it cancels.

    Args:
        job_id: The job. It is read first: an ended job is left alone, because Airbyte would
            cancel whatever runs on its connection now.
        policy: Its ``cancel_timeout`` bounds the attempt.

    Returns:
        The ended job: usually cancelled, but it may have come to its own end before.

    Raises:
        Refused: The server does not let us.
        CancelUnconfirmed: The job had not ended when ``cancel_timeout`` had passed.
    """
    now = yield from Now()
    checkpoint = Checkpoint(
        phase=Phase.CANCEL,
        asked_at=now,
        job_id=job_id,
        cancel_until=now + policy.cancel_timeout,
    )
    job, _ = yield from cancel_until_terminal(checkpoint, policy)
    return job


def abandon(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Job | None]:
    """
    Cancel what a request has started; nobody wants it any more.

    Where a submission is in doubt its job is looked for once. A job that somebody else started is left
    alone.

    Args:
        checkpoint: How far the request has come.
        policy: Its ``cancel_timeout`` bounds the attempt.

    Returns:
        The ended job, or ``None`` where there is none to cancel.

    Raises:
        CallFailed: The server could not be asked.
        CancelUnconfirmed: As :func:`cancel`.
    """
    now = yield from Now()
    cancelling = replace(
        checkpoint,
        phase=Phase.CANCEL,
        cancel_until=now + policy.cancel_timeout,
        wake_at=None,
        looks=0,
    )
    if checkpoint.job_id is not None:
        if not origin_of(checkpoint).is_ours_to_cancel:
            return None
    elif checkpoint.in_doubt:
        cancelling = yield from _with_the_job_in_doubt(cancelling, policy)
    if cancelling.job_id is None:
        return None
    job, _ = yield from cancel_until_terminal(cancelling, policy)
    return job


def _with_the_job_in_doubt(cancelling: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Look for the job of a lost submission; a look that fails is repeated until ``cancel_until``."""
    while True:
        now = yield from pause_until_due(cancelling)
        try:
            job = yield from job_in_doubt(cancelling)
        except CallFailed as error:
            if cancelling.cancel_until is None or now >= cancelling.cancel_until:
                raise
            cancelling = pausing_between_tries(cancelling, policy, now, error)
            continue
        return (
            cancelling if job is None else replace(cancelling, job_id=job.job_id, status=job.status)
        )


def acquire_job(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Go through the phases until the request has its job."""
    while True:
        match checkpoint.phase:
            case Phase.SUBMIT:
                checkpoint = yield from submit_once(checkpoint, policy)
            case Phase.LOOK if checkpoint.nothing_came:
                checkpoint = yield from after_nothing_came(checkpoint, policy)
            case Phase.LOOK:
                checkpoint = yield from find_or_adopt(checkpoint, policy)
            case Phase.QUEUE:
                checkpoint = yield from wait_for_other_job(checkpoint, policy)
            case Phase.WATCH | Phase.CANCEL:
                return checkpoint


def _submission(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Submission]:
    checkpoint = yield from acquire_job(checkpoint, policy)
    return Submission(
        job_id=job_id_of(checkpoint), origin=origin_of(checkpoint), checkpoint=checkpoint
    )


def _restore(fresh: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """
    Return where an earlier try of the same request left off, or ``fresh``.

    A job that is active is followed and one that succeeded is the result; after one that failed or
    was cancelled, or that is a leftover, the request starts anew. A try has its own timeouts: from the
    moment that it goes on with a job, it has the whole ``timeout`` for it.
    """
    before = yield from LoadCheckpoint()
    if before is None or before.phase is Phase.SUBMIT:
        return fresh
    if (before.connection_id, before.job_type) != (fresh.connection_id, fresh.job_type):
        return fresh
    again = replace(
        before,
        deadline=fresh.deadline,
        limit=fresh.limit,
        queue_deadline=fresh.queue_deadline,
        queued_too_long=False,
        wake_at=None,
        failing_since=None,
        failures=0,
        looks=0,
        submit_failing_since=None,
        submit_failures=0,
        lost_submissions=min(before.lost_submissions, 1),  # this try has a submission of its own
        nothing_came=False,
        missing_since=None,
        missing_polls=0,
        strange_since=None,
    )
    if before.job_id is None:
        return again
    again = with_timeout(again, policy, fresh.asked_at)
    try:
        job = yield from FetchJob(before.job_id)
    except CallFailed:
        return (
            again  # the wait itself deals with a job that cannot be seen, or is not there any more
        )
    if job.status.is_final and job.status != JobStatus.SUCCEEDED:
        return replace(fresh, blocked_by=job.job_id)
    if not job.status.is_final and (yield from newer_that_ended(job)) is not None:
        return replace(fresh, blocked_by=job.job_id)  # a leftover, which never ends
    yield from Report(JobRecalled(job=job, origin=origin_of(before)))
    return replace(again, status=job.status)  # what this poll showed is not news to the next one


def _after_earlier_tries(
    fresh: Checkpoint, earlier: EarlierTries, policy: SyncPolicy
) -> Flow[Checkpoint]:
    """Look for the job of an earlier try first; it may still appear where that try died submitting."""
    look_until = end_of_search(earlier.over_at, earlier.over_at, policy)
    yield from Report(EarlierTryLookedFor(since=earlier.since, look_until=look_until))
    return replace(
        fresh,
        phase=Phase.LOOK,
        asked_at=earlier.since,
        answered_since=earlier.succeeded_after or earlier.since,
        earlier_tries=earlier.tries,
        blocked_by=earlier.after_job,
        in_doubt=True,
        settle_until=look_until,
    )
