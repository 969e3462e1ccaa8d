"""Thousands of waiters, one sleep at a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from airbyte_sync_http.feed.timers import BATCH, Timers
from airbyte_sync_testkit import AsyncVirtualClock, VirtualClock, run_virtually

SECOND = timedelta(seconds=1)


@pytest.fixture
def time():
    return VirtualClock()


def play(scene, time):
    """Run a scene with timers in virtual time."""

    async def main():
        timers = Timers(AsyncVirtualClock(time))
        try:
            await scene(timers)
        finally:
            await timers.close()
        assert {asyncio.current_task()} == asyncio.all_tasks()

    run_virtually(main(), time)


def test_each_timer_fires_at_its_moment(time):
    """Whatever the order in which they were set; a later one does not hold up an earlier one."""
    started, fired = time.now(), {}

    async def scene(timers):
        async def sleep(seconds):
            waiter = asyncio.get_running_loop().create_future()
            timers.set(started + seconds * SECOND, waiter)
            assert await waiter is False
            fired[seconds] = (time.now() - started).total_seconds()

        async def late_riser():
            await asyncio.sleep(1)
            await sleep(2)

        await asyncio.gather(sleep(60), sleep(3), sleep(5), late_riser())

    play(scene, time)
    assert {2: 2, 3: 3, 5: 5, 60: 60} == {seconds: round(at) for seconds, at in fired.items()}
    assert all(0 <= at - seconds <= 0.1 for seconds, at in fired.items())


def test_a_crowd_is_woken_in_batches(time):
    """The loop has time for others in between."""
    woken, after_each_turn = [], set()

    async def scene(timers):
        loop = asyncio.get_running_loop()

        async def sleep():
            waiter = loop.create_future()
            timers.set(time.now() + SECOND, waiter)
            woken.append(await waiter)
            loop.call_soon(lambda: after_each_turn.add(len(woken)))

        await asyncio.gather(*(sleep() for _ in range(10 * BATCH)))

    play(scene, time)
    assert len(after_each_turn) >= 9


def test_a_timer_without_a_waiter_is_forgotten(time):
    """The task does not sleep for a wait that has ended."""

    async def scene(timers):
        waiter = asyncio.get_running_loop().create_future()
        timers.set(time.now() + SECOND, waiter)
        waiter.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert {asyncio.current_task()} == asyncio.all_tasks()

    play(scene, time)


def test_closing_fires_all_timers(time):
    """And ends the sleep."""
    started = time.now()

    async def scene(timers):
        waiter, gone = (asyncio.get_running_loop().create_future() for _ in range(2))
        for one in (waiter, gone):
            timers.set(time.now() + SECOND, one)
        await asyncio.sleep(0)
        gone.cancel()
        await timers.close()
        assert waiter.result() is False

    play(scene, time)
    assert started == time.now()


def test_closing_while_they_fire_fires_all_timers(time):
    """Those who were to be woken in a later turn of the loop are not forgotten."""

    async def scene(timers):
        waiters = [asyncio.get_running_loop().create_future() for _ in range(5 * BATCH)]
        for waiter in waiters:
            timers.set(time.now() + SECOND, waiter)
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        assert not all(waiter.done() for waiter in waiters)
        waiters[-1].cancel()
        await timers.close()
        assert all(waiter.done() for waiter in waiters)

    play(scene, time)


def test_a_clock_that_cannot_sleep_is_not_asked_again(time):
    """A bug ends the task, and does not spin."""
    sleeps = []

    class Broken(AsyncVirtualClock):
        async def sleep(self, duration):
            sleeps.append(duration)
            raise ZeroDivisionError

    async def main():
        timers = Timers(Broken(time))
        timers.set(time.now() + SECOND, asyncio.get_running_loop().create_future())
        [task] = asyncio.all_tasks() - {asyncio.current_task()}
        with pytest.raises(ZeroDivisionError):
            await task
        await timers.close()

    run_virtually(main(), time)
    assert 1 == len(sleeps)
