"""The continuation of a flow as a value: what makes a generator survive its process.

Every pause carries a checkpoint, and resuming from it in another process, in another colour or on
another day gives the same result. It holds identifiers, moments and counters; never a credential.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from enum import Enum
from typing import Any, TypeVar

from airbyte_sync.checks import require_choice, require_count, require_moment, require_text
from airbyte_sync.errors import InvalidCheckpoint
from airbyte_sync.events import Origin
from airbyte_sync.jobs import JobStatus, JobType
from airbyte_sync.texts import shown

VERSION = 1

_YEARS = range(1970, 9000)
_LARGEST_NUMBER = 2**63 - 1

T = TypeVar("T")


class Phase(Enum):
    """Where a request stands."""

    SUBMIT = "submit"
    """Nothing was asked of the server yet."""
    LOOK = "look"
    """A submission was or may have been made: look for its job before submitting (again)."""
    QUEUE = "queue"
    """Somebody else's job runs on the connection; wait for its end."""
    WATCH = "watch"
    """The request has its job; wait for its end."""
    CANCEL = "cancel"
    """The deadline has passed; cancel the job until it has ended, or look again if it is not ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Everything that must survive a pause."""

    phase: Phase
    connection_id: str | None = None
    """``None`` only where a job is watched by its id."""
    job_type: JobType = JobType.SYNC
    asked_at: datetime
    """When the request was first made."""
    deadline: datetime | None = None
    """When the job must have ended. Before the request has its job only the caller can have set it."""
    limit: str | None = None
    """What the caller calls this deadline, where it is the caller's and not the policy's."""
    queue_deadline: datetime | None = None
    """Until when the request must have its job, and the job must have begun to run."""
    answered_since: datetime | None = None
    """Set while the job of an earlier try is looked for: it must be active, or have succeeded since."""
    earlier_tries: int = 0
    """How many earlier tries may have left a job behind."""
    job_id: int | None = None
    """The job of this request, once it has one."""
    origin: Origin | None = None
    status: JobStatus | None = None
    """The status at the last look."""
    blocked_by: int | None = None
    """The newest job that is known not to be ours."""
    in_doubt: bool = False
    """Whether a submission may have been carried out without our hearing of it."""
    settle_until: datetime | None = None
    """Until when to look for a job before submitting again."""
    cancel_until: datetime | None = None
    cancel_sent: bool = False
    queued_too_long: bool = False
    """Whether it is the queue deadline that has passed."""
    wake_at: datetime | None = None
    """Nothing is to be done before this moment."""
    failing_since: datetime | None = None
    """When the present series of failed polls began."""
    failures: int = 0
    looks: int = 0
    submit_failing_since: datetime | None = None
    """When the present series of failed submissions began. A poll that succeeds does not end it."""
    submit_failures: int = 0
    lost_submissions: int = 0
    """How many submissions had an unknown outcome."""
    lost_status: int | None = None
    """The HTTP status with which the last of them was answered, if it was."""
    nothing_came: bool = False
    """Whether it is proven that no job came of them; why is asked next."""
    newer_ended: int | None = None
    """The newer job of the connection that has ended, once it is known that ours is a leftover."""
    missing_since: datetime | None = None
    """When Airbyte first said that it does not know the job, which it had shown before."""
    missing_polls: int = 0
    """How often it has said so since."""
    has_met_airbyte: bool = False
    """Whether the server has answered as Airbyte does."""
    strange_since: datetime | None = None
    """Since when a server that has never done so gives answers that an outage does not explain."""

    def __post_init__(self) -> None:
        require_choice("phase", self.phase, Phase)
        require_choice("job_type", self.job_type, JobType)
        require_moment("asked_at", self.asked_at)
        if self.connection_id is not None:
            require_text("connection_id", self.connection_id)
        if self.job_id is not None:
            require_count("job_id", self.job_id)
        if self.deadline is not None:
            require_moment("deadline", self.deadline)

    @property
    def knows_the_server(self) -> bool:
        """Whether the server is surely an Airbyte: it has answered like one, or has shown the job."""
        has_shown_the_job = self.status is not None or self.origin is Origin.STARTED
        return self.has_met_airbyte or has_shown_the_job

    def to_json(self) -> dict[str, Any]:
        """Return the checkpoint as JSON types, without the fields that have their default."""
        data: dict[str, Any] = {"version": VERSION}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                data[field.name] = _plain(value)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Checkpoint:
        """
        Return the checkpoint that :meth:`to_json` wrote.

        Raises:
            InvalidCheckpoint: It is damaged or of another version.
        """
        document: object = data  # what comes from a store may be anything
        version = document.get("version") if isinstance(document, Mapping) else None
        if version != VERSION:
            raise InvalidCheckpoint(
                f"this release reads checkpoints of version {VERSION}, not {shown(version)}: "
                "look at the connection's last job in Airbyte before you start it again"
            )
        try:
            values = {
                name: _READERS[name](value) for name, value in data.items() if name != "version"
            }
            return cls(**values)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidCheckpoint(f"this checkpoint is damaged: {shown(str(error))}") from error


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, JobStatus):
        return value.word
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    return value


def _exactly(kind: type[T]) -> Callable[[object], T]:
    def read(value: object) -> T:
        if type(value) is not kind:
            raise TypeError(f"{shown(value)} is not of type {kind.__name__}")
        return value

    return read


def _count(value: object) -> int:
    number = _exactly(int)(value)
    if not 0 <= number <= _LARGEST_NUMBER:
        raise ValueError("a number is below zero, or has more than 63 bits")
    return number


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_exactly(str)(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    if moment.year not in _YEARS:  # the flows add durations of up to ten years
        raise ValueError(f"{value!r} is too far away")
    return moment.astimezone(timezone.utc)


_READERS: dict[str, Callable[[Any], Any]] = {
    "phase": Phase,
    "connection_id": _exactly(str),
    "job_type": JobType,
    "asked_at": _moment,
    "deadline": _moment,
    "limit": _exactly(str),
    "queue_deadline": _moment,
    "answered_since": _moment,
    "earlier_tries": _count,
    "job_id": _count,
    "origin": Origin,
    "status": lambda value: JobStatus(_exactly(str)(value)),
    "blocked_by": _count,
    "in_doubt": _exactly(bool),
    "settle_until": _moment,
    "cancel_until": _moment,
    "cancel_sent": _exactly(bool),
    "queued_too_long": _exactly(bool),
    "wake_at": _moment,
    "failing_since": _moment,
    "failures": _count,
    "looks": _count,
    "submit_failing_since": _moment,
    "submit_failures": _count,
    "lost_submissions": _count,
    "lost_status": _count,
    "nothing_came": _exactly(bool),
    "newer_ended": _count,
    "missing_since": _moment,
    "missing_polls": _count,
    "has_met_airbyte": _exactly(bool),
    "strange_since": _moment,
}
