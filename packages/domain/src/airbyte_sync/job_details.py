"""What a job did, stream by stream and attempt by attempt, in a size that every store and queue can bear.

A connection may have thousands of streams. Those that moved the most rows are told by name, and the rest is
counted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airbyte_sync.base_errors import InvalidInput
from airbyte_sync.checks import require_count, require_moment, require_text, require_type
from airbyte_sync.jobs import FailureReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

MOST_STREAMS = 100
"""Streams that are told by name."""
MOST_ATTEMPTS = 20
"""Attempts that are told, the last ones. Airbyte makes at most some 20 (``application.yml``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamTotals:
    """What a job committed of one stream."""

    name: str
    namespace: str | None = None
    """The schema or database in the source, where there is one."""
    rows: int | None = None
    """Committed records; ``None`` where no source says."""
    bytes: int | None = None
    """Committed bytes; ``None`` as for :attr:`rows`."""

    def __post_init__(self) -> None:
        require_text("name", self.name)
        if self.namespace is not None:
            require_text("namespace", self.namespace)
        _require_amounts(rows=self.rows, bytes=self.bytes)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStreams:
    """
    What a job committed, by stream.

    Raises:
        InvalidInput: There are more streams than may be told by name; :meth:`of` counts the rest.
    """

    streams: tuple[StreamTotals, ...]
    """Those with the most rows first; at most :data:`MOST_STREAMS`."""
    others: int = 0
    """How many more there are."""
    other_rows: int | None = None
    """Committed records of those; ``None`` where there are none, or no source says."""
    other_bytes: int | None = None
    """Committed bytes of those; ``None`` as for :attr:`other_rows`."""

    def __post_init__(self) -> None:
        require_type("streams", self.streams, tuple, "a tuple of StreamTotals")
        if len(self.streams) > MOST_STREAMS:
            raise InvalidInput(
                f"streams has {len(self.streams)} items: give at most {MOST_STREAMS}, as JobStreams.of does"
            )
        require_count("others", self.others)
        _require_amounts(other_rows=self.other_rows, other_bytes=self.other_bytes)

    @classmethod
    def of(cls, streams: Iterable[StreamTotals]) -> JobStreams:
        """
        Return any number of streams in a bounded size.

        Args:
            streams: All of them, in any order.
        """
        ordered = sorted(streams, key=_most_rows_first)
        rest = ordered[MOST_STREAMS:]
        return cls(
            streams=tuple(ordered[:MOST_STREAMS]),
            others=len(rest),
            other_rows=_total(stream.rows for stream in rest),
            other_bytes=_total(stream.bytes for stream in rest),
        )

    @property
    def count(self) -> int:
        """How many streams there are in all."""
        return len(self.streams) + self.others

    def to_json(self) -> dict[str, Any]:
        """Return the streams as JSON types, under the names of the attributes."""
        return asdict(self) | {"streams": [asdict(stream) for stream in self.streams]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobStreams:
        """
        Return the streams that :meth:`to_json` wrote.

        Raises:
            InvalidInput: ``data`` is not such a document.
        """
        try:
            return cls(
                streams=tuple(StreamTotals(**stream) for stream in data["streams"]),
                others=data["others"],
                other_rows=data["other_rows"],
                other_bytes=data["other_bytes"],
            )
        except (KeyError, TypeError) as error:
            raise InvalidInput(f"these are not stored streams of a job: {error!r}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One of Airbyte's own attempts at a job."""

    number: int
    """Counted from 0, as Airbyte does."""
    status: str
    """The server's own word: ``running``, ``failed`` or ``succeeded``."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    rows: int | None = None
    """Records that it moved; ``None`` where no source says."""
    bytes: int | None = None
    """Bytes that it moved; ``None`` as for :attr:`rows`."""
    failure: FailureReason | None = None
    """Why it failed, where it did and a source says."""

    def __post_init__(self) -> None:
        require_count("number", self.number)
        require_text("status", self.status)
        if self.started_at is not None:
            require_moment("started_at", self.started_at)
        if self.ended_at is not None:
            require_moment("ended_at", self.ended_at)
        _require_amounts(rows=self.rows, bytes=self.bytes)
        if self.failure is not None:
            require_type("failure", self.failure, FailureReason, "a FailureReason")

    def to_json(self) -> dict[str, Any]:
        """Return the attempt as JSON types, under the names of the attributes; moments as ISO 8601 in UTC."""
        return asdict(self) | {
            "started_at": None if self.started_at is None else self.started_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDetails:
    """What is known of a job beside what every poll shows."""

    streams: JobStreams | None = None
    """``None`` where no source says."""
    attempts: tuple[Attempt, ...] = ()
    """The last ones, oldest first; none where no source says."""

    def __post_init__(self) -> None:
        if self.streams is not None:
            require_type("streams", self.streams, JobStreams, "JobStreams")
        require_type("attempts", self.attempts, tuple, "a tuple of Attempt")


def _most_rows_first(stream: StreamTotals) -> tuple[int, str, str]:
    return -(stream.rows or 0), stream.name, stream.namespace or ""


def _total(amounts: Iterable[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def _require_amounts(**amounts: int | None) -> None:
    for name, amount in amounts.items():
        if amount is not None:
            require_count(name, amount)
