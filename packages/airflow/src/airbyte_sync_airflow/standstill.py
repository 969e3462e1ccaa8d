"""A process that stood still acts on old knowledge: how it notices, and what it does before it goes on.

A triggerer that slept (it was stopped, its virtual machine was paused, its loop was starved) wakes up
and would submit, or cancel, what its successor has long seen through. The same holds for a worker whose
task was handed to another try. So before the next request that changes something, Airflow is asked who
is in charge, and then that request is refused as one that was not sent: the flow itself polls Airbyte
again, and sends what is still to be sent.

Standing still is noticed on the wall clock: it goes on while a machine is paused, which a monotonic one
need not.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airbyte_sync import RequestNotSent
from airbyte_sync.commands import CancelJob, Pause, Report, SubmitSync
from airbyte_sync.events import CancelRequested

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from datetime import datetime

    from airbyte_sync import AsyncClock, AsyncInterpreter, Clock, Interpreter
    from airbyte_sync.commands import Command

T = TypeVar("T")

TICK = timedelta(seconds=1)
"""How often the one watch of an event loop reads the clock."""

TOLERANCE = timedelta(seconds=5)
"""How late a triggerer's loop may be without consequences. Airflow hands triggers over after 30 s."""

WORKER_TOLERANCE = timedelta(seconds=30)
"""How much longer than it should a worker's pause may last. Airflow hands its task over after 300 s."""

LONGEST_CALL = timedelta(seconds=150)
"""How long one call to Airbyte may take: 90 s for a submission, and before it a token."""


def changes_something(command: Command[Any]) -> bool:
    """Whether a command changes something in Airbyte, or says that the next one will."""
    is_announced = isinstance(command, Report) and isinstance(command.event, CancelRequested)
    return is_announced or isinstance(command, (SubmitSync, CancelJob))


class StandstillWatch:
    """
    Counts how often a process stood still; one for all tasks of an event loop.

    Args:
        clock: Tells the time and waits.
    """

    def __init__(self, clock: AsyncClock) -> None:
        self._clock = clock
        self._looked_at = clock.now()
        self._count = 0

    @property
    def count(self) -> int:
        """How often it stood still. After a standstill this is right before the watch itself wakes up."""
        now = self._clock.now()
        if now - self._looked_at > TICK + TOLERANCE:
            self._count += 1
        self._looked_at = now
        return self._count

    async def run(self) -> None:
        """Read the clock, for as long as the loop runs."""
        while True:
            _ = self.count
            await self._clock.sleep(TICK)


class PatientClock:
    """
    Counts how often a blocking process stood still in a pause: each was due to end long before it did.

    Args:
        clock: Tells the time and waits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.count = 0
        """How often it stood still."""

    def now(self) -> datetime:
        """Return the current moment."""
        return self._clock.now()

    def sleep(self, duration: timedelta) -> None:
        """Block for about ``duration``."""
        due = self._clock.now() + duration
        self._clock.sleep(duration)
        self.note(due)

    def note(self, due: datetime) -> None:
        """Take note of something that was to be over by ``due``, and is over now."""
        if self._clock.now() > due + WORKER_TOLERANCE:
            self.count += 1


class CautiousInterpreter:
    """
    Carries out a blocking flow's commands; after a standstill it asks who is in charge first.

    Args:
        interpreter: Carries out commands.
        clock: Counts standstills; the interpreter pauses on it, too.
        await_charge: Returns once Airflow has said that this process is still the one in charge, and raises
            when it has to end.
    """

    def __init__(
        self, interpreter: Interpreter, clock: PatientClock, await_charge: Callable[[], None]
    ) -> None:
        self._interpreter = interpreter
        self._clock = clock
        self._await_charge = await_charge
        self._count = clock.count

    def answer(self, command: Command[Any]) -> Any:
        """
        Carry out one command.

        Raises:
            RequestNotSent: The process stood still, and is in charge; poll again before this is sent.
        """
        if changes_something(command):
            count = self._clock.count
            if count != self._count:
                self._await_charge()
                self._count = count
                raise _not_sent()
        due = self._clock.now() + LONGEST_CALL
        answer = self._interpreter.answer(command)
        if not isinstance(command, Pause):
            self._clock.note(due)
        return answer


class AsyncCaution(Generic[T]):
    """
    The async counterpart of :class:`CautiousInterpreter`, for a trigger with several sessions in turn.

    Args:
        watch: Counts standstills; ``None`` where nothing is watched.
        await_charge: Returns once Airflow has said that a trigger is still the one in charge.
        trigger: Which trigger.
    """

    def __init__(
        self,
        watch: StandstillWatch | None,
        await_charge: Callable[[T], Awaitable[None]],
        trigger: T,
    ) -> None:
        self._watch = watch
        self._await_charge = await_charge
        self._trigger = trigger
        self._count = 0 if watch is None else watch.count

    async def check(self) -> None:
        """
        Let a command that changes something pass, if it is sent with fresh knowledge.

        Raises:
            RequestNotSent: As :meth:`CautiousInterpreter.answer`.
        """
        if self._watch is not None and self._watch.count != self._count:
            # It starts over after each standstill meanwhile.
            await self._await_charge(self._trigger)
            self._count = self._watch.count
            raise _not_sent()

    def over(self, interpreter: AsyncInterpreter) -> AsyncInterpreter:
        """Return an interpreter that checks each command that changes something."""
        return _CautiousAsyncInterpreter(interpreter, self)


class _CautiousAsyncInterpreter:
    def __init__(self, interpreter: AsyncInterpreter, caution: AsyncCaution[Any]) -> None:
        self._interpreter = interpreter
        self._caution = caution

    def answer(
        self, command: Command[Any]
    ) -> Coroutine[Any, Any, Any]:  # a wait needs no other one
        if changes_something(command):
            return self._check_and_answer(command)
        return self._interpreter.answer(command)

    async def _check_and_answer(self, command: Command[Any]) -> Any:
        await self._caution.check()
        return await self._interpreter.answer(command)


def _not_sent() -> RequestNotSent:
    return RequestNotSent(
        "this process stood still, so what it knew is old: it polls Airbyte again before it sends anything"
    )
