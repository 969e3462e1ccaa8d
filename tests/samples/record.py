"""
Record checkpoints of the release before the second edition, and what that release made of them.

It runs on commit ``b9b82a73`` alone, whose names it uses::

    git worktree add --detach ../old b9b82a73
    cd ../old && python3 tools/dev.py unit tests/domain/test_names.py    # builds .dev/envs/core
    .dev/envs/core/bin/python <this checkout>/tests/samples/record.py
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airbyte_sync_local
from airbyte_sync import (
    Checkpoint,
    EarlierTries,
    Flow,
    JobType,
    OnConflict,
    Origin,
    Pause,
    Phase,
    PollSchedule,
    PortInterpreter,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    SyncAlreadyRunning,
    SyncPolicy,
    SyncRequest,
    Throttled,
    UnexpectedReply,
    run,
    sync,
    watch,
)
from airbyte_sync.commands import Remember
from airbyte_sync_testkit import memory
from airbyte_sync_testkit.clock import START, VirtualClock
from airbyte_sync_testkit.memory import SUCCESS, Fault, InMemoryAirbyte, JobLife

# What replay.py, which is written for the present release, calls otherwise.
InMemoryAirbyte.start_external_job = InMemoryAirbyte.start_foreign_job
InMemoryAirbyte.job_scripts = property(lambda self: self.lives)
airbyte_sync_local.JobScript = JobLife
memory.CallFault = Fault

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from replay import CONNECTION_ID, Replay  # noqa: E402
from sample_files import write  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

LOST = Fault(error=ResponseNotReceived("the connection was reset"))
LOST_BUT_CARRIED_OUT = replace(LOST, carried_out=True)
THROTTLED = Fault(error=Throttled("slow down", status=429))
BROKEN = Fault(error=ServerTrouble("bad gateway", status=502))
STRANGE = Fault(error=UnexpectedReply("this is a page of a proxy", status=200))
BUSY = Fault(error=SyncAlreadyRunning("A sync is already running", status=409))
REQUEST = SyncRequest(connection_id=CONNECTION_ID)
TEN_MINUTES = SyncPolicy(timeout=timedelta(minutes=10))
RUNS_ON = JobLife.of((0, "pending"), (2, "running"))
NEVER_BEGINS = JobLife.of((0, "pending"))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """How a request came to a checkpoint."""

    name: str
    why: str
    set_up: Callable[[InMemoryAirbyte, VirtualClock], object] = lambda airbyte, clock: None
    pick: Callable[[Checkpoint], bool]
    policy: SyncPolicy = TEN_MINUTES
    request: Callable[[datetime], Flow[Any]] | None = None
    is_kept: bool = False
    """The checkpoint is one that was kept in a store, not one of a pause."""
    dies_later: bool = False
    """The process died after what it did next: at the pause after that."""
    idle: timedelta = timedelta(0)
    """How long nothing happened before another process goes on."""


def in_phase(phase: Phase, **values: Any) -> Callable[[Checkpoint], bool]:
    def is_it(checkpoint: Checkpoint) -> bool:
        return checkpoint.phase is phase and all(
            getattr(checkpoint, name) == value for name, value in values.items()
        )

    return is_it


def fails(**faults: list[Fault]) -> Callable[[InMemoryAirbyte, VirtualClock], None]:
    def set_up(airbyte: InMemoryAirbyte, clock: VirtualClock) -> None:
        for method, its in faults.items():
            airbyte.fail(method, *its)

    return set_up


def lives(*scripts: JobLife, **faults: list[Fault]) -> Callable[..., None]:
    def set_up(airbyte: InMemoryAirbyte, clock: VirtualClock) -> None:
        airbyte.lives.extend(scripts)
        fails(**faults)(airbyte, clock)

    return set_up


def busy(*stages: tuple[float, str], **faults: list[Fault]) -> Callable[..., None]:
    def set_up(airbyte: InMemoryAirbyte, clock: VirtualClock) -> None:
        airbyte.start_foreign_job(CONNECTION_ID, JobLife.of(*stages))
        clock.advance(timedelta(minutes=1))
        fails(**faults)(airbyte, clock)

    return set_up


def tried_before(*, with_job: JobLife | None = None) -> Callable[..., None]:
    def set_up(airbyte: InMemoryAirbyte, clock: VirtualClock) -> None:
        clock.advance(timedelta(seconds=10))
        if with_job is not None:
            airbyte.start_foreign_job(CONNECTION_ID, with_job)
        clock.advance(timedelta(seconds=20))

    return set_up


def again(now: datetime) -> Flow[Any]:
    earlier = EarlierTries(since=START, over_at=START + timedelta(seconds=20), tries=1)
    return sync(replace(REQUEST, earlier=earlier), TEN_MINUTES)


def until_five_minutes(now: datetime) -> Flow[Any]:
    request = replace(REQUEST, end_by=now + timedelta(minutes=5), limit="execution_timeout")
    return sync(request, TEN_MINUTES)


def by_id(*, is_ours: bool) -> Callable[[datetime], Flow[Any]]:
    return lambda now: watch(
        1,
        TEN_MINUTES,
        end_by=now + timedelta(minutes=8),
        limit="execution_timeout",
        is_ours=is_ours,
    )


def one_job(airbyte: InMemoryAirbyte, clock: VirtualClock) -> None:
    airbyte.start_foreign_job(CONNECTION_ID, JobLife.of((0, "running"), (120, "succeeded")))


def lose_the_job(airbyte: InMemoryAirbyte, clock: VirtualClock) -> None:
    clock.at(START + timedelta(seconds=20), lambda: airbyte.forget(1))
    airbyte.lives.append(RUNS_ON)


def leave_the_job_over(airbyte: InMemoryAirbyte, clock: VirtualClock) -> None:
    """As after a restart of Airbyte: the job is told to be running, and newer ones come and go."""
    airbyte.lives.append(RUNS_ON)
    clock.at(START + timedelta(minutes=5), lambda: airbyte.start_foreign_job(CONNECTION_ID))


SCENES = [
    Scene(
        name="submit_mark",
        why="nothing was submitted: a refused submission was taken back before its process died",
        set_up=fails(submit=[THROTTLED]),
        pick=in_phase(Phase.SUBMIT),
        is_kept=True,
    ),
    Scene(
        name="submit_after_job_gone",
        why="the job was deleted in Airbyte: the same request made again is a new one",
        set_up=lose_the_job,
        pick=in_phase(Phase.SUBMIT),
        is_kept=True,
    ),
    Scene(
        name="look_died_before_submitting",
        why="kept before the submission; the process died before it was sent",
        pick=in_phase(Phase.LOOK, in_doubt=True),
        is_kept=True,
        idle=timedelta(minutes=1),
    ),
    Scene(
        name="look_died_after_submitting",
        why="kept before the submission; the process died after Airbyte had taken the sync",
        set_up=lives(JobLife.of((0, "running"), (200, "succeeded"))),
        pick=in_phase(Phase.LOOK, in_doubt=True),
        is_kept=True,
        dies_later=True,
    ),
    Scene(
        name="look_in_doubt_job_there",
        why="the answer to the submission was lost, Airbyte has the job, and it is not seen yet",
        set_up=fails(submit=[LOST_BUT_CARRIED_OUT], find_jobs=[LOST]),
        pick=in_phase(Phase.LOOK, in_doubt=True),
    ),
    Scene(
        name="look_in_doubt_nothing_there",
        why="the submission was lost on its way, and the search has just begun",
        set_up=fails(submit=[LOST]),
        pick=in_phase(Phase.LOOK, in_doubt=True),
    ),
    Scene(
        name="look_in_doubt_second_loss",
        why="two submissions were lost, which is no bad luck any more",
        set_up=fails(submit=[BROKEN, BROKEN]),
        pick=in_phase(Phase.LOOK, in_doubt=True, lost_submissions=2),
    ),
    Scene(
        name="look_in_doubt_polls_fail",
        why="the submission was lost, and the list cannot be read since",
        set_up=fails(submit=[BROKEN], find_jobs=[BROKEN] * 4),
        pick=in_phase(Phase.LOOK, in_doubt=True, failures=3),
    ),
    Scene(
        name="look_nothing_came",
        why="it is proven that nothing came of the submission; why is asked next",
        set_up=fails(submit=[BROKEN], fetch_connection=[LOST, LOST]),
        pick=in_phase(Phase.LOOK, nothing_came=True),
    ),
    Scene(
        name="look_postponed",
        why="Airbyte has asked for patience: nothing was started, and the next try waits",
        set_up=fails(submit=[THROTTLED, THROTTLED]),
        pick=in_phase(Phase.LOOK, in_doubt=False, submit_failures=2),
    ),
    Scene(
        name="look_busy_without_a_job",
        why="Airbyte says that the connection is busy, and lists no active job",
        set_up=fails(submit=[BUSY]),
        pick=in_phase(Phase.LOOK, in_doubt=False),
    ),
    Scene(
        name="look_stranger",
        why="a server that has never answered like an Airbyte gives odd answers",
        set_up=fails(submit=[STRANGE], find_jobs=[STRANGE] * 60),
        pick=lambda checkpoint: checkpoint.strange_since is not None and checkpoint.failures > 1,
    ),
    Scene(
        name="look_earlier_try_left_nothing",
        why="a try before died, and nothing is seen of a job of it yet",
        set_up=tried_before(),
        request=again,
        pick=in_phase(Phase.LOOK, earlier_tries=1),
    ),
    Scene(
        name="look_earlier_try_left_a_job",
        why="a try before died, and its job goes on; the list cannot be read at first",
        set_up=lambda airbyte, clock: (
            tried_before(with_job=RUNS_ON)(airbyte, clock),
            airbyte.fail("find_jobs", LOST),
        ),
        request=again,
        pick=in_phase(Phase.LOOK, earlier_tries=1),
    ),
    Scene(
        name="look_earlier_try_failed",
        why="a try before left a job that has failed: no answer to this request",
        set_up=lambda airbyte, clock: (
            tried_before(with_job=JobLife.of((0, "running"), (5, "failed")))(airbyte, clock),
            airbyte.fail("find_jobs", LOST),
        ),
        request=again,
        pick=in_phase(Phase.LOOK, earlier_tries=1),
    ),
    Scene(
        name="look_reset",
        why="a reset looks before it submits, because it would cancel a running sync",
        set_up=fails(find_jobs=[LOST]),
        request=lambda now: sync(replace(REQUEST, job_type=JobType.CLEAR), TEN_MINUTES),
        pick=in_phase(Phase.LOOK, job_type=JobType.CLEAR),
    ),
    Scene(
        name="queue",
        why="behind the sync of a schedule",
        set_up=busy((0, "running"), (180, "succeeded")),
        pick=in_phase(Phase.QUEUE),
    ),
    Scene(
        name="queue_polls_fail",
        why="behind the sync of a schedule, which cannot be read at the moment",
        set_up=busy((0, "running"), (180, "failed"), fetch_job=[BROKEN] * 3),
        pick=in_phase(Phase.QUEUE, failures=2),
    ),
    Scene(
        name="queue_too_long",
        why="behind a sync that does not end in time",
        set_up=busy((0, "running")),
        policy=replace(TEN_MINUTES, queue_timeout=timedelta(minutes=2)),
        pick=in_phase(Phase.QUEUE),
    ),
    Scene(
        name="queue_in_doubt",
        why="behind another sync, while the job of an earlier try may still appear",
        set_up=lambda airbyte, clock: (
            busy((0, "running"), (150, "succeeded"))(airbyte, clock),
            clock.advance(timedelta(seconds=1)),
        ),
        request=lambda now: sync(
            replace(
                REQUEST,
                earlier=EarlierTries(since=now - timedelta(seconds=20), over_at=now, tries=1),
            ),
            TEN_MINUTES,
        ),
        pick=in_phase(Phase.QUEUE, in_doubt=True),
    ),
    Scene(
        name="watch_started",
        why="the usual one: our job has just been started",
        pick=in_phase(Phase.WATCH, origin=Origin.STARTED),
    ),
    Scene(
        name="watch_started_kept",
        why="the same as it is kept in a store",
        pick=in_phase(Phase.WATCH),
        is_kept=True,
    ),
    Scene(
        name="watch_running",
        why="polled several times; it is seen to run",
        set_up=lives(JobLife.of((0, "pending"), (2, "running"), (300, "succeeded"))),
        pick=in_phase(Phase.WATCH, looks=6),
    ),
    Scene(
        name="watch_failed_meanwhile",
        why="the job fails while no process follows it",
        set_up=lives(JobLife.of((0, "pending"), (2, "running"), (60, "failed"))),
        pick=in_phase(Phase.WATCH),
        idle=timedelta(minutes=3),
    ),
    Scene(
        name="watch_attached",
        why="the running sync of a schedule will do",
        set_up=busy((0, "running"), (100, "succeeded")),
        policy=replace(TEN_MINUTES, on_conflict=OnConflict.ATTACH),
        pick=in_phase(Phase.WATCH, origin=Origin.ATTACHED),
    ),
    Scene(
        name="watch_adopted",
        why="the job of a submission whose answer was lost",
        set_up=fails(submit=[LOST_BUT_CARRIED_OUT]),
        pick=in_phase(Phase.WATCH, origin=Origin.ADOPTED),
    ),
    Scene(
        name="watch_queued",
        why="the job waits in Airbyte's own queue, and has a time to begin",
        set_up=lives(NEVER_BEGINS),
        policy=replace(TEN_MINUTES, queue_timeout=timedelta(minutes=2)),
        pick=in_phase(Phase.WATCH, looks=2),
    ),
    Scene(
        name="watch_until_the_callers_time",
        why="execution_timeout ends before timeout does",
        set_up=lives(RUNS_ON),
        request=until_five_minutes,
        pick=in_phase(Phase.WATCH, limit="execution_timeout"),
    ),
    Scene(
        name="watch_late",
        why="nothing was done until long after the deadline, and the job goes on",
        set_up=lives(RUNS_ON),
        pick=in_phase(Phase.WATCH),
        idle=timedelta(hours=2),
    ),
    Scene(
        name="watch_late_but_done",
        why="nothing was done until long after the deadline, and the job has succeeded in time",
        pick=in_phase(Phase.WATCH),
        idle=timedelta(hours=2),
    ),
    Scene(
        name="watch_polls_fail",
        why="the server is in trouble",
        set_up=fails(fetch_job=[BROKEN] * 5),
        pick=in_phase(Phase.WATCH, failures=3),
    ),
    Scene(
        name="watch_unreachable",
        why="the server is in trouble for longer than unreachable_timeout",
        set_up=fails(fetch_job=[BROKEN] * 100),
        policy=replace(TEN_MINUTES, unreachable_timeout=timedelta(minutes=3)),
        pick=in_phase(Phase.WATCH, failures=3),
    ),
    Scene(
        name="watch_missing",
        why="Airbyte does not know the job any more",
        set_up=lose_the_job,
        pick=in_phase(Phase.WATCH, missing_polls=1),
    ),
    Scene(
        name="watch_left_over",
        why="a newer job of the connection has ended: ours is a leftover, which is told once",
        set_up=leave_the_job_over,
        policy=replace(
            TEN_MINUTES,
            timeout=timedelta(hours=1),
            poll=PollSchedule.fixed(timedelta(seconds=3)),
        ),
        pick=lambda checkpoint: checkpoint.newer_ended is not None,
    ),
    Scene(
        name="watch_by_id",
        why="a sensor's: known by its id, never cancelled",
        set_up=one_job,
        request=by_id(is_ours=False),
        pick=in_phase(Phase.WATCH),
    ),
    Scene(
        name="watch_by_id_ours",
        why="a sensor's with cancel_on_kill",
        set_up=one_job,
        request=by_id(is_ours=True),
        pick=in_phase(Phase.WATCH, looks=1),
    ),
    Scene(
        name="watch_reset",
        why="a reset",
        request=lambda now: sync(replace(REQUEST, job_type=JobType.CLEAR), TEN_MINUTES),
        pick=in_phase(Phase.WATCH, job_type=JobType.CLEAR),
    ),
    Scene(
        name="cancel_sent",
        why="the deadline has passed, and the first cancellation came before the first attempt",
        set_up=lives(JobLife.of((0, "pending"), (620, "running"))),
        pick=in_phase(Phase.CANCEL, cancel_sent=True),
    ),
    Scene(
        name="cancel_not_confirmed",
        why="the job never begins, so that every cancellation is dropped",
        set_up=lives(NEVER_BEGINS),
        policy=replace(TEN_MINUTES, queue_timeout=timedelta(hours=1)),
        pick=in_phase(Phase.CANCEL, cancel_sent=True),
    ),
    Scene(
        name="cancel_queued_too_long",
        why="the job was queued for too long, and begins while it is being cancelled",
        set_up=lives(JobLife.of((0, "pending"), (123, "running"))),
        policy=replace(TEN_MINUTES, queue_timeout=timedelta(minutes=2)),
        pick=in_phase(Phase.CANCEL, queued_too_long=True),
    ),
    Scene(
        name="cancel_not_sent",
        why="the deadline has passed, and the server is in trouble",
        set_up=lambda airbyte, clock: (
            airbyte.lives.append(RUNS_ON),
            clock.at(
                START + timedelta(seconds=599), lambda: airbyte.fail("fetch_job", *[BROKEN] * 6)
            ),
        ),
        pick=in_phase(Phase.CANCEL, cancel_sent=False),
    ),
    Scene(
        name="cancel_attached",
        why="the deadline has passed, and the last poll of a job that is not ours has failed",
        set_up=lambda airbyte, clock: (
            busy((0, "running"), (664, "succeeded"))(airbyte, clock),
            clock.at(
                START + timedelta(seconds=659), lambda: airbyte.fail("fetch_job", *[BROKEN] * 6)
            ),
        ),
        policy=replace(TEN_MINUTES, on_conflict=OnConflict.ATTACH),
        pick=in_phase(Phase.CANCEL, origin=Origin.ATTACHED),
    ),
]


class Found(Exception):
    """The scene has come to its checkpoint."""


def record(scene: Scene) -> dict[str, Any]:
    clock = VirtualClock()
    airbyte = InMemoryAirbyte(clock=clock)
    airbyte.add_connection(CONNECTION_ID)
    scene.set_up(airbyte, clock)
    ports = PortInterpreter(airbyte, clock)
    picked: Checkpoint | None = None

    class Recorder:
        def answer(self, command: Any) -> Any:
            nonlocal picked
            is_end = isinstance(command, Pause)
            kind = Remember if scene.is_kept else Pause
            if picked is None and isinstance(command, kind) and scene.pick(command.checkpoint):
                picked = command.checkpoint
                is_end = not scene.dies_later
            if picked is not None and is_end:
                raise Found
            return ports.answer(command)

    flow = sync(REQUEST, scene.policy) if scene.request is None else scene.request(clock.now())
    interpreter = Recorder()
    try:
        end = run(flow, interpreter)
    except Found:
        clock.advance(scene.idle)
    else:
        raise AssertionError(f"{scene.name} came to its end: {end}")
    assert picked is not None
    sample = {
        "why": scene.why,
        "moment": clock.now().isoformat(),
        "server": server(airbyte),
        "checkpoint": json.loads(json.dumps(picked.to_json())),
        "policy": scene.policy.to_json(),
    }
    return {**sample, "outcomes": outcomes(sample, picked)}


def server(airbyte: InMemoryAirbyte) -> dict[str, Any]:
    """Return all of a server that decides what comes next."""
    known = dict(airbyte._records)
    return {
        "since": START.isoformat(),
        "jobs": [
            {
                "job_id": job_id,
                "job_type": {"reset": "clear"}.get(record.job.job_type, record.job.job_type),
                "created_at": record.job.created_at.isoformat(),
                "script": script(record.life),
                "cancelled_at": record.cancelled_at and record.cancelled_at.isoformat(),
                "is_lost": job_id not in known,
            }
            for job_id, record in sorted({**LOST_RECORDS.pop(id(airbyte), {}), **known}.items())
        ],
        "next_jobs": [script(life) for life in airbyte.lives] + [script(SUCCESS)],
        "faults": {
            method: [
                fault
                and {
                    "error": type(fault.error).__name__,
                    "status": fault.error.status,
                    "carried_out": fault.carried_out,
                }
                for fault in faults
            ]
            for method, faults in airbyte._faults.items()
            if faults
        },
    }


LOST_RECORDS: dict[int, dict[int, Any]] = {}
_forget = InMemoryAirbyte.forget


def forget(airbyte: InMemoryAirbyte, job_id: int) -> None:
    """Keep what a server forgets: the ids of its next jobs go on from there."""
    LOST_RECORDS.setdefault(id(airbyte), {})[job_id] = airbyte._records[job_id]
    _forget(airbyte, job_id)


def script(life: JobLife) -> list[list[Any]]:
    return [[stage.after.total_seconds(), stage.status.word] for stage in life.stages]


def outcomes(sample: dict[str, Any], picked: Checkpoint) -> dict[str, Any]:
    InMemoryAirbyte.forget = _forget
    ways = ["resumed", "put_away", "abandoned"]
    if picked.connection_id is not None:
        ways.append("asked_again")
    if picked.phase in {Phase.WATCH, Phase.CANCEL}:
        ways.append("ended_now")
    found = {way: getattr(Replay(sample), way)() for way in ways}
    assert found["resumed"] == found.pop("put_away")
    return found


def policies() -> dict[str, Any]:
    given = {
        "default": SyncPolicy(),
        "for_ever": SyncPolicy(timeout=None),
        "ten_minutes": TEN_MINUTES,
        "fixed_interval": SyncPolicy(poll=PollSchedule.fixed(timedelta(seconds=7.5))),
        "everything": SyncPolicy(
            poll=PollSchedule(
                floor=timedelta(seconds=1), cap=timedelta(minutes=5), fraction=0.25, jitter=0.5
            ),
            timeout=timedelta(days=2),
            queue_timeout=timedelta(minutes=30),
            unreachable_timeout=timedelta(minutes=1),
            adopt_window=timedelta(0),
            cancel_timeout=timedelta(seconds=4),
            cancel_on_timeout=False,
            explain=False,
        ),
        **{f"on_conflict_{kind.value}": SyncPolicy(on_conflict=kind) for kind in OnConflict},
    }
    return {
        name: {
            "policy": policy.to_json(),
            "intervals": [
                policy.poll.interval(
                    waited=timedelta(seconds=waited), job_id=7, looks=looks
                ).total_seconds()
                for looks, waited in enumerate((0, 10, 100, 1000, 10_000))
            ],
            "backoff": [
                policy.backoff(
                    RequestNotSent("no route"), failures=failures, seed=7
                ).total_seconds()
                for failures in range(8)
            ],
        }
        for name, policy in given.items()
    }


def main() -> None:
    """Write every sample."""
    for scene in SCENES:
        InMemoryAirbyte.forget = forget
        write(HERE / "checkpoints" / f"{scene.name}.json", record(scene))
    write(HERE / "policies.json", policies())


if __name__ == "__main__":
    main()
