"""What callers start, and where a checkpoint is resumed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint
from airbyte_sync.checks import require_type
from airbyte_sync.commands import FetchJob, Flow, LoadCheckpoint, Now, Report
from airbyte_sync.errors import CallFailed, InvalidCheckpoint
from airbyte_sync.events import EarlierTryLookedFor, JobRecalled, Origin
from airbyte_sync.flows.cancelling import (
    cancel_until_terminal,
    end_at_deadline,
    pausing_between_tries,
)
from airbyte_sync.flows.connection_busy import wait_for_other_job
from airbyte_sync.flows.connections import require_known_id
from airbyte_sync.flows.failures import with_timeout
from airbyte_sync.flows.finding_job import (
    after_nothing_came,
    begin,
    end_of_search,
    find_or_adopt,
    job_in_doubt,
)
from airbyte_sync.flows.job_list import newer_that_ended
from airbyte_sync.flows.polling import pause_until_due
from airbyte_sync.flows.submitting import submit_once
from airbyte_sync.flows.transitions import Happened, enter
from airbyte_sync.flows.watching import wait_until_it_ends
from airbyte_sync.jobs import JobStatus
from airbyte_sync.phases import (
    Asked,
    Cancelling,
    ConnectionBusy,
    EarlierJobs,
    FindingJob,
    Submissions,
    Submitting,
    Watching,
)
from airbyte_sync.policy import SyncPolicy
from airbyte_sync.requests import SyncRequest
from airbyte_sync.results import Submission, SyncResult

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.jobs import Job
    from airbyte_sync.requests import EarlierTries


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
        InvalidInput: The connection id is not a UUID, and the server does not know it; or an argument is of
            a wrong type.
        Refused: The server said no to something that repeating cannot fix.
        ConnectionUnavailable: The connection is inactive, locked or deleted.
        SyncNotDone: One of its subclasses says what became of the sync.
    """
    submission = yield from submit(request, policy)
    return (yield from resume(submission.checkpoint, policy))


def submit(request: SyncRequest, policy: SyncPolicy) -> Flow[Submission]:
    """
    Acquire a job, and do not wait for its end.

    Args:
        request: What to run.
        policy: How to see it through.

    Returns:
        The job's id, and a checkpoint from which :func:`resume` waits for its end.

    Raises:
        As :func:`sync`, as far as it gets.
    """
    require_type(
        "request", request, SyncRequest, "a SyncRequest, as in SyncRequest(connection_id=...)"
    )
    require_type("policy", policy, SyncPolicy, "a SyncPolicy, as in SyncPolicy()")
    now = yield from Now()
    asked = Checkpoint(
        phase=Asked(),
        job_type=request.job_type,
        asked_at=now,
        deadline=request.deadline,
        deadline_name=None if request.deadline is None else request.deadline_name,
        queue_deadline=None if policy.time_to_begin is None else now + policy.time_to_begin,
    )
    fresh = begin(asked, Happened.TO_BE_SUBMITTED, request.connection_id)
    checkpoint = yield from _restore(request, fresh, policy)
    if checkpoint is fresh:
        if not request.has_uuid:
            yield from require_known_id(request.connection_id)
        if request.earlier is not None:
            checkpoint = yield from _after_earlier_tries(asked, request, request.earlier, policy)
    return (yield from acquire_job(checkpoint, policy))


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
    if isinstance(checkpoint.phase, Submitting):
        checkpoint = enter(checkpoint, Happened.TO_BE_FOUND, checkpoint.phase.to_be_found())
    return (yield from acquire_job(checkpoint, policy))


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
    while True:
        match checkpoint.phase:
            case Watching() as watching:
                ended = yield from wait_until_it_ends(checkpoint, watching, policy)
                if isinstance(ended, SyncResult):
                    return ended
                checkpoint = ended
            case Cancelling(origin=Origin() as origin) as cancelling:
                return (yield from end_at_deadline(checkpoint, cancelling, origin, policy))
            case _:
                checkpoint = (yield from obtain(checkpoint, policy)).checkpoint


def end_now(
    checkpoint: Checkpoint, policy: SyncPolicy, *, deadline_name: str | None = None
) -> Flow[SyncResult]:
    """
    Poll once more and judge, because a clock that the caller keeps has run out.

    Args:
        checkpoint: From a :class:`~airbyte_sync.commands.Pause`.
        policy: The policy of the request.
        deadline_name: What the caller calls its clock, for error texts; ``None``: the policy's ``timeout``.

    Returns:
        As :func:`resume`: the job may have succeeded meanwhile.

    Raises:
        As :func:`resume`; :class:`~airbyte_sync.errors.SyncTimedOut` where the job has not ended.
    """
    now = yield from Now()
    return (
        yield from resume(
            replace(checkpoint, deadline=now, deadline_name=deadline_name, wake_at=None), policy
        )
    )


