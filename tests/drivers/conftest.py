"""One scene, played by each driver on a server of its own."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airbyte_sync import (
    AirbyteSyncError,
    AsyncPortInterpreter,
    Checkpoint,
    Done,
    EarlierTries,
    Flow,
    Job,
    JobType,
    Pause,
    PortInterpreter,
    SyncPolicy,
    SyncRequest,
    SyncResult,
    arun,
    resume,
    run,
    step,
    sync,
    watch,
)
from airbyte_sync.commands import LoadCheckpoint, Now, Report, SaveCheckpoint
from airbyte_sync_testkit.clock import AsyncVirtualClock, VirtualClock
from airbyte_sync_testkit.memory import AsyncInMemoryAirbyte, CallFault, InMemoryAirbyte

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync_local import JobScript

CONNECTION_ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"


LATEST_DETECTION = timedelta(minutes=6)
"""How long after the end of a try its job may have succeeded, where that is known roughly."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """A try that its process does not survive, and what is known of it when the next one begins."""

    dies_at: int
    """At which of its calls and pauses: a call is carried out, and its answer is lost with the process."""
    noticed_after: float
    """Seconds until it is known that the process has died."""
    delay: float
    """Seconds from there to the next try; after a try that ended with an error, from its end."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What happens on the server, and what we ask of it."""

    policy: SyncPolicy = field(default_factory=SyncPolicy)
    job_type: JobType = JobType.SYNC
    job_scripts: tuple[JobScript, ...] = ()
    external_before: JobScript | None = None
    """An external job, which began a minute before the request."""
    external_later: tuple[tuple[float, JobScript], ...] = ()
    """External jobs, so many seconds after the request, where the connection is idle then."""
    appearing: tuple[float, JobScript] | None = None
    """Our first submission, whose answer is lost, creates its job so many seconds later."""
    faults: tuple[tuple[str, tuple[CallFault | None, ...]], ...] = ()
    watched: bool = False
    """Whether the job that was there before is only watched."""
    retries: tuple[Retry, ...] = ()
    """The tries before the last one; nothing survives of them but when they were."""
    known_since: float | None = None
    """How many seconds before the request the first try may have begun; ``None``: it is known exactly."""


@dataclass(kw_only=True)
class Stage:
    """A server and a clock on which one driver plays a scene."""

    scene: Scene
    clock: VirtualClock = field(default_factory=VirtualClock)
    events: list[Any] = field(default_factory=list)
    external: list[int] = field(default_factory=list)
    outcome: Any = None

    def __post_init__(self) -> None:
        scene, clock = self.scene, self.clock
        self.airbyte = InMemoryAirbyte(clock=clock)
        self.airbyte.add_connection(CONNECTION_ID)
        self.airbyte.job_scripts.extend(scene.job_scripts)
        if scene.external_before is not None:
            self._start_external(scene.external_before)
            clock.advance(timedelta(minutes=1))
        self.asked_at = self.since = clock.now()
        if scene.known_since is not None:
            self.since -= timedelta(seconds=scene.known_since)
        self.succeeded_after = self.since
        for seconds, script in scene.external_later:
            clock.at(
                self.asked_at + timedelta(seconds=seconds),
                lambda script=script: self._start_external(script),
            )
        if scene.appearing is not None:
            seconds, script = scene.appearing
            clock.at(self.asked_at + timedelta(seconds=seconds), lambda: self._start(script))
        for method, faults in scene.faults:
            # An error that is raised again and again would drag all its tracebacks along.
            fresh = (fault and replace(fault, error=copy(fault.error)) for fault in faults)
            self.airbyte.fail(method, *fresh)

    def _start(self, script: JobScript) -> int | None:
        if any(not job.status.is_final for job in self.airbyte.jobs()):
            return None
        return self.airbyte.start_external_job(CONNECTION_ID, script, self.scene.job_type).job_id

    def _start_external(self, script: JobScript) -> None:
        job_id = self._start(script)
        if job_id is not None:
            self.external.append(job_id)

    def flow(self, earlier: EarlierTries | None = None) -> Flow[Any]:
        if self.scene.watched:
            return watch(1, self.scene.policy)
        request = SyncRequest(
            connection_id=CONNECTION_ID, job_type=self.scene.job_type, earlier=earlier
        )
        return sync(request, self.scene.policy)

    def next_try(self, retry: Retry, tries: int, *, has_died: bool) -> EarlierTries:
        """Let the time pass to the next try, and return what it is told of those before."""
        if has_died:
            self.clock.advance(timedelta(seconds=retry.noticed_after))
        over_at = self.clock.now()
        self.clock.advance(timedelta(seconds=retry.delay))
        if self.scene.known_since is None:
            return EarlierTries(since=self.since, over_at=over_at, tries=tries)
        self.succeeded_after = over_at - LATEST_DETECTION
        return EarlierTries(since=self.since, over_at=over_at, succeeded_after=self.succeeded_after)

    def play(self, drive: Callable[[Stage], Any]) -> Stage:
        """Let a driver play, and keep its result or its error in a comparable form."""
        try:
            result = drive(self)
        except AirbyteSyncError as error:
            self.outcome = (type(error), str(error), getattr(error, "job", None))
        else:
            self.outcome = result.job if isinstance(result, SyncResult) else result
            assert isinstance(self.outcome, Job)
        return self

    def jobs_of_ours(self) -> list[Job]:
        return [job for job in self.airbyte.jobs() if job.job_id not in self.external]


