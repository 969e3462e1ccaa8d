"""What operator and sensor share: one task at work on one job, in a worker.

A :class:`Work` holds what a flow is driven with, and what is known of the job so far. It tells people:
in the log, in the XCom ``airbyte_job`` and by the link on the task's page.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from airbyte_sync import AirbyteSyncError, Connection, describe_connection, run
from airbyte_sync_airflow.compat.task_instance import RequestStore, is_in_loop, noted_for_later
from airbyte_sync_airflow.links import publish
from airbyte_sync_airflow.triggers import AirbyteSyncTrigger
from airbyte_sync_airflow.worker import cancel  # noqa: F401 - a kill leaves no time to load it
from airbyte_sync_airflow.worker.charge import WorkerCharge
from airbyte_sync_airflow.worker.gateway import blocking_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airbyte_sync import Checkpoint, Interpreter, SyncPolicy
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.task_log import Follower


@dataclass(kw_only=True, slots=True)
class Work:
    """One task at work on one job."""

    task: Any
    context: Any
    server: AirbyteServer
    policy: SyncPolicy
    session: Interpreter
    follower: Follower
    store: RequestStore
    connection: Connection | None = None
    """What Airbyte says of the connection, once it was asked."""

    def introduce(self) -> None:
        """Tell which job it is and where to look at it, before the wait for its end begins."""
        self.describe()
        self.follower.introduce()
        self.publish()

    def describe(self) -> None:
        """Find out what a person calls the connection, and where the job can be looked at."""
        job = self.follower.job
        if job is None or job.connection_id is None or job.url is not None:
            return
        if self.connection is None:
            self.connection = run(describe_connection(job.connection_id), self.session)
        if self.connection is not None:
            self.follower.job = job.described(self.connection, self.server.ui_url)

    def publish(self) -> None:
        """Leave what is known of the job for other tasks and for the link."""
        if self.follower.job is not None:
            publish(self.task, self.context, self.follower.job)

    def wait_in_the_triggerer(
        self, checkpoint: Checkpoint, *, conn_id: str, cancel_on_kill: bool
    ) -> NoReturn:
        """Leave the rest to a trigger; the task's ``execute_complete`` hears how it ended."""
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
            kwargs=noted_for_later(self.context, checkpoint),
        )
        raise AssertionError("Airflow's defer() always raises")

    def cancels_on_kill(self, own_option: bool | None) -> bool:  # noqa: FBT001
        """Whether to cancel the job when the task is killed: as the task, else the connection says."""
        if own_option is not None:
            return own_option
        return bool(self.server.policy.get("cancel_on_kill", True))


@contextmanager
def at_work(
    task: Any,
    context: Any,
    *,
    server: AirbyteServer,
    policy: SyncPolicy,
    follower: Follower,
    on_save: Callable[[], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> Iterator[Work]:
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
    """
    store = RequestStore(context, task.log, on_save)
    task_instance = context.get("ti")  # there is none where a DAG's test calls the operator itself
    charge = (
        None
        if task_instance is None
        else WorkerCharge(task_instance, task.log, in_loop=is_in_loop(context))
    )
    with blocking_session(server, follower, store, is_stopped, charge) as session:
        work = Work(
            task=task,
            context=context,
            server=server,
            policy=policy,
            session=session,
            follower=follower,
            store=store,
        )
        try:
            yield work
        except AirbyteSyncError as error:
            if follower.job is not None:
                follower.job = follower.job.failed(error)
                work.introduce()
            raise
