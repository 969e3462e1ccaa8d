"""A trigger that is stopped: who wants the sync no more, and who still does."""

import asyncio
import threading
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest

from airbyte_sync_airflow import killing, triggers
from airbyte_sync_airflow.exceptions import AirbyteTroubled
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor
from airbyte_sync_airflow.task_instances import state_of
from airbyte_sync_local import Fault, answers, lives
from airbyte_sync_testkit.clock import AsyncVirtualClock

try:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
except ImportError:
    RuntimeTaskInstance = None

IS_AIRFLOW_2 = RuntimeTaskInstance is None
MINUTE = timedelta(minutes=1)
KILLED = ["failed", "success", "skipped"]
ALIVE = ["deferred", "queued", "running", "scheduled", "up_for_retry", None]

MISSING = "missing"
"""The row is gone."""
SILENT = "silent"
"""Airflow does not answer."""


class FirstPause(AsyncVirtualClock):
    """Stays in the first pause until it is cancelled; after that, time is virtual."""

    def __init__(self, clock):
        super().__init__(clock)
        self.reached = asyncio.Event()

    async def sleep(self, duration):
        if self.reached.is_set():
            await super().sleep(duration)
        else:
            self.clock.advance(MINUTE)  # a cancellation of a job that has not begun is lost
            self.reached.set()
            await asyncio.Event().wait()


@pytest.fixture
def first_pause(parts, clock):
    pausing = FirstPause(clock)
    with parts.async_clock.override(pausing):
        yield pausing


@pytest.fixture
def stop(first_pause):
    """Start a trigger, let it wait, and stop it as Airflow does: again and again until it has ended."""

    def run(trigger):
        async def drive():
            task = asyncio.ensure_future(_exhaust(trigger))
            await asyncio.wait_for(first_pause.reached.wait(), 10)
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=0.01)
            with suppress(asyncio.CancelledError):
                return task.result()

        return asyncio.run(drive())

    return run


@pytest.fixture
def kill(first_pause):
    """Start a trigger, let it wait, stop it, and call ``on_kill`` as Airflow 3.3 does."""

    def run(trigger):
        async def drive():
            task = asyncio.ensure_future(_exhaust(trigger))
            await asyncio.wait_for(first_pause.reached.wait(), 10)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await trigger.on_kill()

        asyncio.run(drive())

    return run


async def _exhaust(trigger):
    return [event async for event in trigger.run()]


@pytest.fixture
def without_on_kill(monkeypatch):
    """As Airflow 2.11 to 3.2 are: a trigger has to find out by itself."""
    monkeypatch.setattr(triggers, "TELLS_OF_KILLS", False)


@pytest.fixture
def waiting(airbyte, connection, context, defer):
    """The trigger of an operator whose job runs until it is cancelled."""

    def make(**options):
        airbyte.add_connection(connection, lives=[lives.never_ends()])
        task = AirbyteTriggerSyncOperator(
            task_id="sync", connection_id=connection.connection_id, deferrable=True, **options
        )
        return defer(task.execute, context)

    return make


# --------------------------------------------------------------------------------------------------
# A stop, where Airflow does not tell of kills


@pytest.mark.parametrize("state", [*KILLED, MISSING])
def test_a_stopped_trigger_of_a_killed_task_cancels_once(
    waiting, stop, instance_in, without_on_kill, airbyte, cancellations, state
):
    """Nobody wants the sync any more, however often Airflow stops the trigger meanwhile."""
    trigger = waiting()
    trigger.task_instance = instance_in(state)
    stop(trigger)
    assert [1] == cancellations()
    assert ["cancelled"] == [job.status for job in airbyte.jobs]


@pytest.mark.parametrize("state", [*ALIVE, SILENT])
def test_a_stopped_trigger_of_a_task_that_may_go_on_leaves_the_sync_alone(
    waiting, stop, instance_in, without_on_kill, cancellations, log, state
):
    """The next try, or the next triggerer, follows it."""
    trigger = waiting()
    trigger.task_instance = instance_in(state)
    stop(trigger)
    assert [] == cancellations()
    assert "This wait is over; the sync goes on" == log.lines[-1]


