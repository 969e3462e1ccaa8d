"""The settings of the policy: how often to poll, how long to wait, what to do about conflicts.

The numbers are here; what they mean is decided in :mod:`airbyte_sync.flows` alone. A policy is
JSON-able, because it travels with the checkpoint into other processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

from airbyte_sync.checks import (
    require_choice,
    require_duration,
    require_flags,
    require_number,
    require_type,
)
from airbyte_sync.config import (
    ABOVE_ZERO,
    FROM_ZERO_ON,
    LONGEST,
    Setting,
    choice,
    flag,
    read_config,
    read_seconds,
    read_seconds_or_none,
    seconds,
)
from airbyte_sync.errors import InvalidInput, Throttled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ZERO = timedelta(0)
_LONGEST_BACKOFF = timedelta(days=1)


class OnConflict(Enum):
    """What to do when the connection is busy with a job that began before this request was made."""

    QUEUE = "queue"
    """Wait for it to end, then start ours: its data may be older than this request."""
    ATTACH = "attach"
    """The running sync will do: follow it, and never cancel it."""
    SKIP = "skip"
    """Raise :class:`~airbyte_sync.errors.SyncSkipped`."""
    FAIL = "fail"
    """Raise :class:`~airbyte_sync.errors.SyncAlreadyRunning`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollSchedule:
    """
    When to poll a job again: a fraction of the time waited so far, between floor and cap.

    A sync of a minute is noticed within seconds, and one of hours costs a poll a minute.
    """

    floor: timedelta = timedelta(seconds=3)
    cap: timedelta = timedelta(seconds=60)
    fraction: float = 0.1
    jitter: float = 0.2
    """The width of the spread around an interval, as a part of it: many waiters drift apart."""

    def __post_init__(self) -> None:
        _require_positive("the poll interval (wait_seconds)", self.floor)
        _require_positive("the longest poll interval", self.cap)
        if self.cap < self.floor:
            raise InvalidInput(f"the longest poll interval {self.cap} is below {self.floor}")
        for name, part in (("fraction", self.fraction), ("jitter", self.jitter)):
            require_number(name, part)
            if not 0 <= part <= 1:
                raise InvalidInput(f"{name} is {part}: give a number from 0 to 1")

    @classmethod
    def fixed(cls, interval: timedelta) -> PollSchedule:
        """Return a schedule that polls every ``interval``, exactly."""
        return cls(floor=interval, cap=interval, fraction=0.0, jitter=0.0)

    def interval(self, *, waited: timedelta, job_id: int, polls: int) -> timedelta:
        """
        Return the time to the next poll.

        Args:
            waited: The time waited so far.
            job_id: The job, which seeds the jitter.
            polls: The number of polls so far, which seeds the jitter too.

        Returns:
            Between floor and cap. A pure function of its arguments: every driver gets the same.
        """
        spread = 1 + self.jitter * (_share(job_id, polls) - 0.5)
        return min(max(waited * self.fraction * spread, self.floor), self.cap)


