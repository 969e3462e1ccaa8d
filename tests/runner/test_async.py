"""Syncs on an event loop: one, and many at once; interrupted, left and resumed."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from time import sleep

import pytest

from airbyte_sync import (
    AsyncSystemClock,
    Checkpoint,
    InvalidInput,
    JobObtained,
    Origin,
    PollSchedule,
    SyncFailed,
    SyncPolicy,
    SyncRequest,
)
from airbyte_sync.errors import (
    AlreadyClosed,
    Forbidden,
    RequestNotSent,
    ResponseNotReceived,
)
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_local import JobScript
from airbyte_sync_runner import (
    AsyncFileStore,
    OnInterrupt,
    RequestLocked,
    key_of,
    run_many,
    run_sync_async,
)
from airbyte_sync_testkit import (
    AsyncInMemoryAirbyte,
    AsyncVirtualClock,
    InMemoryAirbyte,
    VirtualClock,
    run_virtually,
)
from airbyte_sync_testkit.memory import CallFault

LASTS_AN_HOUR = JobScript.of((0, "running"), (3600, "succeeded"))
PATIENT = SyncPolicy(timeout=None)
QUICK = SyncPolicy(poll=PollSchedule.fixed(timedelta(milliseconds=20)))
LEAVE = OnInterrupt.LEAVE_RUNNING


def requests_of(airbyte, number):
    return [
        SyncRequest(
            connection_id=airbyte.add_connection(
                f"00000000-0000-4000-8000-{place:012}"
            ).connection_id
        )
        for place in range(number)
    ]


def statuses(airbyte):
    return [str(job.status) for job in airbyte.jobs()]


@pytest.fixture
def virtually(airbyte, clock):
    """Call a function of this package on a loop in virtual time, and interrupt it after so many seconds."""

    def virtually(function, *arguments, interrupt_after=None, **options):
        async def main():
            task = asyncio.ensure_future(
                function(
                    AsyncInMemoryAirbyte(airbyte),
                    *arguments,
                    clock=AsyncVirtualClock(clock),
                    **options,
                )
            )
            for seconds in interrupt_after or []:
                asyncio.get_running_loop().call_later(seconds, task.cancel)
            return await task

        return run_virtually(main(), clock)

    return virtually


def test_a_sync_runs_to_its_end(virtually, request_):
    """As a blocking one does."""
    assert "succeeded" == virtually(run_sync_async, request_).job.status


def test_a_cancelled_task_cancels_its_sync(virtually, airbyte, request_):
    """Once, and the cancellation goes on."""
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    with pytest.raises(asyncio.CancelledError):
        virtually(run_sync_async, request_, interrupt_after=[60])
    assert ["cancelled"] == statuses(airbyte)
    assert 1 == airbyte.count("cancel")


def test_a_cancelled_task_leaves_its_sync_where_that_was_chosen(virtually, airbyte, request_):
    """It runs on."""
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    with pytest.raises(asyncio.CancelledError):
        virtually(run_sync_async, request_, interrupt_after=[60], on_interrupt=LEAVE)
    assert ["running"] == statuses(airbyte)


def test_many_run_at_once(virtually, airbyte):
    """In the time of one; outcomes come in the order of the requests."""
    requests = requests_of(airbyte, 20)
    airbyte.job_scripts.extend(
        JobScript.of(
            (0, "running"), (30 + 7 * (place % 5), "failed" if place == 3 else "succeeded")
        )
        for place in range(20)
    )
    told = []
    outcomes = virtually(run_many, requests, on_event=lambda *each: told.append(each))
    assert requests == [outcome.request for outcome in outcomes]
    assert isinstance(outcomes[3].error, SyncFailed)
    assert outcomes[3].result is None
    assert 19 == sum(outcome.result is not None for outcome in outcomes)
    assert set(requests) == {request for request, _ in told}


def test_outcomes_are_told_as_they_come(virtually, airbyte):
    """The shortest sync is told first, and long before the last of them has ended."""
    requests = requests_of(airbyte, 2)
    airbyte.job_scripts.extend([LASTS_AN_HOUR, JobScript.of((0, "running"), (60, "succeeded"))])
    told = []
    outcomes = virtually(run_many, requests, PATIENT, on_outcome=told.append)
    assert outcomes[::-1] == told


def test_a_limit_holds(virtually, airbyte, clock):
    """Three at a time: nine take three times as long as three."""
    began = clock.now()
    outcomes = virtually(run_many, requests_of(airbyte, 9), limit=3)
    assert 9 == sum(outcome.result is not None for outcome in outcomes)
    starts = sorted((job.created_at - began).total_seconds() for job in airbyte.jobs())
    assert [0, 0, 0, 30, 30, 30, 60, 60, 60] == pytest.approx(starts, abs=3)


def test_nothing_to_run_is_done_at_once(virtually):
    """An empty list of outcomes."""
    assert [] == virtually(run_many, [])


@pytest.mark.parametrize("limit", [0, -1, "3"])
def test_a_limit_is_above_zero(virtually, limit):
    """Anything else is refused."""
    with pytest.raises(InvalidInput, match="limit is"):
        virtually(run_many, [], limit=limit)


@pytest.mark.parametrize("limit", [None, 150])
def test_interrupting_two_hundred_cancels_two_hundred(virtually, airbyte, limit):
    """All that run, and none that waits is started."""
    airbyte.job_scripts.extend([LASTS_AN_HOUR] * 200)
    with pytest.raises(asyncio.CancelledError):
        virtually(run_many, requests_of(airbyte, 200), PATIENT, limit=limit, interrupt_after=[60])
    assert ["cancelled"] * (limit or 200) == statuses(airbyte)


def test_interrupting_many_leaves_them_where_that_was_chosen(virtually, airbyte):
    """All run on."""
    airbyte.job_scripts.extend([LASTS_AN_HOUR] * 20)
    with pytest.raises(asyncio.CancelledError):
        virtually(run_many, requests_of(airbyte, 20), on_interrupt=LEAVE, interrupt_after=[60])
    assert ["running"] * 20 == statuses(airbyte)
    assert 0 == airbyte.count("cancel")


def test_cancelling_many_is_bounded(virtually, airbyte, clock, caplog):
    """A server that is away holds nothing up for longer than cancel_timeout and half a minute."""
    airbyte.job_scripts.extend([LASTS_AN_HOUR] * 50)
    clock.at(
        clock.now() + timedelta(seconds=50),
        lambda: [
            airbyte.fail(each, *[CallFault(error=Forbidden("no", status=403))] * 9999)
            for each in ("cancel",)
        ],
    )
    began = clock.now()
    with pytest.raises(asyncio.CancelledError):
        virtually(run_many, requests_of(airbyte, 50), PATIENT, interrupt_after=[60])
    assert (clock.now() - began).total_seconds() < 60 + 120 + 31
    assert 50 == caplog.text.count("Could not cancel Airbyte job")


def test_a_second_interruption_ends_many_at_once(virtually, airbyte, clock, caplog):
    """What is being cancelled is dropped, and the log names each."""
    airbyte.job_scripts.extend([JobScript(steps=LASTS_AN_HOUR.steps, on_cancel=())] * 20)
    began = clock.now()
    with pytest.raises(asyncio.CancelledError):
        virtually(run_many, requests_of(airbyte, 20), PATIENT, interrupt_after=[60, 65])
    assert 66 > (clock.now() - began).total_seconds()
    assert 20 == caplog.text.count("Could not cancel Airbyte job")


def test_a_bug_in_a_callback_stops_no_other_sync(virtually, airbyte):
    """It is raised when the last has ended."""
    requests = requests_of(airbyte, 5)

    def on_event(request, event):
        if request is requests[2]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        virtually(run_many, requests, on_event=on_event)
    assert ["succeeded"] * 5 == statuses(airbyte)


# --- in real time ---


def when_running(number, happen):
    """Let something happen when so many syncs have started: what to give as ``on_event``."""
    started = []

    def on_event(*told):
        if isinstance(told[-1], JobObtained):
            started.append(told)
            if len(started) == number:
                asyncio.get_running_loop().call_later(0.05, happen)

    return on_event


def kill(number):
    return lambda: os.kill(os.getpid(), number)


def in_memory():
    return InMemoryAirbyte(clock=VirtualClock())


class Slow(AsyncInMemoryAirbyte):
    """A server whose answer to a submission takes a moment; the task that waits for it is cancelled."""

    error = None

    async def submit(self, connection_id, job_type):
        job = None if self.error else await super().submit(connection_id, job_type)
        self.task.cancel()
        await asyncio.sleep(0.2)
        if self.error is not None:
            raise self.error
        self.has_answered = True
        return job


@pytest.fixture
def interrupt_while_submitting(request_, new_async_store):
    """Run a request on a slow server; return it, and what the store keeps."""

    def interrupt(**options):
        airbyte = in_memory()
        airbyte.add_connection(request_.connection_id)
        airbyte.job_scripts.append(LASTS_AN_HOUR)
        gateway = Slow(airbyte)
        gateway.has_answered = False
        gateway.error = options.pop("error", None)

        async def main():
            gateway.task = asyncio.current_task()
            await run_sync_async(gateway, request_, QUICK, store=new_async_store(), **options)

        async def kept():
            async with new_async_store().open(key_of(request_)) as opened:
                return await opened.load()

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())
        return gateway, asyncio.run(kept())

    return interrupt


def test_a_submission_is_not_cut(interrupt_while_submitting):
    """An interruption waits for its answer, and cancels the job."""
    gateway, kept = interrupt_while_submitting()
    assert (True, None) == (gateway.has_answered, kept)
    assert ["cancelled"] == statuses(gateway.airbyte)


def test_a_submission_that_is_left_alone_is_not_waited_for(interrupt_while_submitting):
    """The store knows that it was made."""
    gateway, kept = interrupt_while_submitting(on_interrupt=LEAVE)
    assert (False, True) == (gateway.has_answered, kept.in_doubt)
    assert ["running"] == statuses(gateway.airbyte)


def test_a_submission_that_was_not_carried_out_leaves_nothing(interrupt_while_submitting):
    """There is nothing to look for."""
    gateway, kept = interrupt_while_submitting(error=RequestNotSent("no route to host"))
    assert (None, 0) == (kept, gateway.airbyte.count("find_jobs"))


def test_a_submission_that_may_have_been_carried_out_is_looked_for(interrupt_while_submitting):
    """Once; the store keeps it, because its job may appear later."""
    gateway, kept = interrupt_while_submitting(error=ResponseNotReceived("timed out"))
    assert (True, 1) == (kept.in_doubt, gateway.airbyte.count("find_jobs"))


def test_a_gateway_that_is_closed_meanwhile_changes_nothing(interrupt_while_submitting):
    """The cancellation goes on all the same."""
    _, kept = interrupt_while_submitting(error=AlreadyClosed("this gateway was closed"))
    assert kept.in_doubt


@pytest.mark.parametrize("function", [run_sync_async, run_many])
@pytest.mark.parametrize(
    ("number", "has_store", "expected"),
    [
        (signal.SIGTERM, False, "cancelled"),
        (signal.SIGTERM, True, "running"),
        (signal.SIGINT, False, "cancelled"),
        (signal.SIGINT, True, "cancelled"),
    ],
)
def test_a_signal_does_what_a_cancelled_task_does(
    function, request_, tmp_path, number, has_store, expected
):
    """And goes on as an exit."""
    airbyte = in_memory()
    airbyte.add_connection(request_.connection_id)
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    async def main():
        await function(
            AsyncInMemoryAirbyte(airbyte),
            [request_] if function is run_many else request_,
            QUICK,
            store=AsyncFileStore(tmp_path) if has_store else None,
            on_event=when_running(1, kill(number)),
        )

    with pytest.raises((SystemExit, KeyboardInterrupt)) as caught:
        asyncio.run(main())
    assert (143 if number == signal.SIGTERM else None) == getattr(caught.value, "code", None)
    assert [expected] == statuses(airbyte)
    assert before == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))


def test_a_signal_waits_for_all_that_it_has_interrupted(airbyte):
    """Also where a program gathers them itself."""
    airbyte.job_scripts.extend([LASTS_AN_HOUR] * 20)
    requests = requests_of(airbyte, 20)

    async def main():
        gateway = AsyncInMemoryAirbyte(airbyte)
        options = {"on_event": when_running(20, kill(signal.SIGTERM))}
        await asyncio.gather(
            *(run_sync_async(gateway, each, QUICK, **options) for each in requests)
        )

    with pytest.raises(SystemExit):
        asyncio.run(main())
    assert ["cancelled"] * 20 == statuses(airbyte)


def test_what_was_left_is_resumed_and_what_was_delivered_is_not(new_async_store, request_):
    """The same job, and then a new one."""
    airbyte = in_memory()
    airbyte.add_connection(request_.connection_id)
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    gateway = AsyncInMemoryAirbyte(airbyte)

    async def interrupted():
        await run_sync_async(
            gateway,
            request_,
            QUICK,
            store=new_async_store(),
            on_interrupt=LEAVE,
            on_event=when_running(1, asyncio.current_task().cancel),
        )

    async def again():
        async with JobFeed(gateway, AsyncSystemClock()) as feed:
            done = await run_sync_async(
                gateway, request_, QUICK, feed=feed, store=new_async_store()
            )
        return done.job.job_id

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    airbyte.clock.advance(timedelta(hours=2))
    assert 1 == asyncio.run(again())
    airbyte.job_scripts.append(JobScript.of((0, "running"), (0, "succeeded")))
    assert 2 == asyncio.run(again())


def test_many_with_a_store_each_have_their_own(new_async_store, airbyte):
    """One that another process follows is told of, and the others run."""
    requests = requests_of(airbyte, 5)
    airbyte.job_scripts.extend([JobScript.of((0, "running"), (0, "succeeded"))] * 5)

    async def main():
        async with new_async_store().open(key_of(requests[1])):
            return await run_many(
                AsyncInMemoryAirbyte(airbyte), requests, QUICK, store=new_async_store()
            )

    outcomes = asyncio.run(main())
    assert isinstance(outcomes[1].error, RequestLocked)
    assert 4 == sum(outcome.result is not None for outcome in outcomes)


def test_a_store_does_not_hold_up_the_loop(new_async_store):
    """A disk that takes its time lets other tasks go on."""

    def slow_clock():
        sleep(0.5)
        return VirtualClock().now()

    async def main():
        beats = []

        async def beat():
            while True:
                await asyncio.sleep(0.01)
                beats.append(1)

        heart = asyncio.ensure_future(beat())
        async with new_async_store(clock=slow_clock).open("key") as opened:
            await opened.save(Checkpoint.watching(1, Origin.STARTED, asked_at=VirtualClock().now()))
            await opened.load()
        heart.cancel()
        return len(beats)

    assert asyncio.run(main()) > 5