def test_where_airflow_tells_of_kills_a_stop_alone_means_nothing(
    waiting, stop, instance_in, monkeypatch, cancellations
):
    """On Airflow 3.3 ``on_kill`` follows where a person did it."""
    monkeypatch.setattr(triggers, "TELLS_OF_KILLS", True)
    trigger = waiting()
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    assert [] == cancellations()


def test_a_trigger_in_dag_test_has_no_task_instance(
    waiting, stop, without_on_kill, cancellations, log
):
    """Then nobody knows, and the sync is left alone."""
    trigger = waiting()
    stop(trigger)
    assert [] == cancellations()


# --------------------------------------------------------------------------------------------------
# ``on_kill``


@pytest.mark.parametrize("state", [*KILLED, MISSING, SILENT])
def test_a_killed_trigger_cancels_once(waiting, kill, instance_in, cancellations, state):
    """Airflow says that somebody did it, so silence about the state counts as a kill."""
    trigger = waiting()
    trigger.task_instance = instance_in(state)
    kill(trigger)
    assert [1] == cancellations()


@pytest.mark.parametrize("state", ALIVE)
def test_a_kill_that_is_none_leaves_the_sync_alone(
    waiting, kill, instance_in, cancellations, state
):
    """Airflow 3.3 also calls it when the task was cleared, or another triggerer took over."""
    trigger = waiting()
    trigger.task_instance = instance_in(state)
    kill(trigger)
    assert [] == cancellations()


def test_a_kill_before_the_trigger_began_cancels_too(waiting, instance_in, cancellations, clock):
    """What the task handed over is enough."""
    trigger = waiting()
    clock.advance(MINUTE)
    trigger.task_instance = instance_in("failed")
    asyncio.run(trigger.on_kill())
    assert [1] == cancellations()


def test_a_trigger_that_has_fired_cancels_nothing(
    airbyte, connection, context, defer, instance_in, clock
):
    """On Airflow 3.3 a kill can reach a trigger after its event; the sync is the task's then."""
    airbyte.start_foreign_job(connection.connection_id, lives.succeeds(lasts=5 * MINUTE))
    clock.advance(MINUTE)
    airbyte.add_connection(connection, lives=[lives.never_ends()])
    trigger = defer(
        AirbyteTriggerSyncOperator(
            task_id="sync", connection_id=connection.connection_id, deferrable=True
        ).execute,
        context,
    )
    trigger.task_instance = instance_in("success")

    async def fire_and_kill():
        events = trigger.run()
        event = await anext(events)
        before = len(airbyte.requests)
        await trigger.on_kill()
        await events.aclose()
        return event, before

    event, before = asyncio.run(fire_and_kill())
    assert 2 == event.payload["job"]["job_id"]
    assert before == len(airbyte.requests)


def test_a_task_that_does_not_want_it_is_not_asked_about(
    waiting, stop, kill, instance_in, without_on_kill, cancellations
):
    """``cancel_on_kill=False`` travels with the trigger."""
    trigger = waiting(cancel_on_kill=False)
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    asyncio.run(trigger.on_kill())
    assert [] == cancellations()


def test_the_airflow_connection_can_say_so_for_all_tasks(
    airbyte, connect, waiting, kill, instance_in, cancellations
):
    """A task's own option wins over it."""
    connect(
        host=airbyte.base_url,
        login="the-client-id",
        password="the-client-secret",
        extra={"cancel_on_kill": False},
    )
    trigger = waiting()
    assert trigger.cancel_on_kill is False
    trigger.task_instance = instance_in("failed")
    kill(trigger)
    assert [] == cancellations()


def test_a_task_wins_over_its_airflow_connection(airbyte, connect, waiting):
    """As every option of a task does."""
    connect(
        host=airbyte.base_url,
        login="the-client-id",
        password="the-client-secret",
        extra={"cancel_on_kill": False},
    )
    assert waiting(cancel_on_kill=True).cancel_on_kill is True


