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
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from airbyte_sync import SyncPolicy, abandon, run
from airbyte_sync_airflow.compat.airflow import AirflowTaskTimeout, current_context
from airbyte_sync_airflow.compat.task_instance import (
    checkpoint_left_behind,
    is_in_loop,
    job_left_behind,
)
from airbyte_sync_airflow.compat.task_states import Standing, TaskKey, ask
from airbyte_sync_airflow.config.conn_id import rendered_conn_id
from airbyte_sync_airflow.config.connection import read_server
from airbyte_sync_airflow.report.job_summary import named
from airbyte_sync_airflow.report.task_log import Follower
from airbyte_sync_airflow.standstill import changes_something
from airbyte_sync_airflow.worker.gateway import blocking_session

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
"""Until when a cancellation is insisted on, from the beginning of it all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppedTask:
    """What a process knows that was told to stop."""

    task: Any
    """The operator or sensor."""
    conn_id: str
    """The Airflow connection; empty where it was not rendered yet."""
    server: AirbyteServer | None
    """Where that leads, where it was read already: a signal handler had better not ask."""
    checkpoint: Checkpoint | None
    """How far this process has come; ``None`` where it has only just begun, as after a deferral."""
    job: JobSummary | None
    """What is known of the job, for its link."""
    is_wanted: bool | None
    """Whether to cancel at all; ``None``: as the Airflow connection says."""


def abandon_when_killed(stopped: StoppedTask) -> None:
    """
    Cancel the sync of a task that was told to stop, if Airflow says that it was killed. Never raises.

    ``execution_timeout`` is our own clock: then nothing is asked.

    Args:
        stopped: What is known of the task.
    """
    if stopped.is_wanted is False:
        return
    try:
        context = current_context()
    except (
        Exception
    ):  # outside of a task nothing is known but the checkpoint, and nothing can be asked
        context = None
    is_out_of_time = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
    word = _Word(stopped, context, asks_for_the_state=not is_out_of_time)
    try:
        _abandon(stopped, context, word)
    except _NotKilledError:
        stopped.task.log.info("This process was told to stop, but not its task: the sync goes on")
    except _NothingSaidError:
        stopped.task.log.warning(
            "This process was told to stop, and Airflow does not say in time whether its task was killed: %s "
            "was left alone. If no try of this task follows it, cancel it in Airbyte",
            _named(word.checkpoint, word.job),
        )
    except Exception:
        stopped.task.log.exception(
            "Could not cancel %s: cancel it in Airbyte", _named(word.checkpoint, word.job)
        )


def say_what_is_left(task: Any, context: Any, *, is_tried_again: bool) -> None:
    """
    Say what becomes of the sync of a task whose trigger has died: that is no kill. Never raises.

    Args:
        task: The operator.
        context: Its context.
        is_tried_again: Whether another try follows.
    """
    checkpoint, job = _left_behind(task, context)
    if checkpoint is None or checkpoint.job_id is None:
        return
    sync = _named(checkpoint, job)
    if is_tried_again:
        task.log.warning(
            "The wait in the triggerer failed: %s goes on, and the next try follows it", sync
        )
    else:
        task.log.warning(
            "The wait in the triggerer failed: %s goes on, and no task follows it. Clear this task to follow "
            "it again, or cancel it in Airbyte",
            sync,
        )


def abandon_at_the_deadline(task: Any, context: Any, conn_id: str) -> None:
    """
    Cancel the sync of a task whose deferral took too long: that is our own clock. Never raises.

    Args:
        task: The operator.
        context: Its context.
        conn_id: The Airflow connection; empty where it was not rendered yet.
    """
    checkpoint, job = _left_behind(task, context)
    stopped = StoppedTask(
        task=task, conn_id=conn_id, server=None, checkpoint=checkpoint, job=job, is_wanted=True
    )
    try:
        _cancel(stopped, context, checkpoint, lambda interpreter: interpreter)
    except Exception:
        task.log.exception("Could not cancel %s: cancel it in Airbyte", _named(checkpoint, job))


def _abandon(stopped: StoppedTask, context: Any, word: _Word) -> None:
    checkpoint = stopped.checkpoint
    if checkpoint is None:
        if context is None:
            return
        checkpoint = word.await_checkpoint()
    _cancel(stopped, context, checkpoint, word.before_a_cancellation)


def _cancel(
    stopped: StoppedTask,
    context: Any,
    checkpoint: Checkpoint | None,
    cautious: Callable[[Interpreter], Interpreter],
) -> None:
    task = stopped.task
    if checkpoint is None:
        return
    server = stopped.server
    if server is None:
        conn_id = stopped.conn_id or rendered_conn_id(task, context)
        server = read_server(conn_id, task.api_version)
    if stopped.is_wanted is None and not server.policy.get("cancel_on_kill", True):
        return
    # What the task has open may be in the middle of a call: this needs a session of its own.
    hasty = replace(server, settings=server.settings.with_short_timeouts())
    with blocking_session(hasty, Follower(task.log)) as session:
        run(abandon(checkpoint, SyncPolicy(cancel_timeout=GRACE)), cautious(session))


class _Word:
    """
    Airflow's word on a task that was stopped, asked for in a thread while the cancellation is prepared.

    The signal may have come in the middle of a question to Airflow, which then holds the line: whatever is
    asked here may never be answered.
    """

    def __init__(self, stopped: StoppedTask, context: Any, *, asks_for_the_state: bool) -> None:
        self._end = monotonic() + ANSWER_WITHIN.total_seconds()
        self._stopped = stopped
        self._context = context
        self._standing = Standing.UNKNOWN if asks_for_the_state else Standing.KILLED
        self.checkpoint = stopped.checkpoint
        self.job = stopped.job
        self._looking = Thread(target=self._look, daemon=True)
        self._asking = Thread(target=self._ask, daemon=True)
        if context is not None and stopped.checkpoint is None:
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
        self.checkpoint, job = _left_behind(self._stopped.task, self._context)
        self.job = self.job or job

    def await_checkpoint(self) -> Checkpoint | None:
        """
        Return how far another process of the same try had come.

        Raises:
            _NothingSaidError: Airflow does not say in time.
        """
        self._await(self._looking)
        if self._looking.is_alive():
            raise _NothingSaidError
        return self.checkpoint

    def before_a_cancellation(self, interpreter: Interpreter) -> Interpreter:
        """Return an interpreter that cancels nothing before the task is known to be killed."""
        return _Reluctant(interpreter, self._await_kill)

    def _await_kill(self) -> None:
        self._await(self._asking)
        if self._standing is Standing.WANTED:
            raise _NotKilledError
        if self._standing is Standing.UNKNOWN:
            raise _NothingSaidError

    def _await(self, thread: Thread) -> None:
        if thread.ident is not None:
            thread.join(max(0.0, self._end - monotonic()))


class _Reluctant:
    """Carries out commands; each cancellation has to be allowed."""

    def __init__(self, interpreter: Interpreter, await_kill: Callable[[], None]) -> None:
        self._interpreter = interpreter
        self._await_kill = await_kill

    def answer(self, command: Command[Any]) -> Any:
        if changes_something(command):
            self._await_kill()
        return self._interpreter.answer(command)


class _NotKilledError(Exception):
    """Airflow says that the task goes on. No domain error: no flow has to judge it."""


class _NothingSaidError(Exception):
    """Airflow does not say in time."""


def _left_behind(task: Any, context: Any) -> tuple[Checkpoint | None, JobSummary | None]:
    """Return what another process of the same try left behind, as far as Airflow tells."""
    checkpoint, job = None, None
    try:
        checkpoint = checkpoint_left_behind(context, task.log)
        job = job_left_behind(context)
    except Exception:
        task.log.warning("Airflow does not tell which Airbyte job this task has", exc_info=True)
    return checkpoint, job


def _named(checkpoint: Checkpoint | None, job: JobSummary | None) -> str:
    """Return what a log line calls a sync of which perhaps no job is known."""
    job_id = None if checkpoint is None else checkpoint.job_id
    return "the sync of this task" if job_id is None else named(job_id, job)
