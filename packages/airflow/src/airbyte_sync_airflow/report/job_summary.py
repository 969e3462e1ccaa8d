"""
The XCom ``airbyte_job``: what is worth knowing of a job, the same small dict in every mode.

Events, XComs, links and facets are made of it. What a database or a serializer does not take stops the
whole triggerer. So a summary holds bounded texts without control characters and surrogates, and numbers that
63 bits can hold, also where an adapter did not read with care.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from airbyte_sync_http.protocol.cleaning import (
    LARGEST_NUMBER,
    LONGEST_NAME,
    LONGEST_TEXT,
    clean,
    shown,
)

if TYPE_CHECKING:
    from airbyte_sync import Connection, Job, JobStreams, SyncResult
    from airbyte_sync.errors import AirbyteSyncError

XCOM_KEY = "airbyte_job"


_LONGEST_STREAM = 100
"""Characters of a stream's name or namespace: a hundred of each stay below the 64 KB of a BLOB of MySQL."""

_LONGEST_DURATION = 3e8
"""Seconds: ten years, nearly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSummary:
    """
    A job as the XCom shows it: JSON types only, and no secret.

    Raises:
        UnexpectedReply: The job's id is none.
    """

    job_id: int
    job_type: str | None = None
    status: str | None = None
    """Airbyte's own word, as it was at the last poll."""
    connection_id: str | None = None
    connection_name: str | None = None
    rows: int | None = None
    """Committed records, once Airbyte says."""
    bytes: int | None = None
    started_at: str | None = None
    """When Airbyte created the job: ISO 8601, UTC."""
    duration_seconds: float | None = None
    """From its creation to its end."""
    url: str | None = None
    """Its log in Airbyte's web application."""
    attached: bool = False
    """Whether it was started elsewhere; then no task of ours cancels it."""
    failure_reason: str | None = None
    streams: JobStreams | None = None
    """What it committed by stream, where the option ``streams`` asks for it; not in the dict otherwise."""

    def __post_init__(self) -> None:
        if not _is_job_id(self.job_id):
            from airbyte_sync import UnexpectedReply

            raise UnexpectedReply(f"{shown(self.job_id)} is not the id of an Airbyte job")
        for name, make_fit in _FIT.items():
            object.__setattr__(self, name, make_fit(getattr(self, name)))

    def seen(self, job: Job) -> JobSummary:
        """Return it with what a poll of the job showed."""
        duration = job.duration if job.status.is_final else None
        return replace(
            self,
            job_type=job.job_type,
            status=job.status.word,
            connection_id=job.connection_id,
            rows=self.rows if job.rows is None else job.rows,
            bytes=self.bytes if job.bytes is None else job.bytes,
            started_at=job.created_at.isoformat(),
            duration_seconds=None if duration is None else duration.total_seconds(),
        )

    def concluded(self, result: SyncResult) -> JobSummary:
        """Return it with what is known of a sync that succeeded."""
        return replace(self.seen(result.job), streams=result.streams)

    def described(self, connection: Connection, ui_url: str) -> JobSummary:
        """Return it with the connection's name and the job's link."""
        from airbyte_sync_http import job_url

        return replace(
            self,
            connection_name=connection.name,
            url=job_url(ui_url, connection.workspace_id, connection.connection_id, self.job_id),
        )

    def failed(self, error: AirbyteSyncError) -> JobSummary:
        """Return it with how it ended, from the error that says so."""
        job: Job | None = getattr(error, "job", None)
        reason = getattr(error, "reason", None)
        text = str(error) if reason is None else reason.message
        return replace(self if job is None else self.seen(job), failure_reason=text)

    def to_json(self) -> dict[str, Any]:
        """Return the dict."""
        document = asdict(self)
        del document["streams"]
        return document if self.streams is None else document | {"streams": self.streams.to_json()}

    @classmethod
    def from_json(cls, data: Any) -> JobSummary:
        """
        Return the summary that :meth:`to_json` wrote.

        Raises:
            TypeError: It is not such a dict.
        """
        if not isinstance(data, dict) or not _is_job_id(data.get("job_id")):
            raise TypeError(f"{shown(data)} is not a summary of a job")
        known = {field.name for field in fields(cls)}  # another release may have written more
        return cls(**{name: value for name, value in data.items() if name in known})


def summary_in(data: Any) -> JobSummary | None:
    """Return the summary that :meth:`JobSummary.to_json` wrote, or ``None`` where it is something else."""
    try:
        return JobSummary.from_json(data)
    except TypeError:
        return None


def _is_job_id(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_NUMBER


def _name(value: object) -> str | None:
    return clean(value, LONGEST_NAME) if isinstance(value, str) else None


def _text(value: object) -> str | None:
    return clean(value, LONGEST_TEXT) if isinstance(value, str) else None


def _amount(value: object) -> int | None:
    return value if isinstance(value, int) and _is_job_id(value) else None


def _seconds(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _LONGEST_DURATION or math.isnan(value):  # type: ignore[operator, arg-type]
        return None
    return float(value)  # type: ignore[arg-type]


def _streams(value: object) -> JobStreams | None:
    """Return streams with names that a database takes in any number of them."""
    if value is None:
        return None
    from airbyte_sync import InvalidInput, JobStreams

    try:
        streams = value if isinstance(value, JobStreams) else JobStreams.from_json(value)  # type: ignore[arg-type]
    except (InvalidInput, TypeError):
        return None
    return replace(
        streams,
        streams=tuple(
            replace(
                stream,
                name=clean(stream.name, _LONGEST_STREAM),
                namespace=stream.namespace and clean(stream.namespace, _LONGEST_STREAM),
                rows=_amount(stream.rows),
                bytes=_amount(stream.bytes),
            )
            for stream in streams.streams
        ),
        other_rows=_amount(streams.other_rows),
        other_bytes=_amount(streams.other_bytes),
    )


_FIT: dict[str, Any] = {
    "job_type": _name,
    "status": _name,
    "connection_id": _name,
    "connection_name": _name,
    "rows": _amount,
    "bytes": _amount,
    "started_at": _name,
    "duration_seconds": _seconds,
    "url": _text,
    "attached": bool,
    "failure_reason": _text,
    "streams": _streams,
}
"""How each field but the id is made fit to be stored; what cannot be is left out."""


def named(job_id: int, job: JobSummary | None) -> str:
    """
    Return what a log line calls a job, with a link where one is known.

    Args:
        job_id: The job.
        job: What is known; another job's link is not this one's.
    """
    url = None if job is None or job.job_id != job_id else job.url
    return f"Airbyte job {job_id}" if url is None else f"Airbyte job {job_id} ({url})"
