"""From a command to its answer, blocking and async: a command knows the call on a port that answers it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airbyte_sync.commands import (
    Command,
    FetchJob,
    FindJobs,
    LoadCheckpoint,
    Now,
    Pause,
    PortCall,
    Report,
    SaveCheckpoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync.events import Event
    from airbyte_sync.ports import (
        AsyncCheckpointStore,
        AsyncClock,
        AsyncFeedPort,
        AsyncPollPort,
        AsyncSyncGateway,
        CheckpointStore,
        Clock,
        SyncGateway,
    )

_ZERO = timedelta(0)


def ignore(event: Event) -> None:
    """Watch nothing: for callers that want the result only."""
    del event


class PortInterpreter:
    """Carries out commands on blocking ports."""

    def __init__(
        self,
        gateway: SyncGateway,
        clock: Clock,
        on_event: Callable[[Event], None] = ignore,
        store: CheckpointStore | None = None,
    ) -> None:
        """
        Args:
            gateway: Where jobs and connections are.
            clock: Tells the time and waits.
            on_event: Called with every event a flow reports; it must not raise.
            store: Remembers the request for when it is made again; without one nothing is remembered.
        """
        self._gateway = gateway
        self._clock = clock
        self._on_event = on_event
        self._store = store

    def answer(self, command: Command[Any]) -> Any:
        """Carry out one command; see :class:`~airbyte_sync.drivers.Interpreter`."""
        match command:
            case Now():
                return self._clock.now()
            case Pause(until=until):
                self._clock.sleep(max(until - self._clock.now(), _ZERO))
                return False
            case Report(event=event):
                return self._on_event(event)
            case LoadCheckpoint() | SaveCheckpoint():
                return None if self._store is None else command.on(self._store)
            case PortCall():
                return command.on(self._gateway)
        raise TypeError(f"{command!r} is not a command of airbyte_sync")


class AsyncPortInterpreter:
    """Carries out commands on async ports."""

    def __init__(
        self,
        gateway: AsyncSyncGateway,
        clock: AsyncClock,
        on_event: Callable[[Event], None] = ignore,
        store: AsyncCheckpointStore | None = None,
        feed: AsyncFeedPort | None = None,
    ) -> None:
        """
        See :class:`PortInterpreter`; ``on_event`` is a plain function here too.

        Args:
            gateway: Where jobs and connections are.
            clock: Tells the time and waits.
            on_event: Called with every event a flow reports; it must not raise.
            store: Remembers the request for when it is made again; without one nothing is remembered.
            feed: Polls jobs in the gateway's place, and cuts a pause short when a job has changed;
                share one among all that wait for jobs of the same server.
        """
        self._gateway = gateway
        self._poll: AsyncPollPort = gateway if feed is None else feed
        self._feed = feed
        self._clock = clock
        self._on_event = on_event
        self._store = store

    async def answer(self, command: Command[Any]) -> Any:
        """Carry out one command; see :class:`~airbyte_sync.drivers.AsyncInterpreter`."""
        match command:
            case Now():
                return self._clock.now()
            case Pause(until=until, job_id=int(job_id)) if self._feed is not None:
                latest = command.latest or until
                return await self._feed.wait_for_change(job_id, until, latest)
            case Pause(until=until):
                await self._clock.sleep(max(until - self._clock.now(), _ZERO))
                return False
            case Report(event=event):
                return self._on_event(event)
            case FetchJob(job_id=job_id, recent=True) if self._feed is not None:
                return await self._feed.recent_job(job_id)
            case FetchJob() | FindJobs():
                return await command.on(self._poll)
            case LoadCheckpoint() | SaveCheckpoint():
                return None if self._store is None else await command.on(self._store)
            case PortCall():
                return await command.on(self._gateway)
        raise TypeError(f"{command!r} is not a command of airbyte_sync")
