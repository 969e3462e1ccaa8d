"""What a store may say instead of opening a request."""

from __future__ import annotations

from airbyte_sync.errors import AirbyteSyncError


class RequestLocked(AirbyteSyncError):
    """
    Another process follows the same request. Nothing was sent.

    Attributes:
        key: The key of the request.
        holder: Who follows it, as far as the store tells: the process and its machine.
    """

    retry_safe: bool = True
    retry_may_help: bool = True

    def __init__(self, message: str, *, key: str, holder: str | None = None) -> None:
        super().__init__(message)
        self.key = key
        self.holder = holder


class StoreFailed(AirbyteSyncError):
    """
    A store could not be read or written: a full disk, a missing permission, a file that is no database.

    It is raised only before a request is submitted, so that nothing is started that could not be found
    again. A sync that runs is followed to its end even where the store fails.
    """

    retry_safe: bool = True
    retry_may_help: bool = True
