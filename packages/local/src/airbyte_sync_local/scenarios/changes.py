"""
Changes: what becomes of an answer on its way to the client, as data.

A `Change` edits what is told: the object of an answer, or every row of a list. Whatever it cannot
say can be said by a function of one's own, since a fault takes any function from `Answer` to
`Answer`.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airbyte_sync_local.api.answers import Answer
    from airbyte_sync_local.platform.model import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """
    An edit of an answer.

    A name in `set` and `remove` may lead inside: ``job.id``, ``attempts.0.attempt.status``. Where it
    leads nowhere, nothing is changed.
    """

    set: Mapping[str, Json] = field(default_factory=dict)
    """Fields and their new values: anything that JSON can say, of any type and size."""
    remove: tuple[str, ...] = ()
    """Fields to leave out."""
    of: str | None = None
    """In a list, only the rows that hold this id of a connection or a job; None for all."""
    hide: bool = False
    """Leave the rows out of a list."""
    status: int | None = None
    """Another status."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers."""
    padding: int = 0
    """So many characters more: in a field of an object, and otherwise behind a text."""

    def __call__(self, answer: Answer) -> Answer:
        """Return the answer as the client gets it."""
        body = self._padded(self._edited(deepcopy(answer.body)))
        headers = {**answer.headers, **self.headers}
        return replace(answer, status=self.status or answer.status, body=body, headers=headers)

    def _edited(self, body: Json) -> Json:
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            self._edit(body)
            return body
        chosen = [row for row in rows if self.of is None or _holds(row, self.of)]
        for row in chosen:
            self._edit(row)
        if self.hide:
            body["data"] = [row for row in rows if not any(row is gone for gone in chosen)]
        return body

    def _edit(self, thing: Json) -> None:
        for path, value in self.set.items():
            parent, name = _parent(thing, path)
            if isinstance(parent, dict):
                parent[name] = value
            elif isinstance(parent, list) and _index(name) < len(parent):
                parent[_index(name)] = value
        for path in self.remove:
            parent, name = _parent(thing, path)
            if isinstance(parent, dict):
                parent.pop(name, None)

    def _padded(self, body: Json) -> Json:
        if self.padding and isinstance(body, dict):
            return {**body, "padding": "x" * self.padding}
        if self.padding and isinstance(body, str):
            return body + "x" * self.padding
        return body


@dataclass(frozen=True, kw_only=True, slots=True)
class Drip:
    """An answer that comes a little at a time, with a gap of real time before each piece."""

    every: timedelta
    header: bool = False
    """Whether status line and headers drip; otherwise they come at once."""
    body: bool = True
    """Whether the body drips; otherwise it comes at once."""
    size: int = 1
    """Bytes in a piece."""


def _parent(thing: Json, path: str) -> tuple[Json, str]:
    *inward, name = path.split(".")
    for step in inward:
        if isinstance(thing, dict):
            thing = thing.get(step)
        elif isinstance(thing, list) and _index(step) < len(thing):
            thing = thing[_index(step)]
        else:
            return None, name
    return thing, name


def _index(name: str) -> int:
    return int(name) if name.isdecimal() else 2**31


def _holds(row: Json, wanted: str) -> bool:
    values = row.values() if isinstance(row, dict) else ()
    return wanted.lower() in {str(value).lower() for value in values}
