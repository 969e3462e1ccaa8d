"""``airbyte-sync run``: run syncs to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airbyte_sync_cli import options
from airbyte_sync_cli.options import INTERRUPTION, OUTPUT, SYNC, SectionCommand, option

if TYPE_CHECKING:
    from airbyte_sync_cli.exit_codes import ExitCode


@click.command(
    cls=SectionCommand,
    epilog="""\b
Examples:
  airbyte-sync run Orders
  airbyte-sync run Orders Prices 3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11
  airbyte-sync run --timeout 7200 --on-conflict attach Orders
  airbyte-sync run --json Orders | jq '.syncs[0].job.rows'

\b
For cron, with a mail only when a sync does not succeed; after a kill, the
next run goes on with the same sync:
  0 2 * * *  airbyte-sync run --quiet --state ~/.airbyte-sync Orders
""",
)
@click.argument("connections", nargs=-1, required=True, metavar="CONNECTION...")
@options.request_options()
@options.timeout_option(
    "Cancel the sync when it has not ended within so long, counted from when it was started or found. "
    "none: no end. Default: 3600."
)
@options.poll_interval_option()
@options.unreachable_option()
@option(
    *("--at-once",),
    section=SYNC,
    metavar="N",
    help="Run at most so many syncs at the same time. Default: all.",
)
@option(
    *("--state",),
    section=INTERRUPTION,
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Remember unfinished syncs in this folder, made if it is not there: the next run goes on with "
    "them, also after a kill -9 or a reboot. Use one for each Airbyte.",
)
@option(
    *("--run-id",),
    section=INTERRUPTION,
    metavar="ID",
    help="What this run is called, with --state: only a run of the same name goes on with its sync. "
    "Example: the date of a nightly run.",
)
@option(
    "--cancel-on-interrupt/--leave-running",
    "cancel_on_interrupt",
    section=INTERRUPTION,
    help="What Ctrl-C and SIGTERM do with a sync that this program started. Default: Ctrl-C cancels it; "
    "SIGTERM cancels it without --state, and with --state leaves it for the next run.",
)
@option(
    *("--streams",),
    section=OUTPUT,
    is_flag=True,
    help="Ask for rows and bytes of each stream at the end, too.",
)
@options.progress_options()
@options.server_options()
@options.workspace_option()
def run(
    connections: tuple[str, ...],
    cancel_on_interrupt: bool | None,  # noqa: FBT001 - click passes options by name
    **flags: Any,
) -> ExitCode:
    """
    Run syncs to their end.

    CONNECTION is the name of a connection or its id. Several run at the same time, and the exit code is the
    highest of theirs. A sync that another program has started is waited for, see --on-conflict.

    What is started is followed until Airbyte says that it has ended: lost answers, restarts and bad networks
    neither end the wait nor start the sync twice.
    """
    from airbyte_sync_cli.execution import execute
    from airbyte_sync_cli.work.run import run_connections

    if cancel_on_interrupt is not None:
        flags["on_interrupt"] = "cancel" if cancel_on_interrupt else "leave_running"
    return execute(run_connections, connections, flags=flags)
