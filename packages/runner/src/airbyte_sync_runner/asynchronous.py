"""Run one sync to its end, on an event loop."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING, Any

from airbyte_sync.clocks import AsyncSystemClock
from airbyte_sync.commands import Command, Pause, PortCall, SubmitSync
from airbyte_sync.drivers import AsyncPortInterpreter, arun, ignore
from airbyte_sync.errors import AirbyteSyncError, CallFailed
from airbyte_sync_runner.blocking import DEFAULT_POLICY
from airbyte_sync_runner.flows import ForgetRequest, KeepProgress, follow, settle
from airbyte_sync_runner.interrupts import AsyncSignals, OnInterrupt, require_on_interrupt
from airbyte_sync_runner.progress import AsyncProgress
from airbyte_sync_runner.stores import key_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from airbyte_sync.events import Event
    from airbyte_sync.policy import SyncPolicy
    from airbyte_sync.ports import AsyncClock, AsyncFeedPort, AsyncSyncGateway
    from airbyte_sync.requests import SyncRequest
    from airbyte_sync.results import SyncResult
    from airbyte_sync_runner.interrupts import ChoiceOnInterrupt
    from airbyte_sync_runner.stores import AsyncRequestStore


async def run_sync_async(
    gateway: AsyncSyncGateway,
    request: SyncRequest,
    policy: SyncPolicy = DEFAULT_POLICY,
    *,
    feed: AsyncFeedPort | None = None,
    store: AsyncRequestStore | None = None,
    run_id: str | None = None,
    on_event: Callable[[Event], None] | None = None,
    on_interrupt: ChoiceOnInterrupt = None,
    clock: AsyncClock | None = None,
) -> SyncResult:
    """
    Run one sync to its end, whatever stops the process: on an event loop.

    It is :func:`~airbyte_sync_runner.run_sync` for a task.

    A cancelled task interrupts it as Ctrl-C does, and ``CancelledError`` goes on when the sync was
    cancelled. For many at once there is :func:`~airbyte_sync_runner.run_many`.

    Args:
        gateway: Where jobs and connections are.
        request: What to run.
        policy: How to see it through. Its ``cancel_timeout`` bounds the cancellation.
        feed: Share one among all that wait for jobs of the same server.
        store: Remembers the request beyond this process.
        run_id: As for :func:`~airbyte_sync_runner.run_sync`.
        on_event: Called with everything that happens; a plain function that must not raise.
        on_interrupt: As for :func:`~airbyte_sync_runner.run_sync`.
        clock: Tells the time and waits; this machine's by default.

    Returns:
        As :func:`~airbyte_sync_runner.run_sync`.

    Raises:
        RequestLocked: Another process follows the same request. Nothing was sent.
        StoreFailed: The store cannot be used. Nothing was sent.
        AirbyteSyncError: As :func:`airbyte_sync.sync`. Where a sync may still run, the store keeps the
            request.
    """
    require_on_interrupt(on_interrupt)
    with AsyncSignals(on_interrupt, has_store=store is not None) as signals:
        run = AsyncRun(
            gateway,
            request,
            policy,
            feed=feed,
            store=store,
            run_id=run_id,
            on_event=on_event or ignore,
            clock=clock or AsyncSystemClock(),
            what_to_do=signals.what_to_do,
        )
        try:
            async with signals.settled_by(run.settle):
                await run.open()
                return await run.follow()
        finally:
            await run.close()


class AsyncRun:
    """One request on an event loop: opened, followed, settled if it was interrupted, and closed."""

    def __init__(
        self,
        gateway: AsyncSyncGateway,
        request: SyncRequest,
        policy: SyncPolicy,
        *,
        feed: AsyncFeedPort | None,
        store: AsyncRequestStore | None,
        run_id: str | None,
        on_event: Callable[[Event], None],
        clock: AsyncClock,
        what_to_do: Callable[[], OnInterrupt],
        calls: AbstractAsyncContextManager[object] | None = None,
    ) -> None:
        self.request = request
        self._what_to_do = what_to_do
        self._policy = policy
        self._store = store
        self._run_id = run_id
        self._opened = AsyncExitStack()
        self._progress = progress = AsyncProgress(clock.now)
        limit = nullcontext() if calls is None else calls
        ports = AsyncPortInterpreter(gateway, clock, on_event, store=progress, feed=feed)
        self._following = _Interpreter(ports, progress, what_to_do, SubmitSync, limit)
        # A feed waits for changes in tasks of its own, which a loop that ends has cancelled, too.
        ports = AsyncPortInterpreter(gateway, clock, on_event)
        self._settling = _Interpreter(ports, progress, what_to_do, PortCall, limit)

    async def open(self) -> None:
        """
        Open the request in the store.

        Raises:
            RequestLocked: Another process follows it.
            StoreFailed: The store cannot be used.
        """
        if self._store is not None:
            opening = self._store.open(key_of(self.request), self._run_id)
            self._progress.stored = await self._opened.enter_async_context(opening)

    async def follow(self) -> SyncResult:
        """Run the sync; see :func:`~airbyte_sync_runner.flows.follow`."""
        flow = follow(self.request, self._policy, self._progress.position)
        return await arun(flow, self._following)

    async def settle(self) -> None:
        """Do what an interruption is to do; see :func:`~airbyte_sync_runner.flows.settle`."""
        position, has_store = self._progress.position, self._store is not None
        flow = settle(self._what_to_do(), self._policy, position, has_store=has_store)
        await arun(flow, self._settling)

    async def close(self) -> None:
        """Unlock the request."""
        await self._opened.aclose()


class _Interpreter:
    """Carries out commands; a submission is not cut by an interruption."""

    def __init__(
        self,
        ports: AsyncPortInterpreter,
        progress: AsyncProgress,
        what_to_do: Callable[[], OnInterrupt],
        limited: type[PortCall[Any]],
        limit: AbstractAsyncContextManager[object],
    ) -> None:
        """
        Args:
            ports: Answers most commands.
            progress: How far the run has come.
            what_to_do: Tells what an interruption is to do.
            limited: Which calls enter ``limit``.
            limit: Many runs do not call all at once.
        """
        self._ports = ports
        self._progress = progress
        self._what_to_do = what_to_do
        self._limited = limited
        self._limit = limit

    async def answer(self, command: Command[Any]) -> Any:
        if isinstance(command, self._limited):
            async with self._limit:
                return await self._answer(command)
        return await self._answer(command)

    async def _answer(self, command: Command[Any]) -> Any:
        match command:
            case SubmitSync(connection_id=connection_id):
                return await self._submit(command, connection_id)
            case KeepProgress():
                return await self._progress.try_to_keep()
            case ForgetRequest():
                return await self._progress.clear()
            case Pause():
                await self._progress.renew()
        return await self._ports.answer(command)

    async def _submit(self, command: Command[Any], connection_id: str) -> Any:
        """Submit; when it is cancelled meanwhile, wait for the answer, so that the job is known."""
        submission = asyncio.ensure_future(self._ports.answer(command))
        try:
            return await asyncio.shield(submission)
        except asyncio.CancelledError:
            if self._what_to_do() is OnInterrupt.LEAVE_RUNNING:
                submission.cancel()
            try:
                await asyncio.wait([submission])
            finally:
                submission.cancel()
            position = self._progress.position
            try:
                position.record_job(submission.result(), connection_id)
            except CallFailed as error:
                position.record_no_job(error)
            except AirbyteSyncError:
                pass
            raise
