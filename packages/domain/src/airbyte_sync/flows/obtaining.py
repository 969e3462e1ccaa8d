"""SUBMIT, LOOK, QUEUE: how a request comes to its job, and to one job only."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import (
    FetchConnection,
    FetchJob,
    FindJobs,
    Flow,
    Now,
    Report,
    SaveCheckpoint,
    SubmitSync,
)
from airbyte_sync.errors import (
    CallFailed,
    ConnectionUnavailable,
    InvalidCheckpoint,
    InvalidInput,
    NotFound,
    StateConflict,
    SyncAlreadyRunning,
    SyncSkipped,
    Unauthorized,
    UnexpectedReply,
)
from airbyte_sync.events import (
    JobLeftOver,
    JobObtained,
    Origin,
    SubmitPostponed,
    SubmitUncertain,
    WaitingForOther,
)
from airbyte_sync.flows.steps import (
    answered,
    awake,
    connection_id_of,
    look_failed,
    note_who_answered,
    require_same_connection,
    resting,
    resting_until_next_look,
    seen,
    submit_backoff,
    submit_failing,
    until_a_stranger_is_given_up,
)
from airbyte_sync.flows.verdicts import (
    clock_of_the_wait,
    give_up_on_a_stranger,
    give_up_postponing,
    give_up_submitting,
    has_waited_too_long,
    lost_again,
    with_timeout,
    without_a_job,
)
from airbyte_sync.jobs import (
    WHERE_TO_FIND_THE_ID,
    Connection,
    ConnectionStatus,
    Job,
    JobPage,
    JobQuery,
    JobStatus,
    ended_after,
    is_same_id,
    newest,
)
from airbyte_sync.policy import OnConflict, SyncPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONFLICT_SETTLE = timedelta(seconds=5)
"""How long to wait before submitting again when Airbyte says "running" but lists no active job."""

LONGEST_CREATION = timedelta(seconds=150)
"""The least time from a submission until a list without its job proves that nothing came of it.

