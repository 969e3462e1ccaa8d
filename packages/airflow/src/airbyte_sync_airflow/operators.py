"""The operator: one task, one Airbyte sync, in one of three modes.

It translates between Airflow and the flows of :mod:`airbyte_sync` and decides nothing itself. What
a flow needs is imported when a task runs, so that parsing a DAG costs next to nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync_airflow.compat.airflow import RETURN_VALUE, BaseOperator, conf
from airbyte_sync_airflow.config.arguments import (
    JobTypeName,
    OnConflictName,
    check_api_version,
    check_choice,
    check_flag,
    check_interval,
    check_job_type,
    check_one_connection,
    check_seconds,
    check_timeout,
    warn_of_zero,
)
from airbyte_sync_airflow.links import AirbyteJobLink, begin
from airbyte_sync_airflow.task import AirbyteTask, depend_on, plain_id, rendered, rendered_conn_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from airflow.sdk import BaseOperatorLink, Context

    from airbyte_sync import Checkpoint, Flow, SyncPolicy, SyncRequest, SyncResult
    from airbyte_sync_airflow.compat.official_events import OfficialEvent
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary
    from airbyte_sync_airflow.triggerer.event import EventOutcome
    from airbyte_sync_airflow.worker.checkpoint_store import RequestStore
    from airbyte_sync_airflow.worker.session import TaskSession

T = TypeVar("T")

TRIGGER_FAILED = "__fail__"
"""The method that Airflow names when a trigger has died or a deferral took too long."""

TRIGGER_TIMEOUTS = ("Trigger timeout", "Trigger/execution timeout")
"""What Airflow 3 and 2.11 call a deferral that took too long (``scheduler_job_runner.py``)."""


class AirbyteTriggerSyncOperator(AirbyteTask, BaseOperator):
    """
    Run a sync of an Airbyte connection.

    By default the task waits for the end of the sync and occupies a worker meanwhile. With
    ``deferrable`` a trigger waits and the worker is free. With ``asynchronous`` the task ends as
    soon as Airbyte has accepted the sync; follow it with an
    :class:`~airbyte_sync_airflow.sensors.AirbyteJobSensor`.

    The result, in every mode, is the id of the Airbyte job; the XCom ``airbyte_job`` tells more. A task
    that is tried again goes on with the sync that an earlier try started, unless that one failed.

    Options that are ``None`` are as the Airflow connection or the section ``[airbyte_sync]`` of
    airflow.cfg sets them, or as said here.

    Args:
        connection_id: The UUID of the Airbyte connection to sync. A template.
        airbyte_conn_id: The Airflow connection that leads to the Airbyte server. A template, too.
        asynchronous: End as soon as Airbyte has accepted the sync; wins over ``deferrable``.
        deferrable: Wait in the triggerer.
        api_version: The version in the API's address.
        wait_seconds: Seconds between two polls of the job; deferred, the shortest such time. Zero means
            one second, with a warning.
        timeout: Seconds until the sync must have ended; then it is cancelled and the task fails. They count
            from the moment that the task has its sync: started, found again or attached to. ``None`` means
            no timeout; so does zero, with a warning. Airflow's own ``execution_timeout`` bounds the whole
            task and cancels the sync, too.
        connection_name: The connection's name as Airbyte shows it, in the place of its id. A template.
        workspace_id: The workspace to look for the name in; without it, everywhere. A template.
        job_type: What to run: ``sync``, or ``reset`` or ``clear``, which cancel a running sync.
        on_conflict: What to do when the connection is busy with a sync that began before this task
            asked: ``queue`` (wait for it, then run ours; this is the default), ``attach``, ``skip`` or
            ``fail``.
        cancel_on_kill: Cancel the sync when the task is killed: marked failed or successful, or its
            run is. The default is to do so.
        queue_timeout: Seconds until the sync must have begun to run, from the moment that the task asks for
            it: behind another sync of the connection, and in Airbyte's own queue. Default: as ``timeout``.
        **kwargs: What every operator takes.

    Raises:
        AirflowException: An argument cannot be right; raised when the DAG is parsed.
    """

    template_fields: Sequence[str] = ("connection_id",)
    ui_color: str = "#6C51FD"
    operator_extra_links: Collection[BaseOperatorLink] = (AirbyteJobLink(),)

    job_id: int | None = None
    """The Airbyte job of this task, as soon as it has one."""
    _store: RequestStore | None = None
    """How far this process has come."""
    _job: JobSummary | None = None
    """The job, once it is not waited for any more."""
    _is_killed = False
    _is_over = False
    """Whether this process has come to the task's result."""

    def __init__(  # noqa: PLR0917 - the specified signature
        self,
        connection_id: str | None = None,
        airbyte_conn_id: str = "airbyte_default",
        asynchronous: bool = False,  # noqa: FBT001, FBT002
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),  # noqa: FBT001
        api_version: str = "v1",
        wait_seconds: float = 3,
        timeout: float | None = 3600,
        *,
        connection_name: str | None = None,
        workspace_id: str | None = None,
        job_type: JobTypeName = "sync",
        on_conflict: OnConflictName | None = None,
        cancel_on_kill: bool | None = None,
        queue_timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_one_connection(connection_id, connection_name)
        check_api_version(api_version)
        check_interval("wait_seconds", wait_seconds)
        check_timeout("timeout", timeout)
        warn_of_zero("wait_seconds", wait_seconds, "one second between two polls")
        warn_of_zero("timeout", timeout, "no timeout: only execution_timeout ends the task")
        check_job_type(job_type)
        if on_conflict is not None:
            check_choice("on_conflict", on_conflict, OnConflictName)
        if queue_timeout is not None:
            check_seconds("queue_timeout", queue_timeout)
        if cancel_on_kill is not None:
            cancel_on_kill = check_flag("cancel_on_kill", cancel_on_kill)
        self.connection_id = connection_id
        self.airbyte_conn_id = airbyte_conn_id
        self.asynchronous = check_flag("asynchronous", asynchronous)
        self.deferrable = check_flag("deferrable", deferrable)
        self.api_version = api_version
        self.wait_seconds = wait_seconds
        self.timeout = timeout
        self.connection_name = connection_name
        self.workspace_id = workspace_id
        self.job_type = job_type
        self.on_conflict = on_conflict
        self.cancel_on_kill = cancel_on_kill
        self.queue_timeout = queue_timeout
        depend_on(self, airbyte_conn_id, connection_name, workspace_id)

    def execute(self, context: Context) -> int:
        """
        Run the sync.

        Args:
            context: The task's context.

        Returns:
            The id of the Airbyte job.

        Raises:
            AirflowException: The sync could not be started, or it did not succeed; see
                :mod:`airbyte_sync_airflow.exceptions`.
        """
        begin(self)
        self.job_id = None
        return self._start(context)

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """
        Finish a deferred task: leave the job id as its result, or raise what the trigger met.

        Args:
            context: The task's context.
            event: What the trigger sent.

        Raises:
            AirflowException: The sync did not succeed, or the event is not one of ours.
        """
        from airbyte_sync_airflow.compat.official_events import official_event
        from airbyte_sync_airflow.report.task_log import succeeded
        from airbyte_sync_airflow.triggerer.event import outcome_of
        from airbyte_sync_airflow.worker.checkpoint_store import RequestStore

        self._try_to_render_conn_id(context)
        official = official_event(event)
        if official is not None:
            job_id = self._go_on_for_the_official_provider(context, official)
        else:
            job_id = self._conclude(context, outcome_of(event, awaited=self._awaited))
        self.log.info(succeeded(job_id, self._job))
        task_instance = context.get("ti")
        if self.do_xcom_push and task_instance is not None:
            task_instance.xcom_push(key=RETURN_VALUE, value=job_id)
        self._finish(RequestStore(context, self.log))

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """
        Go on after a deferral.

        A trigger that died is no kill: the sync goes on, and another try follows it. A deferral that
        took too long has met a limit of its own, and its sync is cancelled.

        Args:
            next_method: What to go on with; Airflow calls it.
            next_kwargs: With what.
            context: The task's context.

        Raises:
            TaskDeferralError: The trigger died, or the deferral took too long.
        """
        from airbyte_sync_airflow.compat.task_instance import (
            awaited_job,
            is_of_an_earlier_try,
            is_tried_again,
        )
        from airbyte_sync_airflow.worker.cancel import cancel_at_the_deadline, log_what_is_left

        self._awaited = awaited_job(next_kwargs)
        if is_of_an_earlier_try(context, next_kwargs):
            return self._start(context)
        if next_method == TRIGGER_FAILED:
            if (next_kwargs or {}).get("error") in TRIGGER_TIMEOUTS:
                cancel_at_the_deadline(self.log, context, self._read_server)
            else:
                log_what_is_left(self.log, context, is_tried_again=is_tried_again(context))
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Cancel the sync of a task that is killed while it runs in a worker; never raises."""
        self._is_killed = True
        if (
            not self._is_over
        ):  # what it ran, or handed over, is not this process's business any more
            self._cancel_if_killed(self._checkpoint, is_wanted=self.cancel_on_kill)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what OpenLineage is to know of a sync that has succeeded, where it can be told."""
        from airbyte_sync_airflow.openlineage.extract import facets_on_complete, no_facets

        if self._job is None or self._job.connection_id is None or self.asynchronous:
            return no_facets()
        return facets_on_complete(
            conn_id=self._conn_id or rendered_conn_id(self, task_instance.get_template_context()),
            api_version=self.api_version,
            connection_id=self._job.connection_id,
            job=self._job,
        )

    # --- starting and following ----------------------------------------------------------------------

    @contextmanager
    def _session(self, context: Context, job: JobSummary | None = None) -> Iterator[TaskSession]:
        from airbyte_sync_airflow.compat.supervisor import ask_in_turn
        from airbyte_sync_airflow.config.connection import read_server
        from airbyte_sync_airflow.exceptions_from_errors import airflow_exceptions
        from airbyte_sync_airflow.report.task_log import Follower
        from airbyte_sync_airflow.worker.session import open_session

        ask_in_turn()
        self._conn_id = rendered_conn_id(self, context)
        with airflow_exceptions():
            server = self._server = read_server(self._conn_id, self.api_version)
            self._follower = Follower(self.log, job)
            with open_session(
                self,
                context,
                server=server,
                policy=self._policy(server),
                follower=self._follower,
                on_save=self._after_save,
                is_stopped=lambda: self._is_killed,
            ) as session:
                self._store = session.store
                yield session

    def _policy(self, server: AirbyteServer) -> SyncPolicy:
        from airbyte_sync_airflow.config.arguments import sync_policy

        settings = dict(server.policy)
        if self.on_conflict is not None:
            settings["on_conflict"] = self.on_conflict
        if self.queue_timeout is not None:
            settings["queue_timeout"] = check_seconds("queue_timeout", self.queue_timeout)
        return sync_policy(
            wait_seconds=self.wait_seconds,
            timeout=self.timeout,
            deferred=self.deferrable and not self.asynchronous,
            settings=settings,
        )

    def _start(self, context: Context) -> int:
        from airbyte_sync import submit

        with self._session(context) as session:
            flow = submit(self._request(session), session.policy)
            submission = self._run_or_defer(session, flow)
            self._follow(session, submission.job_id, submission.checkpoint)
            self._finish(session.store)
            return submission.job_id

    def _request(self, session: TaskSession) -> SyncRequest:
        from airbyte_sync import JobType, SyncRequest, find_connection
        from airbyte_sync_airflow.compat.task_instance import deadline_of
        from airbyte_sync_airflow.worker.earlier_tries import (
            earlier_tries,
            may_have_run_without_a_store,
        )

        is_known = session.store.load() is not None
        is_guessed = not is_known and may_have_run_without_a_store(session.context, self)
        if not is_known and not is_guessed:
            session.store.begin()
        if self.connection_name is None:
            connection_id: Any = plain_id(
                self.connection_id
            )  # what is no id is refused, with a text
        else:
            name = rendered(self, "connection_name", session.context)
            workspace_id = None
            if self.workspace_id is not None:
                workspace_id = rendered(self, "workspace_id", session.context)
            find = find_connection(name, workspace_id, session.policy)
            session.connection = session.run(find)
            connection_id = session.connection.connection_id
        return SyncRequest(
            connection_id=connection_id,
            job_type=JobType(self.job_type),
            deadline=deadline_of(session.context, self.execution_timeout),
            deadline_name="execution_timeout",
            earlier=earlier_tries(
                session.context, self, connection_id, session.policy.unreachable_timeout
            )
            if is_guessed
            else None,
        )

    def _follow(self, session: TaskSession, job_id: int, checkpoint: Checkpoint) -> None:
        """Tell of the job, and wait for its end where this task is to wait."""
        from airbyte_sync import resume

        self.job_id = job_id
        session.tell()
        if not self.asynchronous:
            self._end_well(session, self._run_or_defer(session, resume(checkpoint, session.policy)))

    def _run_or_defer(self, session: TaskSession, flow: Flow[T]) -> T:
        """Run a flow to its end; a deferrable task leaves it to the triggerer at its first pause."""
        from airbyte_sync import Pause

        if self.asynchronous or not self.deferrable:
            return session.run(flow)
        turn = session.step(flow)
        if isinstance(turn, Pause):
            if turn.checkpoint.job_id is None:  # the trigger has no store
                session.store.save(turn.checkpoint.handed_over())
            session.defer(
                turn.checkpoint,
                conn_id=self._conn_id,
                cancel_on_kill=session.cancels_on_kill(self.cancel_on_kill),
            )
        return turn.result

    def _end_well(self, session: TaskSession, result: SyncResult) -> None:
        """Tell what is known of a sync that succeeded."""
        session.conclude(result)
        session.tell()
        self._job = session.follower.job

    def _conclude(self, context: Context, outcome: EventOutcome) -> int:
        """Go on from what our own trigger said."""
        from airbyte_sync_airflow.exceptions import AirbyteJobGone
        from airbyte_sync_airflow.worker.checkpoint_store import RequestStore

        if outcome.checkpoint is not None and outcome.job is not None:
            # Before anything can fail: the trigger has submitted, and another try must know it.
            RequestStore(context, self.log).save(outcome.checkpoint)
            with self._session(context) as session:
                session.follower.continue_with(outcome.job, outcome.checkpoint)
                session.store.save(outcome.checkpoint)
                self._follow(session, outcome.job.job_id, outcome.checkpoint)
            return outcome.job.job_id
        self._job = outcome.job
        if outcome.job is not None:
            self.job_id = outcome.job.job_id
            self._job = self._publish(context, outcome.job)
        if isinstance(outcome.error, AirbyteJobGone):  # the next try starts another
            RequestStore(context, self.log).clear()
        return outcome.job_id()

    def _go_on_for_the_official_provider(self, context: Context, event: OfficialEvent) -> int:
        """
        Judge the job that the official operator started, or wait for it again.

        Its ``timeout`` counts from the task's start, as it did before.
        """
        from airbyte_sync import Pause, end_now, resume, watching
        from airbyte_sync_airflow.compat.task_instance import deadline_of, start_of

        self.job_id = event.job_id
        with self._session(context) as session:
            session.follower.follow(event.job_id)
            checkpoint = watching(
                event.job_id,
                session.policy,
                began=start_of(context),
                deadline=deadline_of(context, self.execution_timeout),
                deadline_name="execution_timeout",
                is_ours=True,
            )
            flow = (
                end_now(checkpoint, session.policy, deadline_name="execution_timeout")
                if event.is_out_of_time
                else resume(checkpoint, session.policy)
            )
            turn = session.step(flow)
            if isinstance(turn, Pause):
                session.store.save(turn.checkpoint)
                self._follow(session, event.job_id, turn.checkpoint)
            else:
                self._end_well(session, turn.result)
            return event.job_id

    def _finish(self, store: RequestStore) -> None:
        """Forget a sync whose result the task has, as its last act."""
        self._is_over = True
        store.clear()

    @property
    def _checkpoint(self) -> Checkpoint | None:
        return None if self._store is None else self._store.checkpoint

    def _after_save(self) -> None:
        """Take note of the job, and finish what a kill in the middle of a submission began."""
        self.job_id = None if self._checkpoint is None else self._checkpoint.job_id
        if self._is_killed and self.job_id is not None:
            self.on_kill()
