"""The one way in for a task in a worker: open what it needs, run a flow, report, close.

A :class:`TaskSession` holds what a flow is driven with, and what is known of the job so far. It reports to
people: in the log, in the XCom ``airbyte_job`` and by the link on the task's page.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from airbyte_sync import AirbyteSyncError, Connection, describe_connection, run, step
from airbyte_sync.commands import Now
from airbyte_sync_airflow.compat.task_instance import defer_kwargs, is_in_loop
from airbyte_sync_airflow.composition import open_interpreter
from airbyte_sync_airflow.exceptions import AirbyteTaskKilled
from airbyte_sync_airflow.links import publish
from airbyte_sync_airflow.report.job_summary import named
from airbyte_sync_airflow.triggers import AirbyteSyncTrigger
from airbyte_sync_airflow.worker import cancel  # noqa: F401 - a kill leaves no time to load it
from airbyte_sync_airflow.worker.charge import WorkerCharge
from airbyte_sync_airflow.worker.checkpoint_store import RequestStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airbyte_sync import Checkpoint, Done, Flow, Interpreter, Pause, SyncPolicy, SyncResult
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary
    from airbyte_sync_airflow.report.task_log import Follower

T = TypeVar("T")

_ASK_AGAIN_AFTER = timedelta(minutes=1)
"""How long Airbyte is not asked again what a connection is called, when it did not say."""


@dataclass(kw_only=True, slots=True)
class TaskSession:
    """One task that works on one job."""

    task: Any
    context: Any
    server: AirbyteServer
    policy: SyncPolicy
    interpreter: Interpreter
    follower: Follower
    store: RequestStore
    connection: Connection | None = None
    """What Airbyte says of the connection, once it was asked."""
    asked_at: datetime | None = None
    """When that was."""
    idle_for: timedelta | None = None
    """In how long this process needs the server again; ``None``: not at all."""

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its end."""
        return run(flow, self.interpreter)

    def step(self, flow: Flow[T]) -> Done[T] | Pause:
        """Drive a flow up to its first pause or its end."""
        return step(flow, self.interpreter)

    def wait(self, pause: Pause) -> None:
        """Wait in this process for as long as a flow asked to."""
        self.interpreter.answer(pause)

    def conclude(self, result: SyncResult) -> None:
        """Take note of what is known of a sync that succeeded."""
        if self.follower.job is not None:
            self.follower.job = self.follower.job.concluded(result)

    def tell(self) -> None:
        """
        Tell what is known of the job: how the task came to it, once, in the log; the rest by XCom and link.

        Before the wait for its end begins, and when it has ended.
        """
        if self.follower.job is None:
            return
        self.follower.job = self.describe(self.follower.job)
        self.follower.announce()
        publish(self.task, self.context, self.follower.job)

    def describe(self, job: JobSummary) -> JobSummary:
        """Find out what a person calls the connection, and the job's link."""
        if job.connection_id is None or job.url is not None:
            return job
        if self.connection is None:
            now = self.interpreter.answer(Now())
            if self.asked_at is None or now - self.asked_at >= _ASK_AGAIN_AFTER:
                self.asked_at = now
                self.connection = self.run(describe_connection(job.connection_id))
        if self.connection is None:
            return job
        return job.described(self.connection, self.server.settings.ui_url)

    def defer(self, checkpoint: Checkpoint, *, conn_id: str, cancel_on_kill: bool) -> NoReturn:
        """Leave the rest to a trigger; the task's ``execute_complete`` is told how it ended."""
        job = self.follower.job
        self.task.defer(
            trigger=AirbyteSyncTrigger(
                airbyte_conn_id=conn_id,
                api_version=self.task.api_version,
                checkpoint=checkpoint.to_json(),
                policy=self.policy.to_json(),
                job=None if job is None else job.to_json(),
                cancel_on_kill=cancel_on_kill,
                in_loop=is_in_loop(self.context),
            ),
            method_name="execute_complete",
            kwargs=defer_kwargs(self.context, checkpoint),
        )
        raise AssertionError("Airflow's defer() always raises")

    def cancels_on_kill(self, own_option: bool | None) -> bool:  # noqa: FBT001
        """Whether to cancel the job when the task is killed: as the task, else the connection says."""
        if own_option is not None:
            return own_option
        return bool(self.server.policy.get("cancel_on_kill", True))


@contextmanager
def open_session(
    task: Any,
    context: Any,
    *,
    server: AirbyteServer,
    policy: SyncPolicy,
    follower: Follower,
    on_save: Callable[[], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> Iterator[TaskSession]:
    """
    Open what a task needs, and tell how the job ended when it did not end well.

    Args:
        task: The operator or sensor.
        context: Its context.
        server: Where to send requests.
        policy: How to see the job through.
        follower: Knows the job.
        on_save: Called whenever it is remembered how far the request has come.
        is_stopped: Tells whether to wait no longer, because the task was killed.

    Raises:
        AirbyteSyncError: What the flow raised.
        AirbyteTaskKilled: The process was told to stop; the text names the job, for callbacks.
    """
    store = RequestStore(context, task.log, on_save)
    task_instance = context.get("ti")  # there is none where a DAG's test calls the operator itself
    charge = (
        None
        if task_instance is None
        else WorkerCharge(task_instance, task.log, in_loop=is_in_loop(context))
    )
    with open_interpreter(
        server,
        follower,
        store,
        is_stopped=is_stopped,
        await_charge=None if charge is None else charge.await_word,
        idle_for=lambda: session.idle_for,
    ) as interpreter:
        session = TaskSession(
            task=task,
            context=context,
            server=server,
            policy=policy,
            interpreter=interpreter,
            follower=follower,
            store=store,
        )
        try:
            yield session
        except AirbyteSyncError as error:
            if follower.job is not None:
                follower.job = follower.job.failed(error)
                session.tell()
            raise
        except AirbyteTaskKilled as killed:
            if follower.job is None:
                raise
            job = named(follower.job.job_id, follower.job)
            raise AirbyteTaskKilled(f"{killed}: {job}") from None
