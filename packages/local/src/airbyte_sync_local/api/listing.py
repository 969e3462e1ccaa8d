"""
The job list: reading its query, choosing and ordering the rows, and the page links.

The list is quirky, and clients depend on knowing how: it begins with the oldest job, takes one
status and one connection at most, links to a host that may not exist, forgets most filters in
those links, and links to a next page even from the last one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from airbyte_sync_local.api import answers
from airbyte_sync_local.api.answers import ErrorAnswer
from airbyte_sync_local.platform import statuses
from airbyte_sync_local.platform.model import JOB_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airbyte_sync_local.platform.model import ServerConnection, ServerJob

_MAX_LIMIT: Final = 100
_DEFAULT_LIMIT: Final = 20
_INSTANT: Final = re.compile(
    r"(?P<minutes>\d{4}-\d\d-\d\dT\d\d:\d\d)(?P<seconds>:\d\d)?(?P<fraction>\.\d{1,9})?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)"
)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_ORDER: Final = re.compile(r"(createdAt|updatedAt)\|(ASC|DESC)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Which part of a list is wanted."""

    limit: int = _DEFAULT_LIMIT
    offset: int = 0

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> Page:
        """
        Read ``limit`` and ``offset``.

        Raises:
            ErrorAnswer: One of them is out of bounds.
        """
        limit = number(params.get("limit", str(_DEFAULT_LIMIT)), bits=32)
        offset = number(params.get("offset", "0"), bits=32)
        if not 1 <= limit <= _MAX_LIMIT or offset < 0:
            raise ErrorAnswer(answers.error_id(400))
        return cls(limit=limit, offset=offset)

    def links(self, url: str, kept: Mapping[str, str], *, rows_on_page: int) -> tuple[str, str]:
        """
        Make the links to the next and the previous page.

        Args:
            url: Where the list is, as the server believes.
            kept: The few parameters that survive in a link.
            rows_on_page: How many rows this page has.
        """

        def link(offset: int) -> str:
            return f"{url}?{urlencode({'limit': self.limit, 'offset': offset, **kept})}"

        following = link(self.offset + self.limit) if rows_on_page else ""
        preceding = link(max(0, self.offset - self.limit)) if self.offset else ""
        return following, preceding


@dataclass(frozen=True, kw_only=True, slots=True)
class ListQuery:
    """What to list. Filters are ANDed, and bounds are inclusive."""

    page: Page
    connection_id: str | None = None
    workspace_ids: tuple[str, ...] = ()
    """Ignored where `connection_id` is given."""
    job_type: str | None = None
    status: str | None = None
    created_at_start: datetime | None = None
    created_at_end: datetime | None = None
    updated_at_start: datetime | None = None
    updated_at_end: datetime | None = None
    order_by: str = "createdAt|ASC"

    @classmethod
    def from_params(cls, params: Mapping[str, str], workspace_ids: Iterable[str]) -> ListQuery:
        """
        Read a query string; a repeated parameter counts once, with its first value.

        Raises:
            ErrorAnswer: A value is none that the parameter may have.
        """
        order_by = params.get("orderBy", "createdAt|ASC")
        if _ORDER.fullmatch(order_by) is None:
            raise ErrorAnswer(answers.bad_request(f"Invalid order by clause provided: {order_by}"))
        return cls(
            page=Page.from_params(params),
            connection_id=params.get("connectionId"),
            workspace_ids=split(workspace_ids),
            job_type=_word(params.get("jobType"), JOB_TYPES),
            status=_word(params.get("status"), statuses.KNOWN),
            created_at_start=_instant(params.get("createdAtStart")),
            created_at_end=_instant(params.get("createdAtEnd")),
            updated_at_start=_instant(params.get("updatedAtStart")),
            updated_at_end=_instant(params.get("updatedAtEnd")),
            order_by=order_by,
        )

    def select(
        self,
        jobs: Iterable[ServerJob],
        connections: Iterable[ServerConnection],
        *,
        hides_refreshes: bool = False,
    ) -> Sequence[ServerJob]:
        """
        Choose and order the jobs of the page.

        Args:
            jobs: Every job, oldest first.
            connections: Every connection; they say which workspace a job belongs to.
            hides_refreshes: Whether a list of no particular type holds syncs and resets only.
        """
        types = {self.job_type} if self.job_type else set(JOB_TYPES)
        if hides_refreshes and not self.job_type:
            types = {"sync", "reset"}
        ids = self._connection_ids(connections)
        found = [
            job
            for job in jobs
            if job.connection_id in ids and job.job_type in types and self._matches(job)
        ]
        field, _, direction = self.order_by.partition("|")
        found.sort(
            key=lambda job: job.created_at if field == "createdAt" else job.updated_at,
            reverse=direction == "DESC",
        )
        return found[self.page.offset : self.page.offset + self.page.limit]

    def kept_in_links(self) -> Mapping[str, str]:
        """Return the parameters that the page links keep; every other filter is lost there."""
        kept = {}
        if self.connection_id is not None:
            kept["connectionId"] = self.connection_id
        elif self.workspace_ids:
            kept["workspaceIds"] = ",".join(self.workspace_ids)
        if self.job_type is not None:
            kept["jobType"] = self.job_type
        return kept

    def _connection_ids(self, connections: Iterable[ServerConnection]) -> set[str]:
        if self.connection_id is not None:
            wanted = self.connection_id.lower()
            return {row.connection_id for row in connections if row.connection_id.lower() == wanted}
        workspaces = {workspace_id.lower() for workspace_id in self.workspace_ids}
        return {
            row.connection_id
            for row in connections
            if not workspaces or row.workspace_id.lower() in workspaces
        }

    def _matches(self, job: ServerJob) -> bool:
        return (
            self.status in {None, job.status}
            and _is_between(job.created_at, self.created_at_start, self.created_at_end)
            and _is_between(job.updated_at, self.updated_at_start, self.updated_at_end)
        )


def split(values: Iterable[str]) -> tuple[str, ...]:
    """Read an array parameter, repeated or joined by commas."""
    return tuple(part for value in values for part in value.split(",") if part)


def _is_between(instant: datetime, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or start <= instant) and (end is None or instant <= end)


def number(text: str, *, bits: int) -> int:
    """
    Read a number as Java does: ASCII digits with or without a sign, within so many bits.

    Raises:
        ErrorAnswer: It is none.
    """
    if _NUMBER.fullmatch(text) is None or not -(2 ** (bits - 1)) <= int(text) < 2 ** (bits - 1):
        raise ErrorAnswer(answers.error_id(400))
    return int(text)


def is_true(text: str | None) -> bool:
    """Read a parameter that says yes or no, as Airbyte's framework does."""
    return text is not None and text.lower() in {"true", "yes", "on", "y"}


def _word(text: str | None, words: Iterable[str]) -> str | None:
    if text is None or text in words:
        return text
    raise ErrorAnswer(answers.error_id(400))


def _instant(text: str | None) -> datetime | None:
    """Read what ``OffsetDateTime.parse`` reads; the zone is obligatory."""
    if text is None:
        return None
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ErrorAnswer(answers.error_id(400))
    fraction = (match["fraction"] or ".0")[:7].ljust(7, "0")
    zone = "+00:00" if match["zone"] == "Z" else match["zone"]
    whole = f"{match['minutes']}{match['seconds'] or ':00'}{fraction}{zone}"
    try:
        return datetime.fromisoformat(whole)
    except ValueError as no_such_instant:
        raise ErrorAnswer(answers.error_id(400)) from no_such_instant
