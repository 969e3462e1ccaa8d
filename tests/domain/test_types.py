"""Constructors refuse values of a wrong type at once, and say which type to use."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest

from airbyte_sync import (
    AsyncSystemClock,
    Checkpoint,
    Connection,
    ConnectionStatus,
    EarlierTries,
    FailureReason,
    InvalidInput,
    Job,
    JobPage,
    JobQuery,
    JobStatus,
    Origin,
    PollSchedule,
    PortInterpreter,
    SyncPolicy,
    SyncRequest,
    cancel,
    sync,
    watch,
)
from airbyte_sync.phases import Asked, Cancelling, ConnectionBusy, FindingJob, Submitting, Watching
from airbyte_sync_testkit import AsyncInMemoryAirbyte

ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
NAIVE = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - what people write by mistake
TRIES = {"since": NOON, "over_at": NOON}
JOB = {
    "job_id": 1,
    "status": JobStatus.RUNNING,
    "job_type": "sync",
    "connection_id": ID,
    "created_at": NOON,
}
START = {"phase": Asked(), "asked_at": NOON}
JOB_7 = {"job_id": 7, "origin": Origin.STARTED}
CONNECTION = {
    "connection_id": ID,
    "name": "Orders",
    "status": ConnectionStatus.ACTIVE,
    "workspace_id": ID,
    "source_id": ID,
    "destination_id": ID,
}
ONE_MINUTE = r"give a datetime.timedelta, as in timedelta\(seconds=60\)"
AWARE = r"give an aware datetime.datetime, as in datetime.now\(timezone.utc\)"

WRONG = [
    (SyncPolicy, {}, "on_conflict", "skip", "on_conflict is 'skip': give OnConflict.SKIP$"),
    (SyncPolicy, {}, "on_conflict", "wait", "give OnConflict.QUEUE or OnConflict.ATTACH or"),
    (SyncPolicy, {}, "on_conflict", [], "on_conflict is .*: give OnConflict.QUEUE or"),
    (SyncPolicy, {}, "timeout", 60, f"timeout is 60: {ONE_MINUTE}"),
    (SyncPolicy, {}, "timeout", "60", "timeout is '60': give a datetime.timedelta"),
    (SyncPolicy, {}, "timeout", True, "timeout is True: give a datetime.timedelta"),
    (SyncPolicy, {}, "queue_timeout", 60, ONE_MINUTE),
    (SyncPolicy, {}, "unreachable_timeout", 60, ONE_MINUTE),
    (SyncPolicy, {}, "unreachable_timeout", None, "give a datetime.timedelta"),
    (SyncPolicy, {}, "adopt_window", 60, ONE_MINUTE),
    (SyncPolicy, {}, "cancel_timeout", 60, ONE_MINUTE),
    (SyncPolicy, {}, "cancel_on_timeout", "false", "is 'false': give True or False"),
    (SyncPolicy, {}, "explain", 0, "explain is 0: give True or False"),
    (SyncPolicy, {}, "poll", 60, "poll is 60: give a PollSchedule"),
    (PollSchedule, {}, "floor", 60, ONE_MINUTE),
    (PollSchedule, {}, "cap", 60, ONE_MINUTE),
    (PollSchedule, {}, "fraction", "0.1", "fraction is '0.1': give a number"),
    (PollSchedule, {}, "jitter", None, "jitter is None: give a number"),
    (SyncRequest, {"connection_id": ID}, "job_type", "sync", "'sync': give JobType.SYNC$"),
    (SyncRequest, {"connection_id": ID}, "job_type", None, "give JobType.SYNC or JobType.RESET"),
    (SyncRequest, {"connection_id": ID}, "deadline", timedelta(1), AWARE),
    (SyncRequest, {"connection_id": ID}, "deadline", NAIVE, f"has no time zone: {AWARE}"),
    (SyncRequest, {"connection_id": ID}, "deadline_name", 7, "deadline_name is 7: give a str"),
    (SyncRequest, {"connection_id": ID}, "earlier", 1, "earlier is 1: give an EarlierTries"),
    (EarlierTries, TRIES, "since", NAIVE, AWARE),
    (EarlierTries, TRIES, "over_at", 60, AWARE),
    (EarlierTries, TRIES, "tries", "2", "tries is '2': give an int"),
    (EarlierTries, TRIES, "succeeded_after", NAIVE, AWARE),
    (EarlierTries, TRIES, "after_job", "7", "after_job is '7': give an int"),
    (JobQuery, {}, "connection_id", 7, "connection_id is 7: give a str"),
    (JobQuery, {}, "job_type", "reset", "'reset': give JobType.RESET$"),
    (JobQuery, {}, "status", "running", "status is 'running': give a JobStatus, as in JobStatus.R"),
    (JobQuery, {}, "updated_since", NAIVE, AWARE),
    (JobQuery, {}, "limit", "20", "limit is '20': give an int"),
    (JobQuery, {}, "offset", None, "offset is None: give an int"),
    (Job, JOB, "job_id", "1", "job_id is '1': give an int"),
    (Job, JOB, "status", "running", r"give a JobStatus, as in JobStatus\('running'\)"),
    (Job, JOB, "job_type", None, "job_type is None: give a str"),
    (Job, JOB, "connection_id", UUID(ID), "connection_id is UUID.*: give a str"),
    (Job, JOB, "created_at", NAIVE, AWARE),
    (Job, JOB, "ended_at", "2026", AWARE),
    (Job, JOB, "duration", 60, ONE_MINUTE),
    (JobPage, {}, "jobs", (7,), "one of jobs is 7: give a tuple of Job"),
    (JobPage, {}, "jobs", [], "give a tuple of Job"),
    (JobPage, {"jobs": ()}, "server_time", NAIVE, AWARE),
    (JobStatus, {}, "word", None, "a job's status is None: give a str"),
    (Connection, CONNECTION, "status", "active", "give ConnectionStatus.ACTIVE$"),
    (Connection, CONNECTION, "name", None, "name is None: give a str"),
    (Checkpoint, {"asked_at": NOON}, "phase", "watch", "phase is 'watch': give a phase, as in"),
    (Checkpoint, START, "job_type", "sync", "give JobType.SYNC$"),
    (Checkpoint, START, "asked_at", NAIVE, AWARE),
    (Checkpoint, START, "deadline", timedelta(1), AWARE),
    (Watching, JOB_7, "job_id", "7", "job_id is '7': give an int"),
    (Watching, JOB_7, "connection_id", 7, "connection_id is 7: give a str"),
    (Watching, JOB_7, "origin", "started", "'started': give Origin.STARTED$"),
    (Cancelling, JOB_7 | {"cancel_until": NOON}, "job_id", "7", "job_id is '7': give an int"),
    (Submitting, {}, "connection_id", 7, "connection_id is 7: give a str"),
    (FindingJob, {}, "connection_id", None, "connection_id is None: give a str"),
    (ConnectionBusy, {"after_job_id": 7}, "connection_id", 7, "connection_id is 7: give a str"),
    (ConnectionBusy, {"connection_id": ID}, "after_job_id", None, "after_job_id is None: give an"),
    (FailureReason, {}, "message", None, "message is None: give a str"),
]


@pytest.mark.parametrize(("kind", "others", "name", "value", "text"), WRONG)
def test_a_wrong_type_is_refused_at_once(kind, others, name, value, text):
    """The text names the argument, its value and the type to use."""
    with pytest.raises(InvalidInput, match=text):
        kind(**{**others, name: value})


def test_a_query_takes_a_uuid():
    """It stands for its text, as in a request."""
    assert ID == JobQuery(connection_id=UUID(ID)).connection_id  # type: ignore[arg-type]
    assert ID == JobQuery(workspace_id=UUID(ID)).workspace_id  # type: ignore[arg-type]


@pytest.mark.parametrize("flow", [watch, cancel])
def test_a_job_id_that_is_a_text_is_refused_before_any_call(world, flow):
    """A checkpoint with it could not be read again."""
    with pytest.raises(InvalidInput, match="job_id is '7': give an int"):
        world.run(flow("7", SyncPolicy()))
    assert [] == world.airbyte.calls


def test_a_request_whose_end_has_no_time_zone_is_refused_before_any_call(world):
    """Also where a job is watched, which makes no request."""
    with pytest.raises(InvalidInput, match=r"deadline is .*which has no time zone"):
        world.run(watch(7, SyncPolicy(), deadline=NAIVE))
    assert [] == world.airbyte.calls


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            (ID, SyncPolicy()),
            r"request is '.*': give a SyncRequest, as in SyncRequest\(connection_id=",
        ),
        ((SyncRequest(connection_id=ID), {"timeout": 60}), "policy is .*: give a SyncPolicy"),
        ((SyncPolicy(), SyncRequest(connection_id=ID)), "give a SyncRequest"),
    ],
)
def test_what_is_no_request_is_refused_before_any_call(world, arguments, text):
    """A bare id, a dict, or both in the wrong order."""
    with pytest.raises(InvalidInput, match=text):
        world.run(sync(*arguments))
    assert [] == world.airbyte.calls


@pytest.mark.parametrize("argument", ["gateway", "clock", "store"])
def test_an_async_port_is_no_blocking_one(world, argument):
    """Its calls would return at once: a loop of polls without a pause, on coroutines."""
    ports = {"gateway": world.airbyte, "clock": world.clock}
    others = {
        "gateway": AsyncInMemoryAirbyte(world.airbyte),
        "clock": AsyncSystemClock(),
        "store": AsyncNothing(),
    }
    with pytest.raises(
        InvalidInput, match=f"^{argument} is async, of type Async.*: give a blocking"
    ):
        PortInterpreter(**{**ports, argument: others[argument]})


class AsyncNothing:
    async def load(self):
        return None


def test_a_long_value_is_cut():
    """An error text stays readable whatever was given."""
    with pytest.raises(InvalidInput) as caught:
        SyncPolicy(on_conflict="x" * 10_000)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 500


def test_the_checks_load_nothing_heavy():
    """The domain stays as light as it was."""
    program = (
        "import sys, airbyte_sync\n"
        "print(sorted({'asyncio', 'inspect', 'typing_extensions', 'json'} & set(sys.modules)))"
    )
    blank = (
        "import sys, dataclasses\nprint(sorted({'asyncio', 'inspect', 'json'} & set(sys.modules)))"
    )
    run = [
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        for text in (program, blank)
    ]
    assert run[1].stdout == run[0].stdout
