"""Run many syncs at once, on an event loop."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airbyte_sync.checks import require_count
from airbyte_sync.clocks import AsyncSystemClock
from airbyte_sync.drivers import ignore
from airbyte_sync.errors import AirbyteSyncError, InvalidInput
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_runner.asynchronous import AsyncRun
from airbyte_sync_runner.blocking import DEFAULT_POLICY
from airbyte_sync_runner.interrupts import (
    AsyncSignals,
    require_on_interrupt,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airbyte_sync.events import Event
    from airbyte_sync.policy import SyncPolicy
    from airbyte_sync.ports import AsyncClock, AsyncSyncGateway
    from airbyte_sync.requests import SyncRequest
    from airbyte_sync.results import SyncResult
    from airbyte_sync_runner.interrupts import ChoiceOnInterrupt
    from airbyte_sync_runner.stores import AsyncRequestStore

CALLS_AT_ONCE = 10
"""How many calls that start or cancel syncs are under way at the same time: a self-managed Airbyte serves its
whole public API with five threads."""
GRACE = timedelta(seconds=30)
"""For how long all cancellations together may take longer than one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one of many requests: it has a result or an error."""

    request: SyncRequest
    result: SyncResult | None = None
    """Where the sync has succeeded."""
    error: AirbyteSyncError | None = None
    """What :func:`~airbyte_sync_runner.run_sync` raises."""

    @property
    def succeeded(self) -> bool:
        """Whether the sync has succeeded."""
        return self.error is None

    def __str__(self) -> str:
        """Return a line for people."""
        connection_id = self.request.connection_id
        if self.result is None:
            return f"{connection_id}: {type(self.error).__name__}: {self.error}"
        job = self.result.job
        rows = "" if job.rows is None else f", {job.rows:,} rows"
        return f"{connection_id}: job {job.job_id} {job.status}{rows}"


async def run_many(
    gateway: AsyncSyncGateway,
    requests: Iterable[SyncRequest],
    policy: SyncPolicy = DEFAULT_POLICY,
    *,
    limit: int | None = None,
    store: AsyncRequestStore | None = None,
    run_id: str | None = None,
    on_event: Callable[[SyncRequest, Event], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
    on_interrupt: ChoiceOnInterrupt = None,
    clock: AsyncClock | None = None,
) -> list[Outcome]:
    """
    Run many syncs to their end at once, whatever stops the process.

    All of them share one :class:`~airbyte_sync_http.feed.feed.JobFeed`, so that many cost about as many
    requests as a few. One that does not succeed stops no other. An interruption (see
    :func:`~airbyte_sync_runner.run_sync`) cancels all that run, or leaves all, and goes on when that is done.

    Args:
        gateway: Where jobs and connections are.
        requests: What to run.
        policy: How to see each of them through. All cancellations together are bounded by its
            ``cancel_timeout`` and 30 s.
        limit: How many to run at the same time; ``None``: all.
        store: Remembers the requests beyond this process, each for itself.
        run_id: As for :func:`~airbyte_sync_runner.run_sync`, for all of them.
        on_event: Called with the request and what has happened; a plain function that must not raise.
        on_outcome: Called with what became of a request as soon as that is known; as ``on_event``.
        on_interrupt: As for :func:`~airbyte_sync_runner.run_sync`.
        clock: Tells the time and waits; this machine's by default.

    Returns:
        What became of each request, in their order.

    Raises:
        InvalidInput: ``limit`` is not above zero, or what is to be run is no request.
    """
    require_on_interrupt(on_interrupt)
    if limit is not None:
        require_count("limit", limit)
        if limit < 1:
            raise InvalidInput(f"limit is {limit}: give a number above zero, or None for no limit")
    clock = clock or AsyncSystemClock()
    with AsyncSignals(on_interrupt, has_store=store is not None) as signals:
        async with JobFeed(gateway, clock) as feed:
            calls = asyncio.Semaphore(CALLS_AT_ONCE)
            runs = [
                AsyncRun(
                    gateway,
                    request,
                    policy,
                    feed=feed,
                    store=store,
                    run_id=run_id,
                    on_event=ignore if on_event is None else partial(on_event, request),
                    clock=clock,
                    what_to_do=signals.what_to_do,
                    calls=calls,
                )
                for request in requests
            ]
            crowd = _Crowd(runs, limit, on_outcome, policy.cancel_timeout + GRACE)
            try:
                async with signals.settled_by(crowd.settle):
                    return await crowd.follow()
            finally:
                await crowd.close()


class _Crowd:
    """Many runs, each followed by a task of its own."""

    def __init__(
        self,
        runs: list[AsyncRun],
        limit: int | None,
        on_outcome: Callable[[Outcome], None] | None,
        settled_within: timedelta,
    ) -> None:
        self._runs = runs
        self._on_outcome = on_outcome
        self._settled_within = settled_within
        self._turn = nullcontext() if limit is None else asyncio.Semaphore(limit)
        self._unfinished = dict.fromkeys(runs)
        """Those that have been opened, perhaps, and are not closed."""
        self._tasks: list[asyncio.Task[Outcome]] = []

    async def follow(self) -> list[Outcome]:
        """Follow all to their ends. What is no outcome is raised when the last has ended."""
        self._tasks = [asyncio.ensure_future(self._follow(run)) for run in self._runs]
        if self._tasks:
            await asyncio.wait(self._tasks)
        return [task.result() for task in self._tasks]

    async def _follow(self, run: AsyncRun) -> Outcome:
        async with self._turn:
            try:
                await run.open()
                outcome = Outcome(request=run.request, result=await run.follow())
            except AirbyteSyncError as error:
                outcome = Outcome(request=run.request, error=error)
            except Exception:
                await self._close(run)
                raise
            await self._close(run)
            if self._on_outcome is not None:
                self._on_outcome(outcome)
            return outcome

    async def _close(self, run: AsyncRun) -> None:
        await run.close()
        del self._unfinished[run]

    async def settle(self) -> None:
        """
        Do what an interruption is to do to all that are not finished, in a certain time.

        The tasks that follow them do not do it themselves: :func:`asyncio.run` of Python 3.10 cancels
        every task when it is interrupted, and this would cancel them once more.
        """
        await _end(self._tasks)
        tasks = [asyncio.ensure_future(run.settle()) for run in self._unfinished]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=self._settled_within.total_seconds())
        finally:
            await _end(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def close(self) -> None:
        """Close what is open."""
        await _end(self._tasks)
        for run in list(self._unfinished):
            await self._close(run)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until the last has ended."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
