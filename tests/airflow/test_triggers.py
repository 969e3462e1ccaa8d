"""A trigger that is stopped: who wants the sync no more, and who still does."""

import asyncio
import logging
import sys
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from dependency_injector import providers

from airbyte_sync_airflow import triggers
from airbyte_sync_airflow.compat.airflow import AirflowNotFoundException, BaseHook
from airbyte_sync_airflow.compat.task_states import NOTHING_SAID, TaskKey
from airbyte_sync_airflow.composition import Container
from airbyte_sync_airflow.exceptions import AirbyteTransientError
from airbyte_sync_airflow.triggerer import cancel as killing
from airbyte_sync_local import Fault, answers, job_scripts
from airbyte_sync_testkit import run_virtually
from airbyte_sync_testkit.clock import AsyncVirtualClock

MINUTE = timedelta(minutes=1)
KILLED = ["failed", "success", "skipped", "gone"]
ALIVE = ["deferred", "queued", "running", "scheduled", "up_for_retry", None]
NOTHING = ["silent", "missing"]
"""What Airflow says here is no word about the task."""
NO_INSTANCE = object()


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
def impatient(monkeypatch):
    """An Airflow that says nothing is asked often, and a trigger ends soon without an answer."""
    monkeypatch.setattr(killing, "ON_KILL_SECONDS", 0.2)
    monkeypatch.setattr(killing, "ON_CANCEL_SECONDS", 0.2)
    monkeypatch.setattr(killing, "ASK_AGAIN_SECONDS", (0.01,))


@pytest.fixture
def stop(first_pause):
    """Start a trigger, let it wait, and stop it as Airflow does: again and again until it has ended."""

    def run(trigger, afterwards=None):
        async def drive():
            task = asyncio.ensure_future(_exhaust(trigger))
            await asyncio.wait_for(first_pause.reached.wait(), 10)
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=0.01)
            await _first(afterwards)

        asyncio.run(drive())

    return run


@pytest.fixture
def kill(first_pause, monkeypatch):
    """
    Start a trigger, let it wait, stop it, and call ``on_kill`` as Airflow 3.3 does.

    With ``afterwards`` the triggerer goes on; otherwise it ends with the trigger.
    """

    def run(trigger, afterwards=None):
        monkeypatch.setattr(triggers, "HAS_ON_KILL", True)

        async def drive():
            task = asyncio.ensure_future(_exhaust(trigger))
            await asyncio.wait_for(first_pause.reached.wait(), 10)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await trigger.on_kill()
            return await _first(afterwards)

        asyncio.run(drive())

    return run


async def _first(afterwards):
    """Let something happen while the triggerer goes on, and wait for all that is still to be done."""
    if afterwards is not None:
        afterwards()
        await killing.shared_kills().settled()


async def _exhaust(trigger):
    return [event async for event in trigger.run()]


@pytest.fixture
def without_on_kill(monkeypatch):
    """As Airflow 2.11 to 3.2 are: a trigger has to find out by itself."""
    monkeypatch.setattr(triggers, "HAS_ON_KILL", False)


@pytest.fixture
def waiting(operator, airbyte, connection, context, defer, request):
    """The trigger of an operator whose job runs until it is cancelled; of its task Airflow says ``state``."""

    def make(state=NO_INSTANCE, **options):
        airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
        trigger = defer(operator(deferrable=True, **options).execute, context)
        if state is not NO_INSTANCE:
            trigger.task_instance = request.getfixturevalue("instance_in")(state)
        return trigger

    return make


# --------------------------------------------------------------------------------------------------
# A stop, where Airflow does not tell of kills


@pytest.mark.parametrize("state", KILLED)
def test_a_stopped_trigger_of_a_killed_task_cancels_once(
    waiting, stop, without_on_kill, airbyte, cancellations, state
):
    """Nobody wants the sync any more, however often Airflow stops the trigger meanwhile."""
    trigger = waiting(state)
    stop(trigger)
    assert [1] == cancellations()
    assert ["cancelled"] == [job.status for job in airbyte.jobs]


