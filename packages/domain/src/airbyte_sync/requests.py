"""What a caller asks: for a job on a connection, with what is known of earlier tries, or for a list of jobs.

Constructors refuse what cannot be right, before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from airbyte_sync.base_errors import InvalidInput
from airbyte_sync.checks import (
    require_choice,
    require_count,
    require_moment,
    require_text,
    require_type,
)
from airbyte_sync.config import Setting, choice, read_config
from airbyte_sync.jobs import JobStatus, JobType, is_uuid
from airbyte_sync.texts import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

WHERE_TO_FIND_THE_ID = (
    "The id is in the address of the connection's page in Airbyte: .../connections/<id>/..."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierTries:
    """
    What is known of earlier tries of a request by a caller that could not keep a checkpoint.

    The server's job list then tells what became of them.
    """

    since: datetime
    """When the request was first made, or the latest known moment before that."""
    over_at: datetime
    """When the last of them had ended, at the latest."""
    tries: int = 1
    """How many they were. Where fewer jobs are found, the last one may have died while submitting."""
    succeeded_after: datetime | None = None
    """A job that succeeded before this moment is no answer; ``None``: any since they began is one."""
    after_job: int | None = None
    """The newest job that is known to belong to an earlier request, where the moments are not exact."""

    def __post_init__(self) -> None:
        require_moment("since", self.since)
        require_moment("over_at", self.over_at)
        require_count("tries", self.tries)
        if self.succeeded_after is not None:
            require_moment("succeeded_after", self.succeeded_after)
        if self.after_job is not None:
            require_count("after_job", self.after_job)


def _itself(value: object) -> object:
    return value


_SETTINGS: Mapping[str, Setting] = {
    "connection_id": Setting(
        read=_itself, expected=""
    ),  # the constructor says what is wrong with it
    "job_type": choice(JobType),
}
"""How :meth:`SyncRequest.from_config` reads each key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncRequest:
    """What a caller asks for: one job on one connection."""

    CONFIG_KEYS: ClassVar[tuple[str, ...]] = tuple(_SETTINGS)
    """The keys that :meth:`from_config` knows."""

    connection_id: str
    """The connection's id, a UUID on every real Airbyte. A :class:`uuid.UUID` is taken, too."""
    job_type: JobType = JobType.SYNC
    deadline: datetime | None = None
    """When the caller's own time is over: a deadline beside the policy's ``timeout``."""
    deadline_name: str = "deadline"
    """What the caller calls that deadline, for error texts."""
    earlier: EarlierTries | None = None
    """Set where this request was made before, and no store remembers what came of it."""

    def __post_init__(self) -> None:
        given: object = self.connection_id  # what comes from a template may be anything
        text = str(given).strip() if isinstance(given, (str, UUID)) else ""
        if not text.isprintable() or text.strip(".") == "" or "{" in text:
            raise InvalidInput(
                f"connection_id is {shown(given)}: expected the UUID of an Airbyte connection. "
                f"{WHERE_TO_FIND_THE_ID}"
            )
        object.__setattr__(self, "connection_id", text)
        require_choice("job_type", self.job_type, JobType)
        if self.deadline is not None:
            require_moment("deadline", self.deadline)
        require_text("deadline_name", self.deadline_name)
        if self.earlier is not None:
            require_type("earlier", self.earlier, EarlierTries, "an EarlierTries")

    @classmethod
    def from_config(
        cls, config: Mapping[str, object], *, called: Callable[[str], str] = str
    ) -> SyncRequest:
        """
        Return the request that plain words mean, as TOML, the environment or flags have them.

        Args:
            config: ``connection_id``, and ``job_type`` where it is not a ``sync``: ``reset`` or ``clear``.
                ``None`` and an empty text mean that a key is not set.
            called: What a person calls a key where it was written, for error texts: ``--job-type``.

        Raises:
            InvalidInput: A key is not known, a value cannot be right, or there is no ``connection_id``; the
                text says what to write.
        """
        given = read_config(config, _SETTINGS, called)
        if "connection_id" not in given:
            raise InvalidInput(
                f"{called('connection_id')} is not set: give the UUID of an Airbyte connection. "
                f"{WHERE_TO_FIND_THE_ID}"
            )
        return cls(**given)

    @property
    def has_uuid(self) -> bool:
        """Whether the connection id looks as Airbyte's ids do: with its hyphens."""
        return is_uuid(self.connection_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobQuery:
    """
    Which jobs to list, newest first.

    Airbyte's list takes one connection and one job type at a time and at most 100 jobs a page; its
    own default order is oldest first (public OpenAPI file, ``listJobs``; ``JobsHelper.kt``).
    """

    connection_id: str | None = None
    """``None``: those of every connection that these credentials can see."""
    workspace_id: str | None = None
    """Only those of the workspace's connections. Airbyte looks at it only where no connection is named."""
    job_type: JobType | None = None
    status: JobStatus | None = None
    """Airbyte takes one at a time, so that what is active is found by several lists:
    :meth:`~airbyte_sync.ports.ListingPort.list_active_jobs`."""
    updated_since: datetime | None = None
    """List the jobs whose status has changed at this moment of the server's clock or later, in the
    order of their last change: the newest change comes last."""
    limit: int = 20
    offset: int = 0

    def __post_init__(self) -> None:
        for name in ("connection_id", "workspace_id"):
            given: object = getattr(self, name)
            if isinstance(given, UUID):
                object.__setattr__(self, name, str(given))
            elif given is not None:
                require_text(name, given)
        if self.job_type is not None:
            require_choice("job_type", self.job_type, JobType)
        if self.status is not None:
            require_type("status", self.status, JobStatus, "a JobStatus, as in JobStatus.RUNNING")
        if self.updated_since is not None:
            require_moment("updated_since", self.updated_since)
        require_count("limit", self.limit)
        require_count("offset", self.offset)
