"""The small steps that all phases share: pausing, resting, taking note of a look that failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import Flow, Now, Pause, Report
from airbyte_sync.errors import CallFailed, Forbidden, InvalidCheckpoint, Unauthorized
from airbyte_sync.events import LookFailed, Origin
from airbyte_sync.flows.verdicts import give_up_when_unreachable, is_late, without_a_job

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.jobs import Job
    from airbyte_sync.policy import SyncPolicy

LONGEST_SILENCE = timedelta(minutes=1)
"""How long to wait for news of a job without a look: whoever watches hears that it still runs."""


def awake(checkpoint: Checkpoint, pace: timedelta | None = None) -> Flow[datetime]:
    """
    Return the time once the checkpoint's moment has come.

    This is the only place where flows pause, so every pause carries the whole state, and a flow
    that was resumed too early simply pauses again, unless there is news of its job.

    Args:
        checkpoint: Where the flow stands.
        pace: The shortest time between two looks, where the next one may be left out as long as
            somebody tells all news; ``None`` where it may not.
    """
    now = yield from Now()
    while checkpoint.wake_at is not None and now < checkpoint.wake_at:
        about = checkpoint.blocked_by if checkpoint.phase is Phase.QUEUE else checkpoint.job_id
        latest = _at_the_latest(checkpoint, now, checkpoint.wake_at, pace)
        has_news = yield from Pause(checkpoint.wake_at, checkpoint, about, latest)
        now = yield from Now()
        if has_news:
            break
    return now


def resting(checkpoint: Checkpoint, now: datetime, until: datetime) -> Checkpoint:
    """Rest until a moment, or until a deadline that is still ahead and comes first."""
    return replace(checkpoint, wake_at=_before_deadlines(checkpoint, now, until))


def _before_deadlines(checkpoint: Checkpoint, now: datetime, until: datetime) -> datetime:
    for deadline in (checkpoint.deadline, checkpoint.queue_deadline):
        if deadline is not None and now < deadline:
            until = min(until, deadline)
    return until


def _at_the_latest(
    checkpoint: Checkpoint, now: datetime, until: datetime, pace: timedelta | None
) -> datetime:
    """Return when to look even where no change is missed."""
    # What is left of a pause that was resumed near its end does not tell how often news are wanted.
    if pace is None or checkpoint.failing_since is not None or until - now < 0.9 * pace:
        return until
    return max(until, _before_deadlines(checkpoint, now, now + LONGEST_SILENCE))


def resting_until_next_look(
    checkpoint: Checkpoint, policy: SyncPolicy, now: datetime, job_id: int
) -> Checkpoint:
    """Rest for as long as the poll schedule says."""
    interval = policy.poll.interval(
        waited=now - checkpoint.asked_at, job_id=job_id, looks=checkpoint.looks
    )
    return replace(resting(checkpoint, now, now + interval), looks=checkpoint.looks + 1)


def seen(checkpoint: Checkpoint, job: Job) -> Checkpoint:
    """Take note of a look that succeeded."""
    return replace(checkpoint, status=job.status, failing_since=None, failures=0)


def failing(checkpoint: Checkpoint, now: datetime) -> Checkpoint:
    """Take note of a call that failed."""
    return replace(
        checkpoint,
        failing_since=checkpoint.failing_since or now,
        failures=checkpoint.failures + 1,
    )


def look_failed(
    checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed, now: datetime
) -> Flow[Checkpoint]:
    """
    A failed look never ends a wait by itself; a refusal, or failing for too long, does.

    Who has seen the job before was let in: such a refusal may pass, as when credentials are renewed.
    """
    was_let_in = checkpoint.job_id is not None and checkpoint.status is not None
    may_pass = was_let_in and isinstance(error, (Unauthorized, Forbidden))
    if error.retry_safe is False and not may_pass:
        raise error
    checkpoint = failing(checkpoint, now)
    give_up_when_unreachable(checkpoint, policy, now, error)
    if is_late(checkpoint, now) and checkpoint.job_id is None:
        raise without_a_job(checkpoint, error) from error
    checkpoint = resting(checkpoint, now, now + backoff(checkpoint, policy, error))
    yield from Report(
        LookFailed(
            error=error,
            failing_since=checkpoint.failing_since or now,
            next_look=checkpoint.wake_at or now,
        )
    )
    return replace(checkpoint, looks=checkpoint.looks + 1)


def backoff(checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed) -> timedelta:
    """Return how long to stay away after the last of a series of failures; waiters drift apart."""
    seed = checkpoint.job_id or checkpoint.connection_id or ""
    return policy.backoff(error, failures=checkpoint.failures - 1, seed=seed)


def connection_id_of(checkpoint: Checkpoint) -> str:
    """Return the connection of a request."""
    if checkpoint.connection_id is None:
        raise InvalidCheckpoint(
            f"a checkpoint in phase {checkpoint.phase.value} needs a connection_id"
        )
    return checkpoint.connection_id


def job_id_of(checkpoint: Checkpoint) -> int:
    """Return the job that a request has."""
    if checkpoint.job_id is None:
        raise InvalidCheckpoint(f"a checkpoint in phase {checkpoint.phase.value} needs a job_id")
    return checkpoint.job_id


def origin_of(checkpoint: Checkpoint) -> Origin:
    """Return how a request came to its job."""
    if checkpoint.origin is None:
        raise InvalidCheckpoint(f"a checkpoint in phase {checkpoint.phase.value} needs an origin")
    return checkpoint.origin
