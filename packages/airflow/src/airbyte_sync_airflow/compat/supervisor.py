"""The line from a task's process to its supervisor on Airflow 3, where several threads use it.

==========  ==============================================================================================
3.0, 3.1    no lock: threads that ask at the same time read each other's answers, and the task never ends
3.2 to 3.4  a lock around each question and its answer
==========  ==============================================================================================

While Airflow is silent the supervisor answers late, so that a thread still waits when the next one asks.

Source: ``CommsDecoder.send`` in ``sdk/execution_time/comms.py`` of 3.0.6, 3.1.8, 3.2.2 and 3.3.2, and a task
on 3.0.6 that did not end.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import Any

_TURN = Lock()


class _InTurn:
    """Airflow's end of the line, on which one question at a time is asked and answered."""

    def __init__(self, line: Any) -> None:
        self._line = line

    def send(self, *args: Any, **kwargs: Any) -> Any:
        with _TURN:
            return self._line.send(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)


def ask_in_turn() -> None:
    """
    Make all threads of this process ask the supervisor one after the other; to repeat it changes nothing.

    To be called before a thread is started that may ask. It does nothing outside of a task's process, nor
    where Airflow has a lock of its own.
    """
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    line = getattr(runner, "SUPERVISOR_COMMS", None)
    if line is None or isinstance(line, _InTurn):
        return
    # ``dag.test()`` asks within its own process. A triggerer's line has ``_lock``, a task's from 3.2 on
    # ``_thread_lock``.
    if hasattr(line, "socket") and not hasattr(line, "_lock") and not hasattr(line, "_thread_lock"):
        setattr(runner, "SUPERVISOR_COMMS", _InTurn(line))  # noqa: B010 - a module's global
