"""What scenes are played on: an Airflow of real processes, an Airbyte, and runs of DAGs between them.

A job goes on until a scene says that it is done, so that whatever a scene does, it does it to a sync that
runs; and a scene waits for what it can see, in Airflow or in Airbyte, and for nothing else.
"""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Lock

from airflow_stack import NOT_MAPPED, AirflowRefused, AirflowStack, AirflowTrouble
from directed_engine import DirectedEngine
from pace import MOST_PATIENCE, Machine, Pace

from airbyte_sync_local import LocalAirbyte

CLIENT_ID = "airflow"
CLIENT_SECRET = "a-client-secret-that-must-not-be-seen"
CREDENTIALS = {
    "login": CLIENT_ID,
    "password": CLIENT_SECRET,
    "schema": "v1/applications/token",
}
"""Fields of an Airflow connection."""
BETWEEN_LOOKS = 1.0
LINES_OF_LOG = 12
SERVER_ERRORS = 500


def open_airbyte(engine: DirectedEngine, **options) -> LocalAirbyte:
    """Open an Airbyte whose jobs scenes direct, and which remembers what it was asked."""
    return LocalAirbyte(engine=engine, recorded_requests=1_000_000, **options)


def open_airflow(airbyte, *, connection=(), settings=(), env=(), **options) -> AirflowStack:
    """
    Open an Airflow whose connection ``airbyte_default`` leads to an Airbyte.

    ``connection`` has further fields of it, and ``settings`` are Airflow's own, as ``SECTION__OPTION``; the
    rest is as :class:`AirflowStack` takes it.
    """
    fields = {"conn_type": "airbyte", "host": f"{airbyte.base_url}/api/public", **dict(connection)}
    variables = {
        "AIRFLOW_CONN_AIRBYTE_DEFAULT": json.dumps(fields),
        **{f"AIRFLOW__{name}": value for name, value in dict(settings).items()},
        **dict(env),
    }
    return AirflowStack(env={name: str(value) for name, value in variables.items()}, **options)


class Late(AssertionError):
    """What a scene waited for did not come; the text has what is to be seen of it."""


