"""
Reading tables that people wrote, strictly: what is misspelt is an error, not a default.

Every level adds its own key to the error of the level below, so the text leads to the place:
``connections: [1]: job_scripts: [0]: unknown key 'stpes'; the known keys are steps, on_cancel``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from typing_extensions import Self

    from airbyte_sync_local.platform.model import Json

T = TypeVar("T")


class InvalidScenario(ValueError):
    """Something in a scenario, or in a request to the local admin API, cannot be meant."""


class Table:
    """
    A table of which every key must be taken, before the end of a ``with`` block.

    Args:
        value: The table as parsed from JSON or TOML.

    Raises:
        InvalidScenario: `value` is not a table; at the end of the block: there are keys that were not taken.
    """

    def __init__(self, value: Json) -> None:
        if not isinstance(value, Mapping):
            raise InvalidScenario(f"expected a table with keys, got {value!r}")
        self._left: dict[str, Json] = dict(value)
        self._known: list[str] = []

    def __enter__(self) -> Self:
        """Begin to take keys."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Check that nothing is left, where nothing else is wrong."""
        if kind is None and self._left:
            unknown = ", ".join(map(repr, self._left))
            raise InvalidScenario(
                f"unknown key {unknown}; the known keys are {', '.join(self._known)}"
            )

    def __contains__(self, key: str) -> bool:
        """Tell whether a key is there, and not yet taken."""
        return key in self._left

    def take(self, key: str, kind: Callable[[Json], T], default: T) -> T:
        """
        Take the value of a key.

        Args:
            key: The key.
            kind: Reads the value; raises ValueError for one that cannot be meant.
            default: What it is when the key is not there.

        Raises:
            InvalidScenario: The value cannot be meant.
        """
        self._known.append(key)
        if key not in self._left:
            return default
        value = self._left.pop(key)
        try:
            return kind(value)
        except ValueError as problem:
            raise InvalidScenario(f"{key}: {problem}") from problem

    def need(self, key: str, kind: Callable[[Json], T]) -> T:
        """
        Take the value of a key that must be there.

        Raises:
            InvalidScenario: It is not there, or cannot be meant.
        """
        if key not in self._left:
            raise InvalidScenario(f"the key {key!r} is missing")
        return self.take(key, kind, cast("T", None))  # the default is never used

    def switch(self, key: str, *, usual: bool = False) -> bool:
        """
        Take the value of a key that says true or false.

        Raises:
            InvalidScenario: It says something else.
        """
        return self.take(key, flag, usual)

    def rest(self) -> Mapping[str, Json]:
        """Take everything that is left."""
        rest, self._left = self._left, {}
        return rest


def text(value: Json) -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise InvalidScenario(f"expected text, got {value!r}")
    return value


def secret(value: Json) -> str:
    """Read a string that no error may repeat."""
    if not isinstance(value, str):
        raise InvalidScenario("expected text, got something else")
    return value


def number(value: Json) -> int:
    """Read a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidScenario(f"expected a whole number, got {value!r}")
    return value


def flag(value: Json) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise InvalidScenario(f"expected true or false, got {value!r}")
    return value


def seconds(value: Json) -> timedelta:
    """Read a duration: a number of seconds, with or without a fraction."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise InvalidScenario(f"expected a number of seconds, got {value!r}")
    return timedelta(seconds=value)


def anything(value: Json) -> Json:
    """Take a value as it is."""
    return value


def word(*words: Any) -> Callable[[Json], Any]:
    """Make a reader of one word out of several."""

    def read(value: Json) -> Any:
        if value not in words:
            raise InvalidScenario(f"expected one of {', '.join(map(str, words))}, got {value!r}")
        return value

    return read


def several(kind: Callable[[Json], T]) -> Callable[[Json], tuple[T, ...]]:
    """Make a reader of a list."""

    def read(value: Json) -> tuple[T, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InvalidScenario(f"expected a list, got {value!r}")
        return tuple(_item(kind, index, item) for index, item in enumerate(value))

    return read


def _item(kind: Callable[[Json], T], index: int, value: Json) -> T:
    try:
        return kind(value)
    except ValueError as problem:
        raise InvalidScenario(f"[{index}]: {problem}") from problem
