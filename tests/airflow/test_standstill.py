"""A process that stood still polls again, and asks who is in charge, before it changes anything."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from dependency_injector import providers

from airbyte_sync import (
    AsyncPortInterpreter,
    Checkpoint,
    SyncPolicy,
    SyncTimedOut,
    arun,
    resume,
)
from airbyte_sync.events import Origin
from airbyte_sync_airflow.cancelling import StillWantedError, cancel_sync
from airbyte_sync_airflow.compat.task_states import NOTHING_SAID, TaskKey, read_state
from airbyte_sync_airflow.composition import Container
from airbyte_sync_airflow.exceptions import AirbyteTaskKilled
from airbyte_sync_airflow.standstill import AsyncCaution, StandstillWatch
from airbyte_sync_airflow.triggerer import cancel as killing
from airbyte_sync_airflow.triggerer.cancel import shared_kills
from airbyte_sync_airflow.triggerer.charge import await_charge_of_trigger
from airbyte_sync_airflow.triggerer.request import TriggerProgress, TriggerRequest
from airbyte_sync_local import job_scripts
from airbyte_sync_testkit import run_virtually
from airbyte_sync_testkit.clock import AsyncVirtualClock, VirtualClock
from airbyte_sync_testkit.memory import AsyncInMemoryAirbyte, InMemoryAirbyte, JobScript

try:
    from airflow.sdk.execution_time import task_runner
except ImportError:
    task_runner = None

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
CONNECTION = "00000000-0000-4000-8000-000000000001"
ENDLESS = JobScript.of((0, "pending"), (1, "running"))


@pytest.fixture
def time():
    return VirtualClock()


@pytest.fixture
def airbyte_in_memory(time):
    airbyte = InMemoryAirbyte(clock=time)
    airbyte.add_connection(CONNECTION)
    return airbyte


# --------------------------------------------------------------------------------------------------
# How it is noticed


@pytest.mark.parametrize(("pause", "count"), [(3 * SECOND, 0), (10 * SECOND, 1), (MINUTE, 1)])
def test_one_watch_notices_that_a_loop_stood_still(time, pause, count):
    """It is asked right after the standstill, before it has woken up itself."""

    async def main():
        watch = StandstillWatch(AsyncVirtualClock(time))
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(100)
        before = watch.count
        time.advance(pause)  # nothing on the loop runs meanwhile
        after = watch.count
        await asyncio.sleep(100)
        watching.cancel()
        return before, after, watch.count

    assert (0, count, count) == run_virtually(main(), time)


# --------------------------------------------------------------------------------------------------
# A trigger


class Airflow:
    """Says what became of a task, and keeps the moments at which it was asked."""

    def __init__(self, time, *words):
        self._time = time
        self._words = list(words)
        self.asked_at = []

    async def ask(self, keys):
        self.asked_at.append(self._time.now())
        word = self._words[0] if len(self._words) == 1 else self._words.pop(0)
        return dict.fromkeys(keys, NOTHING_SAID if word == "silent" else read_state(word))


def request_for(checkpoint, policy):
    """What a task asked of its trigger."""
    return TriggerRequest(
        conn_id="airbyte_default",
        api_version="v1",
        checkpoint=checkpoint.to_json(),
        policy=policy.to_json(),
        job=None,
        key=TaskKey(
            dag_id="d", run_id="r", task_id="sync", map_index=-1, try_number=1, id=str(uuid4())
        ),
        trigger_id=1,
        triggerer_id=None,
        log=logging.getLogger("test"),
    )


@pytest.fixture
def follow(time, airbyte_in_memory):
    """Drive a trigger's flow in virtual time; return what became of it, in order."""

    def run(checkpoint, airflow, *, policy, stop_after=timedelta(hours=2)):
        clock = AsyncVirtualClock(time)
        request = request_for(checkpoint, policy)

        async def main():
            caution = AsyncCaution(shared_kills().watch, await_charge_of_trigger, request)
            gateway = AsyncInMemoryAirbyte(airbyte_in_memory)
            session = caution.over(AsyncPortInterpreter(gateway, clock))
            return await asyncio.wait_for(
                arun(resume(checkpoint, policy), session), stop_after.total_seconds()
            )

        with (
            Container.open_watch.override(providers.Factory(StandstillWatch, clock)),
            Container.ask_for_states.override(providers.Object(airflow.ask)),
        ):
            return run_virtually(main(), time)

    return run


@pytest.fixture
def queued(time, airbyte_in_memory):
    """The checkpoint of a request that waits for a job that a person started."""
    airbyte_in_memory.start_external_job(
        CONNECTION, JobScript.of((0, "running"), (300, "succeeded"))
    )
    time.advance(10 * SECOND)
    return Checkpoint.from_json(
        {
            "version": 1,
            "phase": "queue",
            "connection_id": CONNECTION,
            "asked_at": time.now().isoformat(),
            "blocked_by": 1,
        }
    )


