"""The rules of polling that all phases share: when to pause, for how long, and what a failed poll means."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync.commands import Flow, Now, Pause, Report
from airbyte_sync.errors import CallFailed, Refused, UnexpectedReply
from airbyte_sync.events import PollFailed
from airbyte_sync.flows.failures import (
    PATIENCE_WITH_STRANGERS,
    give_up_on_a_stranger,
    give_up_when_unreachable,
    has_waited_too_long,
    record_what_is_left,
    without_a_job,
)
from airbyte_sync.jobs import is_same_id
from airbyte_sync.phases import Failures

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.checkpoint import Checkpoint
    from airbyte_sync.jobs import Job
    from airbyte_sync.policy import SyncPolicy

LONGEST_SILENCE = timedelta(minutes=1)
"""How long to wait for a change of a job without a poll: the log then says that it still runs."""


def pause_until_due(
    checkpoint: Checkpoint, min_interval: timedelta | None = None
) -> Flow[datetime]:
    """
    Return the time once the checkpoint's moment has come.

    This is the only place where flows pause, so every pause carries the whole state, and a flow
    that was resumed too early simply pauses again, unless its job has changed.

    Args:
        checkpoint: Where the flow stands.
        min_interval: The shortest time between two polls, where the next one may be left out as long as
            a feed tells of all changes; ``None`` where it may not.
    """
    now = yield from Now()
    while checkpoint.wake_at is not None and now < checkpoint.wake_at:
        latest = _latest(checkpoint, now, checkpoint.wake_at, min_interval)
        # A bare yield: thousands of waiters rest here, and each saves a generator.
        has_changed: bool = yield Pause(
            checkpoint.wake_at, checkpoint, checkpoint.polled_job_id, latest
        )
        now = yield from Now()
        if has_changed:
            break
    return now


def with_wake_at(checkpoint: Checkpoint, now: datetime, until: datetime) -> Checkpoint:
    """Set the moment to go on, or until a deadline that is still ahead and comes first."""
    return replace(checkpoint, wake_at=_before_deadlines(checkpoint, now, until))


def _before_deadlines(checkpoint: Checkpoint, now: datetime, until: datetime) -> datetime:
    for deadline in (checkpoint.deadline, checkpoint.queue_deadline):
        if deadline is not None and now < deadline:
            until = min(until, deadline)
    return until


def _latest(
    checkpoint: Checkpoint, now: datetime, until: datetime, min_interval: timedelta | None
) -> datetime:
    """Return when to poll even where no change is missed."""
    # What is left of a pause that was resumed near its end does not tell how often a change is wanted.
    if (
        min_interval is None
        or checkpoint.failing_since is not None
        or until - now < 0.9 * min_interval
    ):
        return until
    return max(until, _before_deadlines(checkpoint, now, now + LONGEST_SILENCE))


def with_next_poll(
    checkpoint: Checkpoint, policy: SyncPolicy, now: datetime, job_id: int
) -> Checkpoint:
    """Rest for as long as the poll schedule says."""
    interval = policy.poll.interval(
        waited=now - checkpoint.asked_at, job_id=job_id, polls=checkpoint.polls
    )
    return replace(with_wake_at(checkpoint, now, now + interval), polls=checkpoint.polls + 1)


def require_same_connection(checkpoint: Checkpoint, job: Job) -> Job:
    """
    Return a job that was polled, if it is one of the request's connection.

    Raises:
        UnexpectedReply: It is another connection's, so the reply is not about what was asked.
    """
    known = checkpoint.connection_id
    if known is not None and not is_same_id(job.connection_id, known):
        raise UnexpectedReply(
            f"the reply says that Airbyte job {job.job_id} is of another connection than {known}. Something "
            "between here and Airbyte mixes up replies, or the server was set up anew."
        )
    return job


def record_answer(checkpoint: Checkpoint) -> Checkpoint:
    """Record an answer that is surely Airbyte's. Submissions that failed are counted apart."""
    return replace(checkpoint, has_met_airbyte=True, strange_since=None, failures=None)


def record_failure(checkpoint: Checkpoint, now: datetime) -> Checkpoint:
    """Record a poll that failed."""
    return replace(checkpoint, failures=Failures.one_more(checkpoint.failures, now))


def record_who_answered(checkpoint: Checkpoint, error: CallFailed, now: datetime) -> Checkpoint:
    """
    Record whether an error is Airbyte's own word, another program's, or neither.

    An outage says nothing about who is there when it is over, so it begins a new count.
    """
    if checkpoint.knows_the_server:
        return checkpoint
    if isinstance(error, Refused):
        return replace(checkpoint, has_met_airbyte=True, strange_since=None)
    is_strange = isinstance(error, UnexpectedReply)
    return replace(
        checkpoint, strange_since=(checkpoint.strange_since or now) if is_strange else None
    )


def on_poll_failure(
    checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed, now: datetime
) -> Flow[Checkpoint]:
    """A failed poll never ends a wait by itself; a refusal where there is no job, or failing for too
    long, does."""
    if not error.retry_may_help and not checkpoint.may_have_a_job:
        record_what_is_left(checkpoint, error)
        raise error
    checkpoint = record_who_answered(record_failure(checkpoint, now), error, now)
    give_up_on_a_stranger(checkpoint, now, error)
    give_up_when_unreachable(checkpoint, policy, now, error)
    if checkpoint.job_id is None and has_waited_too_long(checkpoint, now):
        raise without_a_job(checkpoint, policy, error) from error
    checkpoint = with_backoff(checkpoint, policy, now, error, checkpoint.failures)
    yield from Report(
        PollFailed(
            error=error,
            failing_since=checkpoint.failing_since or now,
            next_poll=checkpoint.wake_at or now,
        )
    )
    return replace(checkpoint, polls=checkpoint.polls + 1)


def backoff(
    checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed, series: Failures | None
) -> timedelta:
    """Return how long to stay away after the last of a series of failures; waiters drift apart."""
    failures = 0 if series is None else series.count - 1
    return policy.backoff(error, failures=failures, seed=seed_of(checkpoint))


def with_backoff(
    checkpoint: Checkpoint,
    policy: SyncPolicy,
    now: datetime,
    error: CallFailed,
    series: Failures | None,
) -> Checkpoint:
    """Stay away after a failure, but no longer than until a wrong address is to be reported."""
    until = now + backoff(checkpoint, policy, error, series)
    if checkpoint.strange_since is not None:
        until = min(until, max(checkpoint.strange_since + PATIENCE_WITH_STRANGERS, now))
    return with_wake_at(checkpoint, now, until)


def seed_of(checkpoint: Checkpoint) -> int | str:
    """Return what spreads the waiters over time: the job, or the connection where there is none yet."""
    return checkpoint.job_id or checkpoint.connection_id or ""
