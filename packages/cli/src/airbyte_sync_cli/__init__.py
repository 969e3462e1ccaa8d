"""The command ``airbyte-sync``: Airbyte syncs from a shell, cron or systemd."""

from airbyte_sync_cli.exit_codes import ExitCode, exit_code_of, highest
from airbyte_sync_cli.main import main
from airbyte_sync_cli.version import __version__

__all__ = ["ExitCode", "__version__", "exit_code_of", "highest", "main"]
