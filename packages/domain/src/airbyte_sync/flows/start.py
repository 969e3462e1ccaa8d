"""What callers start, and where a checkpoint is resumed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import FetchJob, FindConnections, Flow, Now, Recall
from airbyte_sync.errors import CallFailed, ConnectionAmbiguous, ConnectionNotFound, NotFound
from airbyte_sync.events import Origin
from airbyte_sync.flows.ending import end_in_time_out, insist_on_cancelling
from airbyte_sync.flows.obtaining import ask_whether_it_exists, come_to_a_job
from airbyte_sync.flows.steps import job_id_of, origin_of
from airbyte_sync.flows.verdicts import judge
from airbyte_sync.flows.waiting import look_until_it_ends
from airbyte_sync.jobs import JobStatus
from airbyte_sync.results import Submission, SyncResult

if TYPE_CHECKING:
    from airbyte_sync.jobs import Connection, Job, SyncRequest
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
        deadline=None if policy.timeout is None else now + policy.timeout,
        queue_deadline=None if policy.queue_timeout is None else now + policy.queue_timeout,
    )
    checkpoint = yield from _where_we_were(fresh)
    if checkpoint is fresh and not request.has_uuid:
        yield from ask_whether_it_exists(request.connection_id)
    checkpoint = yield from come_to_a_job(checkpoint, policy)
    return Submission(
        job_id=job_id_of(checkpoint), origin=origin_of(checkpoint), checkpoint=checkpoint
    )


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
    checkpoint = yield from come_to_a_job(checkpoint, policy)
    if checkpoint.phase is Phase.WATCH:
        origin = origin_of(checkpoint)
        job, checkpoint = yield from look_until_it_ends(checkpoint, policy)
        if job is not None:
            return SyncResult(job=(yield from judge(job, policy)), origin=origin)
    return (yield from end_in_time_out(checkpoint, policy))


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
    job, _ = yield from insist_on_cancelling(checkpoint, policy)
    return job


def find_connection(name: str, workspace_id: str | None = None) -> Flow[Connection]:
    """
    Find the one connection of a name.

    Args:
        name: The name as the Airbyte UI shows it.
        workspace_id: Where to look; ``None`` means everywhere these credentials can see.

    Returns:
        The connection.

    Raises:
        ConnectionNotFound: None has the name.
        ConnectionAmbiguous: Several have it.
        CallFailed: The server could not be asked.
    """
    found = yield from FindConnections(name, workspace_id)
    place = "" if workspace_id is None else f" in workspace {workspace_id}"
    if not found:
        raise ConnectionNotFound(
            f"no connection is called {name!r}{place}: names are compared letter by letter. Check the "
            "name, and that these credentials may see the workspace."
        )
    if len(found) > 1:
        ids = ", ".join(connection.connection_id for connection in found)
        raise ConnectionAmbiguous(
            f"{len(found)} connections are called {name!r}{place}: {ids}. Name the workspace, or give "
            "the id.",
            connections=found,
        )
    return found[0]


def _where_we_were(fresh: Checkpoint) -> Flow[Checkpoint]:
    """
    Return where an earlier try of the same request left off, or ``fresh``.

    A job that is active is followed and one that succeeded is the result; after one that failed or
    was cancelled the request starts anew. A try has its own time-outs.
    """
    before = yield from Recall()
    if before is None or (before.connection_id, before.job_type) != (
        fresh.connection_id,
        fresh.job_type,
    ):
        return fresh
    again = replace(
        before,
        deadline=fresh.deadline,
        queue_deadline=fresh.queue_deadline,
        wake_at=None,
        failing_since=None,
        failures=0,
        looks=0,
    )
    if before.job_id is None:
        return again
    try:
        job = yield from FetchJob(before.job_id)
    except NotFound:
        return fresh
    except CallFailed as error:
        if error.retry_safe is False:
            raise
        return again  # the wait itself deals with a server that cannot be seen
    if job.status.is_final and job.status != JobStatus.SUCCEEDED:
        return replace(fresh, blocked_by=job.job_id)
    return again
