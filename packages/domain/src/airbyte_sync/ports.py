"""What the flows need from the world: small protocols, each blocking and async.

A port's docstrings are its contract. An adapter proves that it keeps it with the contract suites of
``airbyte-sync-testkit``.

Every method of the Airbyte ports raises only :class:`~airbyte_sync.errors.CallFailed` and its
subclasses, and :class:`~airbyte_sync.errors.AlreadyClosed` once its adapter was closed. A call is made
once: no adapter repeats a request on its own, except that a 401 is answered by fetching a fresh token and
repeating that request once. Whether anything else is repeated is the policy's decision, and the policy is
in the flows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.job_details import JobDetails
    from airbyte_sync.jobs import Connection, FailureReason, Job, JobPage, JobType
    from airbyte_sync.requests import JobQuery


@runtime_checkable
class SyncPort(Protocol):
    """Starts and cancels jobs."""

    def submit(self, connection_id: str, job_type: JobType) -> Job:
        """
        Ask Airbyte for a new job. **Not idempotent**: there is no idempotency key.

        Args:
            connection_id: The connection's UUID.
            job_type: What to run.

        Returns:
            The new job, without rows and bytes.

        Raises:
            SyncAlreadyRunning: The connection has an active job.
            StateConflict: 409 for another reason; read the connection to explain it.
            RequestNotSent: Surely nothing was started.
            CallFailed: Any other subclass; something may have started unless it is ``retry_safe``.
        """
        ...

    def cancel(self, job_id: int) -> Job:
        """
        Ask Airbyte to cancel whatever runs on the connection of this job. May be repeated.

        Airbyte cancels per connection: the id of an ended job cancels the connection's
        *current* job. The reply may come before the cancellation took effect.

        Args:
            job_id: The job; re-read it first, and call this only while it has not ended.

        Returns:
            The job as the server saw it after the request, without rows and bytes.

        Raises:
            JobNotRunning: There was nothing to cancel.
            CallFailed: Any other subclass.
        """
        ...


@runtime_checkable
class AsyncSyncPort(Protocol):
    """Starts and cancels jobs, async: the contract of :class:`SyncPort`."""

    async def submit(self, connection_id: str, job_type: JobType) -> Job:
        """See :meth:`SyncPort.submit`."""
        ...

    async def cancel(self, job_id: int) -> Job:
        """See :meth:`SyncPort.cancel`."""
        ...


@runtime_checkable
class PollPort(Protocol):
    """Reads jobs and changes nothing."""

    def fetch_job(self, job_id: int) -> Job:
        """
        Read one job.

        Args:
            job_id: The job.

        Returns:
            The job, with rows and bytes.

        Raises:
            NotFound: Airbyte does not know the id.
            Forbidden: The id is unknown or not ours to read; Cloud does not tell which.
            CallFailed: Any other subclass.
        """
        ...

    def find_jobs(self, query: JobQuery) -> JobPage:
        """
        List jobs.

        Args:
            query: Which ones.

        Returns:
            One page, newest first, or by last change where the query asks for changes; at most
            ``query.limit`` jobs. Rows and bytes are there if the server lists them.

        Raises:
            InvalidInput: The limit is not one that the server takes.
            CallFailed: Any subclass.
        """
        ...


@runtime_checkable
class AsyncPollPort(Protocol):
    """Reads jobs and changes nothing, async: the contract of :class:`PollPort`."""

    async def fetch_job(self, job_id: int) -> Job:
        """See :meth:`PollPort.fetch_job`."""
        ...

    async def find_jobs(self, query: JobQuery) -> JobPage:
        """See :meth:`PollPort.find_jobs`."""
        ...


@runtime_checkable
class AsyncFeedPort(AsyncPollPort, Protocol):
    """
    Follows many jobs for many waiters at the cost of a few, and tells which have changed.

    It has no blocking counterpart: a blocking caller waits for one job, and asks for it.
    """

    async def wait_for_change(self, job_id: int, until: datetime, latest: datetime) -> bool:
        """
        Wait for a change of a job. Cancelling the wait leaves no trace.

        Args:
            job_id: The job.
            until: When to give up where a change may be missed. How far it is away tells how often changes
                are wanted.
            latest: When to give up in any case: as long as no change can be missed, there is
                nothing to poll for.

        Returns:
            Whether the job has changed since it was last read: poll now. ``False``: the
            moment has come, or the wait was cut short.
        """
        ...

    async def recent_job(self, job_id: int) -> Job:
        """
        Read a job that is followed: as :meth:`PollPort.fetch_job`, except for its age.

        Args:
            job_id: The job.

        Returns:
            The job as it was at most about as long ago as its waiters wait between two polls. An
            ended one has rows and bytes; those of a running one may be some minutes old.

        Raises:
            CallFailed: As :meth:`PollPort.fetch_job`; or nothing is known of any job at the moment.
        """
        ...


@runtime_checkable
class ConnectionPort(Protocol):
    """Reads connections."""

    def fetch_connection(self, connection_id: str, *, quickly: bool = False) -> Connection:
        """
        Read one connection.

        Args:
            connection_id: The connection's UUID.
            quickly: Whether to give up within a few seconds, as :meth:`ReasonPort.explain_failure` does: the
                answer is for display only.

        Returns:
            The connection; a deleted one may still be readable.

        Raises:
            NotFound: Airbyte does not know the id.
            Forbidden: The id is unknown or not ours to read.
            UnreadableId: The id is no UUID, and the server failed at it.
            CallFailed: Any other subclass.
        """
        ...

    def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """
        Find connections by their name, and those whose names are nearly the same.

        Args:
            name: The name as the Airbyte UI shows it.
            workspace_id: Where to look; ``None`` means everywhere these credentials can see.

        Returns:
            All whose name is similar (:func:`~airbyte_sync.jobs.is_similar_name`); deleted ones are left
            out. The caller decides which of them are meant: :func:`~airbyte_sync.find_connection` takes those
            of the same name, and tells the others where there is none.

        Raises:
            CallFailed: Any subclass.
        """
        ...


@runtime_checkable
class AsyncConnectionPort(Protocol):
    """Reads connections, async: the contract of :class:`ConnectionPort`."""

    async def fetch_connection(self, connection_id: str, *, quickly: bool = False) -> Connection:
        """See :meth:`ConnectionPort.fetch_connection`."""
        ...

    async def find_connections(self, name: str, workspace_id: str | None) -> tuple[Connection, ...]:
        """See :meth:`ConnectionPort.find_connections`."""
        ...


@runtime_checkable
class ListingPort(Protocol):
    """Lists what there is, for people. No flow asks for it."""

    def list_connections(self, workspace_id: str | None = None) -> tuple[Connection, ...]:
        """
        List connections.

        Args:
            workspace_id: Where to look; ``None`` means everywhere these credentials can see.

        Returns:
            All of them, in the order of the server; deleted ones are left out.

        Raises:
            CallFailed: Any subclass; :class:`~airbyte_sync.errors.UnexpectedReply` where the list does not
                come to an end.
        """
        ...

    def list_active_jobs(
        self, connection_id: str | None = None, workspace_id: str | None = None
    ) -> tuple[Job, ...]:
        """
        List the jobs that have not ended, also those that others started.

        Args:
            connection_id: Those of one connection; ``None`` means of all.
            workspace_id: Those of one workspace, where no connection is named.

        Returns:
            All of them, newest first. A job that changes its status meanwhile may be missing, unless it is
            one of the hundred newest.

        Raises:
            CallFailed: Any subclass; :class:`~airbyte_sync.errors.UnexpectedReply` where the list does not
                come to an end.
        """
        ...


@runtime_checkable
class AsyncListingPort(Protocol):
    """Lists what there is, async: the contract of :class:`ListingPort`."""

    async def list_connections(self, workspace_id: str | None = None) -> tuple[Connection, ...]:
        """See :meth:`ListingPort.list_connections`."""
        ...

    async def list_active_jobs(
        self, connection_id: str | None = None, workspace_id: str | None = None
    ) -> tuple[Job, ...]:
        """See :meth:`ListingPort.list_active_jobs`."""
        ...


@runtime_checkable
class ReasonPort(Protocol):
    """Knows why jobs fail. The public API does not tell; an adapter may ask elsewhere."""

    def explain_failure(self, job_id: int) -> FailureReason | None:
        """
        Say why a failed job failed: best effort, within a few seconds, from a source that may be absent.

        Args:
            job_id: A job that has failed.

        Returns:
            The reason of its last failed attempt, or ``None`` where no source says.

        Raises:
            CallFailed: Any subclass; the caller goes on without a reason.
        """
        ...


@runtime_checkable
class AsyncReasonPort(Protocol):
    """Knows why jobs fail, async: the contract of :class:`ReasonPort`."""

    async def explain_failure(self, job_id: int) -> FailureReason | None:
        """See :meth:`ReasonPort.explain_failure`."""
        ...


@runtime_checkable
class DetailPort(Protocol):
    """Knows what jobs did by stream and attempt. The public API does not tell; others may."""

    def fetch_details(self, job_id: int, connection_id: str) -> JobDetails:
        """
        Say what a job did: best effort, within a few seconds, from sources that may be absent.

        Args:
            job_id: A job that has ended.
            connection_id: Its connection.

        Returns:
            What any source says. Where none has the amounts, the streams of the connection without them.

        Raises:
            CallFailed: Any subclass; the caller goes on without details.
        """
        ...


@runtime_checkable
class AsyncDetailPort(Protocol):
    """Knows what jobs did, async: the contract of :class:`DetailPort`."""

    async def fetch_details(self, job_id: int, connection_id: str) -> JobDetails:
        """See :meth:`DetailPort.fetch_details`."""
        ...


@runtime_checkable
class CheckpointStore(Protocol):
    """
    Remembers how far *one* request has come, beyond the life of a process.

    A store belongs to one request, such as a task of a scheduler's run, however often it is tried.
    Who has used the result clears the store; what is remembered would answer the next request.
    """

    def load(self) -> Checkpoint | None:
        """Return what was saved last, or ``None``. What cannot be read any more counts as nothing."""
        ...

    def save(self, checkpoint: Checkpoint) -> None:
        """Remember a checkpoint in the place of any other, durably, before returning."""
        ...


@runtime_checkable
class AsyncCheckpointStore(Protocol):
    """Remembers how far one request has come, async: the contract of :class:`CheckpointStore`."""

    async def load(self) -> Checkpoint | None:
        """See :meth:`CheckpointStore.load`."""
        ...

    async def save(self, checkpoint: Checkpoint) -> None:
        """See :meth:`CheckpointStore.save`."""
        ...


@runtime_checkable
class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """Return the current moment, aware, in UTC."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Block for about ``duration``. Waking early is allowed: flows ask for the time again."""
        ...


@runtime_checkable
class AsyncClock(Protocol):
    """Tells the time and waits, async."""

    def now(self) -> datetime:
        """Return the current moment, aware, in UTC. Not a coroutine: it never waits."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Suspend for about ``duration``. Waking early is allowed."""
        ...


@runtime_checkable
class SyncGateway(
    SyncPort, PollPort, ConnectionPort, ListingPort, ReasonPort, DetailPort, Protocol
):
    """All blocking Airbyte ports in one object, as most adapters are built."""


@runtime_checkable
class AsyncSyncGateway(
    AsyncSyncPort,
    AsyncPollPort,
    AsyncConnectionPort,
    AsyncListingPort,
    AsyncReasonPort,
    AsyncDetailPort,
    Protocol,
):
    """All async Airbyte ports in one object."""