def test_a_sync_in_doubt_is_looked_for(
    airbyte, waiting, stop, instance_in, without_on_kill, cancellations
):
    """The answer to its submission was lost, so nobody has told us its id yet."""
    airbyte.inject(Fault(on="POST /jobs", do="drop_after"))
    airbyte.inject(Fault(on="GET /jobs", do="answer", answer=answers.bad_gateway()))
    trigger = waiting()
    assert "job_id" not in trigger.checkpoint
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    assert [1] == cancellations()


def test_a_request_that_waits_for_another_sync_cancels_nothing(
    airbyte, connection, waiting, stop, instance_in, without_on_kill, clock, cancellations
):
    """There is none of its own yet."""
    airbyte.start_foreign_job(connection.connection_id, lives.never_ends())
    clock.advance(MINUTE)
    trigger = waiting()
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    assert [] == cancellations()
    assert ["running"] == [job.status for job in airbyte.jobs]


def test_somebody_elses_job_is_left_alone(
    airbyte, connection, waiting, stop, instance_in, without_on_kill, clock, cancellations
):
    """A task that only attached to it has no say in it."""
    airbyte.start_foreign_job(connection.connection_id, lives.never_ends())
    clock.advance(MINUTE)
    trigger = waiting(on_conflict="attach")
    assert 1 == trigger.checkpoint["job_id"]
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    assert [] == cancellations()


@pytest.mark.parametrize(("option", "cancelled"), [(True, [1]), (False, [])])
def test_a_killed_sensor_cancels_where_it_is_asked_to(
    airbyte,
    connection,
    context,
    defer,
    stop,
    instance_in,
    without_on_kill,
    cancellations,
    option,
    cancelled,
):
    """By default the job belongs to whoever started it."""
    airbyte.start_foreign_job(connection.connection_id, lives.never_ends())
    task = AirbyteJobSensor(
        task_id="sync", airbyte_job_id=1, deferrable=True, cancel_on_kill=option
    )
    trigger = defer(task.execute, context)
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    assert cancelled == cancellations()


def test_a_cancellation_that_fails_says_what_to_do(
    airbyte, waiting, stop, instance_in, without_on_kill, log
):
    """The trigger ends all the same."""
    trigger = waiting()
    airbyte.inject(
        Fault(on="* /jobs/{jobId}", do="answer", answer=answers.forbidden(), times=None, skip=1)
    )
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    assert "Could not cancel Airbyte job 1: cancel it in Airbyte" == log.lines[-1]


def test_a_damaged_trigger_that_is_killed_raises_nothing(waiting, instance_in, log, cancellations):
    """The log says that a person has to look."""
    trigger = waiting()
    trigger.task_instance = instance_in("failed")
    trigger.checkpoint["version"] = 99
    asyncio.run(trigger.on_kill())
    assert [] == cancellations()
    assert "cancel it in Airbyte" in log.lines[-1]


# --------------------------------------------------------------------------------------------------
# The state of a task


@pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 is asked in its database")
@pytest.mark.parametrize("map_index", [-1, 0, 1])
def test_the_state_of_a_mapped_task_is_its_own(instance_in, map_index):
    """Airflow names it by the task and its index."""
    assert "failed" == state_of(instance_in("failed", map_index))


@pytest.mark.skipif(not IS_AIRFLOW_2, reason="Airflow 3 is asked through its API")
@pytest.mark.parametrize(
    ("try_number", "state", "expected"),
    [
        (1, "failed", "failed"),
        (1, "deferred", "deferred"),
        (1, None, None),
        (2, "queued", None),
        (2, "failed", None),
    ],
)
def test_a_newer_try_counts_as_alive(row_of_airflow_2, try_number, state, expected):
    """The job is its business."""
    assert expected == state_of(row_of_airflow_2(state, try_number=try_number))


def test_the_row_of_a_deleted_run_is_gone(instance_in):
    """Nobody waits for it."""
    assert "removed" == state_of(instance_in(MISSING))


# --------------------------------------------------------------------------------------------------
# On a loop that does not wait


