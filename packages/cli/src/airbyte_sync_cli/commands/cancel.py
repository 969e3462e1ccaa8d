"""``airbyte-sync cancel``: cancel jobs, until Airbyte says that they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airbyte_sync_cli import options
from airbyte_sync_cli.options import SYNC, SectionCommand, option

if TYPE_CHECKING:
    from airbyte_sync_cli.exit_codes import ExitCode


@click.command(
    cls=SectionCommand,
    short_help="Cancel jobs, until Airbyte says that they have ended.",
    epilog="""\b
Examples:
  airbyte-sync cancel 4711
  airbyte-sync cancel Orders
""",
)
@click.argument("targets", nargs=-1, required=True, metavar="JOB|CONNECTION...")
@option(
    *("--cancel-timeout",),
    section=SYNC,
    metavar="SECONDS",
    help="Wait so long for Airbyte to say that a job has ended. Default: 120.",
)
@options.json_option()
@options.server_options()
@options.workspace_option()
def cancel(targets: tuple[str, ...], **flags: Any) -> ExitCode:
    """
    Cancel jobs, and wait until Airbyte says that they have ended.

    JOB is the number of a job. A CONNECTION, by name or by id, means all that runs on it, also what others
    have started.
    A job that has ended already is left alone, and that is no error.
    """
    from airbyte_sync_cli.execution import execute
    from airbyte_sync_cli.work.cancel import cancel_all

    return execute(cancel_all, targets, flags=flags)
