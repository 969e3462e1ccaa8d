"""The policy: how one request becomes one sync, seen through to its end.

A flow is a generator. It yields commands (:mod:`airbyte_sync.commands`), is sent their answers, and
returns its result or raises a domain error. It does no I/O, knows no clock and does not log, so that
one text of the policy serves a blocking worker, an event loop and a scheduler that looks once a minute.

A request moves through phases, and the whole of its state is its
:class:`~airbyte_sync.checkpoint.Checkpoint`::

    SUBMIT ──► LOOK ◄──► QUEUE        submit once; in doubt or in conflict, look before doing anything
       │         │
       └────┬────┘
            ▼
          WATCH ──► CANCEL            look until it ends; cancel our own when the deadline passes

A checkpoint is only ever handed out with a pause, and never in the phase SUBMIT: whoever resumes looks for
a job on the server before submitting one. That is what keeps a process that died at the wrong
moment from doubling a sync. A job that would cancel the running sync (a reset) starts with a look too.

House rules: never yield in ``finally``; time is an answer, never a call; look, then judge: a deadline is
judged only after one more look, so that a late wake-up never kills a finished sync.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import (
    CancelJob,
    FetchConnection,
    FetchJob,
    FindJobs,
    Flow,
    Now,
    Pause,
    Report,
    SubmitSync,
)
from airbyte_sync.errors import (
    CallFailed,
    CancelUnconfirmed,
    ConnectionUnavailable,
    InvalidCheckpoint,
    InvalidInput,
    JobNotRunning,
    ServerUnreachable,
    StateConflict,
    SubmitInDoubt,
    SyncAlreadyRunning,
    SyncCancelled,
    SyncFailed,
    SyncNotDone,
    SyncSkipped,
    SyncTimedOut,
    Unauthorized,
)
from airbyte_sync.events import (
    CancelRequested,
    JobEnded,
    JobObtained,
    JobSeen,
    LookFailed,
    Origin,
    StatusChanged,
    SubmitPostponed,
    SubmitUncertain,
    WaitingForOther,
)
from airbyte_sync.jobs import (
    WHERE_TO_FIND_THE_ID,
    ConnectionStatus,
    Job,
    JobQuery,
    JobStatus,
    SyncRequest,
    newest,
)
from airbyte_sync.policy import OnConflict, SyncPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

CONFLICT_SETTLE = timedelta(seconds=5)
"""How long to wait before submitting again when Airbyte says "running" but lists no active job."""

SHORTEST_LOOK = timedelta(seconds=1)
"""The least time between two looks for a job whose submission is in doubt."""

SKEW_WITH_SERVER_TIME = timedelta(seconds=2)
SKEW_WITHOUT = timedelta(seconds=5)
"""How far job times and request times may disagree: both are cut to whole seconds by the server."""

UNREADABLE_ID = 500
"""What Airbyte answers for an id that is no UUID; a proxy in trouble answers 502 to 504."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncResult:
    """A sync that succeeded."""

    job: Job
    origin: Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A request that has its job."""

    job_id: int
    origin: Origin
    checkpoint: Checkpoint
    """From which :func:`resume` waits for the job's end."""


# --------------------------------------------------------------------------------------------------
# What callers start


