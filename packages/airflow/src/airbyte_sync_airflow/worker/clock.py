"""A clock for a worker that may be told to stop waiting."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airbyte_sync_airflow.exceptions import AirbyteTaskKilled

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airbyte_sync import Clock

STOP_WITHIN = timedelta(seconds=1)
"""Airflow 3 ends a killed task's process after five seconds, and the cancellation comes first."""


class StoppableClock:
    """
    A clock that sleeps in short stretches and checks in between whether the process was told to stop.

    Airflow 3 goes on with a task after it has called ``on_kill``, so that the wait must end by itself.
    """

    def __init__(self, clock: Clock, is_stopped: Callable[[], bool] | None) -> None:
        self._clock = clock
        self._is_stopped = is_stopped

    def now(self) -> datetime:
        """Return the current moment."""
        return self._clock.now()

    def sleep(self, duration: timedelta) -> None:
        """
        Block for about ``duration``.

        Raises:
            AirbyteTaskKilled: The process was told to stop: its task was killed, or cleared.
        """
        if self._is_stopped is None:
            return self._clock.sleep(duration)
        end = self._clock.now() + duration
        while not self._is_stopped():
            left = end - self._clock.now()
            if left <= timedelta(0):
                return None
            self._clock.sleep(min(left, STOP_WITHIN))
        raise AirbyteTaskKilled(
            "this process was told to stop, and no longer waits for its Airbyte job"
        )
