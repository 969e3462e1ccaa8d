"""``airbyte-sync submit``: start a sync and do not wait for its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airbyte_sync_cli import options
from airbyte_sync_cli.options import SectionCommand

if TYPE_CHECKING:
    from airbyte_sync_cli.exit_codes import ExitCode


@click.command(
    cls=SectionCommand,
    short_help="Start a sync and print the number of its job.",
    epilog="""\b
Examples:
  airbyte-sync submit Orders
  job=$(airbyte-sync submit Orders) && airbyte-sync watch "$job"
""",
)
@click.argument("connection", metavar="CONNECTION")
@options.request_options()
@options.unreachable_option()
@options.json_option()
@options.server_options()
@options.workspace_option()
def submit(connection: str, **flags: Any) -> ExitCode:
    """
    Start a sync, and do not wait for its end.

    CONNECTION is the name of a connection or its id. Standard output has the id of the job and nothing else;
    what happens on the way is told on standard error.
    """
    from airbyte_sync_cli.execution import execute
    from airbyte_sync_cli.work.submit import submit_connection

    return execute(submit_connection, connection, flags=flags)
