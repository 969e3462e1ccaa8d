"""What time it is: the server asks an injected callable, so a test can turn the hands itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from threading import Lock

TimeSource = Callable[[], datetime]
"""Answers the present instant as an aware UTC datetime."""


def utc_now() -> datetime:
    """Return the real present instant."""
    return datetime.now(timezone.utc)


class ManualClock:
    """
    A clock that stands still until it is told to move; safe to share between threads.

    Args:
        start: The first instant it shows. Must be aware.
    """

    def __init__(
        self, start: datetime = datetime(2026, 8, 21, 10, 15, tzinfo=timezone.utc)
    ) -> None:
        self._now = start
        self._lock = Lock()

    def __call__(self) -> datetime:
        """Return the instant that the clock shows."""
        with self._lock:
            return self._now

    def advance(self, by: timedelta) -> None:
        """
        Move the hands forward.

        Raises:
            ValueError: `by` is negative; a server's clock does not run backwards.
        """
        if by < timedelta(0):
            raise ValueError(f"the clock cannot go back by {-by}; give a positive duration")
        with self._lock:
            self._now += by
