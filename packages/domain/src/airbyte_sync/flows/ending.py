"""The end of a job: what it means for the request, and what is asked for about a success."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync.commands import FetchDetails, Flow
from airbyte_sync.errors import CallFailed
from airbyte_sync.flows.failures import ensure_succeeded
from airbyte_sync.job_details import JobDetails
from airbyte_sync.results import SyncResult

if TYPE_CHECKING:
    from airbyte_sync.events import Origin
    from airbyte_sync.jobs import Job
    from airbyte_sync.policy import SyncPolicy


def result_of(job: Job, origin: Origin, policy: SyncPolicy) -> Flow[SyncResult]:
    """Return the result of a job that succeeded, with its streams where they are wanted; raise for any
    other end."""
    job = yield from ensure_succeeded(job, policy)
    details = (yield from _details_of(job)) if policy.streams else JobDetails()
    return SyncResult(job=job, origin=origin, streams=details.streams, attempts=details.attempts)


def _details_of(job: Job) -> Flow[JobDetails]:
    try:
        return (yield from FetchDetails(job.job_id, job.connection_id))
    except CallFailed:
        return JobDetails()  # details are worth a few seconds, and never the outcome itself
