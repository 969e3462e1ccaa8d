"""What operator and sensor share: the state of a task in this process, and what happens when it is stopped.

Light to import, because every parse of every DAG file does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.config.conn_id import rendered_conn_id

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow.sdk import Context

    from airbyte_sync import Checkpoint
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary
    from airbyte_sync_airflow.report.task_log import Follower
    from airbyte_sync_airflow.worker.session import TaskSession


class AirbyteTask:
    """Mixed into operator and sensor."""

    if TYPE_CHECKING:
        log: Any
        airbyte_conn_id: str
        api_version: str

    _conn_id = ""
    """What ``airbyte_conn_id`` rendered to."""
    _server: AirbyteServer | None = None
    """Where that leads, for when there is no time to ask Airflow again."""
    _follower: Follower | None = None
    """Knows the job that this process follows."""
    _awaited: int | None = None
    """The job that a deferred task waited for, where it had one and Airflow kept what it noted."""

    def _session(
        self, context: Context, job: JobSummary | None = None
    ) -> AbstractContextManager[TaskSession]:
        """Open what the task needs; ``job`` is what is known of its job already."""
        raise NotImplementedError

    def _read_server(self, context: Context | None) -> AirbyteServer:
        """Return where the Airflow connection leads, if need be by asking Airflow."""
        from airbyte_sync_airflow.config.connection import read_server

        if self._server is None:
            if not self._conn_id:
                self._conn_id = rendered_conn_id(self, context)  # type: ignore[arg-type]
            self._server = read_server(self._conn_id, self.api_version)
        return self._server

    def _try_to_render_conn_id(self, context: Context) -> None:
        """A job that has ended is not lost because the Airflow connection is not known any more."""
        try:
            self._conn_id = rendered_conn_id(self, context)
        except Exception as error:
            self.log.warning("airbyte_conn_id could not be rendered: %s", error)

    def _publish(self, context: Context, job: JobSummary) -> JobSummary:
        """Show the job; find its link where the trigger, as of a task that was taken over, knew none."""
        from airbyte_sync_airflow.links import publish

        if job.url is None and job.connection_id is not None:
            try:
                with self._session(context, job) as session:
                    job = session.describe(job)
            except Exception as error:
                self.log.debug("The link to Airbyte job %s is not known: %r", job.job_id, error)
        publish(self, context, job)
        return job

    def _cancel_if_killed(self, checkpoint: Checkpoint | None, *, is_wanted: bool | None) -> None:
        """
        Cancel the sync of a task that was told to stop, if Airflow says that it was killed. Never raises.

        Args:
            checkpoint: How far this process has come; ``None`` where it has only just begun.
            is_wanted: Whether to cancel at all; ``None``: as the Airflow connection says.
        """
        from airbyte_sync_airflow.worker.cancel import StoppedTask, cancel_if_killed

        if is_wanted is False:
            return
        cancel_if_killed(
            StoppedTask(
                log=self.log,
                checkpoint=checkpoint,
                job=None if self._follower is None else self._follower.job,
                read_server=self._read_server,
                is_wanted=is_wanted,
            )
        )
