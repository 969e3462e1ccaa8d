"""``airbyte-sync connections``: what there is to sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airbyte_sync_cli import options
from airbyte_sync_cli.options import SectionCommand

if TYPE_CHECKING:
    from airbyte_sync_cli.exit_codes import ExitCode


@click.command(
    cls=SectionCommand,
    epilog="""\b
Examples:
  airbyte-sync connections
  airbyte-sync connections --json | jq -r '.connections[].name'
""",
)
@options.json_option()
@options.server_options()
@options.workspace_option()
def connections(**flags: Any) -> ExitCode:
    """List connections with their ids, statuses and names."""
    from airbyte_sync_cli.execution import execute
    from airbyte_sync_cli.work.lists import list_connections

    return execute(list_connections, flags=flags)