def blocking(stage: Stage) -> Any:
    return run(stage.flow(), PortInterpreter(stage.airbyte, stage.clock, stage.events.append))


def asynchronous(stage: Stage) -> Any:
    gateway, clock = AsyncInMemoryAirbyte(stage.airbyte), AsyncVirtualClock(stage.clock)
    return asyncio.run(
        arun(stage.flow(), AsyncPortInterpreter(gateway, clock, stage.events.append))
    )


def poking(stage: Stage) -> Any:
    """A new process for every poke: nothing survives but JSON."""
    interpreter = PortInterpreter(stage.airbyte, stage.clock, stage.events.append)
    policy = json.dumps(stage.scene.policy.to_json())
    flow = stage.flow()
    while True:
        turn = step(flow, interpreter)
        if isinstance(turn, Done):
            return turn.result
        stored = json.dumps(turn.checkpoint.to_json())
        stage.clock.advance_to(turn.until)
        flow = resume(
            Checkpoint.from_json(json.loads(stored)), SyncPolicy.from_json(json.loads(policy))
        )


class Died(BaseException):
    """The process is gone: no flow sees it coming."""


class Mortal(PortInterpreter):
    """Carries out commands until its process dies."""

    def __init__(self, stage: Stage, dies_at: int) -> None:
        super().__init__(stage.airbyte, stage.clock, stage.events.append)
        self.left = dies_at

    def answer(self, command: Any) -> Any:
        if isinstance(command, (Now, Report, LoadCheckpoint, SaveCheckpoint)):
            return super().answer(command)
        self.left -= 1
        if self.left > 0:
            return super().answer(command)
        if not isinstance(command, Pause):
            with suppress(AirbyteSyncError):
                super().answer(command)
        raise Died


def retrying(stage: Stage) -> Any:
    """A new process for every try, which knows when the others were and nothing else."""
    earlier = None
    for tries, retry in enumerate(stage.scene.retries, start=1):
        try:
            return run(stage.flow(earlier), Mortal(stage, retry.dies_at))
        except AirbyteSyncError:
            earlier = stage.next_try(retry, tries, has_died=False)
        except Died:
            earlier = stage.next_try(retry, tries, has_died=True)
    return run(
        stage.flow(earlier), PortInterpreter(stage.airbyte, stage.clock, stage.events.append)
    )


@pytest.fixture(scope="session")
def play() -> Callable[[Scene], list[Stage]]:
    """Play a scene with each driver: blocking, async, and poke by poke."""

    def play_each(scene: Scene) -> list[Stage]:
        return [Stage(scene=scene).play(drive) for drive in (blocking, asynchronous, poking)]

    return play_each


@pytest.fixture(scope="session")
def play_blocking() -> Callable[[Scene], Stage]:
    """Play a scene once: for many scenes in a short time."""
    return lambda scene: Stage(scene=scene).play(blocking)


@pytest.fixture(scope="session")
def play_retrying() -> Callable[[Scene], Stage]:
    """Play a scene whose request is made again after each of its deaths."""
    return lambda scene: Stage(scene=scene).play(retrying)


@pytest.fixture(scope="session")
def retry() -> type[Retry]:
    return Retry


@pytest.fixture(scope="session")
def scene() -> type[Scene]:
    return Scene
