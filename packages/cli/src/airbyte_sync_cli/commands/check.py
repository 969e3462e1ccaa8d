"""``airbyte-sync check``: do the settings work?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airbyte_sync_cli import options
from airbyte_sync_cli.options import SectionCommand

if TYPE_CHECKING:
    from airbyte_sync_cli.exit_codes import ExitCode


@click.command(
    cls=SectionCommand,
    short_help="Say whether the settings work.",
    epilog="""\b
Examples:
  airbyte-sync check
  airbyte-sync check Orders
""",
)
@click.argument("connections", nargs=-1, metavar="[CONNECTION]...")
@options.json_option()
@options.server_options()
@options.workspace_option()
def check(connections: tuple[str, ...], **flags: Any) -> ExitCode:
    """
    Say whether Airbyte answers, accepts the credentials and can run the syncs of some connections.

    Nothing is started.
    """
    from airbyte_sync_cli.execution import execute
    from airbyte_sync_cli.work.check import check_all

    return execute(check_all, connections, flags=flags)
