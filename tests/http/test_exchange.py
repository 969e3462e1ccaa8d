"""One call is one flow of requests and responses, and both interpreters hold its lock just as long."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from threading import Thread

import pytest

from airbyte_sync import RequestNotSent, arun, run
from airbyte_sync.commands import Now
from airbyte_sync_http import HttpRequest, HttpResponse
from airbyte_sync_http.auth.tokens import Acquire, Release, Send, TwoLocks
from airbyte_sync_http.gateway import AsyncTransportInterpreter, TransportInterpreter

REQUEST = HttpRequest(
    method="GET",
    url="http://localhost:8000",
    headers={},
    connect_timeout=timedelta(seconds=1),
    read_timeout=timedelta(seconds=1),
)
ANSWER = HttpResponse(status=200)


class Answers:
    """A transport that answers, or raises, and looks at a lock meanwhile."""

    def __init__(self, lock, *answers):
        self.is_free, self.answers, self.seen = lock, list(answers), []

    def send(self, _request):
        self.seen.append(self.is_free())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class AsyncAnswers(Answers):
    """The same, async."""

    async def send(self, request):
        await asyncio.sleep(0)
        return super().send(request)


def blocking(flow, lock, *answers):
    """Drive a flow; return its result, and whether other threads could take the lock at each request."""

    def is_free():
        taken = []

        def take():
            taken.append(lock.blocking.acquire(blocking=False))
            if taken[0]:
                lock.blocking.release()

        thread = Thread(target=take)
        thread.start()
        thread.join()
        return taken[0]

    transport = Answers(is_free, *answers)
    try:
        with ExitStack() as locks:
            return run(flow, TransportInterpreter(transport, locks)), transport.seen
    finally:
        assert is_free()


def asynchronous(flow, lock, *answers):
    """The same for other tasks."""

    async def main():
        def is_free():
            return not lock.of_running_loop().locked()

        transport = AsyncAnswers(is_free, *answers)
        try:
            async with AsyncExitStack() as locks:
                interpreter = AsyncTransportInterpreter(transport, locks)
                return await arun(flow, interpreter), transport.seen
        finally:
            assert is_free()

    return asyncio.run(main())


BOTH = pytest.mark.parametrize("drive", [blocking, asynchronous])


@BOTH
def test_a_lock_is_held_from_acquire_to_release(drive):
    """And taken again when it is wanted again."""
    lock = TwoLocks()

    def flow():
        yield from Send(REQUEST)
        yield from Acquire(lock)
        yield from Send(REQUEST)
        yield from Release()
        yield from Send(REQUEST)
        yield from Acquire(lock)
        response = yield from Send(REQUEST)
        yield from Release()
        return response.status

    assert (200, [True, False, True, False]) == drive(flow(), lock, *[ANSWER] * 4)


@BOTH
def test_an_error_is_thrown_into_the_flow(drive):
    """It may go on after it."""
    lock = TwoLocks()

    def flow():
        try:
            yield from Send(REQUEST)
        except RequestNotSent:
            response = yield from Send(REQUEST)
        return response.status

    assert (200, [True, True]) == drive(flow(), lock, RequestNotSent("down"), ANSWER)


@BOTH
@pytest.mark.parametrize("error", [RequestNotSent("down"), ZeroDivisionError()])
def test_a_flow_that_fails_gives_its_lock_back(drive, error):
    """Whether the error is one of ours or a bug of a transport."""
    lock, ended = TwoLocks(), []

    def flow():
        try:
            yield from Acquire(lock)
            yield from Send(REQUEST)
        finally:
            ended.append(True)

    with pytest.raises(type(error)):
        drive(flow(), lock, error)
    assert [True] == ended


def test_a_signal_handler_may_make_a_call_of_its_own():
    """It runs in the thread that holds the lock."""
    lock = TwoLocks()

    def flow():
        yield from Acquire(lock)
        response = yield from Send(REQUEST)
        yield from Release()
        return response.status

    def call(transport):
        with ExitStack() as locks:
            return run(flow(), TransportInterpreter(transport, locks))

    class Interrupted:
        def send(self, _request):
            return HttpResponse(status=call(Answers(lambda: None, ANSWER)) + 1)

    assert 201 == call(Interrupted())


def test_what_is_no_command_of_a_call_is_refused():
    """A bug shows itself where it is, not as an answer that is missing."""
    with pytest.raises(TypeError, match="is not a command"):
        TransportInterpreter(None, ExitStack()).answer(Now())
    with pytest.raises(TypeError, match="is not a command"):
        asyncio.run(AsyncTransportInterpreter(None, AsyncExitStack()).answer(Now()))
