"""What ``airbyte-sync jobs`` and ``airbyte-sync connections`` do: read a list and show it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from airbyte_sync import ConnectionStatus, JobQuery, JobType
from airbyte_sync.event_texts import readable_bytes
from airbyte_sync_cli.amounts import duration_text
from airbyte_sync_cli.display.board import utc_now
from airbyte_sync_cli.display.columns import Column, table
from airbyte_sync_cli.execution import (
    exiting_on_sigterm,
    is_terminal,
    write,
    write_error,
    write_line,
)
from airbyte_sync_cli.exit_codes import ExitCode
from airbyte_sync_cli.work.session import open_session
from airbyte_sync_http import job_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airbyte_sync import Connection, Job
    from airbyte_sync_cli.settings import CliSettings
    from airbyte_sync_cli.work.session import Session

_USUAL_LIMIT = 20
_SHORTEST_NAME = 12
_STATUS_STYLES = {"succeeded": "green", "failed": "red", "cancelled": "yellow"}


async def list_jobs(
    connection: str | None, settings: CliSettings, flags: Mapping[str, Any]
) -> ExitCode:
    """
    Show jobs.

    Raises:
        AirbyteSyncError: There is no such connection, or Airbyte cannot be asked.
    """
    with exiting_on_sigterm():
        async with open_session(settings) as session:
            connection_id = None if connection is None else await session.id_of(connection)
            jobs = await _jobs(session, connection_id, flags)
            described = await session.described({job.connection_id for job in jobs})
    if flags["as_json"]:
        told = [_job_as_json(job, described, session.server.ui_url) for job in jobs]
        return _exit_code(write({"jobs": told}))
    if jobs:
        return _exit_code(_show(_job_columns(jobs, described, utc_now())))
    write_error("there are no active jobs" if flags["active"] else "there are no jobs")
    return ExitCode.SUCCEEDED


async def list_connections(settings: CliSettings, flags: Mapping[str, Any]) -> ExitCode:
    """
    Show connections.

    Raises:
        AirbyteSyncError: Airbyte cannot be asked.
    """
    with exiting_on_sigterm():
        async with open_session(settings) as session:
            found = await session.gateway.list_connections(session.workspace)
    found = tuple(sorted(found, key=lambda connection: connection.name.casefold()))
    if flags["as_json"]:
        told = [_connection_as_json(connection) for connection in found]
        return _exit_code(write({"connections": told}))
    if found:
        return _exit_code(_show(_connection_columns(found)))
    write_error("there are no connections that these credentials may see")
    return ExitCode.SUCCEEDED


def _exit_code(is_written: bool) -> ExitCode:  # noqa: FBT001 - what write() returns
    """Return the exit code of a list: one that is lost must not be taken for an empty one."""
    return ExitCode.SUCCEEDED if is_written else ExitCode.INTERNAL_ERROR


async def _jobs(
    session: Session, connection_id: str | None, flags: Mapping[str, Any]
) -> Sequence[Job]:
    job_type = None if flags["job_type"] is None else JobType(flags["job_type"])
    if flags["active"]:
        active = await session.gateway.list_active_jobs(connection_id, session.workspace)
        limit = flags["limit"] or len(active)
        return [job for job in active if job_type is None or job_type.covers(job.job_type)][:limit]
    query = JobQuery(
        connection_id=connection_id,
        workspace_id=session.workspace,
        job_type=job_type,
        limit=flags["limit"] or _USUAL_LIMIT,
    )
    return (await session.gateway.find_jobs(query)).jobs


def _job_as_json(job: Job, described: dict[str, Connection], ui_url: str) -> dict[str, Any]:
    connection = described.get(job.connection_id.lower())
    if connection is None:
        return {**job.to_json(), "connection_name": None, "url": None}
    url = job_url(ui_url, connection.workspace_id, job.connection_id, job.job_id)
    return {**job.to_json(), "connection_name": connection.name, "url": url}


def _connection_as_json(connection: Connection) -> dict[str, Any]:
    return {
        "connection_id": connection.connection_id,
        "name": connection.name,
        "status": connection.status.value,
        "workspace_id": connection.workspace_id,
        "source_id": connection.source_id,
        "destination_id": connection.destination_id,
    }


def _job_columns(
    jobs: Sequence[Job], described: dict[str, Connection], now: datetime
) -> list[Column]:
    def name(job: Job) -> str:
        connection = described.get(job.connection_id.lower())
        return job.connection_id if connection is None else connection.name

    def took(job: Job) -> str:
        if job.status.is_final:
            return "" if job.duration is None else duration_text(job.duration)
        return duration_text(now - job.created_at)

    def status(job: Job) -> Text:
        return Text(job.status.word, _STATUS_STYLES.get(job.status.word, "cyan"))

    return [
        Column(heading="JOB", cells=[Text(str(job.job_id)) for job in jobs], is_number=True),
        Column(heading="STATUS", cells=[status(job) for job in jobs]),
        Column(heading="TYPE", cells=[Text(job.job_type) for job in jobs], drop=1),
        Column(
            heading="STARTED (UTC)",
            cells=[Text(f"{job.created_at:%Y-%m-%d %H:%M:%S}") for job in jobs],
            drop=4,
        ),
        Column(heading="TIME", cells=[Text(took(job)) for job in jobs], is_number=True, drop=5),
        Column(
            heading="ROWS",
            cells=[Text("" if job.rows is None else f"{job.rows:,}") for job in jobs],
            is_number=True,
            drop=3,
        ),
        Column(
            heading="BYTES",
            cells=[Text("" if job.bytes is None else readable_bytes(job.bytes)) for job in jobs],
            is_number=True,
            drop=2,
        ),
        Column(
            heading="CONNECTION",
            cells=[Text(name(job)) for job in jobs],
            shortest=_SHORTEST_NAME,
        ),
    ]


def _connection_columns(connections: Sequence[Connection]) -> list[Column]:
    def status(connection: Connection) -> Text:
        is_active = connection.status is ConnectionStatus.ACTIVE
        return Text(connection.status.value, "green" if is_active else "yellow")

    several = len({connection.workspace_id for connection in connections}) > 1
    workspaces = [Text(connection.workspace_id if several else "") for connection in connections]
    return [
        Column(heading="ID", cells=[Text(each.connection_id) for each in connections]),
        Column(heading="STATUS", cells=[status(each) for each in connections], drop=2),
        Column(heading="WORKSPACE", cells=workspaces, drop=1),
        Column(
            heading="NAME",
            cells=[Text(each.name) for each in connections],
            shortest=_SHORTEST_NAME,
        ),
    ]


def _show(columns: list[Column]) -> bool:
    """
    Write a table: as wide as the terminal, or whole where no terminal is.

    Returns:
        Whether it was written.
    """
    if not is_terminal(sys.stdout):
        return write_line("\n".join(line.plain for line in table(columns)))
    console = Console()
    for line in table(columns, console.width):
        console.print(line)
    return True
