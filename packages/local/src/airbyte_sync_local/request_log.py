"""
What clients asked for and were answered, so that a test can look afterwards. It keeps no secret.

What is kept is listed, not what is left out: of headers, query and body only the values under names
that hold none in Airbyte's API. Every other value is replaced, since a server cannot know how a
client, or a proxy on the way, calls its secrets. The record is bounded in number and in size.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from airbyte_sync_local.platform.model import Json

REDACTED: Final = "***"
DEFAULT_RECORDS: Final = 10_000
"""How many requests are kept, the newest ones."""

_MAX_BODY: Final = 65_536
"""Bytes of a body that is read for the record."""
_MAX_TEXT: Final = 500
"""Characters of a text that are kept."""
_MAX_ITEMS: Final = 100
"""Fields of an object, and items of a list, that are kept."""
_MAX_DEPTH: Final = 5
_MAX_BITS: Final = 64

_HARMLESS_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "host",
        "transfer-encoding",
        "user-agent",
    }
)
_HARMLESS_FIELDS: Final = frozenset(
    {
        "attemptnumber",
        "clientid",
        "configid",
        "configtypes",
        "connectionid",
        "createdatend",
        "createdatstart",
        "destinationid",
        "granttype",
        "id",
        "includedeleted",
        "jobid",
        "jobtype",
        "limit",
        "offset",
        "orderby",
        "pagesize",
        "pagination",
        "rowoffset",
        "sourceid",
        "status",
        "tagids",
        "updatedatend",
        "updatedatstart",
        "workspaceid",
        "workspaceids",
    }
)
"""Names in query and body, without regard to case, ``-`` and ``_``."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}")
"""What a name looks like; anything else may be a secret in the wrong place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestRecord:
    """One request, and the answer as far as it is known."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json
    """JSON or form fields; None where there was no body, or none that could be read."""
    received_at: datetime
    operation: str | None = None
    """Such as ``POST /jobs``; None for a path outside the API."""
    status: int | None = None
    """None while it is being served, and for ever if the client got no answer."""


class RequestLog:
    """
    The newest requests in the order of arrival.

    Args:
        keeps: How many are kept.

    Attributes:
        max_concurrency: The largest number of requests that were served at the same time.
        forgotten: How many requests had to make room for newer ones.
    """

    def __init__(self, *, keeps: int = DEFAULT_RECORDS) -> None:
        self._keeps = keeps
        self._records: OrderedDict[int, RequestRecord] = OrderedDict()
        self._arrivals = 0
        self._being_served = 0
        self.max_concurrency = 0
        self.forgotten = 0

    def received(self, record: RequestRecord) -> int:
        """Add a request and return its ticket."""
        self._arrivals += 1
        self._records[self._arrivals] = record
        if len(self._records) > self._keeps:
            self._records.popitem(last=False)
            self.forgotten += 1
        self._being_served += 1
        self.max_concurrency = max(self.max_concurrency, self._being_served)
        return self._arrivals

    def served(self, ticket: int, *, status: int | None) -> None:
        """Note what a request was answered; None if the client got nothing."""
        self._being_served -= 1
        if ticket in self._records:  # it may have been cleared meanwhile
            self._records[ticket] = replace(self._records[ticket], status=status)

    def records(self) -> Sequence[RequestRecord]:
        """Return what is on record."""
        return tuple(self._records.values())

    def clear(self) -> None:
        """Forget every request."""
        self._records.clear()
        self.max_concurrency = self._being_served
        self.forgotten = 0


def recordable_body(body: bytes, content_type: str) -> Json:
    """
    Read a body for the record: JSON or form fields, without secrets.

    A body that cannot be read, or is too long, is left out altogether: what is in it is unknown.
    """
    if len(body) > _MAX_BODY:
        return None
    try:
        if content_type == "application/x-www-form-urlencoded":
            return _recordable(dict(parse_qsl(body.decode())))
        return _recordable(json.loads(body)) if body else None
    except (ValueError, RecursionError):
        return None


def recordable_query(query: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return the parameters of a query without secrets; of a repeated one the last is kept."""
    fields: Mapping[str, str] = _recordable(dict(query))
    return fields


def recordable_headers(
    headers: Mapping[str, str], *, harmless: frozenset[str] = frozenset()
) -> Mapping[str, str]:
    """
    Return headers without the values that may be secret.

    Args:
        headers: As received.
        harmless: More names, in lower case, whose values are kept.
    """
    kept = _HARMLESS_HEADERS | harmless
    return {
        name: value[:_MAX_TEXT] if name.lower() in kept else REDACTED
        for name, value in headers.items()
    }


def _recordable(value: Json, *, depth: int = 0, is_harmless: bool = False) -> Json:
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        return {
            name: _recordable(inner, depth=depth + 1, is_harmless=_is_harmless(name))
            for name, inner in list(value.items())[:_MAX_ITEMS]
            if _NAME.fullmatch(name)
        }
    if isinstance(value, list) and depth < _MAX_DEPTH:
        items = value[:_MAX_ITEMS]
        return [_recordable(item, depth=depth + 1, is_harmless=is_harmless) for item in items]
    if not is_harmless or isinstance(value, dict | list):
        return REDACTED
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return REDACTED
    return value[:_MAX_TEXT] if isinstance(value, str) else value


def _is_harmless(name: str) -> bool:
    return name.lower().replace("-", "").replace("_", "") in _HARMLESS_FIELDS
