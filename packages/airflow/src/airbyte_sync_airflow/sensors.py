"""The sensor: follow an Airbyte job that another task, or a person, started."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat.airflow import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    conf,
    poke_until_done,
)
from airbyte_sync_airflow.config.arguments import (
    check_api_version,
    check_flag,
    check_interval,
    check_timeout,
    warn_of_zero,
)
from airbyte_sync_airflow.exceptions import (
    AirbyteInputInvalid,
    AirbyteSensorTimedOut,
    AirbyteSyncTimedOut,
)
from airbyte_sync_airflow.links import AirbyteJobLink, begin
from airbyte_sync_airflow.task import AirbyteTask, depend_on, rendered_conn_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from airflow.sdk import BaseOperatorLink, Context

    from airbyte_sync import Checkpoint, Flow, Pause, SyncPolicy
    from airbyte_sync_airflow.compat.official_events import OfficialEvent
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary
    from airbyte_sync_airflow.worker.checkpoint_store import PokeStore
    from airbyte_sync_airflow.worker.session import TaskSession

LAST_POLLS = timedelta(seconds=5)
"""How long to repeat the last poll of a job after Airflow's own clock has run out."""

POLL_ONCE = timedelta(milliseconds=1)
"""What a sensor's ``timeout`` of zero means: as everywhere in Airflow, one poke and no wait."""


