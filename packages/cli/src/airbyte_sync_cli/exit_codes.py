"""What the exit codes say: one table, from which help, README and tests are drawn."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from airbyte_sync import (
    AirbyteSyncError,
    AlreadyClosed,
    CancelUnconfirmed,
    ConnectionAmbiguous,
    ConnectionNotFound,
    ConnectionUnavailable,
    InvalidInput,
    JobGone,
    QueueTimedOut,
    Refused,
    SubmitInDoubt,
    SyncAlreadyRunning,
    SyncCancelled,
    SyncFailed,
    SyncSkipped,
    SyncTimedOut,
)
from airbyte_sync_cli.errors import NoSuchJob
from airbyte_sync_runner import RequestLocked, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """
    One number for each outcome. With several connections the highest number wins.

    The numbers rise with what is left to look after: up to :attr:`REFUSED` nothing was started, up to
    :attr:`TIMED_OUT` the sync has ended, and above that a sync may still run. After a timeout it runs on only
    where ``cancel_on_timeout`` is false or Airbyte did not confirm its end, and the text says so.
    """

    SUCCEEDED = 0
    INTERNAL_ERROR = 1
    BAD_USAGE = 2
    BUSY = 3
    REFUSED = 4
    CANCELLED = 5
    FAILED = 6
    TIMED_OUT = 7
    UNREACHABLE = 8
    OUTCOME_UNKNOWN = 9
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def word(self) -> str:
        """The outcome as people and JSON read it: ``timed out``."""
        return self.name.lower().replace("_", " ")

    @property
    def meaning(self) -> str:
        """A sentence for help and README."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.SUCCEEDED: "Every sync succeeded, or the command did what it was asked for.",
    ExitCode.INTERNAL_ERROR: "A bug in this program; the traceback says where. Or a list could not be "
    "written.",
    ExitCode.BAD_USAGE: "An option, an argument or a setting cannot be right, or the folder of --state "
    "cannot be used. Nothing was started.",
    ExitCode.BUSY: "Another sync of the connection runs (--on-conflict skip or fail), or another process "
    "holds this request. Nothing was started.",
    ExitCode.REFUSED: "Airbyte said no: wrong credentials, no permission, an unknown id or name, an inactive "
    "connection. Nothing was started.",
    ExitCode.CANCELLED: "The sync was cancelled by a person, by Airbyte or by another program.",
    ExitCode.FAILED: "The sync failed; the text says why, as far as Airbyte tells.",
    ExitCode.TIMED_OUT: "--timeout or --queue-timeout has passed. The sync was cancelled, unless the text "
    "says otherwise.",
    ExitCode.UNREACHABLE: "Airbyte could not be reached for too long. A sync that was started may still run.",
    ExitCode.OUTCOME_UNKNOWN: "It is unknown whether a sync was started, or whether it has ended.",
    ExitCode.INTERRUPTED: "Ctrl-C (SIGINT).",
    ExitCode.TERMINATED: "SIGTERM.",
}

_NOTHING_WAS_STARTED = frozenset({ExitCode.BAD_USAGE, ExitCode.BUSY, ExitCode.REFUSED})

_OF_ERRORS: tuple[
    tuple[type[AirbyteSyncError] | tuple[type[AirbyteSyncError], ...], ExitCode], ...
] = (
    (AlreadyClosed, ExitCode.INTERNAL_ERROR),
    ((SyncSkipped, SyncAlreadyRunning, RequestLocked), ExitCode.BUSY),
    ((InvalidInput, StoreFailed), ExitCode.BAD_USAGE),
    (
        (Refused, ConnectionUnavailable, ConnectionNotFound, ConnectionAmbiguous, NoSuchJob),
        ExitCode.REFUSED,
    ),
    (SyncCancelled, ExitCode.CANCELLED),
    (SyncFailed, ExitCode.FAILED),
    ((SyncTimedOut, QueueTimedOut), ExitCode.TIMED_OUT),
    ((SubmitInDoubt, JobGone, CancelUnconfirmed), ExitCode.OUTCOME_UNKNOWN),
    (
        AirbyteSyncError,
        ExitCode.UNREACHABLE,
    ),  # ServerUnreachable, and calls without a usable answer
)


def exit_code_of(error: AirbyteSyncError) -> ExitCode:
    """
    Return the exit code of an error.

    A refusal in the middle of a wait leaves a sync behind, and its ``retry_safe`` says so: then the outcome
    is unknown, and not that nothing was started.
    """
    code = _code_of_kind(error)
    if code in _NOTHING_WAS_STARTED and not error.retry_safe:
        return ExitCode.OUTCOME_UNKNOWN
    return code


def exit_code_of_cancelling(error: AirbyteSyncError) -> ExitCode:
    """Return the exit code of an error of a command that only cancels: a refusal leaves nothing unknown."""
    return _code_of_kind(error)


def _code_of_kind(error: AirbyteSyncError) -> ExitCode:
    return next(code for kinds, code in _OF_ERRORS if isinstance(error, kinds))


def highest(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of several outcomes: the highest of them."""
    return max(codes, default=ExitCode.SUCCEEDED)
