"""The connection is busy with a job that was there before the request: skip, fail, attach, or wait."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync.commands import FetchJob, Flow, Now, Report
from airbyte_sync.errors import CallFailed, NotFound, SyncAlreadyRunning, SyncSkipped
from airbyte_sync.events import JobLeftOver, Origin, WaitingForOther
from airbyte_sync.flows.failures import clock_of_the_wait, has_waited_too_long
from airbyte_sync.flows.job_list import newer_that_ended
from airbyte_sync.flows.polling import (
    on_poll_failure,
    pause_until_due,
    record_answer,
    require_same_connection,
    with_next_poll,
)
from airbyte_sync.flows.transitions import Happened, enter
from airbyte_sync.flows.watching import start_watching
from airbyte_sync.phases import ConnectionBusy, FindingJob
from airbyte_sync.policy import OnConflict

if TYPE_CHECKING:
    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.jobs import Job
    from airbyte_sync.policy import SyncPolicy

LIST_EVERY = 16
"""After how many polls of a job in the way the list is asked whether it is a leftover."""


def resolve_conflict(
    checkpoint: Checkpoint, finding: FindingJob, policy: SyncPolicy, active: Job
) -> Flow[Checkpoint]:
    """Decide about a job that is active and was there before the request was made."""
    match policy.on_conflict:
        case OnConflict.SKIP:
            raise SyncSkipped(
                f"connection {active.connection_id} is busy with job {active.job_id} "
                f"({active.job_type}, {active.status}): skipped, as on_conflict asks",
                job=active,
                retry_safe=checkpoint.has_nothing_to_cancel,
            )
        case OnConflict.FAIL:
            raise SyncAlreadyRunning(
                f"connection {active.connection_id} is busy with job {active.job_id} "
                f"({active.job_type}, {active.status}). Wait for it, or set on_conflict to queue, "
                "attach or skip.",
                retry_safe=checkpoint.has_nothing_to_cancel,
            )
        case OnConflict.ATTACH if checkpoint.job_type.covers(active.job_type):
            return (
                yield from start_watching(
                    checkpoint, policy, Happened.JOB_FOUND, active, Origin.ATTACHED
                )
            )
        case OnConflict.ATTACH | OnConflict.QUEUE:
            yield from Report(WaitingForOther(job=active))
            now = yield from Now()
            busy = ConnectionBusy(
                connection_id=finding.connection_id,
                after_job_id=active.job_id,
                submissions=finding.submissions,
                earlier=finding.earlier,
                search_until=finding.search_until,
            )
            checkpoint = replace(checkpoint, failures=None, polls=0)
            checkpoint = enter(checkpoint, Happened.OTHER_JOB_ACTIVE, busy)
            return with_next_poll(checkpoint, policy, now, active.job_id)


def wait_for_other_job(
    checkpoint: Checkpoint, busy: ConnectionBusy, policy: SyncPolicy
) -> Flow[Checkpoint]:
    """Wait for the end of another job."""
    # A submission in doubt may still come to life: how long to look for it has not changed.
    finding = FindingJob(
        connection_id=busy.connection_id,
        after_job_id=busy.after_job_id,
        submissions=busy.submissions,
        earlier=busy.earlier,
        search_until=busy.search_until,
    )
    while True:
        now = yield from pause_until_due(checkpoint, policy.poll.floor)
        is_over = has_waited_too_long(checkpoint, now)
        try:
            job = yield from FetchJob(busy.after_job_id, recent=not is_over)
            require_same_connection(checkpoint, job)
        except NotFound as error:  # the list tells whether anything is in the way
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            return enter(replace(checkpoint, polls=0), Happened.OTHER_JOB_ENDED, finding)
        except CallFailed as error:
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)
            continue
        checkpoint = record_answer(checkpoint)
        is_over_there = job.status.is_final
        if not is_over_there and checkpoint.polls and checkpoint.polls % LIST_EVERY == 0:
            newer = yield from newer_that_ended(job)
            if newer is not None:
                yield from Report(JobLeftOver(job=job, newer=newer))
                is_over_there = True
        if is_over_there:
            checkpoint = replace(checkpoint, wake_at=None, polls=0)
            return enter(checkpoint, Happened.OTHER_JOB_ENDED, finding)
        if is_over:
            kind, patience, advice = clock_of_the_wait(checkpoint, policy)
            raise kind(
                f"the sync did not begin{patience}: connection {job.connection_id} was busy with job "
                f"{job.job_id} ({job.status}), which is not ours. Set on_conflict to attach or skip, or "
                f"{advice}.",
                job=job,
                retry_safe=checkpoint.has_nothing_to_cancel,
            )
        checkpoint = with_next_poll(checkpoint, policy, now, job.job_id)
