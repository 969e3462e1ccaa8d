"""What operator and sensor share: templates outside ``template_fields``, and what a process knows of a task.

The specification documents ``connection_id`` as the one template field, and in an example passes a template
for ``airbyte_conn_id`` too. So it is rendered here, and its dependencies are set here.

Light to import, because every parse of every DAG file does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from airbyte_sync_airflow.compat.airflow import XComArg
from airbyte_sync_airflow.exceptions import AirbyteInputInvalid

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow.sdk import Context

    from airbyte_sync import Checkpoint
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary
    from airbyte_sync_airflow.report.task_log import Follower
    from airbyte_sync_airflow.worker.session import TaskSession


def depend_on(task: Any, *arguments: Any) -> None:
    """Run a task after the tasks whose results these arguments use."""
    for argument in arguments:
        XComArg.apply_upstream_relationship(task, argument)


def rendered_conn_id(task: Any, context: Context) -> str:
    """
    Return the id of the Airflow connection that a task uses, and keep it in ``airbyte_conn_id``.

    A task that runs once more in the same process is rendered from its template again.

    Raises:
        AirbyteInputInvalid: The template gave none.
    """
    template = task.airbyte_conn_id
    before = getattr(task, _RENDERED, None)
    if before is not None and before[1] == template:
        template = before[0]
    conn_id = _render(task, "airbyte_conn_id", template, context)
    setattr(task, _RENDERED, (template, conn_id))
    task.airbyte_conn_id = conn_id
    return conn_id


_RENDERED = "_airbyte_conn_id_rendered"
"""Where a task keeps the template of ``airbyte_conn_id``, and what it last rendered to."""


def rendered(task: Any, argument: str, context: Context) -> str:
    """
    Return what an argument is for this run.

    Raises:
        AirbyteInputInvalid: The template gave nothing, or something else than a text or a UUID.
    """
    return _render(task, argument, getattr(task, argument), context)


def _render(task: Any, argument: str, template: Any, context: Context) -> str:
    from airbyte_sync_http.protocol.cleaning import LONGEST_NAME, is_clean, shown

    value = task.render_template(template, context)
    text = plain_id(value, argument)
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_NAME or not is_clean(text):
        raise AirbyteInputInvalid(
            f"{argument} {shown(template)} rendered to {shown(value)}: expected {_EXPECTED[argument]}"
        )
    return text


def plain_id(value: object, argument: str = "connection_id") -> object:
    """
    Return an id as Airbyte has it: a ``UUID`` object as its text, and a text without blanks around it.

    Raises:
        AirbyteInputInvalid: A template gave it for a name that is not there.
    """
    from airbyte_sync_airflow.config.arguments import refuse_undefined

    refuse_undefined(argument, value)
    if isinstance(value, UUID):
        return str(value)
    return value.strip() if isinstance(value, str) else value


_EXPECTED = {
    "airbyte_conn_id": "the id of an Airflow connection of type airbyte",
    "connection_name": "the name of an Airbyte connection, as Airbyte shows it",
    "workspace_id": "the UUID of an Airbyte workspace; leave the argument out to look everywhere",
}


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
            self.log.warning("Could not render airbyte_conn_id: %s", error)

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
        from airbyte_sync_airflow.worker.cancel import cancel_if_killed

        if is_wanted is False:
            return
        cancel_if_killed(
            checkpoint,
            None if self._follower is None else self._follower.job,
            log=self.log,
            read_server=self._read_server,
            is_wanted=is_wanted,
        )
