"""Whether a process in a worker is still in charge of its task, after it stood still. See also ``charge``.

On Airflow 3 the id of a task instance is that of one try: a try that was handed over has an id that the
API server does not know any more. Its state tells whether it was cleared or marked meanwhile.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat.task_instance import row_of
from airbyte_sync_airflow.compat.task_states import Standing, TaskKey, ask
from airbyte_sync_airflow.exceptions import AirbyteTaskKilled

if TYPE_CHECKING:
    from airbyte_sync import Clock

ASK_AGAIN = timedelta(seconds=5)
"""How long to wait after a question that Airflow did not answer."""

END_WITHIN = timedelta(minutes=15)
"""How long a process that is not in charge waits for Airflow to stop it, before it fails by itself."""

RUNNING = "running"
GONE = frozenset({404, 409, 410})
"""How the API server answers for a try that is not the present one (``routes/task_instances.py``)."""


class WorkerCharge:
    """
    Asks Airflow whether the process that made this is still in charge of a task.

    Args:
        task_instance: The task's, as the context of the process has it.
        log: The task's log.
        in_loop: Whether the task belongs to a loop.
    """

    def __init__(self, task_instance: Any, log: Any, *, in_loop: bool = False) -> None:
        self._task_instance = task_instance
        self._in_loop = in_loop
        self._log = log
        # On 2.11 this is a row of the database, which may come to tell of the next process.
        self._try = _try_of(task_instance)

    def await_word(self, clock: Clock) -> None:
        """
        Return once Airflow has said that this process is in charge. Blocks.

        Args:
            clock: Waits, and raises when the task is stopped meanwhile.

        Raises:
            AirbyteTaskKilled: Another process is in charge, or the task was stopped.
        """
        self._log.warning(
            "This process stood still: asking Airflow whether it is still in charge of its task"
        )
        while (is_in_charge := self._is_in_charge()) is None:
            clock.sleep(ASK_AGAIN)
        if is_in_charge:
            return
        self._log.warning("Another process is in charge of this task: this one does nothing more")
        clock.sleep(END_WITHIN)  # to fail at once might be taken for the end of the present try
        raise AirbyteTaskKilled("another process is in charge of this task")

    def _is_in_charge(self) -> bool | None:
        """Return what Airflow says, ``None`` where it says nothing."""
        if getattr(self._task_instance, "id", None) is None:
            return self._says_the_database()
        if not (is_known := _is_known(self._task_instance)):
            return is_known
        key = TaskKey.of(self._task_instance, in_loop=self._in_loop)
        if key.is_in_loop:
            return True
        state = ask([key])[key]
        return None if state.standing is Standing.UNKNOWN else state.word == RUNNING

    def _says_the_database(self) -> bool | None:
        try:
            row = row_of(TaskKey.of(self._task_instance))
        except Exception:
            return None
        return None if row is None else (row.state, _try_of(row)) == (RUNNING, self._try)


def _try_of(task_instance: Any) -> tuple[str, str]:
    """Return what tells a process of 2.11 from the next one for the same task."""
    # The job's id is a number in the database, and a text where the task's process was told it.
    return str(getattr(task_instance, "try_number", 1)), str(getattr(task_instance, "job_id", None))


def _is_known(task_instance: Any) -> bool | None:
    """Ask the API server about the id of this try; no other question for it changes nothing."""
    try:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import ValidateInletsAndOutlets
    except ImportError:  # a release to come: the state must do
        return True
    try:
        task_runner.SUPERVISOR_COMMS.send(ValidateInletsAndOutlets(ti_id=task_instance.id))
    except Exception as error:
        detail = getattr(getattr(error, "error", None), "detail", None)
        status = detail.get("status_code") if isinstance(detail, dict) else None
        return False if status in GONE else None
    return True