def watch(
    job_id: int,
    policy: SyncPolicy,
    *,
    deadline: datetime | None = None,
    deadline_name: str = "deadline",
    is_ours: bool = False,
) -> Flow[Job]:
    """
    Follow a job that is known by its id.

    Args:
        job_id: The job.
        policy: Its poll schedule and timeouts hold. ``timeout`` counts from this call.
        deadline: When the caller's own time is over.
        deadline_name: What the caller calls that deadline, for error texts.
        is_ours: Whether the caller is responsible for the job: only then may a timeout, or
            :func:`abandon`, cancel it.

    Returns:
        The job, which has succeeded.

    Raises:
        Refused: The server does not show us the job.
        SyncNotDone: One of its subclasses says what became of it.
    """
    now = yield from Now()
    checkpoint = watching(
        job_id, policy, began=now, deadline=deadline, deadline_name=deadline_name, is_ours=is_ours
    )
    result = yield from resume(checkpoint, policy)
    return result.job


def watching(
    job_id: int,
    policy: SyncPolicy,
    *,
    began: datetime,
    deadline: datetime | None = None,
    deadline_name: str = "deadline",
    is_ours: bool = False,
) -> Checkpoint:
    """
    Return where a wait for a known job stands that began at some moment, perhaps in another program.

    Args:
        job_id: The job.
        policy: Its ``timeout`` counts from ``began``.
        began: When the wait began.
        deadline: As for :func:`watch`.
        deadline_name: As for :func:`watch`.
        is_ours: As for :func:`watch`.

    Returns:
        A checkpoint for :func:`resume` and :func:`end_now`.
    """
    checkpoint = Checkpoint.watching(
        job_id,
        Origin.ADOPTED if is_ours else Origin.ATTACHED,
        asked_at=began,
        deadline=deadline,
        deadline_name=deadline_name,
    )
    return with_timeout(checkpoint, policy, began)


def cancel(job_id: int, policy: SyncPolicy) -> Flow[Job]:
    """
    Cancel a job until the server says that it has ended.

    A caller that puts this flow away at a pause goes on by calling it again: it reads before it cancels.

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
    cancelling = Cancelling(job_id=job_id, origin=None, cancel_until=now + policy.cancel_timeout)
    checkpoint = Checkpoint(phase=cancelling, asked_at=now)
    job, _ = yield from cancel_until_terminal(checkpoint, cancelling, policy)
    return job


def abandon(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Job | None]:
    """
    Cancel what a request has started, because it is not wanted any more.

    Where a submission is in doubt its job is looked for once. A job that another client started is left
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
    if checkpoint.has_nothing_to_cancel:
        return None
    now = yield from Now()
    cancel_until = now + policy.cancel_timeout
    checkpoint = replace(checkpoint, wake_at=None, polls=0)
    match checkpoint.phase:
        case Cancelling(origin=None):
            raise _needs_an_origin()
        case Cancelling() as phase:
            cancelling = replace(phase, cancel_until=cancel_until, queued_too_long=False)
        case Watching() as phase:
            cancelling = phase.to_be_cancelled(cancel_until)
        case Submitting() | FindingJob() | ConnectionBusy() as phase:
            job = yield from _job_in_doubt(checkpoint, phase, policy, cancel_until)
            if job is None:
                return None
            found = Watching(
                job_id=job.job_id,
                origin=Origin.ADOPTED,
                connection_id=phase.connection_id,
                status=job.status,
            )
            cancelling = found.to_be_cancelled(cancel_until)
        case _:
            return None
    checkpoint = enter(checkpoint, Happened.ABANDONED, cancelling)
    ended, _ = yield from cancel_until_terminal(checkpoint, cancelling, policy)
    return ended


def _job_in_doubt(
    checkpoint: Checkpoint,
    phase: Submitting | FindingJob | ConnectionBusy,
    policy: SyncPolicy,
    cancel_until: datetime,
) -> Flow[Job | None]:
    """Look for the job of a lost submission; a list that fails is asked for again until ``cancel_until``."""
    while True:
        now = yield from pause_until_due(checkpoint)
        try:
            return (yield from job_in_doubt(checkpoint, phase))
        except CallFailed as error:
            if now >= cancel_until:
                raise
            checkpoint = pausing_between_tries(checkpoint, policy, now, error, cancel_until)