def sync(request: SyncRequest, policy: SyncPolicy) -> Flow[SyncResult]:
    """
    Run one sync to its end.

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
    checkpoint = Checkpoint(
        phase=Phase.LOOK if request.job_type.preempts else Phase.SUBMIT,
        connection_id=request.connection_id,
        job_type=request.job_type,
        asked_at=now,
        deadline=None if policy.timeout is None else now + policy.timeout,
    )
    if not request.has_uuid:
        yield from _ask_whether_it_exists(request.connection_id)
    checkpoint = yield from _come_to_a_job(checkpoint, policy)
    return Submission(job_id=_job_id(checkpoint), origin=_origin(checkpoint), checkpoint=checkpoint)


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
    if checkpoint.phase is Phase.SUBMIT:
        checkpoint = replace(checkpoint, phase=Phase.LOOK)
    checkpoint = yield from _come_to_a_job(checkpoint, policy)
    if checkpoint.phase is Phase.WATCH:
        origin = _origin(checkpoint)
        job, checkpoint = yield from _watch(checkpoint, policy)
        if job is not None:
            return SyncResult(job=_judge(job), origin=origin)
    return (yield from _end_in_time_out(checkpoint, policy))


def watch(job_id: int, policy: SyncPolicy) -> Flow[Job]:
    """
    Follow a job that somebody else is responsible for; never cancel it.

    Args:
        job_id: The job.
        policy: Its poll schedule and time-outs hold.

    Returns:
        The job, which has succeeded.

    Raises:
        Refused: The server does not show us the job.
        SyncNotDone: One of its subclasses says what became of it.
    """
    now = yield from Now()
    checkpoint = Checkpoint(
        phase=Phase.WATCH,
        asked_at=now,
        deadline=None if policy.timeout is None else now + policy.timeout,
        job_id=job_id,
        origin=Origin.ATTACHED,
    )
    result = yield from resume(checkpoint, policy)
    return result.job


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
    job, _ = yield from _cancel(checkpoint, policy)
    return job


# --------------------------------------------------------------------------------------------------
# SUBMIT, LOOK, QUEUE: coming to a job


def _come_to_a_job(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    while True:
        match checkpoint.phase:
            case Phase.SUBMIT:
                checkpoint = yield from _submit(checkpoint, policy)
            case Phase.LOOK:
                checkpoint = yield from _adopt(checkpoint, policy)
            case Phase.QUEUE:
                checkpoint = yield from _queue(checkpoint, policy)
            case Phase.WATCH | Phase.CANCEL:
                return checkpoint


def _submit(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Submit once. Whatever goes wrong, the next thing is to look."""
    looking = replace(checkpoint, phase=Phase.LOOK)
    connection_id = _connection_id(checkpoint)
    try:
        job = yield from SubmitSync(connection_id, checkpoint.job_type)
    except SyncAlreadyRunning as error:
        return (yield from _busy(looking, policy, error))
    except StateConflict as error:
        yield from _explain(connection_id, error)
        return (yield from _doubt(looking, policy, error))
    except CallFailed as error:
        if error.retry_safe is False:
            raise
        refused_for_now = error.retry_safe is True
        return (yield from (_postpone if refused_for_now else _doubt)(looking, policy, error))
    return (yield from _obtained(checkpoint, policy, job, Origin.STARTED))


