"""How a request goes from phase to phase: all that can happen, in one table.

The figure in ``docs/architecture.md`` is drawn from it (``tools/draw_transitions.py``).
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from airbyte_sync.checkpoint import Checkpoint
from airbyte_sync.phases import Asked, Cancelling, ConnectionBusy, FindingJob, Submitting, Watching

if TYPE_CHECKING:
    from airbyte_sync.phases import Phase


class Happened(Enum):
    """What moves a request on to another phase, in the words of the figure."""

    TO_BE_SUBMITTED = "to be submitted"
    TO_BE_FOUND = "a job may be there already"
    SUBMITTED = "submitted"
    NOT_SUBMITTED = "postponed, refused as busy, or in doubt"
    JOB_FOUND = "its job, or one to attach to"
    NOTHING_FOUND = "no job"
    OTHER_JOB_ACTIVE = "another job is active"
    OTHER_JOB_ENDED = "that job has ended"
    DEADLINE_PASSED = "a deadline has passed"
    ABANDONED = "abandoned"
    JOB_GONE = "the job was deleted"


TRANSITIONS: dict[type[Phase], dict[Happened, type[Phase]]] = {
    Asked: {
        Happened.TO_BE_SUBMITTED: Submitting,
        Happened.TO_BE_FOUND: FindingJob,
    },
    Submitting: {
        Happened.SUBMITTED: Watching,
        Happened.NOT_SUBMITTED: FindingJob,
        Happened.TO_BE_FOUND: FindingJob,
        Happened.ABANDONED: Cancelling,
    },
    FindingJob: {
        Happened.JOB_FOUND: Watching,
        Happened.NOTHING_FOUND: Submitting,
        Happened.TO_BE_FOUND: FindingJob,
        Happened.OTHER_JOB_ACTIVE: ConnectionBusy,
        Happened.ABANDONED: Cancelling,
    },
    ConnectionBusy: {
        Happened.OTHER_JOB_ENDED: FindingJob,
        Happened.ABANDONED: Cancelling,
    },
    Watching: {
        Happened.DEADLINE_PASSED: Cancelling,
        Happened.ABANDONED: Cancelling,
        Happened.JOB_GONE: Submitting,
    },
    Cancelling: {
        Happened.ABANDONED: Cancelling,
    },
}
"""Phase, and what happened in it: the phase that follows."""


def enter(checkpoint: Checkpoint, happened: Happened, phase: Phase) -> Checkpoint:
    """
    Return a checkpoint in the phase that follows.

    Args:
        checkpoint: Where the request stands.
        happened: What moves it on.
        phase: The phase that follows, with its facts.

    Raises:
        RuntimeError: :data:`TRANSITIONS` has no such line: a bug of a flow.
    """
    before = type(checkpoint.phase)
    if TRANSITIONS[before].get(happened) is not type(phase):
        raise RuntimeError(f"{before.__name__}, {happened.name}: no way to {type(phase).__name__}")
    return replace(checkpoint, phase=phase)


def request_made_anew(checkpoint: Checkpoint, happened: Happened, connection_id: str) -> Checkpoint:
    """Return what the same request goes on from when it is made again: nothing of this one is left."""
    bare = Checkpoint(
        phase=checkpoint.phase, job_type=checkpoint.job_type, asked_at=checkpoint.asked_at
    )
    return enter(bare, happened, Submitting(connection_id=connection_id))