@pytest.mark.parametrize("state", ALIVE)
def test_a_stopped_trigger_of_a_task_that_may_go_on_leaves_the_sync_alone(
    waiting, stop, without_on_kill, cancellations, log, state
):
    """The next try, or the next triggerer, follows it."""
    trigger = waiting(state)
    stop(trigger)
    assert [] == cancellations()
    assert "This wait is over; the sync goes on" == log.lines[-1]


def test_where_airflow_tells_of_kills_a_stop_alone_means_nothing(
    waiting, stop, monkeypatch, cancellations
):
    """On Airflow 3.3 ``on_kill`` follows where a person did it."""
    monkeypatch.setattr(triggers, "HAS_ON_KILL", True)
    trigger = waiting("failed")
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


@pytest.mark.parametrize("state", KILLED)
def test_a_killed_trigger_cancels_once(waiting, kill, cancellations, state):
    """Airflow says that the task is over."""
    trigger = waiting(state)
    kill(trigger)
    assert [1] == cancellations()


@pytest.mark.parametrize("state", ALIVE)
def test_a_kill_that_is_none_leaves_the_sync_alone(waiting, kill, cancellations, state):
    """Airflow 3.3 also calls it when the task was cleared, or another triggerer took over."""
    trigger = waiting(state)
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
    operator, start_job, airbyte, connection, context, defer, instance_in, clock
):
    """On Airflow 3.3 a kill can reach a trigger after its event; the sync is the task's then."""
    start_job(job_scripts.succeeds(lasts=5 * MINUTE))
    clock.advance(MINUTE)
    airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
    trigger = defer(operator(deferrable=True).execute, context)
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
    waiting, stop, kill, without_on_kill, cancellations
):
    """``cancel_on_kill=False`` travels with the trigger."""
    trigger = waiting("failed", cancel_on_kill=False)
    stop(trigger)
    asyncio.run(trigger.on_kill())
    assert [] == cancellations()


def test_the_airflow_connection_can_say_so_for_all_tasks(
    connect_with, waiting, kill, instance_in, cancellations
):
    """A task's own option wins over it."""
    connect_with(cancel_on_kill=False)
    trigger = waiting()
    assert trigger.cancel_on_kill is False
    trigger.task_instance = instance_in("failed")
    kill(trigger)
    assert [] == cancellations()


def test_a_task_wins_over_its_airflow_connection(connect_with, waiting):
    """As every option of a task does."""
    connect_with(cancel_on_kill=False)
    assert waiting(cancel_on_kill=True).cancel_on_kill is True


@pytest.mark.parametrize("failures", [1, 2, 4])
def test_a_sync_in_doubt_is_looked_for(
    airbyte, waiting, stop, instance_in, without_on_kill, cancellations, failures
):
    """The answer to its submission was lost, and the first looks for it may fail, too."""
    airbyte.inject(Fault(on="POST /jobs", do="drop_after"))
    airbyte.inject(Fault(on="GET /jobs", do="answer", answer=answers.bad_gateway(), times=failures))
    trigger = waiting()
    assert "job_id" not in trigger.checkpoint
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    assert [1] == cancellations()


def test_a_request_that_waits_for_another_sync_cancels_nothing(
    start_job, airbyte, waiting, stop, without_on_kill, clock, cancellations
):
    """There is none of its own yet."""
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    trigger = waiting("failed")
    stop(trigger)
    assert [] == cancellations()
    assert ["running"] == [job.status for job in airbyte.jobs]


def test_somebody_elses_job_is_left_alone(
    start_job, waiting, stop, instance_in, without_on_kill, clock, cancellations
):
    """A task that only attached to it has no say in it."""
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    trigger = waiting(on_conflict="attach")
    assert 1 == trigger.checkpoint["job_id"]
    trigger.task_instance = instance_in("failed")
    stop(trigger)
    assert [] == cancellations()


