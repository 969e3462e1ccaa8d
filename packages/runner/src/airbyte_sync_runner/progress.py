"""How far a run has come: kept in memory for an interruption, and in the store for the next run."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint
from airbyte_sync.errors import AirbyteSyncError, CallFailed, SyncNotDone
from airbyte_sync.events import Origin
from airbyte_sync_runner.errors import StoreFailed
from airbyte_sync_runner.interrupts import OnInterrupt

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync.jobs import Job
    from airbyte_sync_runner.stores import AsyncOpenRequest, OpenRequest

RENEW_EVERY = timedelta(minutes=5)
"""How often a record is saved anew while its sync is followed, so that it does not expire."""

log: logging.Logger = logging.getLogger("airbyte_sync")


class Position:
    """Where a run stands, whatever its store."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.latest: Checkpoint | None = None
        """The checkpoint of this run, or of the one that it goes on with."""
        self.is_kept: bool = False
        """Whether the store has that checkpoint."""
        self.is_loaded: bool = False
        """Whether it is known what the store had of an earlier run."""
        self._renewed_at = now()

    def record(self, checkpoint: Checkpoint) -> None:
        """Take note of a checkpoint, which the store does not have yet."""
        self.latest = checkpoint
        self.is_kept = False

    def record_saved(self) -> None:
        """Take note that the store has the latest checkpoint."""
        self.is_kept = True
        self.postpone_renewal()

    def postpone_renewal(self) -> None:
        """Let the record be as it is for a while: it was saved, or could not be."""
        self._renewed_at = self._now()

    def record_job(self, job: Job, connection_id: str) -> None:
        """Take note of the job that answered a submission, before the flow has heard of it."""
        before = self.latest
        asked_at = self._now() if before is None else before.asked_at
        self.record(
            Checkpoint.watching(
                job.job_id, Origin.STARTED, asked_at=asked_at, connection_id=connection_id
            )
        )

    def record_no_job(self, error: CallFailed) -> None:
        """Take note that a submission, the only one so far, was surely not carried out."""
        if error.retry_safe and self.latest is not None and self.latest.submissions.lost <= 1:
            self.latest = None
            self.is_kept = False

    @property
    def is_to_be_renewed(self) -> bool:
        """Whether the record in the store has become old."""
        return self.latest is not None and self._now() - self._renewed_at >= RENEW_EVERY

    @property
    def has_nothing_to_cancel(self) -> bool:
        """Whether no job is ours, and none may be."""
        return self.latest is None or self.latest.has_nothing_to_cancel

    def must_be_kept(self, checkpoint: Checkpoint) -> bool:
        """Whether to stop where a checkpoint cannot be kept: before a submission, when nothing was sent."""
        return checkpoint.job_id is None and checkpoint.in_doubt

    def is_over(self, error: AirbyteSyncError) -> bool:
        """Whether an error is the final outcome: nothing is left that the next run could go on with."""
        return self.has_nothing_to_cancel or (isinstance(error, SyncNotDone) and error.retry_safe)

    def is_over_after_cancelling(self, job: Job | None) -> bool:
        """Whether nothing is left after a cancellation that came back with this job, or with none."""
        return job is not None or self.latest is None or not self.latest.in_doubt

    def __str__(self) -> str:
        """Return what a log line calls the sync."""
        if self.latest is None or self.latest.connection_id is None:
            return "the sync"
        if self.latest.job_id is None:
            return f"the sync of Airbyte connection {self.latest.connection_id}"
        return f"Airbyte job {self.latest.job_id} of connection {self.latest.connection_id}"


