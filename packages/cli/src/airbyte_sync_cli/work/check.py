"""What ``airbyte-sync check`` does: one call that needs the credentials, and one for each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airbyte_sync import AirbyteSyncError
from airbyte_sync.flows.connections import why_it_takes_no_jobs
from airbyte_sync.jobs import is_uuid
from airbyte_sync_cli.display.as_json import error_as_json
from airbyte_sync_cli.execution import exiting_on_sigterm, write, write_error, write_line
from airbyte_sync_cli.exit_codes import ExitCode, exit_code_of, highest
from airbyte_sync_cli.work.session import open_session
from airbyte_sync_http import NoAuth
from airbyte_sync_http.transports.network import with_network_advice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airbyte_sync import Connection
    from airbyte_sync_cli.settings import CliSettings
    from airbyte_sync_cli.work.session import Session
    from airbyte_sync_http import ServerSettings


async def check_all(
    connections: Sequence[str], settings: CliSettings, flags: Mapping[str, Any]
) -> ExitCode:
    """
    Ask Airbyte whether all is well.

    Raises:
        AirbyteSyncError: A setting is wrong, or Airbyte cannot be reached, or refuses.
    """
    as_json = flags["as_json"]
    codes = [ExitCode.SUCCEEDED]
    told: list[dict[str, Any]] = []
    with exiting_on_sigterm():
        async with open_session(settings) as session:
            await session.gateway.check()
            if not as_json:
                _tell_server(session.server, settings)
            for text in connections:
                connection, problem, error = await _check(session, text)
                if problem is not None:
                    codes.append(ExitCode.REFUSED if error is None else exit_code_of(error))
                if not as_json:
                    _tell_connection(text, connection, problem)
                told.append(
                    {
                        "target": text,
                        "connection_id": None if connection is None else connection.connection_id,
                        "connection_name": None if connection is None else connection.name,
                        "problem": problem,
                        "error": None if error is None else error_as_json(error),
                    }
                )
    code = highest(codes)
    if as_json:
        write(
            {
                "outcome": code.word,
                "exit_code": int(code),
                "url": session.server.base_url,
                "connections": told,
            }
        )
    return code


async def _check(
    session: Session, text: str
) -> tuple[Connection | None, str | None, AirbyteSyncError | None]:
    """Return a connection, and why its syncs cannot run."""
    try:
        if is_uuid(text):
            connection = await session.gateway.fetch_connection(text)
        else:
            connection = await session.find(text)
    except AirbyteSyncError as error:
        return None, with_network_advice(error), error
    return connection, why_it_takes_no_jobs(connection), None


def _tell_server(server: ServerSettings, settings: CliSettings) -> None:
    if settings.file is not None:
        write_line(f"Settings come from {settings.file}, the environment and options")
    is_open = isinstance(server.auth, NoAuth)
    who = "asks for no credentials" if is_open else "accepts these credentials"
    write_line(f"Airbyte answered at {server.base_url}, and it {who}")
    if server.transport.verify is False and server.base_url.startswith("https"):
        write_line("Its certificate was not checked, because verify is false")


def _tell_connection(text: str, connection: Connection | None, problem: str | None) -> None:
    if problem is not None:
        write_error(f"airbyte-sync: {text}: {problem}")
    elif connection is not None:
        write_line(f"Connection {connection.name!r} ({connection.connection_id}) can run syncs")
