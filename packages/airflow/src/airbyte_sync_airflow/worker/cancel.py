"""Cancelling the sync of a task that is killed in a worker, and what is said of one whose wait went wrong.

Airflow stops a task's process not only when a person marks the task: also when it was cleared, when a
worker shuts down, when a new scheduler has started the task for a second time, and on Airflow 3 when
its API server has not answered for a while. Only Airflow's word that the task was killed cancels the
sync. A person's kill reaches a worker of Airflow 3 through that very server, so that its silence makes
a kill less likely.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeAlias

from airbyte_sync import SyncPolicy, run
from airbyte_sync_airflow.cancelling import (
    NothingSaidError,
    StillWantedError,
    StoppedSync,
    cancel_sync,
    log_that_it_failed,
    server_for_cancelling,
)
from airbyte_sync_airflow.compat.airflow import AirflowTaskTimeout, current_context
from airbyte_sync_airflow.compat.supervisor import ask_in_turn
from airbyte_sync_airflow.compat.task_instance import is_in_loop
from airbyte_sync_airflow.compat.task_states import Standing, TaskKey, ask
from airbyte_sync_airflow.composition import open_interpreter
from airbyte_sync_airflow.report.task_log import Follower
from airbyte_sync_airflow.standstill import changes_something
from airbyte_sync_airflow.worker.checkpoint_store import checkpoint_left_behind, job_left_behind

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync import Checkpoint, Interpreter
    from airbyte_sync.commands import Command
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary

ANSWER_WITHIN = timedelta(seconds=3)
"""How long Airflow may take to say what became of a task. Airflow 3 ends its process five seconds after
it asked it to stop: what is left is for the cancellation, which is prepared meanwhile."""

ASK_AGAIN_SECONDS = 0.3
"""How long to wait after a question that Airflow did not answer."""

GRACE = timedelta(seconds=4)
"""For how long a cancellation is repeated."""


ReadServer: TypeAlias = "Callable[[Any], AirbyteServer]"
"""Returns where the Airflow connection leads, of a task's context: what was read before, or it asks."""


def cancel_if_killed(
    checkpoint: Checkpoint | None,
    job: JobSummary | None,
    *,
    log: Any,
    read_server: ReadServer,
    is_wanted: bool | None,
) -> None:
    """
    Cancel the sync of a task that was told to stop, if Airflow says that it was killed. Never raises.

    ``execution_timeout`` is our own clock: then nothing is asked.

    Args:
        checkpoint: How far this process has come; ``None`` where it has only just begun, as after a deferral.
        job: What is known of the job, for its link.
        log: The task's log.
        read_server: Returns where to send the cancellation.
        is_wanted: Whether to cancel at all; ``None``: as the Airflow connection says.
    """
    try:
        context = current_context()
    except (
        Exception
    ):  # outside of a task nothing is known but the checkpoint, and nothing can be asked
        context = None
    is_out_of_time = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
    word = _Word(_stopped(checkpoint, job, log), context, asks_for_the_state=not is_out_of_time)
    try:
        word.await_sync()
        _cancel(word.sync, context, read_server, is_wanted=is_wanted, guarded=word.guarded)
    except StillWantedError:
        log.warning(
            "This process was told to stop, but not its task: %s goes on. If no try of this task follows it, "
            "clear the task to follow it again, or cancel it in Airbyte",
            word.sync,
        )
    except NothingSaidError:
        log.warning(
            "This process was told to stop, and Airflow did not say in time whether its task was killed: %s "
            "was left alone. If no try of this task follows it, cancel it in Airbyte",
            word.sync,
        )
    except Exception:
        log_that_it_failed(word.sync)


def cancel_at_the_deadline(log: Any, context: Any, read_server: ReadServer) -> None:
    """
    Cancel the sync of a task whose deferral took too long: that is our own clock. Never raises.

    Args:
        log: The task's log.
        context: The task's context.
        read_server: Returns where to send the cancellation.
    """
    sync = _stopped(*_left_behind(log, context), log)
    try:
        _cancel(sync, context, read_server, is_wanted=True)
    except Exception:
        log_that_it_failed(sync)


def log_what_is_left(log: Any, context: Any, *, is_tried_again: bool) -> None:
    """
    Say what becomes of the sync of a task whose trigger has died: that is no kill. Never raises.

    Args:
        log: The task's log.
        context: The task's context.
        is_tried_again: Whether another try follows.
    """
    sync = _stopped(*_left_behind(log, context), log)
    if sync.checkpoint is None or sync.checkpoint.job_id is None:
        return
    if is_tried_again:
        log.warning(
            "The wait in the triggerer failed: %s goes on, and the next try follows it", sync
        )
    else:
        log.warning(
            "The wait in the triggerer failed: %s goes on, and no task follows it. Clear this task to follow "
            "it again, or cancel it in Airbyte",
            sync,
        )


