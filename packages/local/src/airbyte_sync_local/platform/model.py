"""The rows of the platform: connections, jobs, their attempts and failures. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from uuid import uuid4

from airbyte_sync_local.platform import statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = Any
"""A JSON value. Its shape is told where it is made."""

ConnectionStatusWord = Literal["active", "inactive", "deprecated", "locked"]
NamespaceDefinition = Literal["source", "destination", "custom_format"]
JobTypeWord = Literal["sync", "reset", "refresh", "clear"]
JOB_TYPES: Final[tuple[JobTypeWord, ...]] = get_args(JobTypeWord)
CONNECTION_STATUSES: Final[tuple[ConnectionStatusWord, ...]] = get_args(ConnectionStatusWord)
NAMESPACE_DEFINITIONS: Final[tuple[NamespaceDefinition, ...]] = get_args(NamespaceDefinition)

DEFAULT_WORKSPACE_ID: Final = "5ae6b09b-fdec-41af-aaf7-7d94cfc33ef6"


def new_id() -> str:
    """Return a fresh UUID as Airbyte writes it."""
    return str(uuid4())


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """A workspace: what connections belong to."""

    workspace_id: str = DEFAULT_WORKSPACE_ID
    name: str = "Default Workspace"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """A source or a destination, under Airbyte's own word for both."""

    type: str
    """The connector without the role: ``postgres`` for ``source-postgres``."""
    name: str = ""
    """As a person calls it; the type by default."""
    configuration: Mapping[str, Json] = field(default_factory=dict, hash=False)
    """Told as it is. A real server masks secrets as ``**********``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """What people group connections by."""

    tag_id: str = field(default_factory=new_id)
    name: str
    color: str = "75DCFF"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConnection:
    """A source, a destination and how they are joined."""

    connection_id: str = field(default_factory=new_id)
    name: str = "Faker to DuckDB"
    status: ConnectionStatusWord = "active"
    workspace_id: str = DEFAULT_WORKSPACE_ID
    source_id: str = field(default_factory=new_id)
    destination_id: str = field(default_factory=new_id)
    source: Actor = Actor(type="faker")
    destination: Actor = Actor(type="duckdb")
    streams: tuple[str, ...] = ()
    stream_namespace: str | None = None
    """Where the source has the streams: a schema or a database. Many sources have none."""
    namespace_definition: NamespaceDefinition = "destination"
    namespace_format: str | None = None
    prefix: str = ""
    tags: tuple[Tag, ...] = ()
    state: Mapping[str, Json] = field(default_factory=dict, hash=False)
    """How far each stream has come, by its name. Full refreshes have none."""
    cron_expression: str | None = None
    """``<expression> <time zone>``; without it the schedule is manual."""
    created_at: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an attempt failed. Only the Config API tells; the public API does not."""

    reason: str
    """For people; ``externalMessage`` on the wire."""
    type: str = "system_error"
    """``config_error``, ``transient_error``, ``manual_cancellation`` and so on."""
    origin: str = "source"
    """``source``, ``destination``, ``replication``, ``airbyte_platform`` and so on."""
    internal_message: str | None = None
    retryable: bool | None = None


CANCELLED_BY_USER = Failure(
    reason="Setting attempt to FAILED because the job was cancelled",
    type="manual_cancellation",
    origin="airbyte_platform",
)
"""What Airbyte notes about the attempt that a cancel cut short."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try at a job."""

    number: int
    """Counted from 0, as Airbyte does."""
    created_at: datetime
    updated_at: datetime
    status: Literal["running", "failed", "succeeded"] = "running"
    ended_at: datetime | None = None
    rows: int = 0
    """Committed so far by the whole job, not by this attempt alone."""
    bytes: int = 0
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerJob:
    """One job at one instant."""

    job_id: int
    connection_id: str
    job_type: JobTypeWord
    created_at: datetime
    updated_at: datetime
    """Moves when the status changes, and at no other time."""
    status: str = statuses.PENDING
    rows: int = 0
    bytes: int = 0
    attempts: tuple[Attempt, ...] = ()

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self.status in statuses.TERMINAL

    @property
    def is_waiting(self) -> bool:
        """Whether no attempt has begun, so that Airbyte does not count the job as running."""
        return not self.attempts and not self.is_terminal

    @property
    def duration(self) -> timedelta:
        """From creation to the last change of status, so it stands still in between."""
        return self.updated_at - self.created_at
