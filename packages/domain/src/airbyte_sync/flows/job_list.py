"""The job list of a connection: what a flow reads in it, in every phase."""

from __future__ import annotations

from datetime import datetime, timedelta

from airbyte_sync.commands import FindJobs, Flow
from airbyte_sync.errors import CallFailed, UnexpectedReply
from airbyte_sync.jobs import Job, JobPage, ended_after, is_same_id
from airbyte_sync.requests import JobQuery

SKEW_WITH_SERVER_TIME = timedelta(seconds=2)
"""How far job times and request times may disagree: both are cut to whole seconds by the server."""

SKEW_WITHOUT = timedelta(seconds=5)
"""The same, where the server does not tell its time."""


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


def is_left_over(job: Job, page: JobPage) -> bool:
    """Whether a listed job is still reported as on its way although a newer one has ended."""
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


def on_the_servers_clock(moment: datetime, now: datetime, server_time: datetime | None) -> datetime:
    """Translate a moment of our clock to the server's, a little early to be safe."""
    if server_time is None:
        return moment - SKEW_WITHOUT
    return moment + (server_time - now) - SKEW_WITH_SERVER_TIME
