"""``airbyte-sync watch``: follow jobs that run already, also those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airbyte_sync_cli import options
from airbyte_sync_cli.options import SectionCommand

if TYPE_CHECKING:
    from airbyte_sync_cli.exit_codes import ExitCode


@click.command(
    cls=SectionCommand,
    short_help="Follow jobs that were started already.",
    epilog="""\b
Examples:
  airbyte-sync watch 4711
  airbyte-sync watch Orders Prices
  airbyte-sync watch --json-events 4711 | jq -r .text
""",
)
@click.argument("targets", nargs=-1, required=True, metavar="JOB|CONNECTION...")
@options.timeout_option(
    "Stop watching when a job has not ended within so long; it goes on. none: no end. Default: 3600."
)
@options.poll_interval_option()
@options.unreachable_option()
@options.progress_options()
@options.server_options()
@options.workspace_option()
def watch(targets: tuple[str, ...], **flags: Any) -> ExitCode:
    """
    Follow jobs that were started already, and never cancel them.

    JOB is the number of a job. A CONNECTION, by name or by id, means its active job, or its newest one where
    none is active. The exit code says how the jobs ended, as for run.
    """
    from airbyte_sync_cli.execution import execute
    from airbyte_sync_cli.work.watch import watch_all

    return execute(watch_all, targets, flags=flags)
