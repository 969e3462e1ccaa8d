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
from airbyte_sync_airflow.conn_id import depend_on, rendered_conn_id
from airbyte_sync_airflow.exceptions import AirbyteSensorTimedOut
from airbyte_sync_airflow.links import AirbyteJobLink
from airbyte_sync_airflow.options import check_seconds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from airflow.sdk import BaseOperatorLink, Context

    from airbyte_sync import Checkpoint, Flow, SyncPolicy
    from airbyte_sync_airflow.connection import AirbyteServer
    from airbyte_sync_airflow.rendering import Follower
    from airbyte_sync_airflow.work import Work


class AirbyteJobSensor(BaseSensorOperator):
    """
    Wait for the end of an Airbyte job; fail when it fails or is cancelled.

    The job belongs to whoever started it: the sensor cancels it only where ``cancel_on_kill`` says so.

    Args:
        airbyte_job_id: The id of the job: a number, or a template that gives one.
        airbyte_conn_id: The Airflow connection that leads to the Airbyte server.
        deferrable: Wait in the triggerer.
        api_version: The version in the API's address.
        cancel_on_kill: Cancel the job when the sensor is killed; by default it is left running.
        **kwargs: What every sensor takes: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail`` ...
    """

    template_fields: Sequence[str] = ("airbyte_job_id",)
    ui_color: str = "#6C51FD"
    operator_extra_links: Collection[BaseOperatorLink] = (AirbyteJobLink(),)

    def __init__(
        self,
        *,
        airbyte_job_id: int | str,
        airbyte_conn_id: str = "airbyte_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        api_version: str = "v1",
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.airbyte_job_id = airbyte_job_id
        self.airbyte_conn_id = airbyte_conn_id
        self.deferrable = deferrable
        self.api_version = api_version
        self.cancel_on_kill = cancel_on_kill
        check_seconds("poke_interval", self.poke_interval)
        check_seconds("timeout", self.timeout)
        depend_on(self, airbyte_conn_id)

    _conn_id = ""
    """What ``airbyte_conn_id`` rendered to."""
    _checkpoint: Checkpoint | None = None
    """Where the last poke left off; a sensor in mode ``reschedule`` begins anew at every poke."""
    _server: AirbyteServer | None = None
    """Where that leads; one reading serves all pokes."""
    _follower: Follower | None = None
    """One for all pokes: it sums up those that show nothing new."""

    def execute(self, context: Context) -> Any:
        """
        Wait in the worker, poke by poke, or hand the wait over to the triggerer.

        Args:
            context: The task's context.

        Raises:
            AirflowException: The job did not succeed, or Airbyte does not show it to us.
        """
        self._conn_id, self._server, self._checkpoint, self._follower = "", None, None, None
        return self._look_or_defer(context) if self.deferrable else super().execute(context)

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
        from airbyte_sync_airflow.links import publish
        from airbyte_sync_airflow.outcome import outcome_of

        outcome = outcome_of(event, when_late=AirbyteSensorTimedOut)
        if outcome.job is not None:
            publish(self, context, outcome.job)
        with self._skipping_as_asked():
            job_id = outcome.job_id()
        self.log.info("Airbyte job %s succeeded", job_id)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """
        Go on after a deferral.

        Args:
            next_method: What to go on with; Airflow calls it.
            next_kwargs: With what.
            context: The task's context.

        Raises:
            TaskDeferralError: The trigger died, or the deferral took too long.
        """
        from airbyte_sync_airflow.task_instances import is_of_an_earlier_try

        if is_of_an_earlier_try(context, next_kwargs):
            return self._look_or_defer(context)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Cancel the job of a sensor that is killed in a worker, where it is asked to; never raises."""
        from airbyte_sync_airflow.abandoning import StoppedTask, abandon_when_killed

        abandon_when_killed(
            StoppedTask(
                task=self,
                conn_id=self._conn_id,
                server=self._server,
                checkpoint=self._checkpoint,
                job=None if self._follower is None else self._follower.job,
                is_wanted=self.cancel_on_kill,
            )
        )

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
        with self._at_work(context) as work:
            self._checkpoint = self._look(work)
        if self._checkpoint is not None and self._checkpoint.failing_since is None:
            # Between pokes it is Airflow that decides when to look again.
            self._checkpoint = replace(self._checkpoint, wake_at=None)
        return self._checkpoint is None

    def _look_or_defer(self, context: Context) -> None:
        with self._skipping_as_asked(), self._at_work(context) as work:
            checkpoint = self._look(work)
            if checkpoint is not None:
                work.wait_in_the_triggerer(
                    checkpoint, conn_id=self._conn_id, cancel_on_kill=self.cancel_on_kill
                )

    @contextmanager
    def _at_work(self, context: Context) -> Iterator[Work]:
        from airbyte_sync_airflow.connection import read_server
        from airbyte_sync_airflow.options import job_id_from
        from airbyte_sync_airflow.outcome import airflow_exceptions
        from airbyte_sync_airflow.rendering import Follower
        from airbyte_sync_airflow.summary import JobSummary
        from airbyte_sync_airflow.work import at_work

        job_id = job_id_from(self.airbyte_job_id)
        self._conn_id = self._conn_id or rendered_conn_id(self, context)
        if self._follower is None:
            self._follower = Follower(self.log, JobSummary(job_id=job_id, attached=True))
        with airflow_exceptions():
            server = self._server = self._server or read_server(self._conn_id, self.api_version)
            with at_work(
                self, context, server=server, policy=self._policy(server), follower=self._follower
            ) as work:
                yield work

    def _look(self, work: Work) -> Checkpoint | None:
        """Look once; return where the wait stands, or ``None`` when it is over."""
        from airbyte_sync import Done, resume, step, watch
        from airbyte_sync_airflow.options import job_id_from
        from airbyte_sync_airflow.task_instances import deadline_of

        is_first = self._checkpoint is None
        flow: Flow[Any] = (
            watch(
                job_id_from(self.airbyte_job_id),
                work.policy,
                end_by=deadline_of(work.context, self.execution_timeout),
                limit="execution_timeout",
                is_ours=self.cancel_on_kill,
            )
            if self._checkpoint is None
            else resume(self._checkpoint, work.policy)
        )
        turn = step(flow, work.session)
        if is_first:
            work.introduce()
        if isinstance(turn, Done):
            work.publish()
            return None
        return turn.checkpoint

    def _policy(self, server: AirbyteServer) -> SyncPolicy:
        from airbyte_sync_airflow.options import watch_policy

        # Between pokes it is Airflow that keeps the time; in the triggerer nobody else does.
        return watch_policy(
            interval=self.poke_interval,
            interval_name="poke_interval",
            timeout=self.timeout if self.deferrable else None,
            deferred=self.deferrable,
            settings=server.policy,
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
