"""Lists that take several requests: all connections, those of a name, and the jobs that are active.

Each is a flow of requests and responses, with a bound on how many there are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync.errors import BadRequest, RefusedOnTheWay, UnexpectedReply, Unprocessable
from airbyte_sync.jobs import ACTIVE, ConnectionStatus, JobStatus, is_similar_name
from airbyte_sync_http.auth.hiding import hide
from airbyte_sync_http.protocol import messages
from airbyte_sync_http.transports.base import AnswerTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync.commands import Flow
    from airbyte_sync.jobs import Connection, Job
    from airbyte_sync.requests import JobQuery
    from airbyte_sync_http.auth.tokens import Authenticator

MOST_PAGES = 500
"""Pages of connections that are read: 50,000 connections, where they have few streams."""
MOST_PAGES_OF_JOBS = 100
"""Pages of active jobs of one status that are read: 10,000 jobs."""
_FEWER_AT_A_TIME = 5


def find_connections(
    auth: Authenticator, name: str, workspace_id: str | None
) -> Flow[tuple[Connection, ...]]:
    """Find connections by name: :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""
    # Names are read without credentials, so that what is asked for is compared without them, too.
    return _connections(auth, workspace_id, lambda there: is_similar_name(there.name, hide(name)))


def list_connections(auth: Authenticator, workspace_id: str | None) -> Flow[tuple[Connection, ...]]:
    """List connections: :meth:`airbyte_sync.ports.ListingPort.list_connections`."""
    return _connections(auth, workspace_id, lambda _: True)


def _connections(
    auth: Authenticator,
    workspace_id: str | None,
    is_wanted: Callable[[Connection], bool],
) -> Flow[tuple[Connection, ...]]:
    """
    Go through all pages by offset; stop also at a page that brings nothing new.

    A page holds all streams of its connections. One that is too large is asked for again in smaller pages.

    Raises:
        UnexpectedReply: The pages do not come to an end.
    """
    seen: set[str] = set()
    found: dict[str, Connection] = {}
    limit = messages.LARGEST_PAGE
    for _ in range(MOST_PAGES):
        call = messages.list_connections(auth.settings, workspace_id, len(seen), limit)
        try:
            page = yield from auth.flow(call)
        except AnswerTooLarge:
            if limit == 1:
                raise
            limit = max(limit // _FEWER_AT_A_TIME, 1)
            continue
        new = [connection for connection in page if connection.connection_id not in seen]
        seen.update(connection.connection_id for connection in new)
        found.update(
            (connection.connection_id, connection)
            for connection in new
            if is_wanted(connection) and connection.status is not ConnectionStatus.DEPRECATED
        )
        if len(page) < limit or not new:
            return tuple(found.values())
    raise UnexpectedReply(
        f"the list of connections did not come to an end after {MOST_PAGES} pages and {len(seen)} "
        "connections. Give the connection by its id, or name its workspace."
    )


def list_active_jobs(auth: Authenticator, query: JobQuery) -> Flow[tuple[Job, ...]]:
    """
    List active jobs: :meth:`airbyte_sync.ports.ListingPort.list_active_jobs`.

    The newest jobs are listed once whatever their status is, because Airbyte may say a word that no filter
    knows yet. Older ones are found by the statuses that are known.

    Args:
        auth: The server, and who asks.
        query: Whose jobs.
    """
    query = replace(query, limit=messages.LARGEST_PAGE)
    page = yield from auth.flow(messages.find_jobs(auth.settings, query))
    found = {job.job_id: job for job in page.jobs}
    if len(page.jobs) == messages.LARGEST_PAGE:
        for status in ACTIVE:
            yield from _jobs_of_status(auth, replace(query, status=status), found)
    active = [job for job in found.values() if not job.status.is_final]
    return tuple(sorted(active, key=lambda job: (job.created_at, job.job_id), reverse=True))


def _jobs_of_status(auth: Authenticator, query: JobQuery, found: dict[int, Job]) -> Flow[None]:
    """
    Add the jobs of one status.

    Raises:
        UnexpectedReply: The pages do not come to an end.
    """
    seen: set[int] = set()
    for number in range(MOST_PAGES_OF_JOBS):
        call = messages.find_jobs(auth.settings, replace(query, offset=number * query.limit))
        try:
            page = yield from auth.flow(call)
        except (BadRequest, Unprocessable, RefusedOnTheWay):
            if query.status == JobStatus.QUEUED:  # servers up to v2.0.0 do not have the word
                return
            raise
        found.update((job.job_id, job) for job in page.jobs)
        new = {job.job_id for job in page.jobs} - seen
        if len(page.jobs) < query.limit or not new:
            return
        seen |= new
    raise UnexpectedReply(
        f"the list of jobs that are {query.status} did not come to an end after {MOST_PAGES_OF_JOBS} "
        "pages. Name a connection or a workspace."
    )
