"""An Airbyte in memory: the ports in both colours over one deterministic script.

It keeps the rules of a real server that a policy must live with: one active job per connection, a
409 that does not tell which, cancelling per connection, an old job's id cancelling the current job, a
cancellation that is lost before the first attempt, a reset that cancels the running sync, and a
connection that refuses syncs without saying why.

What a job goes through is a :class:`JobLife`; what goes wrong on the way is a :class:`Fault`.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync.checkpoint import Checkpoint
from airbyte_sync.errors import (
    CallFailed,
    JobNotRunning,
    NotFound,
    StateConflict,
    SyncAlreadyRunning,
    Unprocessable,
)
from airbyte_sync.jobs import (
    Connection,
    ConnectionStatus,
    FailureReason,
    Job,
    JobPage,
    JobQuery,
    JobStatus,
    JobType,
    ended_after,
    is_similar_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync.ports import Clock

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A status that a job takes on some time after its creation."""

    after: timedelta
    status: JobStatus
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class JobLife:
    """What a job goes through when it is not cancelled, in order of time."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if not self.stages or self.stages[0].after > timedelta(0):
            raise ValueError("a life begins with a stage after 0 seconds")

    @classmethod
    def of(cls, *stages: tuple[float, str]) -> JobLife:
        """Build a life from (seconds after creation, status word) pairs."""
        return cls(
            stages=tuple(
                Stage(after=timedelta(seconds=seconds), status=JobStatus(word))
                for seconds, word in stages
            )
        )

    def at(self, age: timedelta) -> Stage:
        """Return the stage that a job of this age is in."""
        return [stage for stage in self.stages if stage.after <= age][-1]


SUCCESS = JobLife.of((0, "pending"), (2, "running"), (30, "succeeded"))
"""The life of a job unless a test asks for another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallFault:
    """
    One call that goes wrong: it ends with an error, or with a changed reply.

    Raises:
        ValueError: It has neither an error nor a change, or both.
    """

    error: CallFailed | None = None
    carried_out: bool = False
    """Whether the server does what was asked before the answer is lost."""
    change: Callable[[Any], Any] | None = None
    """What becomes of the reply of a call that is carried out: another job's, another connection's."""
    takes: timedelta = timedelta(0)
    """How long the caller waits for the end of the call: a reply that drips is given up in the end."""

    def __post_init__(self) -> None:
        if (self.error is None) == (self.change is None):
            raise ValueError("a fault has an error or a change")


def about_another_connection(reply: Any) -> Any:
    """Return a reply about a job, or about jobs, as one about another connection: a :attr:`Fault.change`."""
    if isinstance(reply, JobPage):
        return replace(reply, jobs=tuple(map(about_another_connection, reply.jobs)))
    return replace(reply, connection_id="00000000-0000-4000-8000-0000000000ff")


@dataclass(kw_only=True)
class _Record:
    job: Job
    life: JobLife
    cancelled_at: datetime | None = None


