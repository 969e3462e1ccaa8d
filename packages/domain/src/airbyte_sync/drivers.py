"""Three ways to drive a flow: to its end blocking, to its end async, or up to its first pause.

A driver moves answers, nothing else. Only domain errors are thrown into the flow: an interrupt, a
cancelled task or a bug passes straight through, because no policy should decide about those.

::

    result = run(flow, interpreter)                 # a script, a worker
    result = await arun(flow, interpreter)          # a trigger, any asyncio program
    match step(flow, interpreter):                  # a sensor's poke, a hand-over
        case Done(result): ...
        case Pause(until, checkpoint): ...          # resume(checkpoint) later, anywhere

An interpreter finds the answers. Ours call ports; a command knows the call that answers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol

from airbyte_sync.checks import require_blocking
from airbyte_sync.commands import (
    Command,
    FetchJob,
    FindJobs,
    Flow,
    LoadCheckpoint,
    Now,
    Pause,
    PortCall,
    Report,
    Result,
    SaveCheckpoint,
)
from airbyte_sync.errors import AirbyteSyncError

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


class Interpreter(Protocol):
    """Carries out commands, blocking."""

    def answer(self, command: Command[Any]) -> Any:
        """Carry out ``command``; raise an :class:`AirbyteSyncError` for the flow to judge."""
        ...


class AsyncInterpreter(Protocol):
    """Carries out commands, async."""

    async def answer(self, command: Command[Any]) -> Any:
        """Carry out ``command``; raise an :class:`AirbyteSyncError` for the flow to judge."""
        ...


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """The flow came to its end."""

    result: Result


def run(flow: Flow[Result], interpreter: Interpreter) -> Result:
    """Drive ``flow`` to its end, blocking, and return its result or raise its error."""
    try:
        turn = _send(flow, None)
        while not isinstance(turn, Done):
            turn = _answer(flow, interpreter, turn)
        return turn.result
    finally:
        flow.close()


async def arun(flow: Flow[Result], interpreter: AsyncInterpreter) -> Result:
    """Drive ``flow`` to its end on the running event loop, and return or raise as :func:`run`."""
    try:
        turn = _send(flow, None)
        while not isinstance(turn, Done):
            try:
                answer = await interpreter.answer(turn)
            except AirbyteSyncError as error:
                turn = _throw(flow, error)
            else:
                turn = _send(flow, answer)
        return turn.result
    finally:
        flow.close()


def step(flow: Flow[Result], interpreter: Interpreter) -> Done[Result] | Pause:
    """Drive ``flow``, blocking, up to its first pause or its end, whichever comes first."""
    try:
        turn = _send(flow, None)
        while not isinstance(turn, (Done, Pause)):
            turn = _answer(flow, interpreter, turn)
        return turn
    finally:
        flow.close()


def _answer(
    flow: Flow[Result], interpreter: Interpreter, command: Command[Any]
) -> Command[Any] | Done[Result]:
    try:
        answer = interpreter.answer(command)
    except AirbyteSyncError as error:
        return _throw(flow, error)
    return _send(flow, answer)


def _send(flow: Flow[Result], answer: object) -> Command[Any] | Done[Result]:
    try:
        return flow.send(answer)
    except StopIteration as stop:
        return Done(stop.value)


def _throw(flow: Flow[Result], error: AirbyteSyncError) -> Command[Any] | Done[Result]:
    try:
        return flow.throw(error)
    except StopIteration as stop:
        return Done(stop.value)


# --- interpreters on ports ---------------------------------------------------------------------------


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

        Raises:
            InvalidInput: One of the ports is async.
        """
        require_blocking("gateway", gateway, "fetch_job")
        require_blocking("clock", clock, "sleep")
        require_blocking("store", store, "load")
        self._gateway = gateway
        self._clock = clock
        self._on_event = on_event
        self._store = store

    def answer(self, command: Command[Any]) -> Any:
        """Carry out one command; see :class:`Interpreter`."""
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
        """Carry out one command; see :class:`AsyncInterpreter`."""
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