class Stage:
    """Airflow and Airbyte, for any number of threads."""

    def __init__(
        self,
        airflow: AirflowStack,
        airbyte: LocalAirbyte,
        engine: DirectedEngine,
        machine: Machine,
        tell=print,
    ):
        self.airflow = airflow
        self.airbyte = airbyte
        self.engine = engine
        self.machine = machine
        self.tell = tell
        self.pace = None
        """Known when the first task has run, see :meth:`warm_up`."""
        self.crowd = None
        """The one that waits, see ``crowds.py``."""
        self._is_over = False
        self._starting = Lock()
        self._unpaused = set()
        self._looking = Lock()
        self._looked_at = 0.0
        self._tasks = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        """Let nobody wait any more; an interrupt would otherwise wait for all that wait."""
        self._is_over = kind is not None

    def warm_up(self):
        """Run one task, and measure how long it takes to its first act."""
        begun = time.monotonic()
        run = self.start("blocking")
        run.wait_until(run.submissions, "the first submission of all")
        took = time.monotonic() - begun
        run.wait_for("running")
        run.finish()
        run.wait_for_end()
        self.pace = Pace(
            machine=self.machine,
            first_act_seconds=took,
            is_on_sqlite=self.airflow.database == "sqlite",
        )

    @property
    def patience(self):
        """Seconds; nothing that is waited for takes longer, also while everything else happens."""
        return MOST_PATIENCE if self.pace is None else self.pace.patience

    def start(self, dag_id, *scripts_of_jobs, connections=1):
        """Start a run for connections that nobody else uses."""
        ids = [
            self.airbyte.add_connection(job_scripts=scripts_of_jobs).connection_id
            for _ in range(connections)
        ]
        return self.start_for(dag_id, *ids)

    def start_for(self, dag_id, *ids):
        """Start a run for these connections."""
        # A run names as many connections as its DAG has tasks, but three at least.
        conf = {"connection_ids": (ids * 3)[: max(3, len(ids))]}
        with self._starting:  # so many at once are too much for Airflow on SQLite
            if dag_id not in self._unpaused:
                self.airflow.unpause(dag_id)
                self._unpaused.add(dag_id)
            run_id = self.airflow.trigger(dag_id, conf)
        return Run(stage=self, dag_id=dag_id, run_id=run_id, connection_ids=tuple(ids))

    def tasks(self):
        """Return every task by its run, its name and its map index; looked at once a second at most."""
        with self._looking:
            if time.monotonic() - self._looked_at > BETWEEN_LOOKS:
                self._tasks = {
                    (task.dag_id, task.run_id, task.task_id, task.map_index): task
                    for task in self.airflow.all_tasks()
                }
                self._looked_at = time.monotonic()
            return self._tasks

    def sweeps(self):
        """How often triggerers have asked what has changed, for all that wait."""
        return sum(
            record.operation == "GET /jobs" and "connectionId" not in record.query
            for record in self.airbyte.requests
        )

    def wait_until(self, holds, what, patience=None):
        """
        Wait for something.

        Raises:
            Late: It did not come.
            ProcessFailed: A process of Airflow has ended, so that it will not come.
        """
        patience = self.patience if patience is None else patience
        deadline = time.monotonic() + patience
        trouble = ""
        while True:
            try:
                if holds():
                    return
            except (OSError, HTTPException, AirflowTrouble) as error:
                if isinstance(error, AirflowRefused) and error.status < SERVER_ERRORS:
                    raise
                trouble = f"; Airflow's last answer: {error}"  # it is busy
            self.airflow.check()
            if self._is_over:
                raise Late(f"interrupted while waiting for {what}")
            if time.monotonic() > deadline:
                raise Late(f"not in {patience} s: {what}{trouble}")
            time.sleep(BETWEEN_LOOKS)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A DAG run, and what Airbyte sees of it."""

    stage: Stage
    dag_id: str
    run_id: str
    connection_ids: tuple[str, ...]

    # --- in Airflow ---------------------------------------------------------------------------------

    def tasks(self):
        """Return the tasks by name and map index."""
        return {
            (task.task_id, task.map_index): task
            for (dag_id, run_id, *_), task in self.stage.tasks().items()
            if (dag_id, run_id) == (self.dag_id, self.run_id)
        }

    def task(self, task_id="sync", map_index=NOT_MAPPED):
        return self.tasks().get((task_id, map_index))

    def states(self):
        return {task_id: task.state for (task_id, _), task in self.tasks().items()}

    def xcoms(self, task_id="sync", map_index=NOT_MAPPED):
        return self.stage.airflow.xcoms(self.dag_id, self.run_id, task_id, map_index)

    def link(self, task_id="sync"):
        return self.stage.airflow.links(self.dag_id, self.run_id, task_id).get("Airbyte job")

    def log(self, task_id="sync", try_number=1):
        return "\n".join(self.stage.airflow.task_log(self.dag_id, self.run_id, task_id, try_number))

    def mark(self, state, task_id="sync", map_index=NOT_MAPPED):
        self.stage.airflow.mark(self.dag_id, self.run_id, task_id, state, map_index)

    # --- in Airbyte ---------------------------------------------------------------------------------

    def jobs(self, number=0):
        """Return the jobs of one of the connections."""
        connection_id = self.connection_ids[number]
        return [job for job in self.stage.airbyte.jobs if job.connection_id == connection_id]

    @property
    def job(self):
        """The only job of a run that has one connection."""
        [job] = self.jobs()
        return job

    def requests(self, operation, number=0):
        """Return what was asked about one of the connections, or about its jobs."""
        endings = tuple(f"/{job.job_id}" for job in self.jobs(number))
        return [
            record
            for record in self.stage.airbyte.requests
            if record.operation == operation
            and (
                record.path.endswith(endings)
                or (record.body or {}).get("connectionId") == self.connection_ids[number]
            )
        ]

    def submissions(self, number=0):
        return len(self.requests("POST /jobs", number))

    def cancels(self, number=0):
        return len(self.requests("DELETE /jobs/{jobId}", number))

    def looks(self, number=0):
        """How often somebody has looked at the job: alone, or with all others on a list of changes."""
        alone = len(self.requests("GET /jobs/{jobId}", number))
        return alone + (self.stage.sweeps() if self.is_deferred() else 0)

    def is_deferred(self):
        return "deferred" in {task.state for task in self.tasks().values()}

    def finish(self, number=0):
        """Let the sync succeed, as soon as it runs."""
        self.wait_until(
            lambda: self.jobs(number)[-1].status == "running", "the job to run, so that it can end"
        )
        self.stage.engine.succeed(self.jobs(number)[-1].job_id)

    # --- waiting ------------------------------------------------------------------------------------

    def wait_until(self, holds, what, patience=None):
        try:
            self.stage.wait_until(holds, what, patience)
        except Late as late:
            raise Late(f"{late}\n{self.describe()}") from None

    def describe(self):
        """Tell what is to be seen of the run: states, jobs, the ends of the logs of its tasks."""
        numbers = range(len(self.connection_ids))
        jobs = Counter(job.status for number in numbers for job in self.jobs(number))
        tasks = list(self.tasks().values())
        states = Counter(f"{task.task_id} {task.state}" for task in tasks)
        lines = [f"{self.dag_id} {self.run_id}: tasks {dict(states)}, jobs {dict(jobs)}"]
        unfinished = [task for task in tasks if task.state != "success"]
        for task in unfinished[:2]:
            lines.append(f"the end of the log of {task.task_id}, try {task.try_number}:")
            lines += [f"    {line}" for line in self._end_of_log(task)]
        return "\n".join(lines)

    def _end_of_log(self, task):
        try:
            return self.stage.airflow.task_log(
                *(self.dag_id, self.run_id, task.task_id, max(1, task.try_number), task.map_index)
            )[-LINES_OF_LOG:]
        except (OSError, HTTPException, AirflowTrouble) as error:
            return [f"Airflow does not show it: {error}"]

    def wait_for(self, state, task_id="sync", map_index=NOT_MAPPED, try_number=1):
        """Wait until a task is in a state, in this try or a later one."""

        def holds():
            task = self.task(task_id, map_index)
            return task is not None and task.state == state and task.try_number >= try_number

        self.wait_until(holds, f"try {try_number} of {task_id} to be {state}")

    def wait_for_trigger(self, task_id="sync"):
        """Wait until the triggerer has begun with it: who is killed before that is known to nobody."""
        begins = re.compile(
            rf"trigger {self.dag_id}/{re.escape(self.run_id)}/{task_id}/.* starting"
        )

        def holds():
            # Airflow 3 tells it in the task's log, Airflow 2 in the process's.
            triggerer = self.stage.airflow.process_log("triggerer").read_text(errors="replace")
            return begins.search(self.log(task_id)) or begins.search(triggerer)

        self.wait_until(holds, "its trigger to start")

    def wait_for_looks(self, count=2, number=0):
        """Wait until somebody has looked at the job so many times more."""
        self.wait_for_looks_in_all(self.looks(number) + count, number)

    def wait_for_looks_in_all(self, count, number=0):
        self.wait_until(lambda: self.looks(number) >= count, f"{count} looks at the job")

    def wait_until_cancelled(self, number=0):
        self.wait_until(
            lambda: all(job.is_terminal for job in self.jobs(number)), "the end of the job"
        )

    def wait_for_end(self, patience=None):
        self.wait_until(
            lambda: self.tasks() and all(task.has_ended for task in self.tasks().values()),
            "the end of the run",
            patience,
        )


def is_running(pid):
    """Whether a process lives, where /proc tells."""
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
