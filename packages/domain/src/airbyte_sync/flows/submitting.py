"""Submitting: one submission, and what its answer says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint, Phase
from airbyte_sync.commands import (
    FetchConnection,
    Flow,
    Now,
    Report,
    SaveCheckpoint,
    SubmitSync,
)
from airbyte_sync.errors import (
    CallFailed,
    ConnectionUnavailable,
    StateConflict,
    SyncAlreadyRunning,
)
from airbyte_sync.events import (
    Origin,
    SubmitPostponed,
    SubmitUncertain,
)
from airbyte_sync.flows.connections import why_it_takes_no_jobs
from airbyte_sync.flows.failures import (
    give_up_on_a_stranger,
    give_up_postponing,
    has_waited_too_long,
    without_a_job,
)
from airbyte_sync.flows.finding_job import end_of_search
from airbyte_sync.flows.polling import (
    connection_id_of,
    record_answer,
    record_submit_failure,
    record_who_answered,
    require_same_connection,
    submit_backoff,
    until_a_stranger_is_given_up,
    with_wake_at,
)
from airbyte_sync.flows.watching import start_watching

if TYPE_CHECKING:
    from airbyte_sync.policy import SyncPolicy

CONFLICT_SETTLE = timedelta(seconds=5)
"""How long to wait before submitting again when Airbyte says "running" but lists no active job."""


def submit_once(checkpoint: Checkpoint, policy: SyncPolicy) -> Flow[Checkpoint]:
    """Submit once. Whatever goes wrong, the next thing is to look."""
    looking = replace(checkpoint, phase=Phase.LOOK)
    connection_id = connection_id_of(checkpoint)
    now = yield from Now()
    if has_waited_too_long(checkpoint, now):
        raise without_a_job(checkpoint, policy)
    # If this process dies now, the request made again does not know what became of it.
    lost = replace(
        looking,
        in_doubt=True,
        lost_submissions=checkpoint.lost_submissions + 1,
        lost_status=None,
        settle_until=end_of_search(now, now, policy),
    )
    yield from SaveCheckpoint(lost)
    try:
        job = yield from SubmitSync(connection_id, checkpoint.job_type)
        require_same_connection(checkpoint, job)
    except SyncAlreadyRunning as error:
        yield from clear_pending(checkpoint)
        return (yield from _busy(record_answer(looking), policy, error))
    except StateConflict as error:
        yield from _explain_conflict(checkpoint, error)
        return (yield from _doubt(record_answer(lost), policy, error, now))
    except CallFailed as error:
        if error.retry_safe is not None:
            yield from clear_pending(checkpoint)
        if error.retry_safe is False:
            raise type(error)(
                f"no sync of connection {connection_id} was started: {error}", status=error.status
            ) from error
        if error.retry_safe is True:
            return (yield from _postpone(looking, policy, error))
        return (yield from _doubt(lost, policy, error, now))
    return (yield from start_watching(checkpoint, policy, job, Origin.STARTED))


def _busy(
    checkpoint: Checkpoint, policy: SyncPolicy, error: SyncAlreadyRunning
) -> Flow[Checkpoint]:
    """The connection is said to be busy: look with what, after a moment for races to settle."""
    now = yield from Now()
    checkpoint = record_submit_failure(checkpoint, now)
    settling = max(CONFLICT_SETTLE, submit_backoff(checkpoint, policy, error))
    return replace(checkpoint, settle_until=now + settling)


def _postpone(checkpoint: Checkpoint, policy: SyncPolicy, error: CallFailed) -> Flow[Checkpoint]:
    """Nothing was started: stay away for a while."""
    now = yield from Now()
    checkpoint = record_who_answered(record_submit_failure(checkpoint, now), error, now)
    give_up_on_a_stranger(checkpoint, now, error)
    give_up_postponing(checkpoint, policy, now, error)
    until = now + submit_backoff(checkpoint, policy, error)
    checkpoint = with_wake_at(checkpoint, now, until_a_stranger_is_given_up(checkpoint, now, until))
    yield from Report(SubmitPostponed(error=error, next_try=checkpoint.wake_at or now))
    return checkpoint


def _doubt(
    lost: Checkpoint, policy: SyncPolicy, error: CallFailed, submitted_at: datetime
) -> Flow[Checkpoint]:
    """Something may have been started: search for it for a while before submitting again."""
    now = yield from Now()
    checkpoint = record_who_answered(record_submit_failure(lost, now), error, now)
    until = max(
        end_of_search(submitted_at, now, policy), now + submit_backoff(checkpoint, policy, error)
    )
    yield from Report(SubmitUncertain(error=error, look_until=until))
    return replace(checkpoint, lost_status=error.status, settle_until=until)


def clear_pending(checkpoint: Checkpoint) -> Flow[None]:
    """Remember that nothing was started, unless an earlier submission is still in doubt."""
    if not checkpoint.in_doubt:
        yield from SaveCheckpoint(checkpoint)


def _explain_conflict(checkpoint: Checkpoint, error: StateConflict) -> Flow[None]:
    """Say why a connection refuses jobs, where its status tells."""
    connection_id = connection_id_of(checkpoint)
    try:
        connection = yield from FetchConnection(connection_id)
    except CallFailed:
        return  # the reason stays unknown; the caller treats the conflict as a doubt
    reason = why_it_takes_no_jobs(connection)
    if reason is not None:
        yield from clear_pending(checkpoint)
        raise ConnectionUnavailable(reason, connection=connection) from error
