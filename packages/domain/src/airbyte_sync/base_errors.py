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
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is made anew from its positional arguments alone by default.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[Error], args: tuple[Any, ...]) -> Error:
    """Return an error as its pickle begins; its attributes follow."""
    return kind.__new__(kind, *args)


class InvalidInput(AirbyteSyncError):
    """An argument or a setting cannot be right. Raised before anything was sent."""
