"""A blocking run that is interrupted: its sync is cancelled once, or left and resumed, as chosen."""

from __future__ import annotations

import signal
from threading import Thread

import pytest

from airbyte_sync import OnConflict, SyncPolicy
from airbyte_sync.errors import RequestNotSent
from airbyte_sync_local import JobScript, Step
from airbyte_sync_runner import FileStore, OnInterrupt, python_signal_handlers, run_sync
from airbyte_sync_testkit import InMemoryAirbyte
from airbyte_sync_testkit.memory import CallFault

KEY = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11 sync"
LASTS_AN_HOUR = JobScript.of((0, "running"), (3600, "succeeded"))
IGNORES_CANCELLING = JobScript(steps=(Step(status="running"),), on_cancel=())
CANCEL, LEAVE = OnInterrupt.CANCEL, OnInterrupt.LEAVE_RUNNING


def interrupt(number=signal.SIGINT):
    return lambda: signal.raise_signal(number)


@pytest.fixture(autouse=True)
def _handlers_are_put_back():
    """Whatever happens, the signals of this process are as they were."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


@pytest.fixture
def run(airbyte, clock, request_):
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    return lambda store=None, **options: run_sync(
        airbyte, request_, store=store, clock=clock, **options
    )


@pytest.fixture
def store(tmp_path, clock):
    return FileStore(tmp_path, clock=clock.now)


def statuses(airbyte):
    return [str(job.status) for job in airbyte.jobs()]


@pytest.mark.parametrize(
    ("number", "has_store", "chosen", "expected"),
    [
        (signal.SIGINT, False, None, "cancelled"),
        (signal.SIGINT, True, None, "cancelled"),
        (signal.SIGTERM, False, None, "cancelled"),
        (signal.SIGTERM, True, None, "running"),
        (signal.SIGINT, False, LEAVE, "running"),
        (signal.SIGINT, True, LEAVE, "running"),
        (signal.SIGTERM, False, LEAVE, "running"),
        (signal.SIGTERM, True, CANCEL, "cancelled"),
    ],
)
def test_an_interruption_does_what_was_chosen(
    run, store, airbyte, later, number, has_store, chosen, expected
):
    """Once, and then the interruption goes on."""
    later(60, interrupt(number))
    with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
        run(store if has_store else None, on_interrupt=chosen)
    assert [expected] == statuses(airbyte)
    assert (expected == "cancelled") == airbyte.count("cancel")
    if number == signal.SIGTERM:
        assert 143 == caught.value.code
    else:
        assert isinstance(caught.value, KeyboardInterrupt)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_left_is_resumed(run, store, airbyte, later, number):
    """By the next run: the same job."""
    later(60, interrupt(number))
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(store, on_interrupt=LEAVE)
    assert 1 == run(store).job.job_id


def test_what_was_cancelled_is_not_resumed(run, store, airbyte, later):
    """The next run is a new request."""
    later(60, interrupt())
    with pytest.raises(KeyboardInterrupt):
        run(store)
    assert 2 == run(store).job.job_id


def test_an_interruption_says_what_it_does(run, airbyte, later, caplog):
    """A person who pressed Ctrl-C is told why it takes a moment."""
    later(60, interrupt())
    with pytest.raises(KeyboardInterrupt):
        run()
    assert "Interrupted: cancelling Airbyte job 1 of connection" in caplog.text
    assert "Airbyte job 1 ended: cancelled" in caplog.text


class InterruptedInTheMiddle(InMemoryAirbyte):
    """A signal comes while a submission is under way."""

    number = signal.SIGINT

    def submit(self, connection_id, job_type):
        job = super().submit(connection_id, job_type)
        signal.raise_signal(self.number)
        return job


@pytest.fixture
def middle(clock, request_):
    airbyte = InterruptedInTheMiddle(clock=clock)
    airbyte.add_connection(request_.connection_id)
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    return airbyte


def test_a_submission_is_not_cut(middle, request_, store, clock):
    """Its job is known, and cancelled."""
    with pytest.raises(KeyboardInterrupt):
        run_sync(middle, request_, store=store, clock=clock)
    assert ["cancelled"] == statuses(middle)
    with store.open(KEY) as opened:
        assert opened.load() is None


def test_a_submission_that_is_left_alone_is_found_by_the_next_run(
    middle, airbyte, request_, store, clock
):
    """It is not waited for: the store knows that it was made."""
    middle.number = signal.SIGTERM
    with pytest.raises(SystemExit):
        run_sync(middle, request_, store=store, clock=clock)
    middle.number = signal.SIGCHLD
    assert 1 == run_sync(middle, request_, store=store, clock=clock).job.job_id


class InterruptedInTheStore(FileStore):
    """A signal comes while the outcome is forgotten."""

    def _parts(self, key, run_id):
        lock, request = super()._parts(key, run_id)
        clear = request.clear

        def clear_and_interrupt():
            clear()
            signal.raise_signal(signal.SIGINT)

        request.clear = clear_and_interrupt
        return lock, request


@pytest.mark.parametrize(("chosen", "expected"), [(LEAVE, 1), (CANCEL, 2)])
def test_an_outcome_that_was_not_delivered_is_kept(
    airbyte, request_, clock, tmp_path, chosen, expected
):
    """An interruption in the last moment takes its place; one that cancels has ended the request."""
    store = InterruptedInTheStore(tmp_path, clock=clock.now)
    with pytest.raises(KeyboardInterrupt):
        run_sync(airbyte, request_, store=store, clock=clock, on_interrupt=chosen)
    again = FileStore(tmp_path, clock=clock.now)
    assert expected == run_sync(airbyte, request_, store=again, clock=clock).job.job_id


def test_a_second_interruption_ends_at_once(run, store, airbyte, later, clock, caplog):
    """The cancellation that goes on is dropped, which the log says, and the store keeps the request."""
    airbyte.job_scripts.clear()
    airbyte.job_scripts.append(IGNORES_CANCELLING)
    later(60, interrupt())
    later(70, interrupt())
    began = clock.now()
    with pytest.raises(KeyboardInterrupt):
        run(store)
    assert (clock.now() - began).total_seconds() < 80
    assert "Could not cancel Airbyte job 1 of connection" in caplog.text
    with store.open(KEY) as opened:
        assert 1 == opened.load().job_id


def test_cancelling_is_bounded(run, store, airbyte, later, clock, caplog):
    """A job that does not end is given up after cancel_timeout, with what to do."""
    airbyte.job_scripts.clear()
    airbyte.job_scripts.append(IGNORES_CANCELLING)
    later(60, interrupt())
    with pytest.raises(KeyboardInterrupt):
        run(store)
    assert "Could not cancel Airbyte job 1 of connection" in caplog.text
    with store.open(KEY) as opened:
        assert 1 == opened.load().job_id


def test_a_sync_of_another_client_is_left_alone(run, airbyte, request_, later, clock):
    """It was attached to, and is not ours to cancel."""
    airbyte.job_scripts.clear()
    airbyte.start_external_job(request_.connection_id, LASTS_AN_HOUR)
    later(60, interrupt())
    with pytest.raises(KeyboardInterrupt):
        run_sync(airbyte, request_, SyncPolicy(on_conflict=OnConflict.ATTACH), clock=clock)
    assert ["running"] == statuses(airbyte)
    assert 0 == airbyte.count("cancel")


def test_an_interruption_before_anything_was_sent_sends_nothing(airbyte, request_, later, clock):
    """Nothing was started, so that there is nothing to cancel."""
    airbyte.fail("submit", *[CallFault(error=RequestNotSent("no route to host"))] * 1000)
    later(20, interrupt())
    with pytest.raises(KeyboardInterrupt):
        run_sync(airbyte, request_, clock=clock)
    assert [] == airbyte.jobs()
    assert 0 == airbyte.count("cancel")


def test_the_handler_of_a_scheduler_is_not_replaced(run, airbyte, later):
    """What it does, it does."""
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("SIGTERM"))
    try:
        later(60, interrupt(signal.SIGTERM))
        assert "succeeded" == run(on_event=lambda _: None).job.status
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ["SIGTERM"] == heard


@pytest.mark.parametrize(("has_store", "expected"), [(False, "cancelled"), (True, "running")])
def test_what_a_scheduler_raises_says_nothing_about_the_sync(
    run, store, airbyte, later, has_store, expected
):
    """It is treated as SIGTERM is: a store keeps the sync for the next run."""

    class Terminated(BaseException):
        pass

    def raise_it():
        raise Terminated

    later(60, raise_it)
    with pytest.raises(Terminated):
        run(store if has_store else None)
    assert [expected] == statuses(airbyte)


def test_in_another_thread_no_handler_is_installed(run, airbyte):
    """There is none to install, and none is missed."""
    results = []
    thread = Thread(target=lambda: results.append(run()))
    thread.start()
    thread.join()
    assert ["succeeded"] == [str(result.job.status) for result in results]


def test_a_request_is_locked_until_its_sync_is_cancelled(run, store, airbyte, later):
    """And not longer."""
    later(60, interrupt())
    with pytest.raises(KeyboardInterrupt):
        run(store)
    with store.open(KEY):
        pass


@pytest.mark.parametrize(("told", "expected"), [(CANCEL, "cancelled"), (LEAVE, "running")])
def test_the_choice_may_be_made_when_it_happens(run, airbyte, later, told, expected):
    """A scheduler knows only then why it stops a process."""
    asked = []

    def tell():
        asked.append(statuses(airbyte))
        return told

    later(60, interrupt())
    with pytest.raises(KeyboardInterrupt):
        run(on_interrupt=tell)
    assert ["running"] == asked[0]
    assert [expected] == statuses(airbyte)


class Stopped(BaseException):
    """What a scheduler's own handler raises."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_handler_that_raises_is_stood_in_for(middle, clock, request_, number):
    """It does not cut a submission: the job is known, and is cancelled."""

    def stop(number, frame):
        raise Stopped

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    middle.number = number
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)), python_signal_handlers():
            run_sync(middle, request_, clock=clock)
        assert [stop, stop] == [signal.getsignal(each) for each in before]
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert ["cancelled"] == statuses(middle)