class Progress:
    """How far a run has come, as the store of its flow: a :class:`airbyte_sync.CheckpointStore`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.position: Position = Position(now)
        self.stored: OpenRequest | None = None
        """The request in the store, once it is open; ``None`` without a store."""

    def load(self) -> Checkpoint | None:
        """Return what an earlier run saved."""
        if self.stored is None:
            return None
        loaded = self.stored.load()
        self.position.is_loaded = True
        if loaded is not None:
            self.position.record(loaded)
            self.position.record_saved()
        return loaded

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; only before a submission a store that fails stops the run."""
        self.position.record(checkpoint)
        try:
            self.keep()
        except Exception as error:
            if self.position.must_be_kept(checkpoint):
                raise nothing_was_sent(error) from error
            log_not_kept(self.position, error)

    def keep(self) -> None:
        """Bring the latest checkpoint to the store."""
        if self.stored is not None and self.position.latest is not None:
            self.stored.save(self.position.latest)
            self.position.record_saved()

    def try_to_keep(self) -> None:
        """Bring the latest checkpoint to the store; one that fails is named in the log."""
        try:
            self.keep()
        except Exception as error:  # a store of a user's own may raise anything
            log_not_kept(self.position, error)

    def renew(self) -> None:
        """Save the record anew where it has become old."""
        if self.stored is not None and self.position.is_to_be_renewed:
            self.position.postpone_renewal()
            self.try_to_keep()

    def clear(self) -> None:
        """Forget the request: its outcome is about to be delivered."""
        if self.stored is None or not self.position.is_loaded:
            return
        self.position.is_kept = False
        try:
            self.stored.clear()
        except Exception as error:
            log_not_cleared(self.position, error)


class AsyncProgress:
    """The async counterpart of :class:`Progress`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.position: Position = Position(now)
        self.stored: AsyncOpenRequest | None = None
        """See :class:`Progress`."""

    async def load(self) -> Checkpoint | None:
        """See :meth:`Progress.load`."""
        if self.stored is None:
            return None
        loaded = await self.stored.load()
        self.position.is_loaded = True
        if loaded is not None:
            self.position.record(loaded)
            self.position.record_saved()
        return loaded

    async def save(self, checkpoint: Checkpoint) -> None:
        """See :meth:`Progress.save`."""
        self.position.record(checkpoint)
        try:
            await self.keep()
        except Exception as error:
            if self.position.must_be_kept(checkpoint):
                raise nothing_was_sent(error) from error
            log_not_kept(self.position, error)

    async def keep(self) -> None:
        """See :meth:`Progress.keep`."""
        if self.stored is not None and self.position.latest is not None:
            await self.stored.save(self.position.latest)
            self.position.record_saved()

    async def try_to_keep(self) -> None:
        """See :meth:`Progress.try_to_keep`."""
        try:
            await self.keep()
        except Exception as error:  # a store of a user's own may raise anything
            log_not_kept(self.position, error)

    async def renew(self) -> None:
        """See :meth:`Progress.renew`."""
        if self.stored is not None and self.position.is_to_be_renewed:
            self.position.postpone_renewal()
            await self.try_to_keep()

    async def clear(self) -> None:
        """See :meth:`Progress.clear`."""
        if self.stored is None or not self.position.is_loaded:
            return
        self.position.is_kept = False
        try:
            await self.stored.clear()
        except Exception as error:
            log_not_cleared(self.position, error)


def nothing_was_sent(error: Exception) -> StoreFailed:
    """Return the error of a store that could not keep a checkpoint before a submission."""
    return StoreFailed(
        f"the sync was not started, because the next run could not find it again: {error}"
    )


def log_not_kept(position: Position, error: Exception) -> None:
    """Say that the store does not know how far the sync has come. It is followed all the same."""
    log.warning("The progress of %s could not be saved, and it goes on: %s", position, error)


def log_not_cleared(position: Position, error: Exception) -> None:
    """Say that the store would answer the next request with this one's outcome."""
    log.warning(
        "The end of %s could not be recorded, so the same request made again goes on with it: %s",
        position,
        error,
    )


def log_interrupted(position: Position, action: OnInterrupt, *, has_store: bool) -> None:
    """Say what becomes of the sync."""
    if action is OnInterrupt.CANCEL:
        log.warning("Interrupted: cancelling %s; interrupt again to stop at once", position)
    elif has_store:
        log.warning("Interrupted: %s goes on, and the next run follows it", position)
    else:
        log.warning("Interrupted: %s goes on, and nothing follows it", position)


def log_cancelled(job: Job) -> None:
    """Say how a sync has ended that was cancelled."""
    log.warning("Airbyte job %s ended: %s", job.job_id, job.status)


def log_not_cancelled(position: Position, why: object) -> None:
    """Say what a person has to do."""
    log.error("Could not cancel %s: cancel it in Airbyte. %s", position, why)
