"""WATCH: look at a job until it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync.commands import FetchJob, Flow, Report
from airbyte_sync.errors import CallFailed
from airbyte_sync.events import JobEnded, JobSeen, StatusChanged
from airbyte_sync.flows.ending import to_cancel
from airbyte_sync.flows.steps import awake, job_id_of, look_failed, resting_until_next_look, seen
from airbyte_sync.flows.verdicts import is_late, is_queued_too_long

if TYPE_CHECKING:
    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.jobs import Job
    from airbyte_sync.policy import SyncPolicy


def look_until_it_ends(
    checkpoint: Checkpoint, policy: SyncPolicy
) -> Flow[tuple[Job | None, Checkpoint]]:
    """Look until the job ends, or return no job and the phase CANCEL when the deadline passes."""
    job_id = job_id_of(checkpoint)
    while True:
        now = yield from awake(checkpoint, policy.poll.floor)
        is_to_be_judged = is_late(checkpoint, now) or is_queued_too_long(checkpoint, now)
        try:
            job = yield from FetchJob(job_id, recent=not is_to_be_judged)
        except CallFailed as error:
            if is_late(checkpoint, now) and error.retry_safe is not False:
                return None, to_cancel(checkpoint, policy, now)
            checkpoint = yield from look_failed(checkpoint, policy, error, now)
            continue
        previous = checkpoint.status
        checkpoint = seen(checkpoint, job)
        if job.status.is_final:
            yield from Report(JobEnded(job=job))
            return job, checkpoint
        if job.status != previous:
            yield from Report(StatusChanged(job=job, previous=previous))
        else:
            yield from Report(JobSeen(job=job, at=now))
        if is_late(checkpoint, now):
            return None, to_cancel(checkpoint, policy, now)
        if not job.status.is_waiting_to_run:
            checkpoint = replace(checkpoint, queue_deadline=None)
        elif is_queued_too_long(checkpoint, now):
            overdue = replace(checkpoint, queued_too_long=True)
            return None, to_cancel(overdue, policy, now)
        checkpoint = resting_until_next_look(checkpoint, policy, now, job_id)