def _adopt(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """
    Look for the job of this request on the server; submit only when there is none.

    A job that appeared after the request was made is its own, or as fresh as its own. One that was
    there before is a matter of ``on_conflict``.
    """
    while True:
        now = yield from _awake(checkpoint)
        connection_id = _connection_id(checkpoint)
        try:
            page = yield from FindJobs(JobQuery(connection_id=connection_id))
        except CallFailed as error:
            if error.retry_safe is False and checkpoint.in_doubt:
                raise _in_doubt(checkpoint, error) from error
            checkpoint = yield from _look_failed(checkpoint, policy, error, now)
            continue
        now = yield from Now()  # a slow reply must not make our own job look older than the request
        since = _on_the_servers_clock(checkpoint.asked_at, now, page.server_time)
        fresh = newest(_jobs_of_this_request(page.jobs, checkpoint, since))
        if fresh is not None:
            return (yield from _obtained(checkpoint, policy, fresh, Origin.ADOPTED))
        active = newest(job for job in page.jobs if not job.status.is_final)
        if active is not None:
            return (yield from _conflict(checkpoint, policy, active))
        if _is_late(checkpoint, now):
            raise _without_a_job(checkpoint)
        if checkpoint.settle_until is None or now >= checkpoint.settle_until:
            _give_up_submitting(checkpoint, policy, now)
            return replace(checkpoint, phase=Phase.SUBMIT, settle_until=None)
        until = min(now + max(policy.poll.floor, SHORTEST_LOOK), checkpoint.settle_until)
        checkpoint = _resting(checkpoint, now, until)


def _queue(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Wait for the end of somebody else's job."""
    if checkpoint.blocked_by is None:
        raise InvalidCheckpoint("a checkpoint in phase queue needs a blocked_by")
    while True:
        now = yield from _awake(checkpoint)
        try:
            job = yield from FetchJob(checkpoint.blocked_by)
        except CallFailed as error:
            checkpoint = yield from _look_failed(checkpoint, policy, error, now)
            continue
        checkpoint = _seen(checkpoint, job)
        if job.status.is_final:
            return replace(checkpoint, phase=Phase.LOOK, status=None, settle_until=None, looks=0)
        if _is_late(checkpoint, now):
            raise SyncTimedOut(
                f"the sync did not begin in time: connection {job.connection_id} was busy with job "
                f"{job.job_id} ({job.status}), which is not ours. Raise timeout, or set "
                "on_conflict to attach or skip.",
                job=job,
            )
        checkpoint = _resting_until_next_look(checkpoint, policy, now, job.job_id)


def _conflict(checkpoint: Checkpoint, policy: SyncPolicy, active: Job) -> Flow[Checkpoint]:
    """Decide about a job that is active and was there before the request was made."""
    match policy.on_conflict:
        case OnConflict.SKIP:
            raise SyncSkipped(
                f"connection {active.connection_id} is busy with job {active.job_id} "
                f"({active.job_type}, {active.status}): skipped, as on_conflict asks",
                job=active,
            )
        case OnConflict.FAIL:
            raise SyncAlreadyRunning(
                f"connection {active.connection_id} is busy with job {active.job_id} "
                f"({active.job_type}, {active.status}). Wait for it, or set on_conflict to queue, "
                "attach or skip."
            )
        case OnConflict.ATTACH if checkpoint.job_type.covers(active.job_type):
            return (yield from _obtained(checkpoint, policy, active, Origin.ATTACHED))
        case OnConflict.ATTACH | OnConflict.QUEUE:
            yield from Report(WaitingForOther(job=active))
            now = yield from Now()
            queued = replace(
                checkpoint,
                phase=Phase.QUEUE,
                blocked_by=active.job_id,
                in_doubt=False,
                settle_until=None,
                status=active.status,
                failing_since=None,
                failures=0,
                looks=0,
            )
            return _resting_until_next_look(queued, policy, now, active.job_id)


def _obtained(
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
        in_doubt=False,
        settle_until=None,
        failing_since=None,
        failures=0,
        looks=0,
    )
    if job.status.is_final:
        return watching
    return _resting_until_next_look(watching, policy, now, job.job_id)


def _busy(
    checkpoint: Checkpoint, policy: SyncPolicy, error: SyncAlreadyRunning
) -> Flow[Checkpoint]:
    """The connection is said to be busy: look with what, after a moment for races to settle."""
    now = yield from Now()
    checkpoint = _failing(checkpoint, now)
    backoff = _backoff(checkpoint, policy, error)
    return replace(checkpoint, settle_until=now + max(CONFLICT_SETTLE, backoff))


def _postpone(checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed) -> Flow[Checkpoint]:
    """Nothing was started: stay away for a while."""
    now = yield from Now()
    checkpoint = _failing(checkpoint, now)
    _give_up_when_unreachable(checkpoint, policy, now, error)
    checkpoint = _resting(checkpoint, now, now + _backoff(checkpoint, policy, error))
    yield from Report(SubmitPostponed(error=error, next_try=checkpoint.wake_at or now))
    return checkpoint


def _doubt(checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed) -> Flow[Checkpoint]:
    """Something may have been started: look for it for a while before submitting again."""
    now = yield from Now()
    checkpoint = _failing(checkpoint, now)
    until = now + max(policy.adopt_window, _backoff(checkpoint, policy, error))
    yield from Report(SubmitUncertain(error=error, look_until=until))
    return replace(checkpoint, in_doubt=True, settle_until=until)


def _explain(connection_id: str, error: StateConflict) -> Flow[None]:
    """Say why a connection refuses jobs, where its status tells."""
    try:
        connection = yield from FetchConnection(connection_id)
    except CallFailed:
        return  # the reason stays unknown; the caller treats the conflict as a doubt
    reasons = {
        ConnectionStatus.INACTIVE: "is switched off (by a person, by a breaking schema change, or by "
        "Airbyte after many failures). Switch it on in Airbyte, then run this again",
        ConnectionStatus.LOCKED: "is locked by Airbyte (billing or plan). Unlock it in Airbyte, then "
        "run this again",
        ConnectionStatus.DEPRECATED: "was deleted. Use the id of the connection that replaces it",
    }
    reason = reasons.get(connection.status)
    if reason is not None:
        raise ConnectionUnavailable(
            f"connection {connection.name!r} ({connection_id}) {reason}.", connection=connection
        ) from error


def _ask_whether_it_exists(connection_id: str) -> Flow[None]:
    """Refuse an id that is not a UUID, unless the server really has such a connection."""
    try:
        yield from FetchConnection(connection_id)
    except Unauthorized:
        raise
    except CallFailed as error:
        if not (error.retry_safe is False or error.status == UNREADABLE_ID):
            raise
        raise InvalidInput(
            f"connection_id {connection_id!r} is not a UUID, and Airbyte knows no such connection "
            f"(it answered: {error}). {WHERE_TO_FIND_THE_ID}"
        ) from error


def _jobs_of_this_request(
    jobs: Iterable[Job], checkpoint: Checkpoint, since: datetime
) -> Iterator[Job]:
    for job in jobs:
        if not checkpoint.job_type.covers(job.job_type) or job.created_at < since:
            continue
        if checkpoint.blocked_by is not None and job.job_id <= checkpoint.blocked_by:
            continue
        # Without a doubt about our own submission, a job that failed meanwhile is surely not ours.
        may_be_ours = checkpoint.in_doubt or not job.status.is_final
        if may_be_ours or job.status == JobStatus.SUCCEEDED:
            yield job


def _on_the_servers_clock(
    moment: datetime, now: datetime, server_time: datetime | None
) -> datetime:
    """Translate a moment of our clock to the server's, a little early to be safe."""
    if server_time is None:
        return moment - SKEW_WITHOUT
    return moment + (server_time - now) - SKEW_WITH_SERVER_TIME


# --------------------------------------------------------------------------------------------------
# WATCH: waiting for the end


def _watch(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[tuple[Job | None, Checkpoint]]:
    """Look until the job ends, or return no job and the phase CANCEL when the deadline passes."""
    job_id = _job_id(checkpoint)
    while True:
        now = yield from _awake(checkpoint)
        try:
            job = yield from FetchJob(job_id)
        except CallFailed as error:
            if _is_late(checkpoint, now) and error.retry_safe is not False:
                return None, _to_cancel(checkpoint, policy, now)
            checkpoint = yield from _look_failed(checkpoint, policy, error, now)
            continue
        previous = checkpoint.status
        checkpoint = _seen(checkpoint, job)
        if job.status.is_final:
            yield from Report(JobEnded(job=job))
            return job, checkpoint
        if job.status != previous:
            yield from Report(StatusChanged(job=job, previous=previous))
        else:
            yield from Report(JobSeen(job=job, at=now))
        if _is_late(checkpoint, now):
            return None, _to_cancel(checkpoint, policy, now)
        checkpoint = _resting_until_next_look(checkpoint, policy, now, job_id)


def _judge(job: Job) -> Job:
    """Return a job that succeeded, and raise for any other end."""
    if job.status == JobStatus.FAILED:
        raise SyncFailed(
            f"Airbyte job {job.job_id} failed. Open the job in Airbyte for the reason and the logs; "
            "Airbyte has already made all its own attempts.",
            job=job,
        )
    if job.status == JobStatus.CANCELLED:
        raise SyncCancelled(
            f"Airbyte job {job.job_id} was cancelled: by a person, or by Airbyte itself (a breaking "
            "schema change and a too long queue end this way). The connection's timeline in Airbyte "
            "tells.",
            job=job,
        )
    return job


# --------------------------------------------------------------------------------------------------
# CANCEL: the deadline has passed, or somebody asks for it


def _end_in_time_out(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[SyncResult]:
    job_id = _job_id(checkpoint)
    waited = "" if policy.timeout is None else f" within {policy.timeout.total_seconds():g} s"
    late = f"Airbyte job {job_id} did not end{waited} (timeout)"
    if not (_origin(checkpoint).is_ours_to_cancel and policy.cancel_on_timeout):
        return (yield from _look_for_the_last_time(checkpoint, policy, late))
    try:
        job, checkpoint = yield from _cancel(checkpoint, policy)
    except (CallFailed, CancelUnconfirmed) as error:
        raise SyncTimedOut(
            f"{late}, and its cancellation is not confirmed: {error} Check the job in Airbyte.",
            job=error.job if isinstance(error, SyncNotDone) else None,
        ) from error
    if checkpoint.cancel_sent and job.status == JobStatus.CANCELLED:
        raise SyncTimedOut(
            f"{late} and was cancelled; Airbyte says {job.status}. Raise timeout if it needs longer.",
            job=job,
        )
    return SyncResult(job=_judge(job), origin=_origin(checkpoint))


def _look_for_the_last_time(
    checkpoint: Checkpoint, policy: SyncPolicy, late: str
) -> Flow[SyncResult]:
    """See how a job stands that is not to be cancelled: a look that fails is no reason to judge."""
    while True:
        now = yield from _awake(checkpoint)
        try:
            job = yield from FetchJob(_job_id(checkpoint))
        except CallFailed as error:
            if error.retry_safe is False:
                raise
            if checkpoint.cancel_until is None or now >= checkpoint.cancel_until:
                raise SyncTimedOut(
                    f"{late}, as far as we know: it could not be seen. Look at it in Airbyte before you "
                    f"start it again.{_last_error(error)}"
                ) from error
            checkpoint = _insisting(checkpoint, policy, now, error)
            continue
        if not job.status.is_final:
            raise SyncTimedOut(
                f"{late}; it was left running. Raise timeout if it needs longer.", job=job
            )
        yield from Report(JobEnded(job=job))
        return SyncResult(job=_judge(job), origin=_origin(checkpoint))


def _cancel(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[tuple[Job, Checkpoint]]:
    """
    Read, cancel while it has not ended, and again until it has.

    A cancellation is dropped without a word when it comes before the first attempt, and its reply
    may come before it took effect, so only a look at an ended job is proof.
    """
    job_id = _job_id(checkpoint)
    while True:
        now = yield from _awake(checkpoint)
        job: Job | None = None
        failure: CallFailed | None = None
        try:
            job = yield from FetchJob(job_id)
            if not job.status.is_final:
                yield from Report(CancelRequested(job=job))
                checkpoint = replace(checkpoint, cancel_sent=True)
                job = yield from CancelJob(job_id)
        except JobNotRunning as error:
            failure = error  # it ended between the look and the request: the next look tells how
        except CallFailed as error:
            if error.retry_safe is False:
                raise
            failure = error
        if failure is None and job is not None and job.status.is_final:
            yield from Report(JobEnded(job=job))
            return job, checkpoint
        if checkpoint.cancel_until is None or now >= checkpoint.cancel_until:
            raise CancelUnconfirmed(
                f"Airbyte job {job_id} had not ended "
                f"{policy.cancel_timeout.total_seconds():g} s after it was to be cancelled"
                + (f" ({failure})." if failure is not None else "."),
                job=job,
            ) from failure
        checkpoint = _insisting(checkpoint, policy, now, failure)


def _insisting(
    checkpoint: Checkpoint, policy: SyncPolicy, now: datetime, failure: CallFailed | None
) -> Checkpoint:
    """Rest a little after the deadline; longer where the server asks for it, but not too long."""
    pause = timedelta(seconds=2 ** min(checkpoint.looks, 3))
    if failure is not None and failure.retry_safe is not False:
        backoff = policy.backoff(failure, failures=checkpoint.looks, seed=_job_id(checkpoint))
        pause = max(pause, backoff)
    until = min(now + pause, checkpoint.cancel_until or now)
    return replace(_resting(checkpoint, now, until), looks=checkpoint.looks + 1)


def _to_cancel(checkpoint: Checkpoint, policy: SyncPolicy, now: datetime) -> Checkpoint:
    return replace(
        checkpoint,
        phase=Phase.CANCEL,
        cancel_until=now + policy.cancel_timeout,
        wake_at=None,
        looks=0,
    )


# --------------------------------------------------------------------------------------------------
# Small steps that all phases share


def _awake(checkpoint: Checkpoint) -> Flow[datetime]:
    """
    Return the time once the checkpoint's moment has come.

    This is the only place where flows pause, so every pause carries the whole state, and a flow
    that was resumed too early simply pauses again.
    """
    now = yield from Now()
    while checkpoint.wake_at is not None and now < checkpoint.wake_at:
        about = checkpoint.blocked_by if checkpoint.phase is Phase.QUEUE else checkpoint.job_id
        yield from Pause(checkpoint.wake_at, checkpoint, about)
        now = yield from Now()
    return now


def _resting(checkpoint: Checkpoint, now: datetime, until: datetime) -> Checkpoint:
    """Rest until a moment, or until a deadline that is still ahead and comes first."""
    if checkpoint.deadline is not None and now < checkpoint.deadline:
        until = min(until, checkpoint.deadline)
    return replace(checkpoint, wake_at=until)


def _resting_until_next_look(
    checkpoint: Checkpoint, policy: SyncPolicy, now: datetime, job_id: int
) -> Checkpoint:
    interval = policy.poll.interval(
        waited=now - checkpoint.asked_at, job_id=job_id, looks=checkpoint.looks
    )
    return replace(_resting(checkpoint, now, now + interval), looks=checkpoint.looks + 1)


def _seen(checkpoint: Checkpoint, job: Job) -> Checkpoint:
    return replace(checkpoint, status=job.status, failing_since=None, failures=0)


def _failing(checkpoint: Checkpoint, now: datetime) -> Checkpoint:
    return replace(
        checkpoint,
        failing_since=checkpoint.failing_since or now,
        failures=checkpoint.failures + 1,
    )


def _look_failed(
    checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed, now: datetime
) -> Flow[Checkpoint]:
    """A failed look never ends a wait by itself; a refusal, or failing for too long, does."""
    if error.retry_safe is False:
        raise error
    checkpoint = _failing(checkpoint, now)
    _give_up_when_unreachable(checkpoint, policy, now, error)
    if _is_late(checkpoint, now) and checkpoint.job_id is None:
        raise _without_a_job(checkpoint, error) from error
    checkpoint = _resting(checkpoint, now, now + _backoff(checkpoint, policy, error))
    yield from Report(
        LookFailed(
            error=error,
            failing_since=checkpoint.failing_since or now,
            next_look=checkpoint.wake_at or now,
        )
    )
    return replace(checkpoint, looks=checkpoint.looks + 1)


def _backoff(checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed) -> timedelta:
    """Return how long to stay away after the last of a series of failures; waiters drift apart."""
    seed = checkpoint.job_id or checkpoint.connection_id or ""
    return policy.backoff(error, failures=checkpoint.failures - 1, seed=seed)


def _is_unreachable(checkpoint: Checkpoint, policy: SyncPolicy, now: datetime) -> bool:
    since = checkpoint.failing_since
    return since is not None and now - since >= policy.unreachable_timeout


def _give_up_submitting(checkpoint: Checkpoint, policy: SyncPolicy, now: datetime) -> None:
    """Raise when submissions have met doubts or conflicts for too long, and no job came of any."""
    # A single one may be resolved late, by whoever resumes: only a series of them is given up.
    is_series = checkpoint.settle_until is not None and checkpoint.failures > 1
    if not (is_series and _is_unreachable(checkpoint, policy, now)):
        return
    if checkpoint.in_doubt:
        raise _in_doubt(checkpoint, None)
    raise SyncAlreadyRunning(
        f"Airbyte says that connection {checkpoint.connection_id} is busy, but lists no active job "
        "of it: its own state is stale. Cancel or reset the connection in Airbyte."
    )


def _without_a_job(checkpoint: Checkpoint, error: CallFailed | None = None) -> SyncNotDone:
    """Say what is known at the deadline where the request has no job."""
    if checkpoint.in_doubt:
        return _in_doubt(checkpoint, error)
    return SyncTimedOut(
        f"no sync of connection {checkpoint.connection_id} could be started before the time-out, and "
        f"none is running for this request. Start it again, or raise timeout.{_last_error(error)}"
    )


def _give_up_when_unreachable(
    checkpoint: Checkpoint, policy: SyncPolicy, now: datetime, error: CallFailed
) -> None:
    """Raise when calls have failed for too long."""
    if not _is_unreachable(checkpoint, policy, now):
        return
    if checkpoint.in_doubt:
        raise _in_doubt(checkpoint, error) from error
    trouble = _last_error(error)
    patience = f"{policy.unreachable_timeout.total_seconds():g} s"
    if checkpoint.job_id is None:
        raise ServerUnreachable(
            f"Airbyte took no sync of connection {checkpoint.connection_id} for {patience}; none is "
            f"running for this request. Start it again when Airbyte is back.{trouble}"
        ) from error
    raise ServerUnreachable(
        f"Airbyte job {checkpoint.job_id} could not be seen for {patience}. It may well be running, and "
        f"was left alone: look at it in Airbyte before you start it again.{trouble}"
    ) from error


def _in_doubt(checkpoint: Checkpoint, error: CallFailed | None) -> SubmitInDoubt:
    return SubmitInDoubt(
        f"a sync of connection {checkpoint.connection_id} was asked for at "
        f"{checkpoint.asked_at:%Y-%m-%d %H:%M:%S} UTC, and Airbyte's answer was lost: it may be running. "
        "Look at the connection's timeline in Airbyte before you start it again."
        + _last_error(error)
    )


def _last_error(error: CallFailed | None) -> str:
    return "" if error is None else f" The last error: {error}"


def _is_late(checkpoint: Checkpoint, now: datetime) -> bool:
    return checkpoint.deadline is not None and now >= checkpoint.deadline


def _connection_id(checkpoint: Checkpoint) -> str:
    if checkpoint.connection_id is None:
        raise InvalidCheckpoint(
            f"a checkpoint in phase {checkpoint.phase.value} needs a connection_id"
        )
    return checkpoint.connection_id


def _job_id(checkpoint: Checkpoint) -> int:
    if checkpoint.job_id is None:
        raise InvalidCheckpoint(f"a checkpoint in phase {checkpoint.phase.value} needs a job_id")
    return checkpoint.job_id


def _origin(checkpoint: Checkpoint) -> Origin:
    if checkpoint.origin is None:
        raise InvalidCheckpoint(f"a checkpoint in phase {checkpoint.phase.value} needs an origin")
    return checkpoint.origin
