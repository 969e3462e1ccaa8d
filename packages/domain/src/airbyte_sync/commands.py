"""What a flow may ask of the world.

A flow yields a command and is sent its answer. A command is iterable for the sake of typing alone:
``job = yield from FetchJob(7)`` type-checks as :class:`Job`, where a bare ``yield`` would be ``Any``.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from airbyte_sync.job_details import JobDetails
from airbyte_sync.jobs import Connection, FailureReason, Job, JobPage, JobType

if TYPE_CHECKING:
    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.events import Event
    from airbyte_sync.requests import JobQuery

Answer = TypeVar("Answer")
Result = TypeVar("Result")


class Command(Generic[Answer]):
    """A request to the outside; ``Answer`` is the type of what comes back."""

    __slots__ = ()

    def __iter__(self) -> Generator[Command[Any], Any, Answer]:
        answer: Answer = yield self
        return answer


class PortCall(Command[Answer]):
    """A command that one method of a port answers: of the Airbyte ports, or of the checkpoint store."""

    __slots__ = ()

    def on(self, port: Any) -> Any:
        """
        Call the method.

        Args:
            port: The port, blocking or async.

        Returns:
            The answer of a blocking port, and what to await of an async one.
        """
        raise NotImplementedError


Flow: TypeAlias = Generator[Command[Any], Any, Result]
"""A generator that yields commands, is sent their answers, and returns a ``Result``."""


@dataclass(frozen=True, slots=True)
class SubmitSync(PortCall[Job]):
    """Start a job: :meth:`~airbyte_sync.ports.SyncPort.submit`."""

    connection_id: str
    job_type: JobType

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.submit(self.connection_id, self.job_type)


@dataclass(frozen=True, slots=True)
class CancelJob(PortCall[Job]):
    """Cancel a job: :meth:`~airbyte_sync.ports.SyncPort.cancel`."""

    job_id: int

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.cancel(self.job_id)


@dataclass(frozen=True, slots=True)
class FetchJob(PortCall[Job]):
    """Read one job: :meth:`~airbyte_sync.ports.PollPort.fetch_job`."""

    job_id: int
    recent: bool = False
    """Whether an answer of a moment ago will do, where a feed has one
    (:meth:`~airbyte_sync.ports.AsyncFeedPort.recent_job`). What is about to be judged or cancelled is
    read afresh."""

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.fetch_job(self.job_id)


@dataclass(frozen=True, slots=True)
class FindJobs(PortCall[JobPage]):
    """List jobs: :meth:`~airbyte_sync.ports.PollPort.find_jobs`."""

    query: JobQuery

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.find_jobs(self.query)


@dataclass(frozen=True, slots=True)
class FetchConnection(PortCall[Connection]):
    """Read a connection: :meth:`~airbyte_sync.ports.ConnectionPort.fetch_connection`."""

    connection_id: str
    quickly: bool = False
    """Whether the answer is for display only, and not worth a long wait."""

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        options = {"quickly": True} if self.quickly else {}
        return port.fetch_connection(self.connection_id, **options)


@dataclass(frozen=True, slots=True)
class FindConnections(PortCall[tuple[Connection, ...]]):
    """Find connections: :meth:`~airbyte_sync.ports.ConnectionPort.find_connections`."""

    name: str
    workspace_id: str | None

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.find_connections(self.name, self.workspace_id)


@dataclass(frozen=True, slots=True)
class ExplainFailure(PortCall[FailureReason | None]):
    """Ask why a job failed: :meth:`~airbyte_sync.ports.ReasonPort.explain_failure`."""

    job_id: int

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.explain_failure(self.job_id)


@dataclass(frozen=True, slots=True)
class FetchDetails(PortCall[JobDetails]):
    """Ask what a job did, by stream and attempt: :meth:`~airbyte_sync.ports.DetailPort.fetch_details`."""

    job_id: int
    connection_id: str

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.fetch_details(self.job_id, self.connection_id)


@dataclass(frozen=True, slots=True)
class LoadCheckpoint(PortCall["Checkpoint | None"]):
    """Say how far this request had come before; ``None`` where no store remembers."""

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.load()


@dataclass(frozen=True, slots=True)
class SaveCheckpoint(PortCall[None]):
    """Keep a checkpoint for the same request made again; does nothing without a store."""

    checkpoint: Checkpoint

    def on(self, port: Any) -> Any:
        """See :meth:`PortCall.on`."""
        return port.save(self.checkpoint)


@dataclass(frozen=True, slots=True)
class Now(Command[datetime]):
    """Tell the time: aware, UTC."""


@dataclass(frozen=True, slots=True)
class Pause(Command[bool]):
    """
    Wait until a moment, or put the flow away.

    A driver may wait and go on, or drop the flow here and resume from the checkpoint later, in
    another process and with another driver, with the same result.

    The answer is whether the job has changed before that moment has come: the flow polls at once
    then. An interpreter that only has a clock answers ``False``, and may do so too early.
    """

    until: datetime
    checkpoint: Checkpoint
    job_id: int | None = None
    """The job that is waited for, where there is one yet."""
    latest: datetime | None = None
    """Until when to wait where no change of the job can be missed; ``None``: not beyond ``until``."""


@dataclass(frozen=True, slots=True)
class Report(Command[None]):
    """Tell what happened. Flows do not log."""

    event: Event
