"""Reading JSON with care.

What a server sends may be half a document, another program's, or a newer version's. Whatever it is,
reading it gives a value of the type asked for, or an :class:`InvalidField` that names the place.

**What decides** (ids, statuses, types, times) is taken exactly as it is, or is no answer:
:meth:`JsonNode.word`, :meth:`JsonNode.count`, :meth:`JsonNode.instant`. **What only informs** is made fit
to pass on: :meth:`JsonNode.label`.

**Work is bounded before it is done.** Python builds a whole document at once, and 30 MB of JSON can become
2 GB and take a minute. So a document may have so many values only; they are counted by the characters that
separate them, which costs next to nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

from airbyte_sync_http.auth.hiding import HIDDEN, hide
from airbyte_sync_http.protocol.cleaning import LARGEST_NUMBER, LONGEST_NAME, clean, is_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Container

Value = TypeVar("Value")

MOST_VALUES = 10_000
"""Values in a document, where nothing else is said: a page of 100 jobs has some 1,200."""
LONGEST_WORD = 200
"""Characters of an id, a status or a type; an id of Airbyte has 36."""

FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=timezone.utc)
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=timezone.utc)
"""No moment outside of these is one of a job. Years 1 and 9999 cannot be calculated with."""
LONGEST_DURATION = timedelta(days=3650)

_LONGEST_NUMBER = 20
"""Digits of the largest number that is read, with its sign."""
_LONG_NUMBER = re.compile(rb"[0-9]{21}")
_LONGEST_TIME = 64
_HEAD = 1024

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_INSTANT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[T ](?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(?:\.\d+)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)",
    re.ASCII,
)
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.\d+)?S)?)?",
    re.ASCII,
)


class InvalidField(ValueError):
    """A part of a document is missing, or is not what belongs there. The text names the place."""


class TooManyValues(InvalidField):
    """A document has more values than it may have."""


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A document, or a place in it."""

    value: object
    place: str = "the document"

    @classmethod
    def of(cls, body: bytes, most_values: int = MOST_VALUES) -> JsonNode:
        """
        Read a JSON document.

        Args:
            body: The document.
            most_values: How many values it may have. Separators within texts count too.

        Raises:
            InvalidField: It is not JSON.
            TooManyValues: It has more.
        """
        if body[:_HEAD].lstrip()[:1] == b"<":
            raise InvalidField("the body is a web page, or XML")
        separators = body.count(b",") + body.count(b"[") + body.count(b"{")
        if separators > most_values:
            raise TooManyValues(f"the body has more than {most_values} values")
        try:
            return cls(
                json.loads(body, parse_int=_whole_number if _LONG_NUMBER.search(body) else None)
            )
        except (ValueError, RecursionError) as error:
            raise InvalidField("the body is not JSON") from error

    def __getitem__(self, name: str) -> JsonNode:
        """Return a member of an object; one that is absent holds ``None``."""
        if not isinstance(self.value, dict):
            raise self._misfit("an object")
        place = name if self.place == "the document" else f"{self.place}.{name}"
        return JsonNode(self.value.get(name), place)

    def at(self, *names: str) -> JsonNode:
        """Return a member deep inside."""
        node = self
        for name in names:
            node = node[name]
        return node

    def items_at(self, *names: str) -> list[JsonNode]:
        """Return the items of a list deep inside; none where there is no such list."""
        return if_readable(lambda: self.at(*names).items()) or []

    def items(self) -> list[JsonNode]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            raise self._misfit("a list")
        return [JsonNode(item, f"{self.place}[{index}]") for index, item in enumerate(self.value)]

    def text(self) -> str:
        """Return a string that is not empty, as it is: a credential of ours may stand in it."""
        if not isinstance(self.value, str) or not self.value:
            raise self._misfit("a text")
        return self.value

    def word(self, known: Container[str] = ()) -> str:
        """
        Return a text that decides something, exactly as it is: an id, a status, a type.

        One with a control character or half of a surrogate pair is not what it looks like: a status
        ``succeeded`` with a NUL at its end is no success. One that has a credential in it is told without,
        unless it is a word that is known, or a UUID that is not the credential itself.

        Args:
            known: Words that are the same for every server.
        """
        text = self.text()
        if len(text) > LONGEST_WORD or not is_clean(text):
            raise InvalidField(f"{self.place} is a text that no id, status or type can be")
        if text in known:
            return text
        hidden = hide(text)
        return text if hidden != HIDDEN and _UUID.fullmatch(text) else hidden

    def label(self, longest: int = LONGEST_NAME) -> str:
        """Return a text that only informs, such as a name: clean, bounded and without credentials."""
        return clean(hide(self.text()), longest)

    def count(self) -> int:
        """Return a whole number that is not negative, and that 63 bits can hold."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._misfit("a whole number")
        if not 0 <= self.value <= LARGEST_NUMBER:
            raise InvalidField(f"{self.place} is not between zero and {LARGEST_NUMBER}")
        return self.value

    def instant(self) -> datetime:
        """Return a moment in UTC. Airbyte leaves out the seconds when they are ``:00``."""
        match = _INSTANT.fullmatch(self._short_text())
        if match is None:
            raise self._misfit("a time such as 2026-08-21T10:15:07Z")
        zone = "+00:00" if match["zone"] == "Z" else match["zone"]
        try:
            moment = datetime.fromisoformat(
                f"{match['day']}T{match['minute']}{match['second'] or ':00'}{zone}"
            )
            moment = moment.astimezone(timezone.utc)
        except (ValueError, OverflowError) as error:
            raise self._misfit("a time such as 2026-08-21T10:15:07Z") from error
        if not is_plausible(moment):
            raise self._misfit(f"a time between {FIRST_MOMENT:%Y} and {LAST_MOMENT:%Y}")
        return moment

    def duration(self) -> timedelta:
        """Return an ISO 8601 duration to whole seconds. Airbyte's largest unit is the hour."""
        match = _DURATION.fullmatch(self._short_text())
        if match is None:
            raise self._misfit("a duration such as PT49H3M2S")
        try:
            duration = timedelta(
                **{unit: int(number or 0) for unit, number in match.groupdict().items()}
            )
        except (ValueError, OverflowError) as error:
            raise self._misfit("a duration such as PT49H3M2S") from error
        if duration > LONGEST_DURATION:
            raise self._misfit("a duration of a few years at most")
        return duration

    def _short_text(self) -> str:
        """Return a text that is not longer than any time or duration is written."""
        text = self.text()
        return text if len(text) <= _LONGEST_TIME else ""

    def _misfit(self, expected: str) -> InvalidField:
        found = "missing" if self.value is None else f"a {type(self.value).__name__}"
        return InvalidField(f"{self.place} is {found} where {expected} belongs")


def is_plausible(moment: datetime) -> bool:
    """Tell whether a moment, in UTC, can be one of a job or of a server's clock."""
    return FIRST_MOMENT <= moment < LAST_MOMENT


def _whole_number(digits: str) -> int | float:
    """Read a number. One with more digits than any that we use costs no time, and fits nowhere."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float("inf")


def if_readable(read: Callable[[], Value]) -> Value | None:
    """Return what ``read`` gives, or ``None`` where it is missing or unreadable."""
    try:
        return read()
    except InvalidField:
        return None
