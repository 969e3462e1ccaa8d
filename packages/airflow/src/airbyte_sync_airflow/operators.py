"""The operator: one task, one Airbyte sync, in one of three modes.

It translates between Airflow and the flows of :mod:`airbyte_sync` and decides nothing itself. What
a flow needs is imported when a task runs, so that parsing a DAG costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat import RETURN_VALUE, BaseOperator, conf
from airbyte_sync_airflow.conn_id import depend_on_what_it_names, rendered_conn_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context

    from airbyte_sync import SyncPolicy
    from airbyte_sync.events import Event

KILL_GRACE_SECONDS = 4
"""Airflow 3 ends a task's process five seconds after it asked it to stop."""


class AirbyteTriggerSyncOperator(BaseOperator):
    """
    Run a sync of an Airbyte connection.

    By default the task waits for the end of the sync and occupies a worker meanwhile. With
    ``deferrable`` a trigger waits and the worker is free. With ``asynchronous`` the task ends as
    soon as Airbyte has taken the sync; follow it with an
    :class:`~airbyte_sync_airflow.sensors.AirbyteJobSensor`.

    The result, in every mode, is the id of the Airbyte job.

    Args:
        connection_id: The UUID of the Airbyte connection to sync. A template.
        airbyte_conn_id: The Airflow connection that leads to the Airbyte server. A template, too.
        asynchronous: End as soon as Airbyte has taken the sync; wins over ``deferrable``.
        deferrable: Wait in the triggerer.
        api_version: The version in the API's address.
        wait_seconds: Seconds between two looks at the job; deferred, the shortest such time.
        timeout: Seconds until the sync must have ended; then it is cancelled and the task fails.
        on_conflict: What to do when the connection is busy with a sync that began before this task
            asked: ``queue`` (wait for it, then run ours), ``attach``, ``skip`` or ``fail``.
        **kwargs: What every operator takes.

    Raises:
        AirflowException: An argument cannot be right; raised when the DAG is parsed.
    """

    template_fields: Sequence[str] = ("connection_id",)
    ui_color: str = "#6C51FD"

    _conn_id = ""
    """What ``airbyte_conn_id`` rendered to."""
    _own_job_id: int | None = None
    """The job to cancel when the task is killed."""
    _is_killed = False

    def __init__(  # noqa: PLR0917 - the specified signature
        self,
        connection_id: str,
        airbyte_conn_id: str = "airbyte_default",
        asynchronous: bool = False,  # noqa: FBT001, FBT002
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),  # noqa: FBT001
        api_version: str = "v1",
        wait_seconds: float = 3,
        timeout: float = 3600,
        *,
        on_conflict: str = "queue",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connection_id = connection_id
        self.airbyte_conn_id = airbyte_conn_id
        self.asynchronous = asynchronous
        self.deferrable = deferrable
        self.api_version = api_version
        self.wait_seconds = wait_seconds
        self.timeout = timeout
        self.on_conflict = on_conflict
        self._policy()
        depend_on_what_it_names(self)

    def execute(self, context: Context) -> int:
        """
        Run the sync.

        Args:
            context: The task's context.

        Returns:
            The id of the Airbyte job.

        Raises:
            AirflowException: The sync could not be started, or it did not succeed.
        """
        from airbyte_sync import Done, SyncRequest, run, step, submit, sync
        from airbyte_sync_airflow.outcome import airflow_exceptions
        from airbyte_sync_airflow.sessions import blocking_session
        from airbyte_sync_airflow.triggers import AirbyteSyncTrigger

        policy = self._policy()
        self._conn_id = rendered_conn_id(self, context)
        with (
            airflow_exceptions(),
            blocking_session(self._conn_id, self.api_version, self._watcher()) as session,
        ):
            request = SyncRequest(connection_id=self.connection_id)
            if self.asynchronous:
                return run(submit(request, policy), session).job_id
            if not self.deferrable:
                return run(sync(request, policy), session).job.job_id
            turn = step(sync(request, policy), session)
        if isinstance(turn, Done):
            return turn.result.job.job_id
        return self.defer(
            trigger=AirbyteSyncTrigger(
                airbyte_conn_id=self._conn_id,
                api_version=self.api_version,
                checkpoint=turn.checkpoint.to_json(),
                policy=policy.to_json(),
            ),
            method_name=self.execute_complete.__name__,
        )

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """
        Finish a deferred task: leave the job id as its result, or raise what the trigger met.

        Args:
            context: The task's context.
            event: What the trigger sent.

        Raises:
            AirflowException: The sync did not succeed, or the event is not one of ours.
        """
        from airbyte_sync_airflow.outcome import job_id_of

        job_id = job_id_of(event)
        self.log.info("Airbyte job %s succeeded", job_id)
        if self.do_xcom_push:
            context["ti"].xcom_push(key=RETURN_VALUE, value=job_id)

    def on_kill(self) -> None:
        """Cancel the Airbyte job of a task that is killed while it waits in a worker."""
        self._is_killed = True
        self._cancel_own_job()

    def _cancel_own_job(self) -> None:
        from dataclasses import replace
        from datetime import timedelta

        from airbyte_sync import cancel, run
        from airbyte_sync_airflow.rendering import TaskLog
        from airbyte_sync_airflow.sessions import blocking_session

        job_id = self._own_job_id
        if job_id is None:
            return
        policy = replace(self._policy(), cancel_timeout=timedelta(seconds=KILL_GRACE_SECONDS))
        # The session of execute() may be in the middle of a call: this needs one of its own.
        try:
            with blocking_session(self._conn_id, self.api_version, TaskLog(self.log)) as session:
                run(cancel(job_id, policy), session)
        except Exception:
            # Whatever it is, it must not leave a signal handler.
            self.log.exception("Could not cancel Airbyte job %s: cancel it in Airbyte", job_id)

    def _policy(self) -> SyncPolicy:
        from airbyte_sync_airflow.options import sync_policy
        from airbyte_sync_airflow.outcome import airflow_exceptions

        with airflow_exceptions():
            return sync_policy(
                wait_seconds=self.wait_seconds,
                timeout=self.timeout,
                on_conflict=self.on_conflict,
                deferred=self.deferrable,
            )

    def _watcher(self) -> Callable[[Event], None]:
        from airbyte_sync.events import JobObtained
        from airbyte_sync_airflow.rendering import TaskLog

        write = TaskLog(self.log)

        def watch(event: Event) -> None:
            write(event)
            if isinstance(event, JobObtained) and event.origin.is_ours_to_cancel:
                self._own_job_id = event.job.job_id
                if self._is_killed:  # while the submission was on its way
                    self._cancel_own_job()

        return watch
