"""Values as JSON types, and back: what a store brings back is read strictly, and nothing is guessed."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync.jobs import JobStatus
from airbyte_sync.texts import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field

_YEARS = range(1970, 9000)
_LARGEST_NUMBER = 2**63 - 1

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Return a value as JSON types: a dataclass without the fields that have their default."""
    if isinstance(value, JobStatus):
        return value.word
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    if is_dataclass(value):
        entries = {each.name: getattr(value, each.name) for each in fields(value)}
        defaults = {each.name: _default(each) for each in fields(value)}
        return {name: plain(entry) for name, entry in entries.items() if entry != defaults[name]}
    return value


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def exactly(kind: type[T]) -> Callable[[object], T]:
    """Return a reader of values of one type, and of no subclass of it: ``True`` is no number."""

    def read(value: object) -> T:
        if type(value) is not kind:
            raise TypeError(f"{shown(value)} is not of type {kind.__name__}")
        return value

    return read


def count(value: object) -> int:
    """Read a number that an id or a counter may have."""
    number = exactly(int)(value)
    if not 0 <= number <= _LARGEST_NUMBER:
        raise ValueError("a number is below zero, or has more than 63 bits")
    return number


def moment(value: object) -> datetime:
    """Read a moment with a time zone; return it in UTC."""
    read = datetime.fromisoformat(exactly(str)(value))
    if read.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    if read.year not in _YEARS:  # the flows add durations of up to ten years
        raise ValueError(f"{value!r} is too far away")
    return read.astimezone(timezone.utc)


def status(value: object) -> JobStatus:
    """Read Airbyte's word for where a job stands."""
    return JobStatus(exactly(str)(value))
