"""The house rules of flows and drivers."""

from __future__ import annotations

import ast
import asyncio
from datetime import datetime, timezone
from pathlib import Path

import pytest

import airbyte_sync
from airbyte_sync import (
    AirbyteSyncError,
    Checkpoint,
    Done,
    Flow,
    InvalidInput,
    Pause,
    arun,
    run,
    step,
)
from airbyte_sync.commands import FetchJob, Now, Report, SubmitSync
from airbyte_sync.drivers import AsyncPortInterpreter, PortInterpreter

PACKAGE = Path(airbyte_sync.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FLOWS = sorted((PACKAGE / "flows").glob("*.py"))
NEVER_IN_FLOWS = {"datetime.now", "datetime.utcnow", "time.time", "time.sleep", "random.random"}


def yields_in(nodes):
    return [
        node.lineno
        for top in nodes
        for node in ast.walk(top)
        if isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await))
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_nothing_yields_in_finally(module):
    """A flow that is closed must not go on: no yield in finally, and none in a handler of everything."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Try):
            assert [] == yields_in(node.finalbody)
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            if caught in {"everything", "BaseException", "Exception", "GeneratorExit"}:
                assert [] == yields_in(node.body)


@pytest.mark.parametrize("module", FLOWS, ids=lambda path: path.stem)
def test_flows_know_no_clock_no_log_and_no_chance(module):
    """Time is an answer, jitter a pure function, and what happens is reported, not logged."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert set() == called & NEVER_IN_FLOWS
    assert set() == imported & {"logging", "time", "random"}


def toy() -> Flow[str]:
    """Ask, survive a domain error, pause, ask again, and clean up without yielding."""
    journal.clear()
    try:
        first = yield from Now()
        try:
            yield from FetchJob(1)
        except AirbyteSyncError as error:
            journal.append(f"survived {error}")
        yield from Pause(first, Checkpoint.asked(first))
        second = yield from Now()
        return f"{first} and {second}"
    finally:
        journal.append("closed")


journal: list[str] = []


class Script:
    """Answers what it is told to; an exception is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def answer(self, command):
        self.asked.append(type(command).__name__)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class AsyncScript(Script):
    async def answer(self, command):
        await asyncio.sleep(0)
        return super().answer(command)


def by_run(*answers):
    script = Script(*answers)
    return run(toy(), script), script


def by_arun(*answers):
    script = AsyncScript(*answers)
    return asyncio.run(arun(toy(), script)), script


DRIVERS = [by_run, by_arun]
AWAY = InvalidInput("away")
TEN = datetime(2026, 1, 5, 10, tzinfo=timezone.utc)
ELEVEN = datetime(2026, 1, 5, 11, tzinfo=timezone.utc)


@pytest.mark.parametrize("drive", DRIVERS)
def test_the_toy_runs_to_its_end(drive):
    """One flow, each driver: the same questions, the same result."""
    result, script = drive(TEN, AWAY, None, ELEVEN)
    assert result == f"{TEN} and {ELEVEN}"
    assert ["Now", "FetchJob", "Pause", "Now"] == script.asked
    assert ["survived away", "closed"] == journal


def test_the_toy_steps_to_its_first_pause():
    """step hands the pause back unanswered and closes the flow."""
    script = Script(TEN, AWAY)
    turn = step(toy(), script)
    assert isinstance(turn, Pause)
    assert TEN == turn.until
    assert ["Now", "FetchJob"] == script.asked
    assert ["survived away", "closed"] == journal


def test_step_hands_back_the_end_when_there_is_no_pause():
    """A flow that ends before it pauses is done."""

    def short() -> Flow[int]:
        yield from Now()
        return 7

    assert step(short(), Script(TEN)) == Done(7)


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.parametrize(
    "interruption",
    [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError(), ZeroDivisionError("a bug")],
    ids=lambda error: type(error).__name__,
)
def test_what_is_no_domain_error_passes_straight_through(drive, interruption):
    """An interrupt, a cancelled task or a bug is not thrown into the flow: the flow is closed."""
    with pytest.raises(type(interruption)):
        drive(TEN, interruption)
    assert ["closed"] == journal


@pytest.mark.parametrize(
    "interruption", [KeyboardInterrupt(), asyncio.CancelledError(), ZeroDivisionError("a bug")]
)
def test_step_lets_interrupts_pass_too(interruption):
    """The same holds for a poke."""
    with pytest.raises(type(interruption)):
        step(toy(), Script("ten", interruption))
    assert ["closed"] == journal


def test_a_cancelled_task_closes_its_flow():
    """A trigger that is cancelled while it waits leaves nothing behind."""

    class Waiting:
        async def answer(self, command):
            del command
            await asyncio.Event().wait()

    async def cancel_it():
        task = asyncio.create_task(arun(toy(), Waiting()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_it())
    assert ["closed"] == journal


@pytest.mark.parametrize("drive", DRIVERS)
def test_an_error_that_the_flow_does_not_catch_comes_out(drive):
    """The flow's own verdict reaches the caller as the same object."""
    with pytest.raises(InvalidInput) as caught:
        drive(AWAY)
    assert caught.value is AWAY
    assert ["closed"] == journal


def test_a_flow_may_end_on_an_error():
    """A flow that catches an error may return at once."""

    def forgiving() -> Flow[str]:
        try:
            yield from SubmitSync("c", None)  # type: ignore[arg-type]
        except AirbyteSyncError:
            return "forgiven"
        return "never"

    assert "forgiven" == run(forgiving(), Script(AWAY))
    assert "forgiven" == asyncio.run(arun(forgiving(), AsyncScript(AWAY)))


def test_an_unknown_command_is_a_bug():
    """The interpreters know every command and refuse what is none; a bug is no domain error."""
    gateway, clock = object(), object()
    with pytest.raises(TypeError, match="is not a command"):
        PortInterpreter(gateway, clock).answer("sing")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is not a command"):
        asyncio.run(AsyncPortInterpreter(gateway, clock).answer("sing"))  # type: ignore[arg-type]


def test_nobody_has_to_watch():
    """Events go nowhere unless somebody asks for them."""
    assert PortInterpreter(object(), object()).answer(Report(None)) is None  # type: ignore[arg-type]
