"""One connection of an Airbyte in memory, under a clock that moves only in a sleep."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airbyte_sync import (
    Checkpoint,
    Command,
    Event,
    Flow,
    Job,
    Pause,
    PortInterpreter,
    SyncRequest,
    run,
    step,
)
from airbyte_sync.commands import SaveCheckpoint
from airbyte_sync_local import JobScript
from airbyte_sync_testkit.clock import VirtualClock
from airbyte_sync_testkit.memory import InMemoryAirbyte

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTION_ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"


@dataclass
class ServerClock:
    """The clock of a server that goes wrong by some time."""

    clock: VirtualClock
    skew: timedelta

    def now(self) -> datetime:
        return self.clock.now() + self.skew


@dataclass(kw_only=True)
class World:
    """Carries out commands and remembers when it did."""

    clock: VirtualClock
    airbyte: InMemoryAirbyte
    connection_id: str = CONNECTION_ID
    events: list[Event] = field(default_factory=list)
    trace: list[tuple[datetime, Command[Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = self.clock.now()
        self._ports = PortInterpreter(self.airbyte, self.clock, self.events.append)

    @property
    def request(self) -> SyncRequest:
        return SyncRequest(connection_id=self.connection_id)

    def answer(self, command: Command[Any]) -> Any:
        self.trace.append((self.clock.now(), command))
        return self._ports.answer(command)

    def run(self, flow: Flow[Any]) -> Any:
        return run(flow, self)

    def first_pause(self, flow: Flow[Any]) -> Pause:
        turn = step(flow, self)
        assert isinstance(turn, Pause)
        return turn

    def event(self, kind: type) -> Any:
        """Return the only event of a kind."""
        [event] = [event for event in self.events if isinstance(event, kind)]
        return event

    def saved(self) -> list[Checkpoint]:
        """Return what was to be remembered so far."""
        return [each.checkpoint for _, each in self.trace if isinstance(each, SaveCheckpoint)]

    def seconds(self) -> float:
        """Return the seconds that went by since the test began."""
        return (self.clock.now() - self._began).total_seconds()

    def life(self, *stages: tuple[float, str]) -> None:
        """Let the next job that we start live so."""
        self.airbyte.job_scripts.append(JobScript.of(*stages))

    def foreign(self, *stages: tuple[float, str], **options: Any) -> Job:
        """Start a job as another client would."""
        return self.airbyte.start_external_job(self.connection_id, JobScript.of(*stages), **options)

    def later(self, seconds: float, happen: Any) -> None:
        """Let something happen so many seconds from now."""
        self.clock.at(self.clock.now() + timedelta(seconds=seconds), happen)

    def skew_server(self, minutes: int) -> None:
        """Let the clock of the server go wrong."""
        self.airbyte.clock = ServerClock(self.clock, timedelta(minutes=minutes))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


def _new_world() -> World:
    clock = VirtualClock()
    airbyte = InMemoryAirbyte(clock=clock)
    airbyte.add_connection(CONNECTION_ID)
    return World(clock=clock, airbyte=airbyte)


@pytest.fixture
def world() -> World:
    return _new_world()


@pytest.fixture(scope="session")
def new_world() -> Callable[[], World]:
    """For tests that need one world per example."""
    return _new_world
