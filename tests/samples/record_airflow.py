"""
Record what the Airflow package of the release before the second edition leaves in Airflow.

It runs on commit ``b9b82a73`` alone, whose names and test fixtures it uses::

    git worktree add --detach ../old b9b82a73
    cp tests/samples/record_airflow.py ../old/tests/airflow/test_record.py
    cd ../old && export SAMPLES=<this checkout>/tests/samples
    python3 tools/dev.py airflow3 tests/airflow/test_record.py      # three times: see the tests' texts
"""

import inspect
import json
import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

import airbyte_sync_local as local
from airbyte_sync import errors
from airbyte_sync_airflow.outcome import failure
from airbyte_sync_airflow.summary import JobSummary
from airbyte_sync_local import Fault, LocalAirbyte, answers

# What replay_airflow.py, which is written for the present release, calls otherwise.
local.JobScript = local.Life
local.ServerConnection = local.Connection
LocalAirbyte.start_external_job = LocalAirbyte.start_foreign_job
_add_connection = LocalAirbyte.add_connection
LocalAirbyte.add_connection = lambda self, connection=None, job_scripts=(): _add_connection(
    self, connection, lives=job_scripts
)

SAMPLES = Path(os.environ["SAMPLES"])
sys.path.insert(0, str(SAMPLES))

from replay_airflow import CONNECTION, Stage, TaskDeferred, failure_sample, moment_of  # noqa: E402
from sample_files import write  # noqa: E402

MINUTE = timedelta(minutes=1)
OPERATOR = {"kind": "operator", "connection_id": CONNECTION.connection_id}
DEFERRED = OPERATOR | {"deferrable": True}
SENSOR = {"kind": "sensor", "airbyte_job_id": 1}
SUCCEEDS = [[0, "running"], [180, "succeeded"]]
FAILS = [[0, "running"], [180, "failed"]]
IS_CANCELLED = [[0, "running"], [180, "cancelled"]]
RUNS_ON = [[0, "running"]]
NEVER_BEGINS = [[7200, "running"]]
LOST = Fault(on="POST /jobs", do="drop")
LOST_BUT_CARRIED_OUT = Fault(on="POST /jobs", do="drop_after")
OFFICIAL = "airflow.providers.airbyte.triggers.airbyte.AirbyteSyncTrigger"

DEFERRALS = {
    "operator": (DEFERRED, [SUCCEEDS], [], []),
    "operator_job_fails": (DEFERRED, [FAILS], [], []),
    "operator_job_is_cancelled": (DEFERRED, [IS_CANCELLED], [], []),
    "operator_late": (DEFERRED | {"timeout": 600}, [RUNS_ON], [], []),
    "operator_execution_timeout": (DEFERRED | {"execution_timeout": 600}, [RUNS_ON], [], []),
    "operator_never_begins": (DEFERRED | {"queue_timeout": 300}, [NEVER_BEGINS], [], []),
    "operator_left_running": (DEFERRED | {"cancel_on_kill": False}, [SUCCEEDS], [], []),
    "operator_in_queue": (DEFERRED, [SUCCEEDS, SUCCEEDS], [0], []),
    "operator_in_queue_too_long": (DEFERRED | {"timeout": 600}, [RUNS_ON], [0], []),
    "operator_attached": (DEFERRED | {"on_conflict": "attach"}, [SUCCEEDS], [0], []),
    "operator_by_name": (
        {"kind": "operator", "connection_name": "Faker to DuckDB", "deferrable": True},
        [SUCCEEDS],
        [],
        [],
    ),
    "operator_reset": (DEFERRED | {"job_type": "reset"}, [SUCCEEDS], [], []),
    "operator_in_doubt": (DEFERRED, [SUCCEEDS], [], [LOST]),
    "operator_in_doubt_job_there": (
        DEFERRED,
        [SUCCEEDS],
        [],
        [
            LOST_BUT_CARRIED_OUT,
            Fault(on="GET /jobs", do="answer", answer=answers.bad_gateway()),
        ],
    ),
    "operator_in_loop": (DEFERRED, [SUCCEEDS], [], []),
    "operator_without_a_store": (DEFERRED, [SUCCEEDS], [], []),
    "operator_without_a_store_attached": (
        DEFERRED | {"on_conflict": "attach"},
        [RUNS_ON],
        [0],
        [],
    ),
    "sensor": (SENSOR | {"deferrable": True}, [SUCCEEDS], [0], []),
    "sensor_job_fails": (SENSOR | {"deferrable": True}, [FAILS], [0], []),
    "sensor_late": (SENSOR | {"deferrable": True, "timeout": 600}, [RUNS_ON], [0], []),
    "sensor_cancels_on_kill": (
        SENSOR | {"deferrable": True, "cancel_on_kill": True},
        [SUCCEEDS],
        [0],
        [],
    ),
}
"""What a task is, what becomes of Airbyte's jobs, when jobs of a schedule begin, and what goes wrong."""

