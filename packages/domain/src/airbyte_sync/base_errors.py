"""The root of all errors, and the one that the values of :mod:`airbyte_sync.jobs` themselves raise.

They stand below the values. :mod:`airbyte_sync.errors`, whose errors carry values, has the whole tree.
"""

from __future__ import annotations

from typing import Any, TypeVar

Error = TypeVar("Error", bound="AirbyteSyncError")


class AirbyteSyncError(Exception):
    """
    The root: catch it to catch everything that this project raises on purpose.

    Every error can be pickled and copied with all its attributes, as process pools need it.

    Two facts are on every error. They are its class's where they hold for all of it, and its own where they
    depend on what happened.

    Args:
        *args: The text.
        retry_safe: The fact of this error, where it differs from its class's.
    """

    retry_safe: bool = False
    """
    Whether it is sure that nothing is left behind that another try could double: nothing was started, or
    what was started has ended, or what runs is another client's.
    """
    retry_may_help: bool = True
    """Whether another try may end otherwise, although no person has changed anything."""

    def __init__(self, *args: object, retry_safe: bool | None = None) -> None:
        super().__init__(*args)
        if retry_safe is not None:
            self.retry_safe = retry_safe

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is made anew from its positional arguments alone by default.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[Error], args: tuple[Any, ...]) -> Error:
    """Return an error as its pickle begins; its attributes follow."""
    return kind.__new__(kind, *args)


class InvalidInput(AirbyteSyncError):
    """An argument or a setting cannot be right. Raised before anything was sent."""

    retry_safe = True
    retry_may_help = False