@dataclass(kw_only=True)
class InMemoryAirbyte:
    """The blocking gateway, and the place where a test sets the scene."""

    clock: Clock
    job_scripts: deque[JobLife] = field(default_factory=deque)
    """The lives of the next jobs; when it is empty they live :data:`SUCCESS`."""
    reasons: dict[int, FailureReason] = field(default_factory=dict)
    """Why jobs fail, by job id."""
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    """Every call received: (method, argument)."""

    def __post_init__(self) -> None:
        self._ids = count(1)
        self._records: dict[int, _Record] = {}
        self._connections: dict[str, Connection] = {}
        self._faults: dict[str, deque[CallFault | None]] = {}

    # setting the scene

    def add_connection(
        self,
        connection_id: str,
        *,
        name: str = "faker to duckdb",
        status: ConnectionStatus = ConnectionStatus.ACTIVE,
        workspace_id: str = "00000000-0000-4000-8000-00000000000a",
    ) -> Connection:
        """Make a connection known, or change it."""
        connection = Connection(
            connection_id=connection_id,
            name=name,
            status=status,
            workspace_id=workspace_id,
            source_id="00000000-0000-4000-8000-00000000000b",
            destination_id="00000000-0000-4000-8000-00000000000c",
        )
        self._connections[connection_id] = connection
        return connection

    def start_external_job(
        self, connection_id: str, life: JobLife = SUCCESS, job_type: JobType = JobType.SYNC
    ) -> Job:
        """Start a job as Airbyte's own schedule or a person would."""
        return self._create(connection_id, job_type, life)

    def fail(self, method: str, *faults: CallFault | None) -> None:
        """Let the next calls of a method go wrong, in turn; ``None`` lets one through."""
        self._faults.setdefault(method, deque()).extend(faults)

    def recover(self) -> None:
        """Let no further call go wrong."""
        self._faults.clear()

    def forget(self, job_id: int) -> None:
        """Delete a job, as a server does that is restored from an older backup."""
        del self._records[job_id]

    def jobs(self) -> list[Job]:
        """Return all jobs as they are now, oldest first."""
        return [self._look(job_id) for job_id in sorted(self._records)]

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(1 for called, *_ in self.calls if called == method)

    # the ports

    def submit(self, connection_id: str, job_type: JobType) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.submit`."""

        def carry_out() -> Job:
            connection = self._known(connection_id)
            active = self._active(connection_id)
            if job_type is JobType.REFRESH:
                raise Unprocessable("Refreshes are not supported in the public API", status=422)
            if job_type.preempts:
                if active is not None:
                    self._records[active.job_id].cancelled_at = self.clock.now()
            elif connection.status is not ConnectionStatus.ACTIVE:
                raise StateConflict("Could not fulfill request", status=409)
            elif active is not None:
                raise SyncAlreadyRunning(
                    f"A sync is already running for: {connection_id}", status=409
                )
            job = self._create(
                connection_id, job_type, self.job_scripts.popleft() if self.job_scripts else SUCCESS
            )
            return replace(job, rows=None, bytes=None)

        return self._call("submit", connection_id, carry_out)

    def cancel(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.cancel`."""

        def carry_out() -> Job:
            record = self._records.get(job_id)
            active = None if record is None else self._active(record.job.connection_id)
            if active is None:
                raise JobNotRunning("Job is not currently running", status=409)
            if not active.status.is_waiting_to_run:
                self._records[active.job_id].cancelled_at = self.clock.now()
            return replace(self._look(job_id), rows=None, bytes=None)

        return self._call("cancel", job_id, carry_out)

    def fetch_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.PollPort.fetch_job`."""
        return self._call("fetch_job", job_id, lambda: self._look(job_id))

    def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`airbyte_sync.ports.PollPort.find_jobs`."""

        def carry_out() -> JobPage:
            found = [
                job
                for job in reversed(self.jobs())
                if query.connection_id in {None, job.connection_id}
                and (query.job_type is None or query.job_type.covers(job.job_type))
            ]
            if query.updated_since is not None:
                changed = {job.job_id: self._changed_at(job.job_id) for job in found}
                found = [job for job in found if changed[job.job_id] >= query.updated_since]
                found.sort(key=lambda job: changed[job.job_id])
            page = tuple(found[query.offset : query.offset + query.limit])
            return JobPage(jobs=page, server_time=self.clock.now())

        return self._call("find_jobs", query, carry_out)

    def fetch_connection(self, connection_id: str) -> Connection:
        """See :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
        return self._call("fetch_connection", connection_id, lambda: self._known(connection_id))

    def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""

        def carry_out() -> tuple[Connection, ...]:
            return tuple(
                connection
                for connection in self._connections.values()
                if is_similar_name(connection.name, name)
                and workspace_id in {None, connection.workspace_id}
                and connection.status is not ConnectionStatus.DEPRECATED
            )

        return self._call("find_connections", name, carry_out)

    def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
        return self._call("explain_failure", job_id, lambda: self.reasons.get(job_id))

    # the machinery

    def _call(self, method: str, argument: object, carry_out: Callable[[], T]) -> T:
        self.calls.append((method, argument))
        faults = self._faults.get(method)
        fault = faults.popleft() if faults else None
        if fault is None:
            return carry_out()
        reply = carry_out() if fault.carried_out or fault.change is not None else None
        if fault.takes:
            self.clock.sleep(fault.takes)
        if fault.error is not None:
            raise fault.error
        changed: T = fault.change(reply)  # type: ignore[misc]  # it has one or the other
        return changed

    def _create(self, connection_id: str, job_type: JobType, life: JobLife) -> Job:
        job = Job(
            job_id=next(self._ids),
            status=life.at(timedelta(0)).status,
            job_type="reset" if job_type is JobType.CLEAR else job_type.value,
            connection_id=connection_id,
            created_at=self.clock.now().replace(microsecond=0),
        )
        self._records[job.job_id] = _Record(job=job, life=life)
        return job

    def _stage(self, record: _Record) -> Stage:
        lived_until = record.cancelled_at or self.clock.now()
        return record.life.at(max(lived_until - record.job.created_at, timedelta(0)))

    def _changed_at(self, job_id: int) -> datetime:
        record = self._records[job_id]
        stage = self._stage(record)
        if record.cancelled_at is not None and not stage.status.is_final:
            return record.cancelled_at
        return record.job.created_at + stage.after

    def _look(self, job_id: int) -> Job:
        record = self._records.get(job_id)
        if record is None:
            raise NotFound(f"Could not find job with id: {job_id}", status=404)
        stage = self._stage(record)
        status = stage.status
        if record.cancelled_at is not None and not status.is_final:
            status = JobStatus.CANCELLED
        return replace(
            record.job,
            status=status,
            ended_at=self._changed_at(job_id) if status.is_final else None,
            rows=stage.rows,
            bytes=stage.bytes,
        )

    def _active(self, connection_id: str) -> Job | None:
        jobs = [job for job in self.jobs() if job.connection_id == connection_id]
        return next(
            (job for job in jobs if not (job.status.is_final or ended_after(job, jobs))), None
        )

    def _known(self, connection_id: str) -> Connection:
        if connection_id not in self._connections:
            raise NotFound(f"connection {connection_id} is unknown", status=404)
        return self._connections[connection_id]


