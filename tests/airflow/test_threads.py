"""What blocks has a thread of its own, and holds up nothing else."""

import asyncio
import threading

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from airbyte_sync_airflow.triggerer.threads import in_own_thread


def test_the_one_thread_of_a_triggerer_stays_free():
    """All triggers share it for what blocks; a question without an answer is not in their way."""
    answered = threading.Event()

    async def main():
        question = asyncio.ensure_future(in_own_thread(answered.wait, 30))
        await sync_to_async(answered.set)()  # behind the question this would wait for ever
        return await question

    assert asyncio.run(main()) is True


def test_several_calls_run_at_the_same_time():
    """None waits for another."""
    meeting = threading.Barrier(3)

    async def main():
        return await asyncio.gather(*(in_own_thread(meeting.wait, 30) for _ in range(3)))

    assert [0, 1, 2] == sorted(asyncio.run(main()))


def test_a_call_finds_the_loop_that_it_was_made_on():
    """Airflow 3.0 and 3.1 send their messages there with ``async_to_sync``."""

    async def send():
        return asyncio.get_running_loop()

    async def main():
        return await in_own_thread(async_to_sync(send)), asyncio.get_running_loop()

    used, running = asyncio.run(main())
    assert used is running


def test_what_a_call_raises_is_raised():
    """As if it had been called here."""

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(in_own_thread(fail))


def test_a_call_that_never_returns_does_not_keep_a_process_alive():
    """Airflow's answer may never come when its process has ended already."""

    async def names():
        return await in_own_thread(lambda: threading.current_thread().daemon)

    assert asyncio.run(names()) is True