OFFICIAL_ONES = {
    "official_operator": (DEFERRED, [SUCCEEDS], {"execution_deadline": 1200}),
    "official_operator_job_fails": (DEFERRED, [FAILS], {"execution_deadline": 1200}),
    "official_operator_late": (DEFERRED, [RUNS_ON], {"execution_deadline": 600}),
    "official_sensor": (SENSOR | {"deferrable": True}, [SUCCEEDS], {}),
    "official_sensor_late": (SENSOR | {"deferrable": True}, [RUNS_ON], {"end_time": 600}),
}


@pytest.fixture
def stage_of(airbyte, clock, context, state_store, event_of, connect):
    def make(sample):
        return Stage(
            sample,
            airbyte=airbyte,
            clock=clock,
            context=context,
            state_store=state_store,
            event_of=event_of,
            connect=connect,
        )

    return make


def keep(folder, name, sample):
    """Write a sample, which the next runs go on from."""
    sample.pop("outcomes", None)
    write(SAMPLES / folder / f"{name}.json", sample | {"outcomes": {}})


def set_up(stage, started_at, faults):
    for second in started_at:
        stage.clock.advance_to(stage.start + timedelta(seconds=second))
        stage.airbyte.start_external_job(CONNECTION.connection_id)
        stage.clock.advance(MINUTE)
    for fault in faults:
        stage.airbyte.inject(fault)


@pytest.mark.parametrize("name", DEFERRALS)
def test_deferral(stage_of, name):
    task, scripts, started_at, faults = DEFERRALS[name]
    sample = {
        "task": task,
        "scripts": scripts,
        "is_in_loop": name.endswith("_in_loop"),
        "has_store": "without_a_store" not in name,
    }
    stage = stage_of(sample)
    set_up(stage, started_at, faults)
    stage.context["ti"].start_date = stage.clock.now()
    with pytest.raises(TaskDeferred) as deferral:
        stage.task().execute(stage.context)
    sample["moment"] = stage.moment()
    sample["deferral"] = stage.plain(stage.deferral(deferral.value))
    keep("deferrals", name, sample)


@pytest.mark.parametrize("name", OFFICIAL_ONES)
def test_official_deferral(stage_of, name):
    """The arguments are those of the official trigger, which ``tests/clients`` shows."""
    task, scripts, options = OFFICIAL_ONES[name]
    sample = {"task": task, "scripts": scripts, "is_in_loop": False, "has_store": True}
    stage = stage_of(sample)
    set_up(stage, [0], [])
    now = stage.start.timestamp()
    arguments = {
        "job_id": 1,
        "conn_id": "airbyte_default",
        "end_time": now + options.get("end_time", 3600),
        "poll_interval": 60,
    }
    if "execution_deadline" in options:
        arguments["execution_deadline"] = now + options["execution_deadline"]
    sample["moment"] = stage.moment()
    sample["deferral"] = {
        "trigger": OFFICIAL,
        "arguments": arguments,
        "method": "execute_complete",
        "kwargs": {},
    }
    keep("deferrals", name, sample)


class Died(BaseException):
    """The worker is gone."""


@pytest.mark.parametrize("name", ["waiting", "failed_meanwhile", "in_queue", "in_doubt", "marked"])
def test_store(stage_of, name):
    """A worker dies in the middle of a blocking task."""
    sample = {
        "task": OPERATOR | {"wait_seconds": 10},
        "scripts": [FAILS if name == "failed_meanwhile" else SUCCEEDS, SUCCEEDS],
        "is_in_loop": False,
        "has_store": True,
    }
    stage = stage_of(sample)
    faults = {
        "in_doubt": [LOST],
        "marked": [Fault(on="GET /connections", do="answer", answer=answers.bad_gateway())],
    }
    set_up(stage, [0] if name == "in_queue" else [], faults.get(name, []))
    if name == "marked":  # it dies while it looks for the connection's name
        sample["task"] = {"kind": "operator", "connection_name": CONNECTION.name}
        stage.sample["task"] = sample["task"]

    def die():
        raise Died

    dies_after = 1 if name == "marked" else 45
    stage.clock.at(stage.clock.now() + timedelta(seconds=dies_after), die)
    with pytest.raises(Died):
        stage.task().execute(stage.context)
    sample["moment"] = stage.moment()
    keep("stores", name, sample)


