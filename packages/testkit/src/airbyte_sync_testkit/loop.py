"""An event loop in virtual time: when all tasks sleep, the time moves on to the one that wakes first.

It is for tests with several tasks, such as waiters and what runs behind them. Sockets work, but the loop
does not wait for them: what is tested on a virtual loop talks to something in memory.
"""

from __future__ import annotations

import asyncio
import selectors
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync_testkit.clock import START, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of a :class:`~airbyte_sync_testkit.VirtualClock`."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        """Moved on whenever nothing is left to do at the present moment."""
        super().__init__(_Hurry(clock))

    def time(self) -> float:
        """Return the virtual moment, as seconds."""
        return (self.clock.now() - START).total_seconds()


class _Hurry(selectors.DefaultSelector):
    """A selector that lets virtual time pass where another waits."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if timeout is None and not ready:
            raise RuntimeError("every task waits, and none will ever wake: the test would hang")
        if timeout and not ready:
            self._clock.advance(timedelta(microseconds=ceil(timeout * 1_000_000)))
        return ready


def run_virtually(main: Coroutine[Any, Any, T], clock: VirtualClock) -> T:
    """
    Run a coroutine on a loop of its own in virtual time, as :func:`asyncio.run` does in real time.

    Args:
        main: What to run. What it leaves running is cancelled in the end.
        clock: The time; share it with the server in memory.

    Returns:
        What the coroutine returns.

    Raises:
        RuntimeError: Every task waits for another.
    """
    loop = VirtualLoop(clock)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_cancel(asyncio.all_tasks(loop)))
        loop.close()


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
