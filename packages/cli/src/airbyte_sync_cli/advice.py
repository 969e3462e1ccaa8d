"""What an error says, with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync_http.transports.network import explain_network_error

if TYPE_CHECKING:
    from airbyte_sync import AirbyteSyncError


def advised(error: AirbyteSyncError) -> str:
    """Return the text of an error, with what to do about the network where that is the matter."""
    advice = explain_network_error(error)
    return str(error) if advice is None else f"{advice} ({error})"
