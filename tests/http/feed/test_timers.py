"""Thousands of sleepers, one nap at a time."""

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
    """Run a scene with alarms in virtual time."""

    async def main():
        alarms = Timers(AsyncVirtualClock(time))
        try:
            await scene(alarms)
        finally:
            await alarms.close()
        assert {asyncio.current_task()} == asyncio.all_tasks()

    run_virtually(main(), time)


def test_each_alarm_rings_at_its_moment(time):
    """Whatever the order in which they were set; a later one does not hold up an earlier one."""
    started, rang = time.now(), {}

    async def scene(alarms):
        async def sleep(seconds):
            sleeper = asyncio.get_running_loop().create_future()
            alarms.set(started + seconds * SECOND, sleeper)
            assert await sleeper is False
            rang[seconds] = (time.now() - started).total_seconds()

        async def late_riser():
            await asyncio.sleep(1)
            await sleep(2)

        await asyncio.gather(sleep(60), sleep(3), sleep(5), late_riser())

    play(scene, time)
    assert {2: 2, 3: 3, 5: 5, 60: 60} == {seconds: round(at) for seconds, at in rang.items()}
    assert all(0 <= at - seconds <= 0.1 for seconds, at in rang.items())


def test_a_crowd_is_woken_in_batches(time):
    """The loop has time for others in between."""
    woken, after_each_turn = [], set()

    async def scene(alarms):
        loop = asyncio.get_running_loop()

        async def sleep():
            sleeper = loop.create_future()
            alarms.set(time.now() + SECOND, sleeper)
            woken.append(await sleeper)
            loop.call_soon(lambda: after_each_turn.add(len(woken)))

        await asyncio.gather(*(sleep() for _ in range(10 * BATCH)))

    play(scene, time)
    assert len(after_each_turn) >= 9


def test_an_alarm_for_nobody_is_forgotten(time):
    """Whoever woke for another reason is not waited for."""

    async def scene(alarms):
        sleeper = asyncio.get_running_loop().create_future()
        alarms.set(time.now() + SECOND, sleeper)
        sleeper.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert {asyncio.current_task()} == asyncio.all_tasks()

    play(scene, time)


def test_closing_rings_for_everybody(time):
    """And ends the nap."""
    started = time.now()

    async def scene(alarms):
        sleeper, gone = (asyncio.get_running_loop().create_future() for _ in range(2))
        for one in (sleeper, gone):
            alarms.set(time.now() + SECOND, one)
        await asyncio.sleep(0)
        gone.cancel()
        await alarms.close()
        assert sleeper.result() is False

    play(scene, time)
    assert started == time.now()


def test_closing_while_they_ring_rings_for_everybody(time):
    """Those who were to be woken in a later turn of the loop are not forgotten."""

    async def scene(alarms):
        sleepers = [asyncio.get_running_loop().create_future() for _ in range(5 * BATCH)]
        for sleeper in sleepers:
            alarms.set(time.now() + SECOND, sleeper)
        await asyncio.wait(sleepers, return_when=asyncio.FIRST_COMPLETED)
        assert not all(sleeper.done() for sleeper in sleepers)
        sleepers[-1].cancel()
        await alarms.close()
        assert all(sleeper.done() for sleeper in sleepers)

    play(scene, time)


def test_a_clock_that_cannot_sleep_is_not_asked_again(time):
    """A bug ends the keeper, and does not spin."""
    naps = []

    class Broken(AsyncVirtualClock):
        async def sleep(self, duration):
            naps.append(duration)
            raise ZeroDivisionError

    async def main():
        alarms = Timers(Broken(time))
        alarms.set(time.now() + SECOND, asyncio.get_running_loop().create_future())
        [keeper] = asyncio.all_tasks() - {asyncio.current_task()}
        with pytest.raises(ZeroDivisionError):
            await keeper
        await alarms.close()

    run_virtually(main(), time)
    assert 1 == len(naps)