_SETTINGS: Mapping[str, Setting] = {
    "timeout": Setting(
        read=read_seconds_or_none, expected=f'{ABOVE_ZERO}, or "none" for no timeout'
    ),
    "queue_timeout": seconds(),
    "on_conflict": choice(OnConflict),
    "unreachable_timeout": seconds(),
    "adopt_window": Setting(read=partial(read_seconds, may_be_zero=True), expected=FROM_ZERO_ON),
    "cancel_timeout": seconds(),
    "cancel_on_timeout": flag(),
    "explain": flag(),
    "streams": flag(),
    "poll_interval": seconds(),
}
"""How :meth:`SyncPolicy.from_config` reads each key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncPolicy:
    """How a sync is seen through. Every duration is a ``timedelta``."""

    CONFIG_KEYS: ClassVar[tuple[str, ...]] = tuple(_SETTINGS)
    """The keys that :meth:`from_config` knows."""

    poll: PollSchedule = field(default_factory=PollSchedule)
    timeout: timedelta | None = timedelta(hours=1)
    """Time from the moment that the request has its job (started, adopted or attached to) to its end; then an
    own job is cancelled. ``None``: no end."""
    queue_timeout: timedelta | None = None
    """Time from the request until its job must have begun to run: behind another sync, and in Airbyte's
    own queue. ``None``: the value of ``timeout``. Airbyte cancels a sync that was queued for eight hours."""
    on_conflict: OnConflict = OnConflict.QUEUE
    unreachable_timeout: timedelta = timedelta(minutes=15)
    """How long calls may fail in a row before we give up on seeing the job."""
    adopt_window: timedelta = timedelta(seconds=90)
    """How long to look for a job whose submission is in doubt: Airbyte creates it within 60 s."""
    cancel_timeout: timedelta = timedelta(minutes=2)
    """How long to insist on a cancellation."""
    cancel_on_timeout: bool = True
    explain: bool = True
    """Whether to ask Airbyte why a job failed; it takes a few seconds at most and never fails."""
    streams: bool = False
    """Whether to ask Airbyte for the streams and attempts of a job that succeeded: one more request or two,
    which take a few seconds at most and never fail. Without, a thousand syncs cost none of them."""

    def __post_init__(self) -> None:
        require_type("poll", self.poll, PollSchedule, "a PollSchedule")
        require_choice("on_conflict", self.on_conflict, OnConflict)
        require_duration("adopt_window", self.adopt_window)
        require_flags(
            cancel_on_timeout=self.cancel_on_timeout, explain=self.explain, streams=self.streams
        )
        if self.timeout is not None:
            _require_positive("timeout", self.timeout)
        if self.queue_timeout is not None:
            _require_positive("queue_timeout", self.queue_timeout)
        _require_positive("unreachable_timeout", self.unreachable_timeout)
        _require_positive("cancel_timeout", self.cancel_timeout)
        if not _ZERO <= self.adopt_window <= LONGEST:
            raise InvalidInput(
                f"adopt_window is {self.adopt_window.total_seconds():g} s: {FROM_ZERO_ON}"
            )

    @property
    def time_to_begin(self) -> timedelta | None:
        """How long the request may wait until its job begins to run; ``None``: without end."""
        return self.timeout if self.queue_timeout is None else self.queue_timeout

    def backoff(self, error: Exception, *, failures: int, seed: int | str) -> timedelta:
        """
        Return how long to stay away after a failed call.

        Args:
            error: What went wrong. A ``retry_after`` that it carries is honoured.
            failures: How many calls failed in a row before this one.
            seed: Seeds the jitter: the job, or the connection where there is no job yet.

        Returns:
            1 s doubling up to 60 s, and at least what the server asked for (within a day); at least
            a minute for a 429 that asked for nothing: Airbyte's limiter sends no ``Retry-After``.
        """
        asked_for: timedelta | None = getattr(error, "retry_after", None)
        base = timedelta(seconds=min(2.0 ** min(failures, 6), 60.0))
        if asked_for is not None:
            base = max(base, min(asked_for, _LONGEST_BACKOFF))
        elif isinstance(error, Throttled):
            base = timedelta(seconds=60)
        return base * (1 + self.poll.jitter * _share(seed, failures))

    @classmethod
    def from_config(
        cls, config: Mapping[str, object], *, called: Callable[[str], str] = str
    ) -> SyncPolicy:
        """
        Return the policy that plain words and numbers mean, as TOML, the environment or flags have them.

        ======================  =====================================================================
        key                     value
        ======================  =====================================================================
        ``timeout``             seconds above zero, or ``none``: no timeout
        ``queue_timeout``       seconds above zero
        ``on_conflict``         ``queue``, ``attach``, ``skip`` or ``fail``
        ``unreachable_timeout`` seconds above zero
        ``adopt_window``        seconds, zero or more
        ``cancel_timeout``      seconds above zero
        ``cancel_on_timeout``   ``true`` or ``false``
        ``explain``             ``true`` or ``false``
        ``streams``             ``true`` or ``false``
        ``poll_interval``       seconds above zero: the fixed time between two polls
        ======================  =====================================================================

        Every value may be a text, too: ``"60"``, ``"true"``. ``None`` and an empty text mean that the key is
        not set; then the default of :class:`SyncPolicy` holds.

        Args:
            config: By key, see the table and :attr:`CONFIG_KEYS`.
            called: What a person calls a key where it was written, for error texts: ``--queue-timeout``.

        Raises:
            InvalidInput: A key is not known, or a value cannot be right; the text names both and says what to
                write.
        """
        given = read_config(config, _SETTINGS, called)
        if "poll_interval" in given:
            given["poll"] = PollSchedule.fixed(given.pop("poll_interval"))
        return cls(**given)

    def to_json(self) -> dict[str, Any]:
        """Return the policy as JSON types; durations are seconds."""
        return {
            "poll": {
                "floor": self.poll.floor.total_seconds(),
                "cap": self.poll.cap.total_seconds(),
                "fraction": self.poll.fraction,
                "jitter": self.poll.jitter,
            },
            "timeout": _seconds(self.timeout),
            "queue_timeout": _seconds(self.queue_timeout),
            "on_conflict": self.on_conflict.value,
            "unreachable_timeout": self.unreachable_timeout.total_seconds(),
            "adopt_window": self.adopt_window.total_seconds(),
            "cancel_timeout": self.cancel_timeout.total_seconds(),
            "cancel_on_timeout": self.cancel_on_timeout,
            "explain": self.explain,
            "streams": self.streams,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SyncPolicy:
        """
        Return the policy that :meth:`to_json` wrote.

        Raises:
            InvalidInput: ``data`` is not such a document.
        """
        try:
            poll = data["poll"]
            return cls(
                poll=PollSchedule(
                    floor=timedelta(seconds=poll["floor"]),
                    cap=timedelta(seconds=poll["cap"]),
                    fraction=float(poll["fraction"]),
                    jitter=float(poll["jitter"]),
                ),
                timeout=_duration(data["timeout"]),
                queue_timeout=_duration(data["queue_timeout"]),
                on_conflict=OnConflict(data["on_conflict"]),
                unreachable_timeout=timedelta(seconds=data["unreachable_timeout"]),
                adopt_window=timedelta(seconds=data["adopt_window"]),
                cancel_timeout=timedelta(seconds=data["cancel_timeout"]),
                cancel_on_timeout=bool(data["cancel_on_timeout"]),
                explain=bool(data["explain"]),
                streams=bool(data.get("streams", False)),  # the release before did not have it
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidInput(f"this is not a stored sync policy: {error!r}") from error


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _require_positive(what: str, value: timedelta) -> None:
    require_duration(what, value)
    if not _ZERO < value <= LONGEST:
        raise InvalidInput(f"{what} is {value.total_seconds():g} s: {ABOVE_ZERO}")


def _share(*seed: int | str) -> float:
    """Return a number in [0, 1) that depends on nothing but ``seed``."""
    return crc32(repr(seed).encode()) / 2**32