class AsyncInMemoryAirbyte:
    """The async counterpart of an :class:`InMemoryAirbyte`."""

    def __init__(self, airbyte: InMemoryAirbyte) -> None:
        self.airbyte = airbyte

    async def submit(self, connection_id: str, job_type: JobType) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.submit`."""
        return self.airbyte.submit(connection_id, job_type)

    async def cancel(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.SyncPort.cancel`."""
        return self.airbyte.cancel(job_id)

    async def fetch_job(self, job_id: int) -> Job:
        """See :meth:`airbyte_sync.ports.PollPort.fetch_job`."""
        return self.airbyte.fetch_job(job_id)

    async def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`airbyte_sync.ports.PollPort.find_jobs`."""
        return self.airbyte.find_jobs(query)

    async def fetch_connection(self, connection_id: str) -> Connection:
        """See :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
        return self.airbyte.fetch_connection(connection_id)

    async def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`airbyte_sync.ports.ConnectionPort.find_connections`."""
        return self.airbyte.find_connections(name, workspace_id)

    async def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
        return self.airbyte.explain_failure(job_id)


class InMemoryStore:
    """A :class:`~airbyte_sync.ports.CheckpointStore` that lasts as long as the test; JSON inside."""

    def __init__(self) -> None:
        self.document: str | None = None

    def load(self) -> Checkpoint | None:
        """See :meth:`airbyte_sync.ports.CheckpointStore.load`."""
        return None if self.document is None else Checkpoint.from_json(json.loads(self.document))

    def save(self, checkpoint: Checkpoint) -> None:
        """See :meth:`airbyte_sync.ports.CheckpointStore.save`."""
        self.document = json.dumps(checkpoint.to_json())

    def clear(self) -> None:
        """Forget, as who has used the result does."""
        self.document = None
