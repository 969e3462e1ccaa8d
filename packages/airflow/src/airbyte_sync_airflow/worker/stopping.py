"""A worker that was told to stop waits no longer, and submits nothing.

Airflow 3 goes on with a task after it has called ``on_kill``, so that the task must end by itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airbyte_sync.commands import SaveCheckpoint, SubmitSync
from airbyte_sync_airflow.exceptions import AirbyteTaskKilled

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airbyte_sync import Clock, Interpreter
    from airbyte_sync.commands import Command

STOP_WITHIN = timedelta(seconds=1)
"""Airflow 3 ends a killed task's process after five seconds, and the cancellation comes first."""


class StoppableClock:
    """
    A clock that sleeps in short stretches and checks in between whether the process was told to stop.

    Args:
        clock: Tells the time and waits.
        is_stopped: Tells whether the process was told to stop; ``None``: nothing tells it.
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
        raise AirbyteTaskKilled("this process was told to stop, and waits no longer")


class StoppableInterpreter:
    """
    Carries out commands, and starts nothing once the process was told to stop.

    What has begun goes on: the answer to a submission is remembered, and a job that has ended is told of.

    Args:
        interpreter: Carries out commands.
        is_stopped: Tells whether the process was told to stop.
    """

    def __init__(self, interpreter: Interpreter, is_stopped: Callable[[], bool]) -> None:
        self._interpreter = interpreter
        self._is_stopped = is_stopped

    def answer(self, command: Command[Any]) -> Any:
        """
        Carry out one command.

        Raises:
            AirbyteTaskKilled: It would have submitted a sync.
        """
        if _leads_to_a_submission(command) and self._is_stopped():
            raise AirbyteTaskKilled(
                "this process was told to stop before it submitted its Airbyte sync"
            )
        return self._interpreter.answer(command)


def _leads_to_a_submission(command: Command[Any]) -> bool:
    """Whether it is a submission, or the note that comes before one."""
    is_note = isinstance(command, SaveCheckpoint) and command.checkpoint.in_doubt
    return is_note or isinstance(command, SubmitSync)
