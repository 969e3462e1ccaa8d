"""Three ways to drive a flow: to its end blocking, to its end async, or up to its first pause.

A driver moves answers, nothing else. Only domain errors are thrown into the flow: an interrupt, a
cancelled task or a bug passes straight through, because no policy should decide about those.

::

    result = run(flow, interpreter)                 # a script, a worker
    result = await arun(flow, interpreter)          # a trigger, any asyncio program
    match step(flow, interpreter):                  # a sensor's poke, a hand-over
        case Done(result): ...
        case Pause(until, checkpoint): ...          # resume(checkpoint) later, anywhere
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol

from airbyte_sync.commands import Command, Flow, Pause, Result
from airbyte_sync.errors import AirbyteSyncError


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
            turn = await _answer_async(flow, interpreter, turn)
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


async def _answer_async(
    flow: Flow[Result], interpreter: AsyncInterpreter, command: Command[Any]
) -> Command[Any] | Done[Result]:
    try:
        answer = await interpreter.answer(command)
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