Airbyte waits up to 60 s for a job to be created (``TemporalClient.kt``); users report creations that took
up to 130 s (apache/airflow#71092).
"""

SHORTEST_LOOK = timedelta(seconds=1)
"""The least time between two looks for a job whose submission is in doubt."""

SKEW_WITH_SERVER_TIME = timedelta(seconds=2)
"""How far job times and request times may disagree: both are cut to whole seconds by the server."""

SKEW_WITHOUT = timedelta(seconds=5)
"""The same, where the server does not tell its time."""

LIST_EVERY = 16
"""After how many polls of a job in the way the list is asked whether it is a leftover."""

UNREADABLE_ID = 500
"""What Airbyte answers for an id that is no UUID; a proxy in trouble answers 502 to 504."""


def come_to_a_job(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Go through the phases until the request has its job."""
    while True:
        match checkpoint.phase:
            case Phase.SUBMIT:
                checkpoint = yield from _submit(checkpoint, policy)
            case Phase.LOOK if checkpoint.nothing_came:
                checkpoint = yield from _nothing_came(checkpoint, policy)
            case Phase.LOOK:
                checkpoint = yield from _adopt(checkpoint, policy)
            case Phase.QUEUE:
                checkpoint = yield from _queue(checkpoint, policy)
            case Phase.WATCH | Phase.CANCEL:
                return checkpoint


def _submit(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Submit once. Whatever goes wrong, the next thing is to look."""
    looking = replace(checkpoint, phase=Phase.LOOK)
    connection_id = connection_id_of(checkpoint)
    now = yield from Now()
    if has_waited_too_long(checkpoint, now):
        raise without_a_job(checkpoint, policy)
    # If this process dies now, the request made again does not know what became of it.
    lost = replace(
        looking,
        in_doubt=True,
        lost_submissions=checkpoint.lost_submissions + 1,
        lost_status=None,
        settle_until=search_until(now, now, policy),
    )
    yield from SaveCheckpoint(lost)
    try:
        job = yield from SubmitSync(connection_id, checkpoint.job_type)
        require_same_connection(checkpoint, job)
    except SyncAlreadyRunning as error:
        yield from _take_back(checkpoint)
        return (yield from _busy(answered(looking), policy, error))
    except StateConflict as error:
        yield from _explain(checkpoint, error)
        return (yield from _doubt(answered(lost), policy, error, now))
    except CallFailed as error:
        if error.retry_safe is not None:
            yield from _take_back(checkpoint)
        if error.retry_safe is False:
            raise type(error)(
                f"no sync of connection {connection_id} was started: {error}", status=error.status
            ) from error
        if error.retry_safe is True:
            return (yield from _postpone(looking, policy, error))
        return (yield from _doubt(lost, policy, error, now))
    return (yield from _obtained(checkpoint, policy, job, Origin.STARTED))


def search_until(submitted_at: datetime, lost_at: datetime, policy: SyncPolicy) -> datetime:
    """
    Return until when the job of a lost submission may still appear.

    Args:
        submitted_at: When the submission was made, or the latest moment at which it may have been.
        lost_at: When it was known that its answer would not come.
        policy: Its ``adopt_window`` counts from ``lost_at``.
    """
    return max(lost_at + policy.adopt_window, submitted_at + LONGEST_CREATION)


def _adopt(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """
    Look for the job of this request on the server; submit only when there is none.

    A job that appeared after the request was made is its own, or as fresh as its own. One that is still
    told to be running although a newer one has ended is a leftover, and counts for nothing. One that was
    there before is a matter of ``on_conflict``. Only where a submission of ours is in doubt is it ours to
    cancel: after a plain refusal it is surely somebody else's.
    """
    while True:
        now = yield from awake(checkpoint)
        connection_id = connection_id_of(checkpoint)
        try:
            page = yield from list_jobs(JobQuery(connection_id=connection_id))
        except CallFailed as error:
            checkpoint = yield from look_failed(checkpoint, policy, error, now)
            continue
        checkpoint = answered(checkpoint)
        now = yield from Now()  # a slow reply must not make our own job look older than the request
        since = _on_the_servers_clock(checkpoint.asked_at, now, page.server_time)
        jobs = list(_jobs_of_this_request(page.jobs, checkpoint, since))
        left_over = [job for job in page.jobs if is_left_over(job, page)]
        spent = [
            job
            for job in jobs
            if _is_spent(job, checkpoint, now, page.server_time)
            or (job in left_over and checkpoint.answered_since is not None)
        ]
        fresh = newest(job for job in jobs if job not in spent and job not in left_over)
        if fresh is not None:
            # As fresh as our own; but only where a submission is in doubt may it be our own.
            origin = Origin.ADOPTED if checkpoint.in_doubt else Origin.ATTACHED
            return (yield from _obtained(checkpoint, policy, fresh, origin))
        if spent and len(spent) >= checkpoint.earlier_tries:
            return _anew(checkpoint, now, newest(spent))
        active = newest(
            job for job in page.jobs if not job.status.is_final and job not in left_over
        )
        # Our own may still come to life behind it: only queueing needs no decision about that.
        may_decide = policy.on_conflict is OnConflict.QUEUE or not _is_open(checkpoint, now)
        if active is not None and may_decide:
            return (yield from _conflict(checkpoint, policy, active))
        if has_waited_too_long(checkpoint, now):
            raise without_a_job(checkpoint, policy)
        if checkpoint.settle_until is None or now >= checkpoint.settle_until:
            if checkpoint.answered_since is not None:
                return _anew(checkpoint, now, newest(spent))
            give_up_submitting(checkpoint, policy, now)
            if not checkpoint.lost_submissions:
                return replace(checkpoint, phase=Phase.SUBMIT, settle_until=None)
            proven = replace(checkpoint, nothing_came=True)
            return (yield from _nothing_came(proven, policy))
        until = min(now + max(policy.poll.floor, SHORTEST_LOOK), checkpoint.settle_until)
        checkpoint = resting(checkpoint, now, until)


def is_left_over(job: Job, page: JobPage) -> bool:
    """Whether a listed job is still told to be on its way although a newer one has ended."""
    return not job.status.is_final and ended_after(job, page.jobs) is not None


def newer_that_ended(job: Job) -> Flow[Job | None]:
    """
    List the connection's jobs to find out whether a job that has not ended is a leftover.

    Returns:
        The newer job that has ended; ``None`` where there is none, or where the list cannot be read.
    """
    try:
        page = yield from list_jobs(JobQuery(connection_id=job.connection_id))
    except CallFailed:
        return None
    return ended_after(job, page.jobs)


def list_jobs(query: JobQuery) -> Flow[JobPage]:
    """
    List the jobs of a connection.

    Raises:
        UnexpectedReply: There are jobs of other connections among them: the filter was ignored, so a
            job that is not listed may exist.
        CallFailed: Any other subclass.
    """
    page = yield from FindJobs(query)
    for job in page.jobs:
        if query.connection_id is not None and not is_same_id(
            job.connection_id, query.connection_id
        ):
            raise UnexpectedReply(
                f"the jobs of connection {query.connection_id} were asked for, and job {job.job_id} of "
                "another connection is among the answers: the list ignores its filter"
            )
    return page


def _nothing_came(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """
    Go on after a submission was lost and surely no job came of it.

    The connection tells why where it can: it is unknown, or takes no jobs. Otherwise the submission is
    made once more. A second one that is lost is not bad luck any more.
    """
    connection_id = connection_id_of(checkpoint)
    while True:
        now = yield from awake(checkpoint)
        if has_waited_too_long(checkpoint, now):
            raise without_a_job(checkpoint, policy)
        try:
            connection = yield from FetchConnection(connection_id)
        except CallFailed as error:
            if error.retry_safe is False:
                yield from SaveCheckpoint(_settled(checkpoint))
                lost = f" (it was answered with {checkpoint.lost_status})"
                raise type(error)(
                    f"a sync of connection {connection_id} was submitted"
                    f"{'' if checkpoint.lost_status is None else lost}, no job came of it, and the "
                    f"connection cannot be read: {error}",
                    status=error.status,
                ) from error
            checkpoint = yield from look_failed(checkpoint, policy, error, now)
            continue
        break
    reason = _why_it_takes_no_jobs(connection)
    if reason is not None:
        yield from SaveCheckpoint(_settled(checkpoint))
        raise ConnectionUnavailable(reason, connection=connection)
    if checkpoint.lost_submissions > 1:
        raise lost_again(checkpoint)
    return replace(
        answered(checkpoint),
        phase=Phase.SUBMIT,
        settle_until=None,
        nothing_came=False,
        wake_at=None,
    )


def _settled(checkpoint: Checkpoint) -> Checkpoint:
    """Return what to remember of a request of which surely nothing came."""
    return Checkpoint(
        phase=Phase.SUBMIT,
        connection_id=checkpoint.connection_id,
        job_type=checkpoint.job_type,
        asked_at=checkpoint.asked_at,
    )


def _is_spent(
    job: Job, checkpoint: Checkpoint, now: datetime, server_time: datetime | None
) -> bool:
    """Whether a job that earlier tries left behind came to nothing, or is not their answer."""
    if checkpoint.answered_since is None or not job.status.is_final:
        return False
    answered_since = _on_the_servers_clock(checkpoint.answered_since, now, server_time)
    ended_at = job.ended_at or job.created_at
    return job.status != JobStatus.SUCCEEDED or ended_at < answered_since


def _anew(checkpoint: Checkpoint, now: datetime, spent: Job | None) -> Checkpoint:
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


def _queue(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Wait for the end of somebody else's job."""
    if checkpoint.blocked_by is None:
        raise InvalidCheckpoint("a checkpoint in phase queue needs a blocked_by")
    while True:
        now = yield from awake(checkpoint, policy.poll.floor)
        is_over = has_waited_too_long(checkpoint, now)
        try:
            job = yield from FetchJob(checkpoint.blocked_by, recent=not is_over)
            require_same_connection(checkpoint, job)
        except NotFound as error:  # the list tells whether anything is in the way
            checkpoint = yield from look_failed(checkpoint, policy, error, now)
            return replace(checkpoint, phase=Phase.LOOK, status=None, looks=0)
        except CallFailed as error:
            checkpoint = yield from look_failed(checkpoint, policy, error, now)
            continue
        checkpoint = seen(checkpoint, job)
        if job.status.is_final:
            # A submission in doubt may still come to life: how long to look for it has not changed.
            return replace(checkpoint, phase=Phase.LOOK, status=None, wake_at=None, looks=0)
        if checkpoint.looks and checkpoint.looks % LIST_EVERY == 0:
            newer = yield from newer_that_ended(job)
            if newer is not None:
                yield from Report(JobLeftOver(job=job, newer=newer))
                return replace(checkpoint, phase=Phase.LOOK, status=None, wake_at=None, looks=0)
        if is_over:
            kind, patience, advice = clock_of_the_wait(checkpoint, policy)
            raise kind(
                f"the sync did not begin{patience}: connection {job.connection_id} was busy with job "
                f"{job.job_id} ({job.status}), which is not ours. Set on_conflict to attach or skip, or "
                f"{advice}.",
                job=job,
            )
        checkpoint = resting_until_next_look(checkpoint, policy, now, job.job_id)


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
                status=active.status,
                failing_since=None,
                failures=0,
                submit_failing_since=None,
                submit_failures=0,
                looks=0,
            )
            return resting_until_next_look(queued, policy, now, active.job_id)


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
        watching = resting_until_next_look(watching, policy, now, job.job_id)
    yield from SaveCheckpoint(watching)
    return watching


def _busy(
    checkpoint: Checkpoint, policy: SyncPolicy, error: SyncAlreadyRunning
) -> Flow[Checkpoint]:
    """The connection is said to be busy: look with what, after a moment for races to settle."""
    now = yield from Now()
    checkpoint = submit_failing(checkpoint, now)
    settling = max(CONFLICT_SETTLE, submit_backoff(checkpoint, policy, error))
    return replace(checkpoint, settle_until=now + settling)


def _postpone(checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed) -> Flow[Checkpoint]:
    """Nothing was started: stay away for a while."""
    now = yield from Now()
    checkpoint = note_who_answered(submit_failing(checkpoint, now), error, now)
    give_up_on_a_stranger(checkpoint, now, error)
    give_up_postponing(checkpoint, policy, now, error)
    until = now + submit_backoff(checkpoint, policy, error)
    checkpoint = resting(checkpoint, now, until_a_stranger_is_given_up(checkpoint, now, until))
    yield from Report(SubmitPostponed(error=error, next_try=checkpoint.wake_at or now))
    return checkpoint


def _doubt(
    lost: Checkpoint, policy: SyncPolicy, error: CallFailed, submitted_at: datetime
) -> Flow[Checkpoint]:
    """Something may have been started: search for it for a while before submitting again."""
    now = yield from Now()
    checkpoint = note_who_answered(submit_failing(lost, now), error, now)
    until = max(
        search_until(submitted_at, now, policy), now + submit_backoff(checkpoint, policy, error)
    )
    yield from Report(SubmitUncertain(error=error, look_until=until))
    return replace(checkpoint, lost_status=error.status, settle_until=until)


def _take_back(checkpoint: Checkpoint) -> Flow[None]:
    """Remember that nothing was started, unless an earlier submission is still in doubt."""
    if not checkpoint.in_doubt:
        yield from SaveCheckpoint(checkpoint)


def _explain(checkpoint: Checkpoint, error: StateConflict) -> Flow[None]:
    """Say why a connection refuses jobs, where its status tells."""
    connection_id = connection_id_of(checkpoint)
    try:
        connection = yield from FetchConnection(connection_id)
    except CallFailed:
        return  # the reason stays unknown; the caller treats the conflict as a doubt
    reason = _why_it_takes_no_jobs(connection)
    if reason is not None:
        yield from _take_back(checkpoint)
        raise ConnectionUnavailable(reason, connection=connection) from error


def _why_it_takes_no_jobs(connection: Connection) -> str | None:
    reasons = {
        ConnectionStatus.INACTIVE: "is switched off (by a person, by a breaking schema change, or by "
        "Airbyte after many failures). Switch it on in Airbyte, then run this again",
        ConnectionStatus.LOCKED: "is locked by Airbyte (billing or plan). Unlock it in Airbyte, then "
        "run this again",
        ConnectionStatus.DEPRECATED: "was deleted. Use the id of the connection that replaces it",
    }
    reason = reasons.get(connection.status)
    return reason and f"connection {connection.name!r} ({connection.connection_id}) {reason}."


def job_in_doubt(checkpoint: Checkpoint) -> Flow[Job | None]:
    """Look once for the active job of a submission that is in doubt."""
    page = yield from list_jobs(JobQuery(connection_id=connection_id_of(checkpoint)))
    now = yield from Now()
    since = _on_the_servers_clock(checkpoint.asked_at, now, page.server_time)
    jobs = _jobs_of_this_request(page.jobs, checkpoint, since)
    return newest(job for job in jobs if not job.status.is_final and not is_left_over(job, page))


def ask_whether_it_exists(connection_id: str) -> Flow[None]:
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


def _on_the_servers_clock(
    moment: datetime, now: datetime, server_time: datetime | None
) -> datetime:
    """Translate a moment of our clock to the server's, a little early to be safe."""
    if server_time is None:
        return moment - SKEW_WITHOUT
    return moment + (server_time - now) - SKEW_WITH_SERVER_TIME
