"""One call as a flow of requests and responses, and what drives it, blocking and async.

As in httpx's authentication, a flow yields requests and is sent their responses, and getting a token is just
another request of the same flow. What a flow cannot do by itself is to wait for its turn: it yields
:class:`Acquire` and :class:`Release`, and the driver holds the lock of its own style in between.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack, closing
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from airbyte_sync.errors import AirbyteSyncError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from airbyte_sync_http.transports.base import AsyncTransport, HttpRequest, Transport

Result = TypeVar("Result")


class TwoLocks:
    """A lock for threads, and one for the tasks of each event loop."""

    def __init__(self) -> None:
        # Reentrant: a signal may interrupt a request, and its handler make a call of its own.
        self.blocking: AbstractContextManager[bool] = RLock()
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    def of_running_loop(self) -> asyncio.Lock:
        """Return the lock of the running event loop; a lock of asyncio serves one loop only."""
        import asyncio  # noqa: PLC0415 - blocking programs never need it

        return self._of_loops.setdefault(asyncio.get_running_loop(), asyncio.Lock())


@dataclass(frozen=True, slots=True)
class Acquire:
    """Wait for a lock, and hold it until :class:`Release`, or until the flow ends."""

    lock: TwoLocks


@dataclass(frozen=True, slots=True)
class Release:
    """Release the lock that is held."""


Exchange: TypeAlias = "Generator[HttpRequest | Acquire | Release, Any, Result]"
"""A generator that yields requests, is sent their responses, and returns a ``Result``."""


def drive(flow: Exchange[Result], transport: Transport) -> Result:
    """
    Drive a flow to its end, blocking.

    Args:
        flow: What to ask.
        transport: Sends the requests. Its errors are thrown into the flow.

    Raises:
        AirbyteSyncError: As the flow does.
    """
    with closing(flow), ExitStack() as locks:
        try:
            step = next(flow)
            while True:
                match step:
                    case Acquire(lock=lock):
                        locks.enter_context(lock.blocking)
                        step = flow.send(None)
                    case Release():
                        locks.close()
                        step = flow.send(None)
                    case request:
                        try:
                            response = transport.send(request)
                        except AirbyteSyncError as error:
                            step = flow.throw(error)
                        else:
                            step = flow.send(response)
        except StopIteration as end:
            result: Result = end.value
            return result


async def drive_async(flow: Exchange[Result], transport: AsyncTransport) -> Result:
    """Drive a flow to its end on the running event loop; see :func:`drive`."""
    with closing(flow):
        async with AsyncExitStack() as locks:
            try:
                step = next(flow)
                while True:
                    match step:
                        case Acquire(lock=lock):
                            await locks.enter_async_context(lock.of_running_loop())
                            step = flow.send(None)
                        case Release():
                            await locks.aclose()
                            step = flow.send(None)
                        case request:
                            try:
                                response = await transport.send(request)
                            except AirbyteSyncError as error:
                                step = flow.throw(error)
                            else:
                                step = flow.send(response)
            except StopIteration as end:
                result: Result = end.value
                return result