def submissions(airbyte):
    return airbyte.count("submit")


def test_a_trigger_that_stood_still_finds_what_its_successor_started(
    time, airbyte_in_memory, queued, follow
):
    """It would have submitted the moment it woke up."""
    time.at(time.now() + 100 * SECOND, lambda: time.advance(10 * MINUTE))

    def successor_submits():
        airbyte_in_memory.job_scripts.append(JobScript.of((0, "running"), (1000, "succeeded")))
        airbyte_in_memory.submit(CONNECTION, queued.job_type)

    time.at(time.now() + 400 * SECOND, successor_submits)
    result = follow(queued, Airflow(time, "deferred"), policy=SyncPolicy())
    assert 2 == result.job.job_id
    assert 1 == submissions(airbyte_in_memory)


def test_a_trigger_that_is_in_charge_goes_on_after_two_answers(
    time, airbyte_in_memory, queued, follow
):
    """Between them Airflow tells its triggerer which triggers are another's."""
    time.at(time.now() + 100 * SECOND, lambda: time.advance(10 * MINUTE))
    airflow = Airflow(time, "deferred")
    follow(queued, airflow, policy=SyncPolicy())
    assert 1 == submissions(airbyte_in_memory)
    first, second = airflow.asked_at
    assert 5 * SECOND <= second - first < 10 * SECOND


def test_a_trigger_waits_for_an_airflow_that_says_nothing(time, airbyte_in_memory, queued, follow):
    """However long that takes, nothing is sent."""
    time.at(time.now() + 100 * SECOND, lambda: time.advance(10 * MINUTE))
    with pytest.raises(asyncio.TimeoutError):
        follow(queued, Airflow(time, "silent"), policy=SyncPolicy())
    assert 0 == submissions(airbyte_in_memory)


def test_an_airflow_that_answers_in_the_end_is_heard(time, airbyte_in_memory, queued, follow):
    """After a few questions that it did not answer."""
    time.at(time.now() + 100 * SECOND, lambda: time.advance(10 * MINUTE))
    airflow = Airflow(time, "silent", "silent", "deferred", "silent", "deferred")
    follow(queued, airflow, policy=SyncPolicy())
    assert 1 == submissions(airbyte_in_memory)
    assert 6 == len(airflow.asked_at)


def test_a_trigger_of_a_task_that_does_not_wait_for_it_does_nothing(
    time, airbyte_in_memory, queued, follow
):
    """Airflow is about to cancel it."""
    time.at(time.now() + 100 * SECOND, lambda: time.advance(10 * MINUTE))
    with pytest.raises(asyncio.TimeoutError):
        follow(queued, Airflow(time, "running"), policy=SyncPolicy())
    assert 0 == submissions(airbyte_in_memory)


def test_another_standstill_meanwhile_begins_it_anew(time, airbyte_in_memory, queued, follow):
    """What Airflow said before is old again."""
    began = time.now()
    time.at(began + 100 * SECOND, lambda: time.advance(10 * MINUTE))
    airflow = Airflow(time, "deferred")
    ask = airflow.ask

    async def sleep_after_the_first(keys):
        answer = await ask(keys)
        if len(airflow.asked_at) == 1:
            time.advance(MINUTE)
        return answer

    airflow.ask = sleep_after_the_first
    follow(queued, airflow, policy=SyncPolicy())
    assert 1 == submissions(airbyte_in_memory)
    assert 4 == len(airflow.asked_at)


@pytest.mark.parametrize(
    ("word", "cancels", "end"),
    [("deferred", 1, SyncTimedOut), ("silent", 0, asyncio.TimeoutError)],
)
def test_a_deadline_that_passed_meanwhile_cancels_once_airflow_has_spoken(
    time, airbyte_in_memory, follow, word, cancels, end
):
    """The task's own clock still cancels, and the job is read again before."""
    airbyte_in_memory.start_external_job(CONNECTION, ENDLESS)
    checkpoint = Checkpoint.from_json(
        {
            "version": 1,
            "phase": "watch",
            "connection_id": CONNECTION,
            "asked_at": time.now().isoformat(),
            "deadline": (time.now() + 5 * MINUTE).isoformat(),
            "job_id": 1,
            "origin": Origin.STARTED.value,
        }
    )
    time.at(time.now() + 100 * SECOND, lambda: time.advance(10 * MINUTE))
    with pytest.raises(end):
        follow(checkpoint, Airflow(time, word), policy=SyncPolicy())
    assert cancels == airbyte_in_memory.count("cancel")


def test_a_trigger_that_never_stood_still_asks_nothing(time, airbyte_in_memory, queued, follow):
    """It costs one look at the clock a second, for all triggers together."""
    airflow = Airflow(time, "deferred")
    follow(queued, airflow, policy=SyncPolicy())
    assert 1 == submissions(airbyte_in_memory)
    assert [] == airflow.asked_at


# --------------------------------------------------------------------------------------------------
# A worker