class AirbyteJobSensor(AirbyteTask, BaseSensorOperator):
    """
    Wait for the end of an Airbyte job; fail when it fails or is cancelled.

    The job belongs to the task or the person that started it: the sensor cancels it only where it is
    killed and ``cancel_on_kill`` is set, and never because a time limit has passed.

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
        self.deferrable = check_flag("deferrable", deferrable)
        self.api_version = api_version
        self.cancel_on_kill = check_flag("cancel_on_kill", cancel_on_kill)
        check_api_version(api_version)
        check_interval("poke_interval", self.poke_interval)
        check_timeout("timeout", self.timeout)
        warn_of_zero("poke_interval", self.poke_interval, "one second between two polls")
        depend_on(self, airbyte_conn_id)

    _checkpoint: Checkpoint | None = None
    """Where the last poke left off, in this process or, in mode ``reschedule``, in the one before."""
    _began: datetime | None = None
    """When the first poke of this try began, where an earlier process made it."""
    _is_told = False
    """Whether this process has left XCom and link, so that further pokes need not."""

    def execute(self, context: Context) -> Any:
        """
        Wait in the worker, poke by poke, or hand the wait over to the triggerer.

        Args:
            context: The task's context.

        Raises:
            AirflowException: The job did not succeed, or Airbyte does not show it to us.
            AirflowSkipException: The same, where ``soft_fail`` or ``never_fail`` asks for it.
        """
        self._forget_earlier_runs()
        with self._skipping_as_asked():
            self._conn_id = rendered_conn_id(self, context)
            if self.deferrable:
                return self._poll_or_defer(context)
            try:
                return poke_until_done(self, context)
            except (AirflowSensorTimeout, AirflowTaskTimeout) as error:
                # A clock of Airflow's has run out between two polls.
                if isinstance(error, AirbyteSensorTimedOut) or self._checkpoint is None:
                    raise
                is_timeout = isinstance(error, AirflowSensorTimeout)
                return self._end(context, deadline_name=None if is_timeout else "execution_timeout")

    def _forget_earlier_runs(self) -> None:
        """
        Begin again: Airflow may run one object several times.

        Within a run one reading of the connection serves all pokes, and one follower sums up those that
        show nothing new.
        """
        self._conn_id, self._server, self._checkpoint, self._follower = "", None, None, None
        self._began, self._is_told = None, False
        begin(self)

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
        from airbyte_sync_airflow.compat.official_events import official_event
        from airbyte_sync_airflow.report.task_log import succeeded
        from airbyte_sync_airflow.triggerer.event import outcome_of

        self._try_to_render_conn_id(context)
        official = official_event(event)
        if official is not None:
            with self._skipping_as_asked():
                self._go_on_for_the_official_provider(context, official)
            job_id, job = official.job_id, None
        else:
            outcome = outcome_of(
                event, awaited=self._job_awaited(), when_late=AirbyteSensorTimedOut
            )
            if outcome.job is not None:
                self._publish(context, outcome.job)
            with self._skipping_as_asked():
                job_id, job = outcome.job_id(), outcome.job
        self.log.info(succeeded(job_id, job))

    def _go_on_for_the_official_provider(self, context: Context, event: OfficialEvent) -> None:
        """Judge the job that the official sensor waited for, or wait for it again."""
        from airbyte_sync import watching
        from airbyte_sync_airflow.compat.task_instance import deadline_of, start_of
        from airbyte_sync_airflow.exceptions import AirbyteTransientError

        awaited = self._job_awaited()
        if awaited not in {None, event.job_id}:
            raise AirbyteTransientError(
                f"the official provider's trigger ended with an event about Airbyte job {event.job_id}, "
                f"but this task waits for job {awaited}. Clear the task, and it polls job {awaited}."
            )
        with self._session(context, _known_by_its_id(event.job_id)) as session:
            self._checkpoint = watching(
                event.job_id,
                session.policy,
                began=start_of(context),
                deadline=deadline_of(context, self.execution_timeout),
                deadline_name="execution_timeout",
                is_ours=self.cancel_on_kill,
            )
            if event.is_out_of_time:
                self._end_now(session, deadline_name="execution_timeout")
            else:
                self._follow(session)

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
            AirflowSkipException: The same, where ``never_fail`` asks for it.
        """
        from airbyte_sync_airflow.compat.task_instance import awaited_job, is_of_an_earlier_try

        self._awaited = awaited_job(next_kwargs)
        with self._skipping_as_asked():
            if is_of_an_earlier_try(context, next_kwargs):
                return self._poll_or_defer(context)
            # Airflow's sensor would skip whatever fails here with soft_fail; its pokes do not.
            return super(BaseSensorOperator, self).resume_execution(
                next_method, next_kwargs, context
            )

    def on_kill(self) -> None:
        """Cancel the job of a sensor that is killed in a worker, where it is asked to; never raises."""
        if isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            return  # no time limit of a sensor cancels the job that it follows
        self._cancel_if_killed(self._checkpoint, is_wanted=self.cancel_on_kill)

    def poke(self, context: Context) -> bool:
        """
        Poll the job once.

        A poke in mode ``reschedule`` whose poll fails keeps the worker and polls on, where Airflow has no
        store that tells the next poke since when: see ``docs/decisions/0017``.

        Args:
            context: The task's context.

        Returns:
            Whether the job has succeeded.

        Raises:
            AirflowException: It did not succeed, or Airbyte does not show it to us.
            AirflowSkipException: The same, where ``soft_fail`` or ``never_fail`` asks for it.
        """
        from airbyte_sync_airflow.worker.checkpoint_store import PokeStore

        # With silent_fail, Airflow's loop goes on after errors that it would otherwise raise.
        skipping = nullcontext() if self.silent_fail else self._skipping_as_asked()
        with skipping:
            store = PokeStore(context, self.log) if self.reschedule else None
            if store is not None and self._checkpoint is None:
                self._recall(store, context)
            with self._session(context) as session:
                turn = self._poll_once(session)
                while (
                    turn is not None and store is not None and not self._may_leave(store, session)
                ):
                    session.wait(turn)
                    turn = self._poll_once(session)
                if turn is not None:
                    session.idle_for = timedelta(seconds=self.poke_interval)
            if turn is None and store is not None:
                store.clear()
        return turn is None

    def _recall(self, store: PokeStore, context: Context) -> None:
        """Go on where an earlier poke of this try left off, as far as it is known."""
        from airbyte_sync_airflow.compat.task_instance import first_poke
        from airbyte_sync_airflow.config.arguments import job_id_from
        from airbyte_sync_airflow.report.task_log import Follower

        job_id = job_id_from(self.airbyte_job_id)
        kept = store.load(job_id)
        if kept is not None:
            self._checkpoint, job = kept
            self._follower = Follower(self.log, job)
            return
        self._began = first_poke(context)
        if self._began is not None:
            self._follower = Follower(self.log, _known_by_its_id(job_id))
            self._follower.skip_announcement()

    def _may_leave(self, store: PokeStore, session: TaskSession) -> bool:
        """Tell whether the next poke can be another process's: it knows since when polls have failed."""
        checkpoint, job = self._checkpoint, session.follower.job
        if checkpoint is None or job is None:
            return True
        return store.save(checkpoint, job) or checkpoint.failing_since is None

    def _end(self, context: Context, *, deadline_name: str | None) -> None:
        """Poll once more, and judge: as everywhere, a late wake-up fails no job that has succeeded."""
        with self._session(context) as session:
            self._end_now(session, deadline_name=deadline_name)

    def _end_now(self, session: TaskSession, *, deadline_name: str | None) -> None:
        from airbyte_sync import end_now

        policy = replace(session.policy, cancel_timeout=LAST_POLLS)
        session.run(end_now(self._checkpoint, policy, deadline_name=deadline_name))  # type: ignore[arg-type]
        session.tell()

    def _job_awaited(self) -> int | None:
        from airbyte_sync_airflow.config.arguments import job_id_from

        if self._awaited is not None:
            return self._awaited
        try:
            return job_id_from(self.airbyte_job_id)
        except AirbyteInputInvalid:
            return None

    def _poll_or_defer(self, context: Context) -> None:
        with self._session(context) as session:
            self._follow(session)

    def _follow(self, session: TaskSession) -> None:
        turn = self._poll_once(session)
        if turn is not None:
            session.defer(
                turn.checkpoint, conn_id=self._conn_id, cancel_on_kill=self.cancel_on_kill
            )

    @contextmanager
    def _session(self, context: Context, job: JobSummary | None = None) -> Iterator[TaskSession]:
        from airbyte_sync_airflow.compat.supervisor import ask_in_turn
        from airbyte_sync_airflow.config.arguments import job_id_from
        from airbyte_sync_airflow.exceptions_from_errors import airflow_exceptions
        from airbyte_sync_airflow.report.task_log import Follower
        from airbyte_sync_airflow.worker.session import open_session

        ask_in_turn()
        job = job or _known_by_its_id(job_id_from(self.airbyte_job_id))
        self._conn_id = self._conn_id or rendered_conn_id(self, context)
        self._follower = self._follower or Follower(self.log, job)
        with airflow_exceptions(when_late=AirbyteSensorTimedOut):
            server = self._read_server(context)
            with open_session(
                self, context, server=server, policy=self._policy(server), follower=self._follower
            ) as session:
                yield session

    def _poll_once(self, session: TaskSession) -> Pause | None:
        """Poll once; return where the wait stands, or ``None`` when it is over."""
        from airbyte_sync import Done, resume, watch
        from airbyte_sync_airflow.compat.task_instance import deadline_of
        from airbyte_sync_airflow.config.arguments import job_id_from

        flow: Flow[Any] = (
            watch(
                job_id_from(self.airbyte_job_id),
                session.policy,
                deadline=deadline_of(session.context, self.execution_timeout, began=self._began),
                deadline_name="execution_timeout",
                is_ours=self.cancel_on_kill,
            )
            if self._checkpoint is None
            else resume(self._checkpoint, session.policy)
        )
        turn = session.step(flow)
        self._checkpoint = None if isinstance(turn, Done) else _without_a_schedule(turn.checkpoint)
        if isinstance(turn, Done) or not self._is_told:
            session.tell()
            job = session.follower.job
            self._is_told = job is not None and job.status is not None
        return None if isinstance(turn, Done) else turn

    def _policy(self, server: AirbyteServer) -> SyncPolicy:
        from airbyte_sync_airflow.config.arguments import watch_policy

        return watch_policy(
            interval=self.poke_interval,
            interval_name="poke_interval",
            timeout=self.timeout or POLL_ONCE.total_seconds(),
            deferred=self.deferrable,
            settings=server.policy,
        )

    @contextmanager
    def _skipping_as_asked(self) -> Iterator[None]:
        """
        Skip where ``soft_fail`` or ``never_fail`` asks for it, by the same rule in every mode.

        It is the rule of Airflow's own loop of pokes, but for what no retry can fix, such as an unknown
        job: the official sensor fails then, and so does this one. Airflow itself has other rules for what
        happens between two pokes and after a deferral, and they differ between releases.
        """
        try:
            yield
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (
            AirflowSensorTimeout,
            AirflowTaskTimeout,
            AirbyteSyncTimedOut,  # of a sensor: its execution_timeout
        ) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            if self.soft_fail and isinstance(error, AirflowFailException):
                # Airflow itself would skip this one: but soft_fail is for a job that is late.
                raise AirflowException(str(error)) from error
            raise


def _without_a_schedule(checkpoint: Checkpoint) -> Checkpoint:
    """Between pokes it is Airflow that decides when to poll again, unless polls fail."""
    return checkpoint if checkpoint.failing_since is not None else checkpoint.without_wake_at()


def _known_by_its_id(job_id: int) -> JobSummary:
    from airbyte_sync_airflow.report.job_summary import JobSummary

    return JobSummary(job_id=job_id, attached=True)
