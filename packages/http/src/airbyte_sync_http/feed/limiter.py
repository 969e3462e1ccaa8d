"""A few requests at a time to one server, and an order for those who wait: a semaphore with two queues."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Slots:
    """So many at a time, on one event loop; who is urgent goes before all others."""

    def __init__(self, count: int) -> None:
        """
        Args:
            count: How many there are.
        """
        self._free = count
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    @property
    def are_taken(self) -> bool:
        """Whether somebody who wants one has to wait."""
        return not self._free

    @asynccontextmanager
    async def take(self, *, is_urgent: bool = False) -> AsyncIterator[None]:
        """
        Hold a slot during a block; wait for one first.

        Args:
            is_urgent: Whether to go before those who are not.
        """
        if self._free:
            self._free -= 1
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            (self._urgent if is_urgent else self._others).append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._pass_on()  # it was our turn just then
                raise
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        for queue in (self._urgent, self._others):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
