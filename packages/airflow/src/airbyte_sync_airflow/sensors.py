"""The sensor: follow an Airbyte job that another task, or a person, started."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
)
from airbyte_sync_airflow.conn_id import depend_on_what_it_names, rendered_conn_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import Context

    from airbyte_sync import Checkpoint, Flow, SyncPolicy
    from airbyte_sync_airflow.rendering import TaskLog


class AirbyteJobSensor(BaseSensorOperator):
    """
    Wait for the end of an Airbyte job; fail when it fails or is cancelled.

    The job belongs to whoever started it: the sensor never cancels it.

    Args:
        airbyte_job_id: The id of the job: a number, or a template that gives one.
        airbyte_conn_id: The Airflow connection that leads to the Airbyte server.
        deferrable: Wait in the triggerer.
        api_version: The version in the API's address.
        **kwargs: What every sensor takes: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail`` ...
    """

    template_fields: Sequence[str] = ("airbyte_job_id",)
    ui_color: str = "#6C51FD"

    def __init__(
        self,
        *,
        airbyte_job_id: int | str,
        airbyte_conn_id: str = "airbyte_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        api_version: str = "v1",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.airbyte_job_id = airbyte_job_id
        self.airbyte_conn_id = airbyte_conn_id
        self.deferrable = deferrable
        self.api_version = api_version
        self._policy()
        depend_on_what_it_names(self)

    _conn_id = ""
    """What ``airbyte_conn_id`` rendered to."""
    _checkpoint: Checkpoint | None = None
    """Where the last poke left off; a sensor in mode ``reschedule`` begins anew at every poke."""
    _task_log: TaskLog | None = None
    """One for all pokes: it sums up those that show nothing new."""

    def execute(self, context: Context) -> Any:
        """
        Wait in the worker, poke by poke, or hand the wait over to the triggerer.

        Args:
            context: The task's context.

        Raises:
            AirflowException: The job did not succeed, or Airbyte does not show it to us.
        """
        from airbyte_sync_airflow.triggers import AirbyteSyncTrigger

        self._conn_id, self._checkpoint = "", None
        if not self.deferrable:
            return super().execute(context)
        with self._skipping_as_asked():
            checkpoint = self._look(context)
        if checkpoint is None:
            return None
        return self.defer(
            trigger=AirbyteSyncTrigger(
                airbyte_conn_id=self._conn_id,
                api_version=self.api_version,
                checkpoint=checkpoint.to_json(),
                policy=self._policy().to_json(),
            ),
            method_name=self.execute_complete.__name__,
        )

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """
        Finish a deferred sensor, or raise what the trigger met.

        Args:
            context: The task's context.
            event: What the trigger sent.

        Raises:
            AirflowException: The job did not succeed, or the event is not one of ours.
            AirflowSkipException: The same, where ``soft_fail`` or ``never_fail`` asks for it.
        """
        from airbyte_sync_airflow.outcome import job_id_of

        del context
        with self._skipping_as_asked():
            job_id = job_id_of(event, when_late=AirflowSensorTimeout)
        self.log.info("Airbyte job %s succeeded", job_id)

    def poke(self, context: Context) -> bool:
        """
        Look at the job once.

        Args:
            context: The task's context.

        Returns:
            Whether the job has succeeded.

        Raises:
            AirflowException: It did not succeed, or Airbyte does not show it to us.
        """
        self._checkpoint = self._look(context)
        if self._checkpoint is not None and self._checkpoint.failing_since is None:
            # Between pokes it is Airflow that decides when to look again.
            self._checkpoint = replace(self._checkpoint, wake_at=None)
        return self._checkpoint is None

    def _look(self, context: Context) -> Checkpoint | None:
        """Look once; return where the wait stands, or ``None`` when it is over."""
        from airbyte_sync import Done, resume, step, watch
        from airbyte_sync_airflow.options import job_id_from
        from airbyte_sync_airflow.outcome import airflow_exceptions
        from airbyte_sync_airflow.rendering import TaskLog
        from airbyte_sync_airflow.sessions import blocking_session

        policy = self._policy()
        self._conn_id = self._conn_id or rendered_conn_id(self, context)
        self._task_log = self._task_log or TaskLog(self.log)
        with (
            airflow_exceptions(),
            blocking_session(self._conn_id, self.api_version, self._task_log) as session,
        ):
            flow: Flow[Any] = (
                watch(job_id_from(self.airbyte_job_id), policy)
                if self._checkpoint is None
                else resume(self._checkpoint, policy)
            )
            turn = step(flow, session)
        return None if isinstance(turn, Done) else turn.checkpoint

    def _policy(self) -> SyncPolicy:
        from airbyte_sync_airflow.options import watch_policy
        from airbyte_sync_airflow.outcome import airflow_exceptions

        # Between pokes it is Airflow that keeps the time; in the triggerer nobody else does.
        with airflow_exceptions():
            return watch_policy(
                interval=self.poke_interval,
                interval_name="poke_interval",
                timeout=self.timeout if self.deferrable else None,
                deferred=self.deferrable,
            )

    @contextmanager
    def _skipping_as_asked(self) -> Iterator[None]:
        """Do what Airflow's own loop of pokes does with ``soft_fail`` and ``never_fail``."""
        try:
            yield
        except AirflowSkipException:
            raise
        except (AirflowSensorTimeout, AirflowFailException) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        except AirflowException as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
