"""A clock that only moves when a task sleeps: tests of hours take no time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 1, 5, 9, 0, tzinfo=timezone.utc)


class VirtualClock:
    """
    A blocking clock in virtual time.

    Share one between whatever must agree on the time: the flow under test and the server it talks to.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self.slept: list[timedelta] = []
        """Every sleep, in order."""
        self._plans: list[tuple[datetime, Callable[[], object]]] = []

    def at(self, moment: datetime, happen: Callable[[], object]) -> None:
        """Let something happen on the way, when the time comes to ``moment``."""
        self._plans.append((moment, happen))
        self._plans.sort(key=lambda plan: plan[0])

    def now(self) -> datetime:
        """Return the virtual moment, in UTC."""
        return self._now

    def sleep(self, duration: timedelta) -> None:
        """Move the time on by ``duration`` at once."""
        self.slept.append(duration)
        self.advance(duration)

    def advance(self, duration: timedelta) -> None:
        """Let time pass without anybody sleeping."""
        self.advance_to(self._now + duration)

    def advance_to(self, moment: datetime) -> None:
        """Let time pass until ``moment``; it never goes back."""
        while self._plans and self._plans[0][0] <= moment:
            planned, happen = self._plans.pop(0)
            self._now = max(self._now, planned)
            happen()
        self._now = max(self._now, moment)


class AsyncVirtualClock:
    """
    The async counterpart of a :class:`VirtualClock`.

    On an ordinary loop it suits one task. Several can sleep at the same time on a
    :class:`~airbyte_sync_testkit.VirtualLoop` of the same clock.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()

    def now(self) -> datetime:
        """Return the virtual moment, in UTC."""
        return self.clock.now()

    async def sleep(self, duration: timedelta) -> None:
        """Move the time on by ``duration`` at once; on a loop of this clock, when all others sleep."""
        if getattr(asyncio.get_running_loop(), "clock", None) is self.clock:
            self.clock.slept.append(duration)
            await asyncio.sleep(duration.total_seconds())
        else:
            self.clock.sleep(duration)
