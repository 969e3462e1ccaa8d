"""The operator: one task, one Airbyte sync, in one of three modes.

It translates between Airflow and the flows of :mod:`airbyte_sync` and decides nothing itself. What
a flow needs is imported when a task runs, so that parsing a DAG costs next to nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from airbyte_sync_airflow.compat.airflow import RETURN_VALUE, BaseOperator, conf
from airbyte_sync_airflow.config.arguments import (
    JobTypeName,
    OnConflictName,
    check_choice,
    check_interval,
    check_job_type,
    check_one_connection,
    check_seconds,
    check_timeout,
    warn_of_zero,
)
from airbyte_sync_airflow.config.conn_id import depend_on, plain_id, rendered, rendered_conn_id
from airbyte_sync_airflow.links import AirbyteJobLink, begin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from airflow.sdk import BaseOperatorLink, Context

    from airbyte_sync import Checkpoint, SyncPolicy, SyncRequest
    from airbyte_sync_airflow.compat.official_events import OfficialEvent
    from airbyte_sync_airflow.compat.task_instance import RequestStore
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary
    from airbyte_sync_airflow.report.task_log import Follower
    from airbyte_sync_airflow.triggerer.event import Outcome
    from airbyte_sync_airflow.worker.session import Work

TRIGGER_FAILED = "__fail__"
"""The method that Airflow names when a trigger has died or a deferral took too long."""

TRIGGER_TIMEOUTS = ("Trigger timeout", "Trigger/execution timeout")
"""What Airflow 3 and 2.11 call a deferral that took too long (``scheduler_job_runner.py``)."""


class AirbyteTriggerSyncOperator(BaseOperator):
    """
    Run a sync of an Airbyte connection.

    By default the task waits for the end of the sync and occupies a worker meanwhile. With
    ``deferrable`` a trigger waits and the worker is free. With ``asynchronous`` the task ends as
    soon as Airbyte has taken the sync; follow it with an
    :class:`~airbyte_sync_airflow.sensors.AirbyteJobSensor`.

    The result, in every mode, is the id of the Airbyte job; the XCom ``airbyte_job`` tells more. A task
    that is tried again goes on with the sync that an earlier try started, unless that one failed.

    Options that are ``None`` are as the Airflow connection or the section ``[airbyte_sync]`` of
    airflow.cfg sets them, or as said here.

    Args:
        connection_id: The UUID of the Airbyte connection to sync. A template.
        airbyte_conn_id: The Airflow connection that leads to the Airbyte server. A template, too.
        asynchronous: End as soon as Airbyte has taken the sync; wins over ``deferrable``.
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
    _conn_id = ""
    """What ``airbyte_conn_id`` rendered to."""
    _store: RequestStore | None = None
    """How far this process has come."""
    _follower: Follower | None = None
    """Knows the job that this process follows."""
    _job: JobSummary | None = None
    """The job, once it is not waited for any more."""
    _awaited: int | None = None
    """The job that a deferred task waited for, where it had one and Airflow kept what it noted."""
    _server: AirbyteServer | None = None
    """Where that leads, for when there is no time to ask Airflow again."""
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
        check_interval("wait_seconds", wait_seconds)
        check_timeout("timeout", timeout)
        warn_of_zero("wait_seconds", wait_seconds, "one second between two polls")
        warn_of_zero("timeout", timeout, "no timeout: only execution_timeout ends the task")
        check_job_type(job_type)
        if on_conflict is not None:
            check_choice("on_conflict", on_conflict, OnConflictName)
        if queue_timeout is not None:
            check_seconds("queue_timeout", queue_timeout)
        self.connection_id = connection_id
        self.airbyte_conn_id = airbyte_conn_id
        self.asynchronous = asynchronous
        self.deferrable = deferrable
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
        from airbyte_sync_airflow.compat.task_instance import RequestStore
        from airbyte_sync_airflow.triggerer.event import outcome_of

        self._try_to_render_conn_id(context)
        official = official_event(event)
        if official is not None:
            job_id = self._go_on_for_the_official_provider(context, official)
        else:
            job_id = self._conclude(context, outcome_of(event, awaited=self._awaited))
        self.log.info("Airbyte job %s succeeded", job_id)
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
        from airbyte_sync_airflow.worker.cancel import abandon_at_the_deadline, say_what_is_left

        self._awaited = awaited_job(next_kwargs)
        if is_of_an_earlier_try(context, next_kwargs):
            return self._start(context)
        if next_method == TRIGGER_FAILED:
            if (next_kwargs or {}).get("error") in TRIGGER_TIMEOUTS:
                abandon_at_the_deadline(self, context, self._conn_id)
            else:
                say_what_is_left(self, context, is_tried_again=is_tried_again(context))
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Cancel the sync of a task that is killed while it runs in a worker; never raises."""
        from airbyte_sync_airflow.worker.cancel import StoppedTask, abandon_when_killed

        self._is_killed = True
        if self._is_over:  # what it ran, or handed over, is not this process's business any more
            return
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

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what OpenLineage is to know of a sync that has succeeded, where it can be told."""
        from airbyte_sync_airflow.openlineage.extract import facets_on_complete

        if self._job is None or self._job.connection_id is None or self.asynchronous:
            return None
        return facets_on_complete(
            conn_id=self._conn_id or rendered_conn_id(self, task_instance.get_template_context()),
            api_version=self.api_version,
            connection_id=self._job.connection_id,
            job=self._job.to_json(),
        )

    # --- starting and following ---------------------------------------------------------------------

    @contextmanager
    def _at_work(self, context: Context) -> Iterator[Work]:
        from airbyte_sync_airflow.config.connection import read_server
        from airbyte_sync_airflow.report.task_log import Follower
        from airbyte_sync_airflow.triggerer.event import airflow_exceptions
        from airbyte_sync_airflow.worker.session import at_work

        self._conn_id = rendered_conn_id(self, context)
        with airflow_exceptions():
            server = self._server = read_server(self._conn_id, self.api_version)
            self._follower = Follower(self.log)
            with at_work(
                self,
                context,
                server=server,
                policy=self._policy(server),
                follower=self._follower,
                on_save=self._after_save,
                is_stopped=lambda: self._is_killed,
            ) as work:
                self._store = work.store
                yield work

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
        from airbyte_sync import Pause, run, step, submit

        with self._at_work(context) as work:
            flow = submit(self._request(work), work.policy)
            if self.asynchronous or not self.deferrable:
                submission = run(flow, work.session)
            else:
                turn = step(flow, work.session)
                if isinstance(turn, Pause):
                    self._wait_in_the_triggerer(work, turn.checkpoint)
                submission = turn.result
            job_id = self._follow(work, submission.checkpoint)
            self._finish(work.store)
            return job_id

    def _request(self, work: Work) -> SyncRequest:
        from airbyte_sync import JobType, SyncRequest, find_connection, run
        from airbyte_sync_airflow.compat.task_instance import (
            deadline_of,
            earlier_tries,
            may_have_run_without_a_store,
        )

        is_known = work.store.load() is not None
        is_guessed = not is_known and may_have_run_without_a_store(work.context, self)
        if not is_known and not is_guessed:
            work.store.begin()
        if self.connection_name is None:
            connection_id: Any = plain_id(
                self.connection_id
            )  # what is no id is refused, with a text
        else:
            name = rendered(self, "connection_name", work.context)
            workspace_id = None
            if self.workspace_id is not None:
                workspace_id = rendered(self, "workspace_id", work.context)
            find = find_connection(name, workspace_id, work.policy)
            work.connection = run(find, work.session)
            connection_id = work.connection.connection_id
        return SyncRequest(
            connection_id=connection_id,
            job_type=JobType(self.job_type),
            deadline=deadline_of(work.context, self.execution_timeout),
            deadline_name="execution_timeout",
            earlier=earlier_tries(
                work.context, self, connection_id, work.policy.unreachable_timeout
            )
            if is_guessed
            else None,
        )

    def _follow(self, work: Work, checkpoint: Checkpoint) -> int:
        """Tell of the job, and wait for its end where this task is to wait."""
        from airbyte_sync import Pause, resume, run, step

        self.job_id = checkpoint.job_id
        work.introduce()
        if not self.asynchronous:
            flow = resume(checkpoint, work.policy)
            if not self.deferrable:
                run(flow, work.session)
            elif isinstance(turn := step(flow, work.session), Pause):
                self._wait_in_the_triggerer(work, turn.checkpoint)
            work.publish()
            self._job = work.follower.job
        return checkpoint.job_id  # type: ignore[return-value]  # a followed request has one

    def _conclude(self, context: Context, outcome: Outcome) -> int:
        """Go on from what our own trigger said."""
        from airbyte_sync_airflow.compat.task_instance import RequestStore
        from airbyte_sync_airflow.exceptions import AirbyteJobGone

        if outcome.checkpoint is not None:
            with self._at_work(context) as work:
                work.follower.take_over(outcome.job, outcome.checkpoint)
                work.store.save(outcome.checkpoint)
                return self._follow(work, outcome.checkpoint)
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
        from airbyte_sync import Pause, end_now, resume, step, watching
        from airbyte_sync_airflow.compat.task_instance import deadline_of, start_of

        self.job_id = event.job_id
        with self._at_work(context) as work:
            work.follower.follow(event.job_id, attached=False)
            checkpoint = watching(
                event.job_id,
                work.policy,
                began=start_of(context),
                deadline=deadline_of(context, self.execution_timeout),
                deadline_name="execution_timeout",
                is_ours=True,
            )
            flow = (
                end_now(checkpoint, work.policy, deadline_name="execution_timeout")
                if event.is_out_of_time
                else resume(checkpoint, work.policy)
            )
            turn = step(flow, work.session)
            if isinstance(turn, Pause):
                work.store.save(turn.checkpoint)
                return self._follow(work, turn.checkpoint)
            work.introduce()
            self._job = work.follower.job
            return event.job_id

    def _publish(self, context: Context, job: JobSummary) -> JobSummary:
        """Show the job; find its link where the trigger, as of a task that was taken over, knew none."""
        from airbyte_sync_airflow.links import publish

        if job.url is None and job.connection_id is not None:
            try:
                with self._at_work(context) as work:
                    work.follower.job = job
                    work.describe()
                    job = work.follower.job
            except Exception as error:
                self.log.debug("The link to Airbyte job %s is not known: %r", job.job_id, error)
        publish(self, context, job)
        return job

    def _try_to_render_conn_id(self, context: Context) -> None:
        """A sync that has ended is not lost because its Airflow connection is not known any more."""
        try:
            self._conn_id = rendered_conn_id(self, context)
        except Exception as error:
            self.log.warning("airbyte_conn_id could not be rendered: %s", error)

    def _finish(self, store: RequestStore) -> None:
        """Let go of a sync whose result the task has, as its last act."""
        self._is_over = True
        store.clear()

    def _wait_in_the_triggerer(self, work: Work, checkpoint: Checkpoint) -> NoReturn:
        work.wait_in_the_triggerer(
            checkpoint,
            conn_id=self._conn_id,
            cancel_on_kill=work.cancels_on_kill(self.cancel_on_kill),
        )

    @property
    def _checkpoint(self) -> Checkpoint | None:
        return None if self._store is None else self._store.checkpoint

    def _after_save(self) -> None:
        """Take note of the job, and finish what a kill in the middle of a submission began."""
        self.job_id = None if self._checkpoint is None else self._checkpoint.job_id
        if self._is_killed:
            self.on_kill()