@pytest.mark.parametrize("name", ["poke", "poke_failed"])
def test_poke_store(stage_of, name):
    """A poke of a rescheduled sensor leaves what the next one needs."""
    sample = {
        "task": SENSOR | {"mode": "reschedule", "poke_interval": 60},
        "scripts": [[[0, "running"], [130, "succeeded"]]],
        "is_in_loop": False,
        "has_store": True,
    }
    stage = stage_of(sample)
    set_up(stage, [0], [])
    assert not stage.task().poke(stage.context)
    if name == "poke_failed":
        stage.clock.advance(MINUTE / 2)
        stage.airbyte.inject(
            Fault(on="GET /jobs/{jobId}", do="answer", answer=answers.bad_gateway())
        )
        assert not stage.task().poke(stage.context)
    sample["moment"] = stage.moment()
    keep("stores", name, sample)


JOB = JobSummary(
    job_id=1,
    job_type="sync",
    status="running",
    connection_id=CONNECTION.connection_id,
    connection_name=CONNECTION.name,
    started_at="2026-01-05T09:00:00+00:00",
    url="http://airbyte.example/a-link",
)
KINDS = sorted(
    name
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.AirbyteSyncError)
)


def test_failures():
    """In the first run: an event for each error that a flow may end with."""
    told = {name: {"event": failure(error_of(getattr(errors, name)), JOB)} for name in KINDS}
    write(SAMPLES / "failures.json", told)


def error_of(kind):
    """Make an error of a kind, whatever else it wants to know."""
    for others in ({}, {"job": None}, {"connection": None}, {"connections": ()}):
        with suppress(TypeError):
            return kind("Airbyte job 1: it went wrong", **others)
    raise AssertionError(kind)


def names(*folders):
    return [
        (folder, path.stem)
        for folder in folders
        for path in sorted((SAMPLES / folder).glob("*.json"))
    ]


def read(folder, name):
    return json.loads((SAMPLES / folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("folder", "name"), names("deferrals"))
def test_event(stage_of, folder, name):
    """In the second run: the event of each trigger."""
    sample = read(folder, name)
    stage = stage_of(sample)
    stage.come_to(sample["moment"])
    sample["event"] = stage.plain(stage.fire())
    sample["event_at"] = {key: stage.moment()[key] for key in ("seconds", "jobs")}
    keep(folder, name, sample)


@pytest.mark.parametrize(("folder", "name"), names("deferrals", "stores"))
@pytest.mark.parametrize(
    "way", ["fired", "deferred_for_too_long", "tried_again", "picked_up", "poked"]
)
def test_outcome(stage_of, folder, name, way):
    """In the third run: what becomes of each sample."""
    sample = read(folder, name)
    if way not in ways(folder, sample):
        return
    stage = stage_of(sample)
    stage.come_to(moment_of(sample, way))
    sample["outcomes"][way] = getattr(stage, way)()
    write(SAMPLES / folder / f"{name}.json", sample)


def ways(folder, sample):
    if folder == "stores":
        return ["poked"] if sample["task"]["kind"] == "sensor" else ["tried_again"]
    if sample["task"]["kind"] == "sensor":
        return ["fired", "picked_up"]
    return ["fired", "picked_up", "deferred_for_too_long"] + (
        ["tried_again"] if sample["has_store"] else []
    )


@pytest.mark.parametrize("kind", ["operator", "sensor"])
@pytest.mark.parametrize("name", KINDS)
def test_failure_outcome(stage_of, name, kind):
    """In the second run: what a task raises for it."""
    path = SAMPLES / "failures.json"
    samples = json.loads(path.read_text(encoding="utf-8"))
    outcome = stage_of(failure_sample(kind, samples[name]["event"])).picked_up()
    samples[name][kind] = outcome["error"]
    write(path, samples)
