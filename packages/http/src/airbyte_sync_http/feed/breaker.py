"""The circuit breaker of the job list: when to use it, when to try it again.

**Closed**, the list is in use. A failure makes a pause, which grows with each one in a row, and every poll
fails with it meanwhile: others would fare no better. A plain refusal, or the third failure in a row that is
about the list, is reason to open the breaker. **Open**, the list is not used and jobs are polled one by one.
After a minute, which doubles each time up to an hour, the breaker is **half-open**: one request is made,
which closes it or opens it again.
"""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from airbyte_sync.errors import Refused, UnexpectedReply
from airbyte_sync.policy import SyncPolicy

if TYPE_CHECKING:
    from datetime import datetime

    from airbyte_sync.errors import CallFailed
    from airbyte_sync.ports import AsyncClock

OPEN_FOR = timedelta(minutes=1)
MAX_OPEN_FOR = timedelta(hours=1)
MAX_FAILURES = 3
"""So many failures in a row open the breaker."""

_BACKOFF = SyncPolicy()


class State(Enum):
    """The state of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Says whether and when the list may be asked for."""

    def __init__(self, clock: AsyncClock) -> None:
        """
        Args:
            clock: Tells the time.
        """
        self._clock = clock
        self.failure: CallFailed | None = None
        self.failures: int = 0
        self._paused_until: datetime | None = None
        self._open_until: datetime | None = None
        self._open_for = OPEN_FOR

    @property
    def state(self) -> State:
        """Whether the list is in use."""
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if self._clock.now() < self._open_until else State.HALF_OPEN

    @property
    def retry_at(self) -> datetime | None:
        """When the next request may be made; ``None``: at any time."""
        return self._open_until or self._paused_until

    def raise_failure(self) -> None:
        """Raise the failure that makes the pause which has not been ended by a success yet."""
        if self.failure is not None:
            failure = copy(self.failure)
            if failure.retry_after is not None and self._paused_until is not None:
                left = self._paused_until - self._clock.now()
                failure.retry_after = max(left, timedelta(0))
            raise failure from self.failure

    def record_success(self) -> None:
        """The list was read: close the breaker."""
        self._open_until = None
        self.clear_failures()

    def record_failure(self, error: CallFailed) -> bool:
        """Count a failure; return whether the breaker is to be opened, if a single job can be read."""
        self.failures += 1
        is_about_the_list = not error.retry_safe or isinstance(error, UnexpectedReply)
        is_refused = isinstance(error, Refused)
        return is_refused or (is_about_the_list and self.failures >= MAX_FAILURES)

    def pause(self, error: CallFailed) -> None:
        """Keep the breaker closed, and let all polls fail until the list is read again."""
        pause = _BACKOFF.backoff(error, failures=self.failures - 1, seed="feed")
        self.failure, self._paused_until = error, self._clock.now() + pause

    def open(self) -> None:
        """Do without the list, each time for longer."""
        self.clear_failures()
        self._open_until = self._clock.now() + self._open_for
        self._open_for = min(2 * self._open_for, MAX_OPEN_FOR)

    def trust(self) -> None:
        """The list has proven itself: the next time the breaker opens is short again."""
        self._open_for = OPEN_FOR

    def clear_failures(self) -> None:
        """Forget failures, in a breaker that stays as it is."""
        self.failure = self._paused_until = None
        self.failures = 0
