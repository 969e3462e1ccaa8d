"""What an interruption does: signals of this process, blocking and on an event loop.

A handler is installed only in the main thread, only where the present one is Python's own, and for as long as
a sync is followed: a scheduler's handler is never replaced.

The first signal interrupts what is followed. In the middle of a submission, whose job could not be cancelled
without knowing it, it waits for Airbyte's answer. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager, suppress
from enum import Enum
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from weakref import WeakKeyDictionary

from airbyte_sync.checks import require_choice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import FrameType

    from typing_extensions import Self

_DEFAULT_HANDLERS: dict[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


class OnInterrupt(Enum):
    """What becomes of a sync when the process that follows it is interrupted."""

    CANCEL = "cancel"
    """Cancel it, until Airbyte says that it has ended. A sync that another client started is left alone."""
    LEAVE_RUNNING = "leave_running"
    """Leave it: with a store, the next run of the same request goes on with it."""


ChoiceOnInterrupt: TypeAlias = "OnInterrupt | Callable[[], OnInterrupt] | None"
"""What a caller chooses: now, or by a function that is called when it happens."""


def require_on_interrupt(value: object) -> None:
    """
    Refuse what says nothing about interruptions.

    Raises:
        InvalidInput: It is neither an :class:`OnInterrupt` nor a function nor ``None``.
    """
    if value is not None and not callable(value):
        require_choice("on_interrupt", value, OnInterrupt)


def decide(
    on_interrupt: ChoiceOnInterrupt, interruption: BaseException, *, has_store: bool
) -> OnInterrupt:
    """
    Return what to do about an interruption.

    Args:
        on_interrupt: What the caller chose, if anything.
        interruption: What was raised. Ctrl-C and a cancelled task are a person's word; with anything else,
            the process ends for a reason that says nothing about the sync.
        has_store: Whether the next run of the same request could go on with the sync.
    """
    if on_interrupt is not None:
        return on_interrupt() if callable(on_interrupt) else on_interrupt
    is_wanted = isinstance(interruption, (KeyboardInterrupt, asyncio.CancelledError))
    return OnInterrupt.CANCEL if is_wanted or not has_store else OnInterrupt.LEAVE_RUNNING


def exit_by(number: int) -> BaseException:
    """Return what a signal goes on as: ``KeyboardInterrupt``, or an exit with 128 and its number."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _installable() -> list[int]:
    """Return the signals whose present handler is Python's own; outside of the main thread, none."""
    if current_thread() is not main_thread():
        return []
    return [
        number
        for number, default in _DEFAULT_HANDLERS.items()
        if signal.getsignal(number) is default
    ]


@contextmanager
def python_signal_handlers() -> Iterator[None]:
    """
    Put Python's own signal handlers in the place of a scheduler's, and put those back at the end.

    For an integration whose scheduler has handlers that raise: they would raise wherever the program
    stands, also in the middle of a submission or of an event loop. Within this block the runner's handlers
    stand in for them, and an interruption leaves it as ``KeyboardInterrupt``, for SIGTERM as
    ``SystemExit(143)``. Outside of the main thread it does nothing.
    """
    if current_thread() is not main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _DEFAULT_HANDLERS}
    for number, default in _DEFAULT_HANDLERS.items():
        signal.signal(number, default)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Signals:
    """The signals of a blocking run: raised where the program stands, or after what must not be cut."""

    def __init__(self) -> None:
        self._installed: list[int] = []
        self._depth = 0
        self._is_held_back: Callable[[BaseException], bool] = lambda _: True
        self.pending: BaseException | None = None
        """What is raised at the end of what must not be cut."""
        self._was_interrupted = False

    def __enter__(self) -> Self:
        self._installed = _installable()
        for number in self._installed:
            signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._installed:
            signal.signal(number, _DEFAULT_HANDLERS[number])

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        interruption = exit_by(number)
        is_first, self._was_interrupted = not self._was_interrupted, True
        if is_first and self._depth and self._is_held_back(interruption):
            self.pending = interruption
            return
        self.pending = None
        raise interruption

    @contextmanager
    def held_back(self, when: Callable[[BaseException], bool] = lambda _: True) -> Iterator[None]:
        """
        Hold the first signal back until the block has ended; raise it then.

        Args:
            when: Whether to hold it back, or to raise it at once.
        """
        self._depth += 1
        if self._depth == 1:
            self._is_held_back = when
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0 and self.pending is not None:
                interruption, self.pending = self.pending, None
                raise interruption


