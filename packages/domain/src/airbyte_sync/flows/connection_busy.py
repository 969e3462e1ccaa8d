"""The connection is busy: a job that was there before the request is waited for, followed or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import (
    FetchJob,
    Flow,
    Now,
    Report,
)
from airbyte_sync.errors import (
    CallFailed,
    InvalidCheckpoint,
    NotFound,
    SyncAlreadyRunning,
    SyncSkipped,
)
from airbyte_sync.events import (
    JobLeftOver,
    Origin,
    WaitingForOther,
)
from airbyte_sync.flows.failures import (
    clock_of_the_wait,
    has_waited_too_long,
)
from airbyte_sync.flows.job_list import newer_that_ended
from airbyte_sync.flows.polling import (
    on_poll_failure,
    pause_until_due,
    record_poll,
    require_same_connection,
    with_next_poll,
)
from airbyte_sync.flows.watching import start_watching
from airbyte_sync.policy import OnConflict, SyncPolicy

if TYPE_CHECKING:
    from airbyte_sync.jobs import (
        Job,
    )

LIST_EVERY = 16
"""After how many polls of a job in the way the list is asked whether it is a leftover."""


def resolve_conflict(checkpoint: Checkpoint, policy: SyncPolicy, active: Job) -> Flow[Checkpoint]:
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
            return (yield from start_watching(checkpoint, policy, active, Origin.ATTACHED))
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
            return with_next_poll(queued, policy, now, active.job_id)


def wait_for_other_job(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Wait for the end of somebody else's job."""
    if checkpoint.blocked_by is None:
        raise InvalidCheckpoint("a checkpoint in phase queue needs a blocked_by")
    while True:
        now = yield from pause_until_due(checkpoint, policy.poll.floor)
        is_over = has_waited_too_long(checkpoint, now)
        try:
            job = yield from FetchJob(checkpoint.blocked_by, recent=not is_over)
            require_same_connection(checkpoint, job)
        except NotFound as error:  # the list tells whether anything is in the way
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            return replace(checkpoint, phase=Phase.LOOK, status=None, looks=0)
        except CallFailed as error:
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            continue
        checkpoint = record_poll(checkpoint, job)
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
        checkpoint = with_next_poll(checkpoint, policy, now, job.job_id)
