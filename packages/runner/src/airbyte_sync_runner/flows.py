"""What a run does around its sync, as flows: one text for a blocking run and for one on an event loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airbyte_sync.commands import Command, Flow
from airbyte_sync.errors import AirbyteSyncError
from airbyte_sync.flows import abandon, sync
from airbyte_sync_runner.interrupts import OnInterrupt
from airbyte_sync_runner.progress import log_cancelled, log_interrupted, log_not_cancelled

if TYPE_CHECKING:
    from airbyte_sync.policy import SyncPolicy
    from airbyte_sync.requests import SyncRequest
    from airbyte_sync.results import SyncResult
    from airbyte_sync_runner.progress import Position


@dataclass(frozen=True, slots=True)
class KeepProgress(Command[None]):
    """Bring the latest checkpoint to the store; a store that fails is named in the log."""


@dataclass(frozen=True, slots=True)
class ForgetRequest(Command[None]):
    """Forget the request: its outcome is about to be delivered."""


def follow(request: SyncRequest, policy: SyncPolicy, position: Position) -> Flow[SyncResult]:
    """Run a sync; its outcome is forgotten as the last thing before it is delivered."""
    try:
        result = yield from sync(request, policy)
    except AirbyteSyncError as error:
        if position.is_over(error):
            yield from ForgetRequest()
        raise
    yield from ForgetRequest()
    return result


def settle(
    action: OnInterrupt, policy: SyncPolicy, position: Position, *, has_store: bool
) -> Flow[None]:
    """Do what an interruption is to do. A second one ends it at once."""
    if action is OnInterrupt.LEAVE_RUNNING:
        if not position.is_kept:
            yield from KeepProgress()
        if not position.has_nothing_to_cancel:
            log_interrupted(position, action, has_store=has_store)
        return
    if position.latest is None or position.has_nothing_to_cancel:
        yield from ForgetRequest()
        return
    log_interrupted(position, action, has_store=has_store)
    try:
        job = yield from abandon(position.latest, policy)
    except AirbyteSyncError as error:
        log_not_cancelled(position, error)
        return
    except GeneratorExit:  # its driver was stopped
        log_not_cancelled(position, "It took too long, or was interrupted again.")
        raise
    if job is not None:
        log_cancelled(job)
    if position.is_over_after_cancelling(job):
        yield from ForgetRequest()