@pytest.fixture
def try_is_known(monkeypatch):
    """Let Airflow 3's API server know the id of this try, or not, or say nothing, in turn."""
    answers = [True]

    def send(message):
        assert "ValidateInletsAndOutlets" == type(message).__name__
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        if answer is not True:
            error = RuntimeError("API_SERVER_ERROR")
            error.error = SimpleNamespace(detail={"status_code": answer})
            raise error

    if task_runner is not None:
        comms = SimpleNamespace(send=send)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    return answers


@pytest.fixture
def blocking(start_job, clock, operator):
    """A blocking task that waits for a job that a person started, and then submits its own."""
    start_job(job_scripts.succeeds(lasts=5 * MINUTE))
    clock.advance(MINUTE)
    return operator(timeout=36000)


@pytest.fixture
def stand_still(clock):
    def plan():
        clock.at(clock.now() + 2 * MINUTE, lambda: clock.advance(7 * MINUTE))

    return plan


def test_a_worker_that_stood_still_goes_on_where_it_is_in_charge(
    blocking, context, airflow_says, try_is_known, stand_still, submissions, log
):
    """It polls again and then submits, once."""
    airflow_says("running")
    stand_still()
    blocking.execute(context)
    assert [200] == [each.status for each in submissions()[-1:]]
    assert "This process stood still" in str(log)


@pytest.mark.parametrize("state", ["queued", "failed"])
def test_a_worker_whose_task_is_another_processes_sends_nothing(
    blocking, context, airflow_says, try_is_known, stand_still, submissions, state
):
    """The next try follows, or the task is over."""
    airflow_says(state)
    stand_still()
    before = len(submissions())
    with pytest.raises(AirbyteTaskKilled, match="another process is in charge"):
        blocking.execute(context)
    assert before + 1 >= len(submissions())
    assert all(each.status == 409 for each in submissions())


@pytest.mark.skipif(task_runner is None, reason="on Airflow 2 a try has no id")
@pytest.mark.parametrize("status", [404, 409, 410])
def test_a_try_that_the_api_server_does_not_know_any_more_is_over(
    blocking, context, airflow_says, try_is_known, stand_still, submissions, status
):
    """The new try may well be running: the state alone does not tell them apart."""
    airflow_says("running")
    try_is_known[:] = [status]
    stand_still()
    with pytest.raises(AirbyteTaskKilled):
        blocking.execute(context)
    assert all(each.status == 409 for each in submissions())


@pytest.mark.skipif(task_runner is None, reason="on Airflow 2 a try has no id")
def test_a_worker_waits_for_an_api_server_that_says_nothing(
    blocking, context, airflow_says, try_is_known, stand_still, submissions, clock
):
    """An error of another kind is no word."""
    airflow_says("running")
    try_is_known[:] = [500, None, 500, True]
    stand_still()
    blocking.execute(context)
    assert 200 == submissions()[-1].status


@pytest.mark.skipif(task_runner is not None, reason="on Airflow 3 a try has an id")
def test_another_run_of_the_same_try_is_told_apart(
    blocking, context, airflow, airflow_says, stand_still, submissions, clock
):
    """A new scheduler has started the task for a second time: Airflow 2 keeps the job that runs it."""
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session

    airflow_says("running")

    def start_again():
        with create_session() as session:
            session.query(TaskInstance).filter_by(run_id=airflow.row.run_id).update({"job_id": 7})

    stand_still()
    clock.at(clock.now() + 3 * MINUTE, start_again)
    with pytest.raises(AirbyteTaskKilled):
        blocking.execute(context)
    assert all(each.status == 409 for each in submissions())


# --------------------------------------------------------------------------------------------------
# A kill


@pytest.mark.parametrize(("now", "cancels"), [("failed", 1), ("deferred", 0)])
def test_a_kill_that_was_answered_before_a_standstill_is_asked_about_again(
    time, airbyte_in_memory, now, cancels
):
    """The task may have been cleared meanwhile, and its next try follows the sync."""
    airbyte_in_memory.start_external_job(CONNECTION, ENDLESS)
    time.advance(MINUTE)
    airflow, clock = Airflow(time, now), AsyncVirtualClock(time)
    checkpoint = Checkpoint.watching(1, Origin.STARTED, asked_at=time.now())
    stopped = killing.stopped_trigger(request_for(checkpoint, SyncPolicy()), TriggerProgress())

    async def main():
        caution = killing.caution_of(stopped)
        time.advance(10 * MINUTE)
        session = caution.over(AsyncPortInterpreter(AsyncInMemoryAirbyte(airbyte_in_memory), clock))
        await arun(cancel_sync(stopped.sync), session)

    with (
        Container.open_watch.override(providers.Factory(StandstillWatch, clock)),
        Container.ask_for_states.override(providers.Object(airflow.ask)),
        suppress(StillWantedError),
    ):
        run_virtually(main(), time)
    assert cancels == airbyte_in_memory.count("cancel")
    assert airflow.asked_at
