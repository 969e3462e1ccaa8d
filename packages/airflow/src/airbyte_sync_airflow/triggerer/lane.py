"""A lane for cancellations: a small number of calls at a time, which no poll and no submission shares."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airbyte_sync.commands import CancelJob, FetchJob, FindJobs

if TYPE_CHECKING:
    from airbyte_sync import AsyncInterpreter
    from airbyte_sync.commands import Command

WIDTH = 4
"""How many calls at a time: a self-managed Airbyte serves its API with five threads."""


class Lane:
    """Lets a few calls through at a time, in the order in which they came."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(WIDTH)

    def over(self, interpreter: AsyncInterpreter) -> AsyncInterpreter:
        """Return an interpreter whose calls take this lane; it pauses beside it."""
        return _InLane(interpreter, self._free)


class _InLane:
    def __init__(self, interpreter: AsyncInterpreter, free: asyncio.Semaphore) -> None:
        self._interpreter = interpreter
        self._free = free

    async def answer(self, command: Command[Any]) -> Any:
        if not isinstance(command, (CancelJob, FetchJob, FindJobs)):
            return await self._interpreter.answer(command)
        async with self._free:
            return await self._interpreter.answer(command)
