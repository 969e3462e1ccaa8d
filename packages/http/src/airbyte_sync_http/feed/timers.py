"""One clock for thousands of waiters: a single task sleeps until the next of them is due.

A waiter is a future. What ends the wait earlier simply resolves it, and its timer then does nothing. Timers
that are due together within :data:`GRAIN` fire together, and many waiters are woken in batches, so that the
event loop has time for others in between.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from airbyte_sync.ports import AsyncClock

GRAIN = timedelta(milliseconds=100)
"""The shortest sleep: how late a timer may be."""

BATCH = 20
"""How many are woken in one turn of the loop: a few milliseconds of work for flows."""


class Timers:
    """Timers on one event loop."""

    def __init__(self, clock: AsyncClock) -> None:
        """
        Args:
            clock: Tells the time and waits.
        """
        self._clock = clock
        self._heap: list[tuple[datetime, int, asyncio.Future[bool]]] = []
        self._order = count()
        self._task: asyncio.Task[None] | None = None
        self._sleep: asyncio.Future[None] | None = None

    def set(self, moment: datetime, waiter: asyncio.Future[bool]) -> None:
        """Resolve ``waiter`` to ``False`` when ``moment`` has come, unless it is resolved by then."""
        heappush(self._heap, (moment, next(self._order), waiter))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        elif self._sleep is not None and self._heap[0][2] is waiter:
            self._sleep.cancel()  # it would be too long now

    def fire_all(self) -> None:
        """Fire all timers now, and none later. The task ends when there are none."""
        wake_now((waiter for _, _, waiter in self._heap), result=False)
        self._heap.clear()
        if self._sleep is not None:
            self._sleep.cancel()

    async def close(self) -> None:
        """Fire all timers, and wait until the task has ended."""
        self.fire_all()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while self._heap:
            await wake(self._due(), result=False)
            if self._heap:
                await self._sleep_for(self._heap[0][0] - self._clock.now())

    def _due(self) -> list[asyncio.Future[bool]]:
        now = self._clock.now()
        due = []
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].done()):
            due.append(heappop(self._heap)[2])
        return due

    async def _sleep_for(self, duration: timedelta) -> None:
        self._sleep = sleep = asyncio.ensure_future(self._clock.sleep(max(duration, GRAIN)))
        try:
            await asyncio.wait({sleep})
            if not sleep.cancelled():
                sleep.result()  # a clock that cannot sleep is no reason to spin
        finally:
            sleep.cancel()
            await asyncio.wait({sleep})


async def wake(waiters: Iterable[asyncio.Future[bool]], *, result: bool) -> None:
    """Resolve futures that are not resolved yet, a batch in each turn of the loop."""
    left = iter(waiters)
    try:
        for woken, waiter in enumerate((each for each in left if not each.done()), 1):
            waiter.set_result(result)
            if woken % BATCH == 0:
                await asyncio.sleep(0)
    finally:  # also when it is cancelled in the middle
        wake_now(left, result=result)


def wake_now(waiters: Iterable[asyncio.Future[bool]], *, result: bool) -> None:
    """Resolve futures that are not resolved yet, all at once."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(result)
