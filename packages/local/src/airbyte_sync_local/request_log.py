"""
What clients asked for and were answered, so that a test can look afterwards. It keeps no secret.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airbyte_sync_local.model import Json

REDACTED: Final = "***"
_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
_SECRET_FIELDS: Final = frozenset({"client_secret", "password", "access_token", "token"})


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
    Every request in the order of arrival.

    Attributes:
        busiest: The largest number of requests that were served at the same time.
    """

    def __init__(self) -> None:
        self._records: dict[int, RequestRecord] = {}
        self._arrivals = 0
        self._being_served = 0
        self.busiest = 0

    def received(self, record: RequestRecord) -> int:
        """Add a request and return its ticket."""
        self._arrivals += 1
        self._records[self._arrivals] = record
        self._being_served += 1
        self.busiest = max(self.busiest, self._being_served)
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
        self.busiest = self._being_served


def readable_body(body: bytes, content_type: str) -> Json:
    """
    Read a body for the record: JSON or form fields, without secrets.

    A body that cannot be read is left out altogether, since nobody knows what is in it.
    """
    try:
        text = body.decode()
        if content_type == "application/x-www-form-urlencoded":
            return without_secrets(dict(parse_qsl(text)))
        return without_secrets(json.loads(text)) if text else None
    except ValueError:
        return None


def without_secrets(value: Json) -> Json:
    """Replace the values of fields that hold secrets, at any depth."""
    if isinstance(value, dict):
        return {
            name: REDACTED if _is_secret(name) else without_secrets(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    return value


def _is_secret(name: str) -> bool:
    return name.lower().replace("-", "_") in _SECRET_FIELDS


def without_secret_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Replace the values of headers that hold credentials."""
    return {
        name: REDACTED if name.lower() in _SECRET_HEADERS else value
        for name, value in headers.items()
    }
