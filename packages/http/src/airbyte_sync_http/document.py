"""Reading JSON with care.

What a server sends may be half a document, another program's, or a newer version's. Whatever it is,
reading it gives a value of the type asked for, or an :class:`Unreadable` that names the place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

_INSTANT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[T ](?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(?:\.\d+)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)",
    re.ASCII,
)
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.\d+)?S)?)?",
    re.ASCII,
)


class Unreadable(ValueError):
    """A part of a document is missing, or is not what belongs there. The text names the place."""


@dataclass(frozen=True, slots=True)
class Part:
    """A document, or a place in it."""

    value: object
    place: str = "the document"

    @classmethod
    def of(cls, body: bytes) -> Part:
        """
        Read a JSON document.

        Raises:
            Unreadable: It is not JSON.
        """
        try:
            return cls(json.loads(body))
        except (ValueError, RecursionError) as error:
            raise Unreadable("the body is not JSON") from error

    def __getitem__(self, name: str) -> Part:
        """Return a member of an object; one that is absent holds ``None``."""
        if not isinstance(self.value, dict):
            raise self._misfit("an object")
        place = name if self.place == "the document" else f"{self.place}.{name}"
        return Part(self.value.get(name), place)

    def items(self) -> list[Part]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            raise self._misfit("a list")
        return [Part(item, f"{self.place}[{index}]") for index, item in enumerate(self.value)]

    def text(self) -> str:
        """Return a string that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self._misfit("a text")
        return self.value

    def count(self) -> int:
        """Return a whole number that is not negative."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self._misfit("a whole number")
        return self.value

    def instant(self) -> datetime:
        """Return a moment in UTC. Airbyte leaves out the seconds when they are ``:00``."""
        match = _INSTANT.fullmatch(self.text())
        if match is None:
            raise self._misfit("a time such as 2026-08-21T10:15:07Z")
        zone = "+00:00" if match["zone"] == "Z" else match["zone"]
        try:
            moment = datetime.fromisoformat(
                f"{match['day']}T{match['minute']}{match['second'] or ':00'}{zone}"
            )
            return moment.astimezone(timezone.utc)
        except (ValueError, OverflowError) as error:
            raise self._misfit("a time such as 2026-08-21T10:15:07Z") from error

    def duration(self) -> timedelta:
        """Return an ISO 8601 duration to whole seconds. Airbyte's largest unit is the hour."""
        match = _DURATION.fullmatch(self.text())
        if match is None:
            raise self._misfit("a duration such as PT49H3M2S")
        try:
            return timedelta(
                **{unit: int(number or 0) for unit, number in match.groupdict().items()}
            )
        except (ValueError, OverflowError) as error:
            raise self._misfit("a duration such as PT49H3M2S") from error

    def _misfit(self, expected: str) -> Unreadable:
        found = "missing" if self.value is None else f"a {type(self.value).__name__}"
        return Unreadable(f"{self.place} is {found} where {expected} belongs")


def if_readable(read: Callable[[], Value]) -> Value | None:
    """Return what ``read`` gives, or ``None`` where it is missing or unreadable."""
    try:
        return read()
    except Unreadable:
        return None
