"""Virtual time: hours pass in no time, and both colours share them."""

import asyncio
from datetime import timedelta

from airbyte_sync.ports import AsyncClock, Clock
from airbyte_sync_testkit import AsyncVirtualClock, VirtualClock

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
    """A server and a client in two colours agree on the time."""
    clock = VirtualClock()
    started = clock.now()
    asyncio.run(AsyncVirtualClock(clock).sleep(HOUR))
    assert HOUR == clock.now() - started