class AsyncSignals:
    """
    The signals of a run on an event loop: they cancel the task that has entered this.

    Where :func:`asyncio.run` handles Ctrl-C, as from Python 3.11 on, it cancels the main task itself.
    """

    def __init__(self, on_interrupt: ChoiceOnInterrupt, *, has_store: bool) -> None:
        self.number: int | None = None
        """The signal that has interrupted this run."""
        self._on_interrupt = on_interrupt
        self._has_store = has_store
        self._raised: BaseException = asyncio.CancelledError()
        self._task: asyncio.Task[Any] | None = None
        self._loop: _LoopSignals | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._loop = _LoopSignals.of_running_loop()
        self._loop.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None:
            self._loop.remove(self)

    def interrupt(self, number: int) -> None:
        """Cancel the task; for a second signal, once more."""
        self.number = self.number or number
        if self._task is not None:
            self._task.cancel()

    def what_to_do(self) -> OnInterrupt:
        """Return what to do about the interruption: about a signal, or about what was raised."""
        interruption = self._raised if self.number is None else exit_by(self.number)
        return decide(self._on_interrupt, interruption, has_store=self._has_store)

    @asynccontextmanager
    async def settled_by(self, settle: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """
        Settle what a block follows where it is interrupted, and let the interruption go on then.

        Args:
            settle: Does what the interruption is to do. A second one ends it at once.

        Raises:
            BaseException: What has interrupted the block; or the exit that a signal means, once all that this
                signal has interrupted is settled.
        """
        try:
            yield
        except Exception:
            raise
        except BaseException as raised:
            self._raised = raised
            with suppress(asyncio.CancelledError):  # interrupted again
                await settle()
            raise await self._outcome(raised) from None

    async def _outcome(self, raised: BaseException) -> BaseException:
        """Return what is to be raised in the end: the first exit would end the loop over all others."""
        if self.number is None or self._loop is None:
            return raised
        uncancel: Callable[[], int] | None = getattr(self._task, "uncancel", None)
        if uncancel is not None:  # Python 3.11
            uncancel()
        is_last = await self._loop.settled(self)
        return exit_by(self.number) if is_last else raised


class _LoopSignals:
    """The handlers of one event loop, for as long as a run is followed on it."""

    _of: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopSignals]] = WeakKeyDictionary()

    @classmethod
    def of_running_loop(cls) -> _LoopSignals:
        loop = asyncio.get_running_loop()
        return cls._of.setdefault(loop, cls())

    def __init__(self) -> None:
        self._runs: list[AsyncSignals] = []
        self._installed: list[int] = []
        self._unsettled: set[AsyncSignals] = set()
        self._all_settled = asyncio.Event()

    def add(self, run: AsyncSignals) -> None:
        self._runs.append(run)
        if len(self._runs) > 1:
            return
        loop = asyncio.get_running_loop()
        for number in _installable():
            with suppress(NotImplementedError, RuntimeError):  # Windows: Ctrl-C alone works there
                loop.add_signal_handler(number, self._handle, number)
                self._installed.append(number)

    def remove(self, run: AsyncSignals) -> None:
        self._runs.remove(run)
        self._unsettled.discard(run)
        if not self._unsettled:
            self._all_settled.set()
        if self._runs:
            return
        loop = asyncio.get_running_loop()
        while self._installed:
            loop.remove_signal_handler(self._installed.pop())  # puts Python's own back

    def _handle(self, number: int) -> None:
        if not self._unsettled:
            self._all_settled = asyncio.Event()
            self._unsettled = set(self._runs)
        for run in list(self._runs):
            run.interrupt(number)

    async def settled(self, run: AsyncSignals) -> bool:
        """Wait until all are; return whether this one was the last."""
        self._unsettled.discard(run)
        if not self._unsettled:
            self._all_settled.set()
            return True
        await self._all_settled.wait()
        return False
