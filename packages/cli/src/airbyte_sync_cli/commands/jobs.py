"""``airbyte-sync jobs``: what runs and what ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airbyte_sync import JobType
from airbyte_sync_cli import options
from airbyte_sync_cli.options import SectionCommand, option

if TYPE_CHECKING:
    from airbyte_sync_cli.exit_codes import ExitCode


@click.command(
    cls=SectionCommand,
    short_help="List what runs and what ran.",
    epilog="""\b
Examples:
  airbyte-sync jobs --active
  airbyte-sync jobs --limit 5 Orders
  airbyte-sync jobs --workspace 18dccc91-0ab1-4f72-9ed7-0b8fc27c5826 --json
""",
)
@click.argument("connection", required=False, metavar="[CONNECTION]")
@option(
    *("--active",),
    is_flag=True,
    default=False,
    help="Only what has not ended, also what no program follows any more.",
)
@option(
    *("--limit",),
    type=click.IntRange(1, 100),
    metavar="N",
    help="List so many, the newest ones. Default: 20. --active lists all.",
)
@option(
    *("--type", "job_type"),
    type=click.Choice([each.value for each in JobType]),
    help="Only jobs of this type.",
)
@options.json_option()
@options.server_options()
@options.workspace_option()
def jobs(connection: str | None, **flags: Any) -> ExitCode:
    """
    List the jobs of a connection, of a workspace, or all that the credentials can see; the newest first.

    CONNECTION is the name of a connection or its id.
    """
    from airbyte_sync_cli.execution import execute
    from airbyte_sync_cli.work.lists import list_jobs

    return execute(list_jobs, connection, flags=flags)
