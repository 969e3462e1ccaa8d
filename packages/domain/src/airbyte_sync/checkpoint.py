"""The continuation of a flow as a value: what makes a generator survive its process.

Every pause carries a checkpoint, and resuming from it in another process, with another driver or on
another day gives the same result. It holds identifiers, moments and counters; never a credential.

A checkpoint is what is common to a request, and exactly one phase (:mod:`airbyte_sync.phases`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync import version_1
from airbyte_sync.checks import require_choice, require_moment, require_type
from airbyte_sync.errors import InvalidCheckpoint, InvalidInput
from airbyte_sync.events import Origin
from airbyte_sync.jobs import JobType
from airbyte_sync.phases import (
    PHASE_NAMES,
    PHASES,
    Asked,
    Cancelling,
    ConnectionBusy,
    EarlierJobs,
    Failures,
    FindingJob,
    Phase,
    Submissions,
    Submitting,
    Watching,
)
from airbyte_sync.stored import count, exactly, moment, plain, status
from airbyte_sync.texts import shown

if TYPE_CHECKING:
    from datetime import datetime

VERSION = 2

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Everything that must survive a pause."""

    phase: Phase
    asked_at: datetime
    """When the request was first made."""
    job_type: JobType = JobType.SYNC
    deadline: datetime | None = None
    """When the job must have ended. Before the request has its job only the caller can have set it."""
    deadline_name: str | None = None
    """What the caller calls this deadline, where it is the caller's and not the policy's."""
    queue_deadline: datetime | None = None
    """Until when the request must have its job, and the job must have begun to run."""
    wake_at: datetime | None = None
    """Nothing is to be done before this moment."""
    failures: Failures | None = None
    """The present series of failed polls."""
    polls: int = 0
    has_met_airbyte: bool = False
    """Whether the server has answered as Airbyte does."""
    strange_since: datetime | None = None
    """Since when a server that has never done so gives answers that an outage does not explain."""

    def __post_init__(self) -> None:
        require_type(
            "phase", self.phase, tuple(PHASE_NAMES), "a phase, as in Watching(job_id=7, ...)"
        )
        require_choice("job_type", self.job_type, JobType)
        require_moment("asked_at", self.asked_at)
        if self.deadline is not None:
            require_moment("deadline", self.deadline)

    @classmethod
    def asked(cls, asked_at: datetime) -> Checkpoint:
        """
        Return the mark of a request that was just made, and of which nothing was sent.

        Args:
            asked_at: When it was made.
        """
        return cls(phase=Asked(), asked_at=asked_at)

    @classmethod
    def watching(
        cls,
        job_id: int,
        origin: Origin,
        *,
        asked_at: datetime,
        connection_id: str | None = None,
        deadline: datetime | None = None,
        deadline_name: str | None = None,
    ) -> Checkpoint:
        """
        Return where a request stands that is known to have its job.

        Args:
            job_id: The job.
            origin: How the request came to it: whether it is ours to cancel.
            asked_at: When the wait for the job began.
            connection_id: The connection, where it is known.
            deadline: When the job must have ended; ``None``: no deadline.
            deadline_name: What the caller calls that deadline, for error texts; ``None``: the policy's
                ``timeout``.

        Returns:
            A checkpoint for :func:`~airbyte_sync.resume`, :func:`~airbyte_sync.end_now` and
            :func:`~airbyte_sync.abandon`.
        """
        return cls(
            phase=Watching(job_id=job_id, origin=origin, connection_id=connection_id),
            asked_at=asked_at,
            deadline=deadline,
            deadline_name=None if deadline is None else deadline_name,
        )

    @property
    def phase_name(self) -> str:
        """The name of the phase in JSON."""
        return PHASE_NAMES[type(self.phase)]

    @property
    def connection_id(self) -> str | None:
        """The connection, as far as it is known."""
        return None if isinstance(self.phase, Asked) else self.phase.connection_id

    @property
    def job_id(self) -> int | None:
        """The job of this request, once it has one."""
        return self.phase.job_id if isinstance(self.phase, (Watching, Cancelling)) else None

    @property
    def origin(self) -> Origin | None:
        """How the request came to its job, once it has one."""
        return self.phase.origin if isinstance(self.phase, (Watching, Cancelling)) else None

    @property
    def polled_job_id(self) -> int | None:
        """The job whose change the next poll waits for: ours, or the one in the way of it."""
        if isinstance(self.phase, ConnectionBusy):
            return self.phase.after_job_id
        return self.job_id

    @property
    def submissions(self) -> Submissions:
        """What became of the submissions; nothing is left to say once the request has its job."""
        if isinstance(self.phase, (Submitting, FindingJob, ConnectionBusy)):
            return self.phase.submissions
        return Submissions()

    @property
    def in_doubt(self) -> bool:
        """Whether a submission may have been carried out without an answer that reached us."""
        return self.submissions.in_doubt

    @property
    def failing_since(self) -> datetime | None:
        """Since when all polls have failed; ``None`` where the last one succeeded."""
        return None if self.failures is None else self.failures.since

    @property
    def has_nothing_to_cancel(self) -> bool:
        """Whether :func:`~airbyte_sync.abandon` has nothing to do: no job is ours, and none may be."""
        if isinstance(self.phase, (Watching, Cancelling)):
            return self.phase.origin is not None and not self.phase.origin.is_ours_to_cancel
        return not self.in_doubt

    @property
    def knows_the_server(self) -> bool:
        """Whether the server is surely an Airbyte: it has answered like one, or has shown the job."""
        return self.has_met_airbyte or self._has_shown_a_job or self.origin is Origin.STARTED

    @property
    def may_have_a_job(self) -> bool:
        """
        Whether a refusal of a poll is no final word: the request has a job, or may have one.

        A job that was seen does not end because a poll was refused, as when credentials are renewed or a
        gateway reloads its routes. Only not seeing it for ``unreachable_timeout`` ends the wait.
        """
        return self._has_shown_a_job or self.in_doubt

    @property
    def _has_shown_a_job(self) -> bool:
        if isinstance(self.phase, (Watching, Cancelling)):
            return self.phase.status is not None
        return isinstance(self.phase, ConnectionBusy)

    def without_wake_at(self) -> Checkpoint:
        """Return the same for a caller that decides itself when to poll again."""
        return replace(self, wake_at=None)

    def handed_over(self) -> Checkpoint:
        """
        Return what the same request made again has to know while another process goes on from here.

        That process may submit at any moment, and may be gone before it can tell. So a job that has begun
        since the request was made is taken for its answer, unless it failed or was cancelled.
        """
        phase = self.phase
        if self.in_doubt or not isinstance(phase, (FindingJob, ConnectionBusy)):
            return self  # it is looked for anyway, or known, or nothing can have been submitted
        earlier = phase.earlier or EarlierJobs(answered_since=self.asked_at, tries=1)
        return replace(self, phase=replace(phase, earlier=earlier))

    def to_json(self, *, for_version: object = VERSION) -> dict[str, Any]:
        """
        Return the checkpoint as JSON types, without the fields that have their default.

        Args:
            for_version: What its reader understands. The release before, which writes version 1, is told of a
                request that has its job, so that a triggerer may be upgraded before its workers.
        """
        common = {name: value for name, value in plain(self).items() if name != "phase"}
        if for_version == 1 and isinstance(self.phase, Watching):
            return version_1.write(common, self.phase)
        return {"version": VERSION, "phase": self.phase_name, **common, **plain(self.phase)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Checkpoint:
        """
        Return the checkpoint that :meth:`to_json` wrote, of this release or of the one before.

        Raises:
            InvalidCheckpoint: It is damaged or of another version.
        """
        document: object = data  # what comes from a store may be anything
        version = document.get("version") if isinstance(document, Mapping) else None
        if type(version) is not int or version not in {1, VERSION}:
            raise InvalidCheckpoint(
                f"this release reads checkpoints of versions 1 and {VERSION}, not {shown(version)}: "
                "look at the connection's last job in Airbyte before you start it again"
            )
        values = {name: value for name, value in data.items() if name != "version"}
        try:
            if version == 1:
                return cls(**version_1.read(values))
            phase = PHASES[values.pop("phase")]
            names = {each.name for each in fields(phase)}
            own = {name: values.pop(name) for name in names & values.keys()}
            return cls(phase=phase(**_read(own)), **_read(values))
        except (KeyError, TypeError, ValueError, OverflowError, InvalidInput) as error:
            raise InvalidCheckpoint(f"this checkpoint is damaged: {shown(str(error))}") from error


def _read(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: _READERS[name](value) for name, value in values.items()}


def _group(kind: Callable[..., T]) -> Callable[[object], T]:
    return lambda value: kind(**_read(exactly(dict)(value)))


_READERS: dict[str, Callable[[object], object]] = {
    "asked_at": moment,
    "job_type": JobType,
    "deadline": moment,
    "deadline_name": exactly(str),
    "queue_deadline": moment,
    "wake_at": moment,
    "failures": _group(Failures),
    "polls": count,
    "has_met_airbyte": exactly(bool),
    "strange_since": moment,
    "connection_id": exactly(str),
    "after_job_id": count,
    "submissions": _group(Submissions),
    "submit_failures": _group(Failures),
    "earlier": _group(EarlierJobs),
    "search_until": moment,
    "nothing_came": exactly(bool),
    "job_id": count,
    "origin": Origin,
    "status": status,
    "newer_ended": count,
    "missing": _group(Failures),
    "cancel_until": moment,
    "cancel_sent": exactly(bool),
    "queued_too_long": exactly(bool),
    # in groups
    "since": moment,
    "count": count,
    "in_doubt": exactly(bool),
    "lost": count,
    "lost_status": count,
    "answered_since": moment,
    "tries": count,
}