@pytest.mark.parametrize(("option", "cancelled"), [(True, [1]), (False, [])])
def test_a_killed_sensor_cancels_where_it_is_asked_to(
    start_job,
    sensor,
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
    start_job(job_scripts.never_ends())
    task = sensor(deferrable=True, cancel_on_kill=option)
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
    assert log.lines[-1].startswith("Could not cancel Airbyte job 1 (http://")
    assert log.lines[-1].endswith("): cancel it in Airbyte")


def test_a_damaged_trigger_that_is_killed_raises_nothing(waiting, log, cancellations):
    """The log says that a person has to look."""
    trigger = waiting("failed")
    trigger.checkpoint["version"] = 99
    asyncio.run(trigger.on_kill())
    assert [] == cancellations()
    assert "check it in Airbyte" in log.lines[-1]


# --------------------------------------------------------------------------------------------------
# An Airflow that says nothing


@pytest.fixture
def triggerers_log(caplog):
    """What stands in the triggerer's own log, which no task's log holds."""
    caplog.set_level(logging.INFO, "airbyte_sync_airflow.triggerer.cancel")
    return lambda: [
        each.getMessage() for each in caplog.records if each.name.endswith("triggerer.cancel")
    ]


@pytest.mark.parametrize("state", NOTHING)
def test_a_kill_of_which_airflow_says_nothing_leaves_the_sync_alone(
    waiting, kill, impatient, cancellations, log, triggerers_log, state
):
    """Both logs say what becomes of it, with the job's link, before the trigger ends."""
    trigger = waiting(state)
    kill(trigger)
    assert [] == cancellations()
    first, last = triggerers_log()
    assert first == log.lines[-1]
    assert "Airflow has not said yet whether task d.sync of run" in first
    assert "Airbyte job 1 (http://" in first
    assert "jobId=1&openLogs=true) goes on meanwhile" in first
    assert "This triggerer ends before Airflow has said whether task d.sync" in last
    assert "jobId=1&openLogs=true) was left alone" in last


@pytest.mark.parametrize("state", NOTHING)
def test_an_answer_cancels_after_the_trigger_has_ended(
    waiting, kill, airflow, impatient, cancellations, state
):
    """The question outlives the trigger."""
    trigger = waiting(state)
    kill(trigger, afterwards=lambda: airflow.say("failed"))
    assert [1] == cancellations()


def test_it_does_so_where_airflow_does_not_tell_of_kills(
    waiting, stop, airflow, impatient, without_on_kill, cancellations
):
    """The same on Airflow 2.11 to 3.2."""
    trigger = waiting("silent")
    stop(trigger, afterwards=lambda: airflow.say("failed"))
    assert [1] == cancellations()


def test_a_task_that_goes_on_ends_the_questions(
    waiting, kill, airflow, impatient, cancellations, triggerers_log
):
    """It was cleared, or another triggerer follows it: there is nothing to warn of in the end."""
    trigger = waiting("silent")
    kill(trigger, afterwards=lambda: airflow.say("deferred"))
    assert [] == cancellations()
    assert 1 == len(triggerers_log())


def test_airflow_is_not_asked_for_ever(
    waiting, kill, impatient, cancellations, triggerers_log, monkeypatch
):
    """After a quarter of an hour the sync is left alone, and the triggerer's log says so."""
    monkeypatch.setattr(killing, "PATIENCE_SECONDS", 0.5)
    trigger = waiting("silent")
    kill(trigger, afterwards=lambda: None)
    assert [] == cancellations()
    assert "Airflow did not say within" in triggerers_log()[-1]
    assert "jobId=1&openLogs=true) was left alone" in triggerers_log()[-1]


def test_a_trigger_without_a_sync_of_its_own_asks_nothing(
    start_job, waiting, kill, airflow, impatient, clock, triggerers_log
):
    """Nothing would be cancelled, so there is nothing to warn of either."""
    start_job(job_scripts.never_ends())
    clock.advance(MINUTE)
    trigger = waiting("silent", on_conflict="attach")
    kill(trigger)
    assert [] == triggerers_log()


@pytest.fixture
def ended_with_the_triggerer(log, triggerers_log):
    """Let a triggerer end in the middle of a kill; return what both logs say last."""

    def run(trigger, has_come_so_far):
        async def drive():
            killed = asyncio.ensure_future(trigger.on_kill())
            while not has_come_so_far() and not killed.done():
                await asyncio.wait({killed}, timeout=0.01)

        asyncio.run(drive())
        return log.lines[-1], triggerers_log()[-1]

    return run


def test_a_triggerer_that_ends_before_airflow_has_answered_says_so_in_both_logs(
    waiting, ended_with_the_triggerer, cancellations
):
    """While the trigger is still there the task's log is open, and a person reads that one."""
    asked = []

    async def ask(keys):
        asked.append(keys)
        return dict.fromkeys(keys, NOTHING_SAID)

    trigger = waiting("silent")
    with Container.ask_for_states.override(providers.Object(ask)):
        told = ended_with_the_triggerer(trigger, lambda: asked)
    assert [] == cancellations()
    for line in told:
        assert "This triggerer ends before Airflow has said whether task d.sync" in line
        assert "jobId=1&openLogs=true) was left alone" in line


# --------------------------------------------------------------------------------------------------
# A kill while the Airflow connection cannot be read


DOWN = "the secrets backend is down"


@pytest.fixture
def reading(monkeypatch):
    """What happens when Airflow is asked for a connection; ``failures`` is how often it fails before."""

    class Reading:
        times = 0
        failures = 0
        error = OSError(DOWN)

        def happens(self):
            """Do what a test wants at that moment."""

    reading, read = Reading(), BaseHook.get_connection

    def get_connection(conn_id):
        reading.times += 1
        reading.happens()
        if reading.times <= reading.failures:
            raise reading.error
        return read(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", get_connection)
    return reading


@pytest.fixture
def killed_before_it_began(waiting, instance_in, clock, reading):
    """A trigger that was killed before it had read the Airflow connection."""
    trigger = waiting()
    clock.advance(MINUTE)
    trigger.task_instance = instance_in("failed")
    reading.times = 0
    return trigger


@pytest.mark.parametrize("error", [OSError(DOWN), AirflowNotFoundException(DOWN)])
def test_a_kill_waits_for_an_airflow_connection_that_cannot_be_read(
    killed_before_it_began, reading, cancellations, log, error
):
    """Airflow 3 calls it unknown, too, when it could not ask for it. The log says so once."""
    reading.failures, reading.error = 20, error
    asyncio.run(killed_before_it_began.on_kill())
    assert [1] == cancellations()
    (said,) = [line for line in log.lines if "Could not read" in line]
    assert said.startswith(
        "Could not read the Airflow connection 'airbyte_default' to cancel Airbyte job 1 (http://"
    )
    assert "reading it again for up to 15 minutes: " in said


def test_an_airflow_connection_that_is_never_read_leaves_the_sync_to_a_person(
    killed_before_it_began, reading, cancellations, log, triggerers_log, clock
):
    """After a quarter of an hour, in both logs: the task's may be closed by then."""
    reading.failures, began = 1_000_000, clock.now()
    asyncio.run(killed_before_it_began.on_kill())
    assert [] == cancellations()
    assert 14 * MINUTE < clock.now() - began <= 15 * MINUTE
    for line in (log.lines[-1], triggerers_log()[-1]):
        assert line.startswith("Could not cancel Airbyte job 1 (http://")
        assert line.endswith("): cancel it in Airbyte")


def test_an_airflow_connection_that_cannot_be_right_is_not_read_again(
    killed_before_it_began, reading, connect, cancellations, log
):
    """A person has to correct it."""
    connect(host="no-scheme")
    asyncio.run(killed_before_it_began.on_kill())
    assert 1 == reading.times
    assert log.lines[-1].startswith("Could not cancel Airbyte job 1 (http://")


def test_a_task_that_was_cleared_while_its_connection_was_read_keeps_its_sync(
    killed_before_it_began, reading, airflow, cancellations, log
):
    """Airflow's word is old by then: its next try follows the sync."""
    reading.failures = 3
    reading.happens = lambda: reading.times == 3 and airflow.say("queued")
    asyncio.run(killed_before_it_began.on_kill())
    assert [] == cancellations()
    assert "The task goes on after all, and so does its sync" == log.lines[-1]


def test_so_does_one_that_was_cleared_during_a_reading_that_took_long(
    killed_before_it_began, reading, airflow, cancellations, clock, log
):
    """A backend that hangs for a minute, and then answers, makes Airflow's word as old."""

    def hang():
        clock.advance(MINUTE)
        airflow.say("queued")

    reading.happens = hang
    asyncio.run(killed_before_it_began.on_kill())
    assert [] == cancellations()
    assert "The task goes on after all, and so does its sync" == log.lines[-1]


def test_a_triggerer_that_ends_in_the_middle_of_a_cancellation_says_so_in_both_logs(
    killed_before_it_began, reading, ended_with_the_triggerer
):
    """Airflow has said that the task was killed, and that is what they tell."""
    at_rest = threading.Event()
    reading.happens = lambda: at_rest.wait(10)
    told = ended_with_the_triggerer(killed_before_it_began, lambda: reading.times)
    at_rest.set()
    for line in told:
        assert line.startswith("This triggerer ends before Airbyte job 1 (http://")
        assert line.endswith("is known to be cancelled: check it in Airbyte")


# --------------------------------------------------------------------------------------------------
# The first question, which costs Airflow most


@pytest.mark.skipif(
    "airflow.sdk" not in sys.modules, reason="Airflow 2 answers out of its database at once"
)
@pytest.mark.parametrize(("busy", "expected"), [(0, [5]), (8, [16]), (10_000, [])])
def test_airflow_is_asked_a_first_question_in_a_calm_moment(clock, instance_in, busy, expected):
    """Once for each process, and never while its loop is late."""
    asked_at, began = [], clock.now()
    keys = [TaskKey.of(instance_in("deferred")) for _ in range(3)]

    async def ask(keys):
        asked_at.append(round((clock.now() - began).total_seconds()))
        return dict.fromkeys(keys, NOTHING_SAID)

    async def block_the_loop():
        for _ in range(busy):
            await asyncio.sleep(0.9)
            clock.advance(timedelta(seconds=0.5))

    async def main():
        blocking = asyncio.create_task(block_the_loop())
        for key in keys:
            killing.shared_kills().warm_up(key)
        await asyncio.sleep(600)
        blocking.cancel()

    with (
        Container.open_watch.override(providers.Object(None)),
        Container.ask_for_states.override(providers.Object(ask)),
    ):
        run_virtually(main(), clock)
    assert expected == asked_at


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
        "Airbyte job 1 goes on, and no task follows it any more: this is not a stored sync policy"
    )
    assert 1 == event["job"]["job_id"]


# --------------------------------------------------------------------------------------------------
# An Airflow connection that exists for workers only


@pytest.mark.parametrize("make", ["operator", "sensor"])
def test_a_connection_that_only_workers_know_is_said_to_be_missing_in_the_triggerer(
    operator, start_job, connection, sensor, context, defer, event_of, monkeypatch, make
):
    """Which host it is, what to do, and what becomes of the job; another try may help."""
    if make == "sensor":
        start_job(job_scripts.never_ends())
        task = sensor(deferrable=True)
    else:
        task = operator(deferrable=True)
    trigger = defer(task.execute, context)
    monkeypatch.delenv("AIRFLOW_CONN_AIRBYTE_DEFAULT")
    monkeypatch.setattr("airbyte_sync_airflow.triggerer.run.gethostname", lambda: "triggerer-7")
    with pytest.raises(AirbyteTransientError) as caught:
        task.execute_complete(context, event_of(trigger))
    assert (
        "this triggerer, on host 'triggerer-7', does not know the Airflow connection "
        "'airbyte_default', although the worker that deferred the task does. Define the connection "
        "for the triggerer too: give it the same environment variable or secrets backend. "
        "Airbyte job 1 goes on, and this task no longer follows it: "
        f"{context['ti'].xcoms['airbyte_job']['url']}"
    ) == str(caught.value)
