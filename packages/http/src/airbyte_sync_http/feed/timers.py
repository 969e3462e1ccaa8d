"""One clock for thousands of sleepers: a single task naps until the next of them is to be woken.

A sleeper is a future. Who is woken earlier by something else simply resolves it, and its alarm then
rings for nobody. Alarms that fall together within :data:`GRAIN` ring together, and a crowd is woken in
batches, so that the event loop has time for others in between.
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
"""The shortest nap: how late an alarm may be."""

BATCH = 20
"""How many are woken in one turn of the loop: a few milliseconds of work for flows."""


class Alarms:
    """Alarms on one event loop."""

    def __init__(self, clock: AsyncClock) -> None:
        """
        Args:
            clock: Tells the time and waits.
        """
        self._clock = clock
        self._set: list[tuple[datetime, int, asyncio.Future[bool]]] = []
        self._order = count()
        self._keeper: asyncio.Task[None] | None = None
        self._nap: asyncio.Future[None] | None = None

    def set(self, moment: datetime, sleeper: asyncio.Future[bool]) -> None:
        """Resolve ``sleeper`` to ``False`` when ``moment`` has come, unless it is resolved by then."""
        heappush(self._set, (moment, next(self._order), sleeper))
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())
        elif self._nap is not None and self._set[0][2] is sleeper:
            self._nap.cancel()  # the keeper naps for too long now

    def silence(self) -> None:
        """Ring all alarms now, and none later. The keeper ends when there is nothing to keep."""
        for _, _, sleeper in self._set:
            if not sleeper.done():
                sleeper.set_result(False)
        self._set.clear()
        if self._nap is not None:
            self._nap.cancel()

    async def close(self) -> None:
        """Fall silent, and wait until the keeper has ended."""
        self.silence()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait({keeper})

    async def _keep(self) -> None:
        while self._set:
            await wake(self._due(), has_news=False)
            if self._set:
                await self._sleep(self._set[0][0] - self._clock.now())

    def _due(self) -> list[asyncio.Future[bool]]:
        now = self._clock.now()
        due = []
        while self._set and (self._set[0][0] <= now or self._set[0][2].done()):
            due.append(heappop(self._set)[2])
        return due

    async def _sleep(self, duration: timedelta) -> None:
        nap = asyncio.ensure_future(self._clock.sleep(max(duration, GRAIN)))
        self._nap = nap
        try:
            await asyncio.wait({nap})
            if not nap.cancelled():
                nap.result()  # a clock that cannot sleep is no reason to spin
        finally:
            nap.cancel()
            await asyncio.wait({nap})


async def wake(sleepers: Iterable[asyncio.Future[bool]], *, has_news: bool) -> None:
    """Resolve futures that are not resolved yet, a batch in each turn of the loop."""
    left = iter(sleepers)
    try:
        for woken, sleeper in enumerate((each for each in left if not each.done()), 1):
            sleeper.set_result(has_news)
            if woken % BATCH == 0:
                await asyncio.sleep(0)
    finally:  # whoever is stopped in the middle leaves nobody asleep
        for sleeper in left:
            if not sleeper.done():
                sleeper.set_result(has_news)
