"""Virtual time: hours pass in no time, and blocking and async code share them."""

import asyncio
from datetime import timedelta

import pytest

from airbyte_sync.ports import AsyncClock, Clock
from airbyte_sync_testkit import AsyncVirtualClock, VirtualClock, run_virtually

HOUR = timedelta(hours=1)


def test_both_clocks_are_what_the_ports_ask_for():
    """They stand in for the system's clocks."""
    assert isinstance(VirtualClock(), Clock)
    assert isinstance(AsyncVirtualClock(), AsyncClock)


def test_sleeping_moves_the_time_and_is_remembered():
    """A test can tell how long something slept."""
    clock = VirtualClock()
    started = clock.now()
    clock.sleep(HOUR)
    clock.advance(HOUR)
    assert (2 * HOUR, [HOUR]) == (clock.now() - started, clock.slept)


def test_the_async_clock_moves_the_blocking_one():
    """A blocking server and an async client agree on the time."""
    clock = VirtualClock()
    started = clock.now()
    asyncio.run(AsyncVirtualClock(clock).sleep(HOUR))
    assert HOUR == clock.now() - started


def test_on_a_virtual_loop_several_sleep_at_the_same_time():
    """The time moves on to the task that wakes first, and all of asyncio goes by it."""
    clock = VirtualClock()
    started = clock.now()
    woken = []

    async def sleep(hours):
        await AsyncVirtualClock(clock).sleep(hours * HOUR)
        woken.append((hours, clock.now() - started))

    async def main():
        clock.at(started + 2 * HOUR, lambda: woken.append("on the way"))
        await asyncio.wait_for(asyncio.gather(sleep(3), sleep(1), sleep(2)), 4 * 3600)

    run_virtually(main(), clock)
    assert [(1, HOUR), "on the way", (2, 2 * HOUR), (3, 3 * HOUR)] == woken
    assert [3 * HOUR, HOUR, 2 * HOUR] == clock.slept


def test_a_virtual_loop_ends_what_is_left_running():
    """What was begun in the background is cancelled, as in real time."""
    clock = VirtualClock()

    async def main():
        return asyncio.create_task(AsyncVirtualClock(clock).sleep(HOUR))

    left = run_virtually(main(), clock)
    assert left.cancelled()


def test_a_virtual_loop_does_not_hang():
    """Where no task will ever wake, the test fails instead."""

    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="would hang"):
        run_virtually(main(), VirtualClock())
