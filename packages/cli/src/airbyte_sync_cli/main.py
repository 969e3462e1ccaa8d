"""The command line: its commands, and how it ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from airbyte_sync_cli.commands.cancel import cancel
from airbyte_sync_cli.commands.check import check
from airbyte_sync_cli.commands.completion import PROGRAM, completion
from airbyte_sync_cli.commands.connections import connections
from airbyte_sync_cli.commands.jobs import jobs
from airbyte_sync_cli.commands.run import run
from airbyte_sync_cli.commands.submit import submit
from airbyte_sync_cli.commands.watch import watch
from airbyte_sync_cli.exit_codes import ExitCode
from airbyte_sync_cli.settings import default_config_file
from airbyte_sync_cli.streams import prepare_streams, send_nowhere
from airbyte_sync_cli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Program(click.Group):
    """The program: its commands in the order of their use, then settings and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands as they were added."""
        del ctx
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what all commands have in common."""
        with formatter.section("Settings"):
            formatter.write_text(
                "Options go before the environment, and that before the settings file. One name, three "
                "spellings:"
            )
            formatter.write_dl(
                [
                    ("--url", "AIRBYTE_SYNC_URL, and url in [server]"),
                    ("--client-id", "AIRBYTE_SYNC_CLIENT_ID, and client_id in [server]"),
                    ("no option", "AIRBYTE_SYNC_CLIENT_SECRET, and client_secret in [server]"),
                    ("--timeout", "AIRBYTE_SYNC_TIMEOUT, and timeout in [policy]"),
                    ("--state", "AIRBYTE_SYNC_STATE, and state in [run]"),
                ]
            )
            formatter.write_text(
                f"The file is {default_config_file()}, or what --config or AIRBYTE_SYNC_CONFIG names. All "
                "durations are seconds."
            )
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), code.meaning) for code in ExitCode])
            formatter.write_text("Of several connections, the highest exit code holds.")
        super().format_epilog(ctx, formatter)


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    commands=[run, submit, watch, cancel, jobs, connections, check, completion],
)
@click.version_option(__version__, prog_name=PROGRAM)
def program() -> None:
    """
    Run Airbyte syncs from a shell, cron or systemd.

    \b
    First steps:
      export AIRBYTE_SYNC_URL=http://localhost:8000
      export AIRBYTE_SYNC_CLIENT_ID=... AIRBYTE_SYNC_CLIENT_SECRET=...
      airbyte-sync check
      airbyte-sync connections
      airbyte-sync run Orders
    """


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Args:
        argv: The arguments; ``None``: those of this process.

    Returns:
        The exit code, see :class:`~airbyte_sync_cli.ExitCode`.
    """
    prepare_streams()
    arguments = None if argv is None else list(argv)
    try:
        code = program.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        try:
            error.show()
        except OSError:
            send_nowhere(sys.stderr)
        return ExitCode.BAD_USAGE
    except click.Abort:
        return ExitCode.INTERRUPTED
    return int(code or ExitCode.SUCCEEDED)