def _stopped(checkpoint: Checkpoint | None, job: JobSummary | None, log: Any) -> StoppedSync:
    policy = SyncPolicy(cancel_timeout=GRACE)
    return StoppedSync(checkpoint=checkpoint, job=job, policy=policy, log=log)


def _cancel(
    sync: StoppedSync,
    context: Any,
    read_server: ReadServer,
    *,
    is_wanted: bool | None,
    guarded: Callable[[Interpreter], Interpreter] = lambda interpreter: interpreter,
) -> None:
    if sync.has_nothing_to_cancel:
        return
    server = read_server(context)
    if is_wanted is None and not server.policy.get("cancel_on_kill", True):
        return
    # What the task has open may be in the middle of a call: this needs a session of its own.
    with open_interpreter(server_for_cancelling(server), Follower(sync.log)) as interpreter:
        ended = run(cancel_sync(sync), guarded(interpreter))
    if ended is None and sync.checkpoint is not None and sync.checkpoint.in_doubt:
        sync.log.warning(
            "This process was told to stop while it submitted %s, which Airbyte does not show yet, and which "
            "may never have arrived. If no try of this task follows it, look for it in Airbyte and cancel it",
            sync,
        )


class _Word:
    """
    Airflow's word on a task that was stopped, asked for in a thread while the cancellation is prepared.

    The signal may have come in the middle of a question to Airflow, which then holds the line: whatever is
    asked here may never be answered.
    """

    def __init__(self, sync: StoppedSync, context: Any, *, asks_for_the_state: bool) -> None:
        self._end = monotonic() + ANSWER_WITHIN.total_seconds()
        self._context = context
        self._standing = Standing.UNKNOWN if asks_for_the_state else Standing.KILLED
        self.sync = sync
        """What is known of it so far."""
        ask_in_turn()
        self._looking = Thread(target=self._look, daemon=True)
        self._asking = Thread(target=self._ask, daemon=True)
        if context is not None and sync.checkpoint is None:
            self._looking.start()
        if context is not None and asks_for_the_state:
            self._asking.start()

    def _ask(self) -> None:
        with suppress(Exception):
            key = TaskKey.of(self._context["ti"], in_loop=is_in_loop(self._context))
            while self._standing is Standing.UNKNOWN and monotonic() < self._end:
                self._standing = ask([key])[key].standing
                if self._standing is Standing.UNKNOWN:
                    sleep(ASK_AGAIN_SECONDS)

    def _look(self) -> None:
        checkpoint, job = _left_behind(self.sync.log, self._context)
        self.sync = replace(self.sync, checkpoint=checkpoint, job=self.sync.job or job)

    def await_sync(self) -> None:
        """
        Wait until it is known how far this process, or another one of the same try, had come.

        Raises:
            NothingSaidError: Airflow does not say in time.
        """
        self._await(self._looking)
        if self._looking.is_alive():
            raise NothingSaidError

    def guarded(self, interpreter: Interpreter) -> Interpreter:
        """Return an interpreter that cancels nothing before the task is known to be killed."""
        return _Guarded(interpreter, self._await_kill)

    def _await_kill(self) -> None:
        self._await(self._asking)
        if self._standing is Standing.WANTED:
            raise StillWantedError
        if self._standing is Standing.UNKNOWN:
            raise NothingSaidError

    def _await(self, thread: Thread) -> None:
        if thread.ident is not None:
            thread.join(max(0.0, self._end - monotonic()))


class _Guarded:
    """Carries out commands; each cancellation has to be allowed."""

    def __init__(self, interpreter: Interpreter, await_kill: Callable[[], None]) -> None:
        self._interpreter = interpreter
        self._await_kill = await_kill

    def answer(self, command: Command[Any]) -> Any:
        if changes_something(command):
            self._await_kill()
        return self._interpreter.answer(command)


def _left_behind(log: Any, context: Any) -> tuple[Checkpoint | None, JobSummary | None]:
    """Return what another process of the same try left behind, as far as Airflow tells."""
    checkpoint, job = None, None
    try:
        checkpoint = checkpoint_left_behind(context, log)
        job = job_left_behind(context)
    except Exception:
        log.warning("Could not read which Airbyte job this task has", exc_info=True)
    return checkpoint, job
