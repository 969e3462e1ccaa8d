"""What ``airbyte-sync submit`` does: start a sync, and print its job's number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airbyte_sync import JobType, SyncRequest, describe, submit
from airbyte_sync_cli.execution import exiting_on_sigterm, write, write_error, write_line
from airbyte_sync_cli.exit_codes import ExitCode
from airbyte_sync_cli.work.session import open_session
from airbyte_sync_http import job_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airbyte_sync import Event
    from airbyte_sync_cli.settings import CliSettings


async def submit_connection(
    connection: str, settings: CliSettings, flags: Mapping[str, Any]
) -> ExitCode:
    """
    Start the sync of a connection.

    Raises:
        AirbyteSyncError: There is no job; as :func:`airbyte_sync.submit`.
    """
    as_json = flags["as_json"]

    def tell(event: Event) -> None:
        if not as_json:
            write_error(describe(event, connection_name=name).text)

    name = None
    with exiting_on_sigterm():
        async with open_session(settings) as session:
            connection_id, known = await session.lookup(connection, on_event=tell)
            name = None if known is None else known.name
            job_type = JobType(flags.get("job_type") or "sync")
            request = SyncRequest(connection_id=connection_id, job_type=job_type)
            try:
                submission = await session.run(submit(request, session.policy), tell)
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                write_error(
                    "interrupted: it is unknown whether a sync was started; see airbyte-sync jobs --active"
                )
                raise
    url = None
    if known is not None:
        workspace_id = known.workspace_id
        url = job_url(session.server.ui_url, workspace_id, connection_id, submission.job_id)
    if as_json:
        told = {
            "outcome": ExitCode.SUCCEEDED.word,
            "exit_code": int(ExitCode.SUCCEEDED),
            "job_id": submission.job_id,
            "origin": submission.origin.value,
            "connection_id": connection_id,
            "connection_name": name,
            "url": url,
        }
        write(told)
    else:
        if url is not None:
            write_error(url)
        write_line(str(submission.job_id))
    return ExitCode.SUCCEEDED