def acquire_job(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Submission]:
    """Go through the phases until the request has its job."""
    while True:
        match checkpoint.phase:
            case Asked():
                raise InvalidCheckpoint("a checkpoint in phase asked needs a connection_id")
            case Submitting() as submitting:
                checkpoint = yield from submit_once(checkpoint, submitting, policy)
            case FindingJob(nothing_came=True) as finding:
                checkpoint = yield from after_nothing_came(checkpoint, finding, policy)
            case FindingJob() as finding:
                checkpoint = yield from find_or_adopt(checkpoint, finding, policy)
            case ConnectionBusy() as busy:
                checkpoint = yield from wait_for_other_job(checkpoint, busy, policy)
            case Watching(job_id=job_id, origin=origin):
                return Submission(job_id=job_id, origin=origin, checkpoint=checkpoint)
            case Cancelling(job_id=job_id, origin=Origin() as origin):
                return Submission(job_id=job_id, origin=origin, checkpoint=checkpoint)
            case Cancelling():
                raise _needs_an_origin()


def _needs_an_origin() -> InvalidCheckpoint:
    return InvalidCheckpoint(
        "a checkpoint in phase cancelling needs an origin: this one is from cancel(), which belongs to no "
        "request and cannot be resumed. Call cancel() again"
    )


def _restore(request: SyncRequest, fresh: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """
    Return where an earlier try of the same request left off, or ``fresh``.

    A job that is active is followed and one that succeeded is the result; after one that failed or
    was cancelled, or that is a leftover, the request starts anew. A try has its own timeouts: from the
    moment that it goes on with a job, it has the whole ``timeout`` for it.
    """
    before = yield from LoadCheckpoint()
    if before is None:
        return fresh
    phase = before.phase
    if isinstance(phase, (Asked, Submitting)):
        return fresh
    if (before.connection_id, before.job_type) != (request.connection_id, request.job_type):
        return fresh
    again = replace(
        before,
        deadline=fresh.deadline,
        deadline_name=fresh.deadline_name,
        queue_deadline=fresh.queue_deadline,
        wake_at=None,
        failures=None,
        polls=0,
        strange_since=None,
    )
    if isinstance(phase, (FindingJob, ConnectionBusy)):
        return replace(again, phase=_to_go_on_with(phase, fresh.asked_at, policy))
    origin = phase.origin
    if origin is None:
        raise _needs_an_origin()
    if isinstance(phase, Watching):
        phase = replace(phase, missing=None)
    else:
        phase = replace(phase, queued_too_long=False)
    again = with_timeout(replace(again, phase=phase), policy, fresh.asked_at)
    try:
        job = yield from FetchJob(phase.job_id)
    except CallFailed:
        return (
            again  # the wait itself deals with a job that cannot be seen, or is not there any more
        )
    is_failure = job.status.is_final and job.status != JobStatus.SUCCEEDED
    is_left_over = not job.status.is_final and (yield from newer_that_ended(job)) is not None
    if is_failure or is_left_over:  # a leftover never ends
        asked = replace(fresh, phase=Asked())
        return begin(asked, Happened.TO_BE_SUBMITTED, request.connection_id, job.job_id)
    yield from Report(JobRecalled(job=job, origin=origin))
    # The next poll compares with what this one showed.
    return replace(again, phase=replace(phase, status=job.status))


def _to_go_on_with(
    phase: FindingJob | ConnectionBusy, now: datetime, policy: SyncPolicy
) -> FindingJob | ConnectionBusy:
    """Return where a try that has no job yet goes on."""
    in_doubt = phase.submissions.in_doubt
    phase = replace(phase, submissions=_as_of_an_earlier_try(phase.submissions))
    if phase.earlier is not None and not in_doubt:
        # It was handed over, and the other process may have submitted until now.
        phase = replace(phase, search_until=end_of_search(now, now, policy))
    if isinstance(phase, FindingJob):
        return replace(phase, submit_failures=None, nothing_came=False)
    return phase


def _as_of_an_earlier_try(submissions: Submissions) -> Submissions:
    """This try has a submission of its own: only a second one that is lost is given up."""
    return replace(submissions, lost=min(submissions.lost, 1))


def _after_earlier_tries(
    asked: Checkpoint, request: SyncRequest, earlier: EarlierTries, policy: SyncPolicy
) -> Flow[Checkpoint]:
    """Look for the job of an earlier try first; it may still appear where that try died submitting."""
    look_until = end_of_search(earlier.over_at, earlier.over_at, policy)
    yield from Report(EarlierTryLookedFor(since=earlier.since, look_until=look_until))
    finding = FindingJob(
        connection_id=request.connection_id,
        after_job_id=earlier.after_job,
        submissions=Submissions(in_doubt=True),
        earlier=EarlierJobs(
            answered_since=earlier.succeeded_after or earlier.since, tries=earlier.tries
        ),
        search_until=look_until,
    )
    return enter(replace(asked, asked_at=earlier.since), Happened.TO_BE_FOUND, finding)
