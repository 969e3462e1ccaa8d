"""What Airbyte talks about: jobs, their statuses and types, and connections.

These are values with no behaviour beyond reading themselves. How they look as JSON is the business
of the adapter that reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar
from unicodedata import normalize
from uuid import UUID

from airbyte_sync.checks import (
    require_choice,
    require_count,
    require_duration,
    require_moment,
    require_text,
    require_type,
)
from airbyte_sync.texts import shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, eq=False)
class JobStatus:
    """
    The word Airbyte uses for where a job stands: an open set.

    Three words end a job. Every other word, known or not yet invented, means that the job is still
    on its way: Airbyte added ``queued`` years after the others, and clients that took the
    unknown word for a failure abandoned jobs that were alive.

    A status equals its word: ``job.status == "succeeded"``. It has the hash of its word, too.

    Source: ``JobStatus.kt`` of airbyte-platform, and ``JobStatusEnum`` of the public OpenAPI file.
    """

    word: str

    def __post_init__(self) -> None:
        require_text("a job's status", self.word)

    PENDING: ClassVar[JobStatus]
    QUEUED: ClassVar[JobStatus]
    RUNNING: ClassVar[JobStatus]
    INCOMPLETE: ClassVar[JobStatus]
    SUCCEEDED: ClassVar[JobStatus]
    FAILED: ClassVar[JobStatus]
    CANCELLED: ClassVar[JobStatus]

    @property
    def is_final(self) -> bool:
        """Whether the job has ended. Airbyte never changes the status of an ended job."""
        return self in _FINAL

    @property
    def is_success(self) -> bool:
        """Whether the job has done what it was asked for."""
        return self == JobStatus.SUCCEEDED

    @property
    def is_known(self) -> bool:
        """Whether this version of the library knows the word."""
        return self in _KNOWN

    @property
    def is_waiting_to_run(self) -> bool:
        """Whether Airbyte has accepted the job but has not begun its first attempt."""
        return self in _WAITING_TO_RUN

    def __eq__(self, other: object) -> bool:
        if isinstance(other, JobStatus):
            return self.word == other.word
        return self.word == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.word)

    def __str__(self) -> str:
        return self.word


JobStatus.PENDING = JobStatus("pending")
JobStatus.QUEUED = JobStatus("queued")
JobStatus.RUNNING = JobStatus("running")
JobStatus.INCOMPLETE = JobStatus("incomplete")
JobStatus.SUCCEEDED = JobStatus("succeeded")
JobStatus.FAILED = JobStatus("failed")
JobStatus.CANCELLED = JobStatus("cancelled")

_FINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})
_WAITING_TO_RUN = frozenset({JobStatus.PENDING, JobStatus.QUEUED})
_KNOWN = _FINAL | _WAITING_TO_RUN | {JobStatus.RUNNING, JobStatus.INCOMPLETE}

ACTIVE = (JobStatus.PENDING, JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.INCOMPLETE)
"""The known statuses of a job that has not ended, in the order in which it takes them."""


class JobType(Enum):
    """
    The kinds of job a connection can run.

    Source: ``JobTypeEnum`` of the public OpenAPI file. Airbyte runs ``clear`` as a ``reset`` and says
    so in its reply; it refuses ``refresh`` over the public API (422).
    """

    SYNC = "sync"
    RESET = "reset"
    REFRESH = "refresh"
    CLEAR = "clear"

    @property
    def preempts(self) -> bool:
        """Whether Airbyte cancels the connection's running job to run this one, without a 409."""
        return self in {JobType.RESET, JobType.CLEAR}

    def covers(self, reported: str) -> bool:
        """Whether a job that Airbyte reports as ``reported`` is one of this type."""
        if self is JobType.CLEAR:
            return reported in {JobType.CLEAR.value, JobType.RESET.value}
        return reported == str(self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job of Airbyte, as the server told it at one poll."""

    job_id: int
    status: JobStatus
    job_type: str
    """The server's own word, see :meth:`JobType.covers`."""
    connection_id: str
    created_at: datetime
    """When the job was created (UTC, whole seconds); the API calls it ``startTime``."""
    ended_at: datetime | None = None
    """The API's ``lastUpdatedAt``, which it sends only once the job has ended."""
    duration: timedelta | None = None
    """Creation to last status change. Of a running job this is *not* the elapsed time."""
    rows: int | None = None
    """Committed records; ``None`` where the reply does not carry them (POST and DELETE never do)."""
    bytes: int | None = None
    """Committed bytes; ``None`` as for :attr:`rows`."""

    def __post_init__(self) -> None:
        require_count("job_id", self.job_id)
        given: object = self.status
        if not isinstance(given, JobStatus):
            example = f"JobStatus({shown(given)})"
            require_type("status", given, JobStatus, f"a JobStatus, as in {example}")
        require_text("job_type", self.job_type)
        require_text("connection_id", self.connection_id)
        require_moment("created_at", self.created_at)
        if self.ended_at is not None:
            require_moment("ended_at", self.ended_at)
        if self.duration is not None:
            require_duration("duration", self.duration)

    def to_json(self) -> dict[str, Any]:
        """
        Return the job as JSON types, for whatever cannot carry this class: an XCom, a queue, a log.

        Returns:
            The attributes under their names; moments as ISO 8601 in UTC, ``duration_seconds`` for the
            duration, the status as Airbyte's word.
        """
        return {
            "job_id": self.job_id,
            "status": self.status.word,
            "job_type": self.job_type,
            "connection_id": self.connection_id,
            "created_at": self.created_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "duration_seconds": None if self.duration is None else self.duration.total_seconds(),
            "rows": self.rows,
            "bytes": self.bytes,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """The answer to a :class:`JobQuery`."""

    jobs: tuple[Job, ...]
    server_time: datetime | None = None
    """The server's clock when it answered, where it says so: what job times are compared with."""

    def __post_init__(self) -> None:
        require_type("jobs", self.jobs, tuple, "a tuple of Job")
        for job in self.jobs:
            require_type("one of jobs", job, Job, "a tuple of Job")
        if self.server_time is not None:
            require_moment("server_time", self.server_time)


class ConnectionStatus(Enum):
    """Source: ``ConnectionStatusEnum`` of the public OpenAPI file; ``deprecated`` means deleted."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DEPRECATED = "deprecated"
    LOCKED = "locked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """What is worth knowing about a connection: a source, a destination and what flows between."""

    connection_id: str
    name: str
    status: ConnectionStatus
    workspace_id: str
    source_id: str
    destination_id: str

    def __post_init__(self) -> None:
        for name in ("connection_id", "name", "workspace_id", "source_id", "destination_id"):
            require_text(name, getattr(self, name))
        require_choice("status", self.status, ConnectionStatus)


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureReason:
    """Why an attempt of a job failed, as Airbyte itself puts it."""

    message: str
    """For a person: Airbyte's ``externalMessage``."""
    origin: str = "unknown"
    """What failed: ``source``, ``destination``, ``replication``, ``airbyte_platform`` ..."""
    kind: str = "unknown"
    """``config_error``, ``system_error``, ``transient_error``, ``heartbeat_timeout`` ..."""

    def __post_init__(self) -> None:
        for name in ("message", "origin", "kind"):
            require_text(name, getattr(self, name))


def is_uuid(identifier: str) -> bool:
    """Whether an id looks as Airbyte's own do: a UUID with its hyphens. Its server reads no other form."""
    try:
        return str(UUID(identifier)) == identifier.lower()
    except ValueError:
        return False


def is_same_id(one: str, other: str) -> bool:
    """Whether two ids mean the same thing: Airbyte writes UUIDs in lower case, people in either."""
    return one.lower() == other.lower()


def is_same_name(one: str, other: str) -> bool:
    """Whether two names look the same: however letters are composed, and without blanks around them."""
    return _composed(one) == _composed(other)


def is_similar_name(one: str, other: str) -> bool:
    """Whether two names are the same, or differ in case and white space only."""
    return _bare(one) == _bare(other)


def _composed(name: str) -> str:
    return normalize("NFC", name).strip()


def _bare(name: str) -> str:
    return "".join(normalize("NFC", name.casefold()).split())


def newest(jobs: Iterable[Job]) -> Job | None:
    """Return the newest of some jobs, whatever order the server listed them in."""
    return max(jobs, key=_age, default=None)


def ended_after(job: Job, listed: Iterable[Job]) -> Job | None:
    """
    Return the newest job of the same connection that began after a job and has ended.

    Airbyte runs one job of a connection at a time. So a job that is reported as running although a newer one
    has ended is a leftover of a crash or an upgrade: nothing works on it, and its row never changes.

    Args:
        job: A job that has not ended.
        listed: Jobs of any type.
    """
    return newest(
        other
        for other in listed
        if other.status.is_final
        and _age(other) > _age(job)
        and is_same_id(other.connection_id, job.connection_id)
    )


def _age(job: Job) -> tuple[datetime, int]:
    return job.created_at, job.job_id
