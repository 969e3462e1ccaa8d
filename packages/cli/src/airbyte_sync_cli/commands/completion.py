"""``airbyte-sync completion``: the lines that teach a shell the commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from airbyte_sync_cli.exit_codes import ExitCode
from airbyte_sync_cli.options import SectionCommand

PROGRAM = "airbyte-sync"
VARIABLE = "_AIRBYTE_SYNC_COMPLETE"


@click.command(
    cls=SectionCommand,
    epilog="""\b
Once, in the file that your shell reads when it starts:
  ~/.bashrc                    eval "$(airbyte-sync completion bash)"
  ~/.zshrc                     eval "$(airbyte-sync completion zsh)"
  ~/.config/fish/config.fish   airbyte-sync completion fish | source
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> ExitCode:
    """Print what makes your shell complete commands and options."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
    return ExitCode.SUCCEEDED
