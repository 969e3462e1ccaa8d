"""What a command may say beside the errors of airbyte-sync."""

from __future__ import annotations

from airbyte_sync import AirbyteSyncError


class NoSuchJob(AirbyteSyncError):
    """The connection has no job that the command could be about. Nothing was sent."""

    retry_safe = True
    retry_may_help = True
