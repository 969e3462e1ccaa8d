"""
Job scripts: a script is a list of steps, each a status and the time at which it is reached.

A script that no real Airbyte could follow is refused when it is made. The functions at the end make
the scripts that tests ask for most; `BY_NAME` lists them for scenario files.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from airbyte_sync_local.platform import statuses
from airbyte_sync_local.platform.model import CANCELLED_BY_USER, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airbyte_sync_local.platform.model import ConnectionStatusWord


class ImpossibleJobScript(ValueError):
    """A script goes back in time, or takes a step that Airbyte never takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A job reaches a status."""

    status: str
    """Any word: a status that Airbyte has not invented yet is a good test of a client."""
    at: timedelta = timedelta(0)
    """Since the job was created or, for what follows a cancel, since the cancel."""
    rows: int | None = None
    """Committed so far by the whole job; None leaves the number as it was."""
    bytes: int | None = None
    failure: Failure | None = None
    connection_status: ConnectionStatusWord | None = None
    """What the connection becomes at this step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobScript:
    """
    Everything that happens to a job after it is created as ``pending``.

    Raises:
        ImpossibleJobScript: The steps go back in time, or Airbyte never changes a status like that.
    """

    steps: tuple[Step, ...]
    """A script whose last step does not end the job goes on for ever."""
    on_cancel: tuple[Step, ...] = (Step(status=statuses.CANCELLED, failure=CANCELLED_BY_USER),)
    """What a cancel that arrives makes of it, in place of the remaining steps."""

    @classmethod
    def of(cls, *steps: tuple[float, str]) -> JobScript:
        """Make a script of pairs: seconds after the job's creation, and a status."""
        return cls(steps=tuple(Step(at=timedelta(seconds=at), status=word) for at, word in steps))

    def __post_init__(self) -> None:
        _check_times(self.steps)
        _check_times(self.on_cancel)
        words = [statuses.PENDING, *(step.status for step in self.steps)]
        for before, after in pairwise(words):
            if not statuses.may_follow(before, after):
                raise ImpossibleJobScript(
                    f"Airbyte never turns a job from {before!r} to {after!r}; "
                    "put the steps that come between into the script"
                )


def _check_times(steps: tuple[Step, ...]) -> None:
    times = [timedelta(0), *(step.at for step in steps)]
    for before, after in pairwise(times):
        if after < before:
            raise ImpossibleJobScript(
                f"a step at {after.total_seconds():g} s follows one at "
                f"{before.total_seconds():g} s; `at` counts from the job's creation, "
                "so put the steps in order of time"
            )


_SECOND: Final = timedelta(seconds=1)


def succeeds(
    *,
    starts: timedelta = _SECOND,
    lasts: timedelta = _SECOND,
    rows: int = 1000,
    bytes_: int = 65536,
) -> JobScript:
    """Make a script of a job that starts, runs and succeeds."""
    end = Step(status=statuses.SUCCEEDED, at=starts + lasts, rows=rows, bytes=bytes_)
    return JobScript(steps=(Step(status=statuses.RUNNING, at=starts), end))


def succeeds_slowly() -> JobScript:
    """Make a script of a job that succeeds after ten minutes, with rows committed on the way."""
    minutes = [timedelta(minutes=count) for count in range(1, 11)]
    progress = [
        Step(status=statuses.RUNNING, at=at, rows=100 * count, bytes=6400 * count)
        for count, at in enumerate(minutes, start=1)
    ]
    end = Step(status=statuses.SUCCEEDED, at=minutes[-1])
    return JobScript(steps=(Step(status=statuses.RUNNING, at=_SECOND), *progress, end))


def fails(
    reason: str = "The source answered: invalid credentials",
    *,
    lasts: timedelta = _SECOND,
    failure_type: str = "config_error",
) -> JobScript:
    """Make a script of a job that fails for a reason; like every failing job it is ``incomplete`` first."""
    failure = Failure(reason=reason, type=failure_type)
    end = _SECOND + lasts
    return JobScript(
        steps=(
            Step(status=statuses.RUNNING, at=_SECOND),
            Step(status=statuses.INCOMPLETE, at=end, failure=failure),
            Step(status=statuses.FAILED, at=end),
        )
    )


def is_cancelled_by_server() -> JobScript:
    """Make a script of a job that no client cancels and that ends ``cancelled``: a breaking schema change."""
    end = Step(status=statuses.CANCELLED, at=2 * _SECOND, connection_status="inactive")
    return JobScript(steps=(Step(status=statuses.RUNNING, at=_SECOND), end))


def retries_then_succeeds(
    *, attempts: int = 2, back_off: timedelta = timedelta(seconds=10), rows: int = 1000
) -> JobScript:
    """Make a script whose attempts fail, ``incomplete`` in between, until the last one succeeds."""
    failure = Failure(
        reason="The source did not answer in time", type="transient_error", retryable=True
    )
    steps: list[Step] = []
    at = _SECOND
    for _ in range(attempts - 1):
        steps.append(Step(status=statuses.RUNNING, at=at))
        steps.append(Step(status=statuses.INCOMPLETE, at=at + _SECOND, failure=failure))
        at += _SECOND + back_off
    steps.append(Step(status=statuses.RUNNING, at=at))
    steps.append(Step(status=statuses.SUCCEEDED, at=at + _SECOND, rows=rows, bytes=64 * rows))
    return JobScript(steps=tuple(steps))


def queues_then_succeeds(*, queued: timedelta = timedelta(minutes=1)) -> JobScript:
    """Make a script of a job that waits for capacity before it runs."""
    return JobScript(
        steps=(
            Step(status=statuses.QUEUED, at=_SECOND),
            Step(status=statuses.RUNNING, at=_SECOND + queued),
            Step(status=statuses.SUCCEEDED, at=2 * _SECOND + queued, rows=1000, bytes=65536),
        )
    )


def says_unknown_word(word: str = "hibernating") -> JobScript:
    """Make a script of a job that passes a status which no client has heard of, and succeeds."""
    return JobScript(
        steps=(
            Step(status=statuses.RUNNING, at=_SECOND),
            Step(status=word, at=2 * _SECOND),
            Step(status=statuses.SUCCEEDED, at=3 * _SECOND, rows=1000, bytes=65536),
        )
    )


def never_starts() -> JobScript:
    """Make a script of a job that stays ``pending``, where every cancel is lost."""
    return JobScript(steps=())


def never_ends() -> JobScript:
    """Make a script of a job that runs until it is cancelled."""
    return JobScript(steps=(Step(status=statuses.RUNNING, at=_SECOND),))


BY_NAME: Final[Mapping[str, Callable[[], JobScript]]] = MappingProxyType(
    {
        make.__name__: make
        for make in (
            succeeds,
            succeeds_slowly,
            fails,
            is_cancelled_by_server,
            retries_then_succeeds,
            queues_then_succeeds,
            says_unknown_word,
            never_starts,
            never_ends,
        )
    }
)
"""The ready-made scripts, by the name that scenario files use."""
