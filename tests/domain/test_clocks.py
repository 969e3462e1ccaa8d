"""The real clocks tell UTC and really wait, a little; everything else uses a virtual one."""

import asyncio
import time
from datetime import timedelta, timezone

from airbyte_sync import AsyncClock, AsyncSystemClock, Clock, SystemClock
from airbyte_sync_testkit.clock import AsyncVirtualClock, VirtualClock

MOMENT = timedelta(milliseconds=5)


def test_the_system_clock_waits():
    """Sleeping blocks for about as long as asked, and the time is aware."""
    clock = SystemClock()
    before = time.monotonic()
    clock.sleep(MOMENT)
    assert time.monotonic() - before >= 0.004
    assert clock.now().tzinfo is timezone.utc
    assert isinstance(clock, Clock)


def test_the_async_system_clock_waits():
    """Sleeping suspends for about as long as asked, and the time is aware."""
    clock = AsyncSystemClock()
    before = time.monotonic()
    asyncio.run(clock.sleep(MOMENT))
    assert time.monotonic() - before >= 0.004
    assert clock.now().tzinfo is timezone.utc
    assert isinstance(clock, AsyncClock)


def test_a_virtual_clock_lets_things_happen_on_the_way():
    """What is planned happens at its moment, in order, also within one long sleep."""
    clock = VirtualClock()
    start = clock.now()
    seen = []
    for minutes in (3, 1, 2, 9):
        clock.at(start + timedelta(minutes=minutes), lambda: seen.append(clock.now() - start))
    asyncio.run(AsyncVirtualClock(clock).sleep(timedelta(minutes=5)))
    assert seen == [timedelta(minutes=minutes) for minutes in (1, 2, 3)]
    assert timedelta(minutes=5) == clock.now() - start