def test_what_must_be_finished_survives_being_cancelled_all_the_time():
    """Airflow cancels a trigger that is ending every second."""

    async def work():
        for _ in range(20):
            await asyncio.sleep(0.01)
        return "done"

    async def drive():
        task = asyncio.ensure_future(killing.finish(work(), 10))
        times = 0
        while not task.done():
            await asyncio.sleep(0.01)
            times += task.cancel()
        return await task, times

    result, times = asyncio.run(drive())
    assert "done" == result
    assert times > 5


def test_what_takes_too_long_is_ended_all_the_same():
    """A triggerer must be able to shut down."""

    async def drive():
        task = asyncio.ensure_future(killing.finish(asyncio.Event().wait(), 0.1))
        while not task.done():
            await asyncio.sleep(0.01)
            task.cancel()
        return await task

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(drive())


def test_what_raises_raises():
    """Whoever finishes something hears of it."""

    async def work():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(killing.finish(work(), 10))


@pytest.mark.parametrize("if_unknown", [True, False])
def test_a_look_up_that_hangs_ends_in_time(monkeypatch, if_unknown):
    """Airflow's supervisor may have gone already when the triggerer shuts down."""
    goes_on = threading.Event()

    def hang(**_):
        goes_on.wait(10)
        raise RuntimeError("too late")

    monkeypatch.setattr(killing, "LOOKUP_SECONDS", 0.1)
    instance = SimpleNamespace(dag_id="d", task_id="sync", run_id="r", map_index=-1)
    if IS_AIRFLOW_2:
        monkeypatch.setattr("airflow.utils.session.create_session", hang)
    else:
        instance.id = uuid4()
        monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(hang))

    async def drive():
        loop = asyncio.get_running_loop()
        began = loop.time()
        verdict = await killing.was_killed(instance, if_unknown=if_unknown)
        took = loop.time() - began
        goes_on.set()
        return verdict, took

    verdict, took = asyncio.run(drive())
    assert if_unknown is verdict
    assert took < 5


# --------------------------------------------------------------------------------------------------
# What a trigger carries


def test_a_trigger_is_the_same_after_airflow_has_stored_it(waiting):
    """Every triggerer that takes it over makes it anew."""
    trigger = waiting()
    _, arguments = trigger.serialize()
    assert arguments == triggers.AirbyteSyncTrigger(**arguments).serialize()[1]


def test_a_job_that_nobody_follows_any_more_is_named(waiting, event_of):
    """A trigger that cannot be read says which job goes on."""
    trigger = waiting()
    trigger.policy = {}
    event = event_of(trigger)
    assert event["message"].startswith(
        "Airbyte job 1 goes on, and nobody follows it any more: this is not a stored sync policy"
    )
    assert 1 == event["job"]["job_id"]


# --------------------------------------------------------------------------------------------------
# An Airflow connection that exists for workers only


@pytest.mark.parametrize("make", ["operator", "sensor"])
def test_a_connection_that_only_workers_know_is_said_to_be_missing_in_the_triggerer(
    airbyte, connection, context, defer, event_of, monkeypatch, make
):
    """Which host it is, what to do, and what becomes of the job; another try may help."""
    if make == "sensor":
        airbyte.start_foreign_job(connection.connection_id, lives.never_ends())
        task = AirbyteJobSensor(task_id="sync", airbyte_job_id=1, deferrable=True)
    else:
        task = AirbyteTriggerSyncOperator(
            task_id="sync", connection_id=connection.connection_id, deferrable=True
        )
    trigger = defer(task.execute, context)
    monkeypatch.delenv("AIRFLOW_CONN_AIRBYTE_DEFAULT")
    monkeypatch.setattr("airbyte_sync_airflow.waiting.gethostname", lambda: "triggerer-7")
    with pytest.raises(AirbyteTroubled) as caught:
        task.execute_complete(context, event_of(trigger))
    assert (
        "this triggerer, on host 'triggerer-7', does not know the Airflow connection "
        "'airbyte_default', although the worker that deferred the task does. Define the connection "
        "for the triggerer too: give it the same environment variable or secrets backend. "
        "Airbyte job 1 goes on, and this task no longer follows it: "
        f"{context['ti'].xcoms['airbyte_job']['url']}"
    ) == str(caught.value)
