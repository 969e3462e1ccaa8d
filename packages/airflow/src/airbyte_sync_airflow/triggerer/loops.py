"""One of a kind for each event loop: what tasks on a loop share belongs to that loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class PerLoop(Generic[T]):
    """
    Makes something once for each event loop, when it is first asked for.

    Args:
        make: Makes it, on the running loop.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}

    def __call__(self) -> T:
        """Return the running loop's. What belonged to closed loops is forgotten."""
        for loop in [each for each in self._made if each.is_closed()]:
            del self._made[loop]
        running = asyncio.get_running_loop()
        if running not in self._made:
            self._made[running] = self._make()
        return self._made[running]
