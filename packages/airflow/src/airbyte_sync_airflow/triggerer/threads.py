"""Threads of our own, for what must block while an event loop goes on.

``sync_to_async`` has one thread for the whole triggerer, which the triggers of all providers share: a slow
question to Airflow, or to a secrets backend, would hold up every one of them. Each call made here has a
thread to itself. It is a daemon: a call that never returns does not keep a process alive that has been told
to stop.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")


class _DaemonThreads(Executor):
    """Starts a daemon thread for each call."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        Thread(target=work, name="airbyte-sync", daemon=True).start()
        return future


async def in_own_thread(call: Callable[..., T], *args: Any) -> T:
    """
    Call something that blocks, in a thread of its own.

    It may use Airflow's ``SUPERVISOR_COMMS``: on 3.0 and 3.1 these find the triggerer's loop only from a
    thread that asgiref knows.

    Args:
        call: What to call.
        *args: With what.

    Raises:
        Exception: What it raises.
    """
    executor = cast("ThreadPoolExecutor", _DaemonThreads())
    result: T = await sync_to_async(call, thread_sensitive=False, executor=executor)(*args)
    return result
