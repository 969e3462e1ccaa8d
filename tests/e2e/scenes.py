"""Everything that is done to tasks, each in a thread of its own; the tests look at what came of it.

Starting a task takes seconds, so all scenes are played at the same time. Each returns what a test
cannot find out afterwards, with its run.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial

from stage import Run, is_running

from airbyte_sync_local import job_scripts

SCENES = {}
REASON = "The source answered: invalid credentials"


def scene(play):
    SCENES[play.__name__] = play
    return play


@dataclass(kw_only=True)
class Scene:
    """A run, and what was seen in the middle of it."""

    run: Run
    xcoms: dict = field(default_factory=dict)
    """Those of each task while it waited."""
    links: dict = field(default_factory=dict)
    """The link of each task while it waited."""
    cancelled_after: float | None = None
    """Seconds from the kill to the first DELETE."""
    worker_gone_after: float | None = None

    def look(self, task_id="sync"):
        """Remember what a person sees of a task that waits."""
        self.run.wait_until(
            lambda: "airbyte_job" in self.run.xcoms(task_id), "a description of the job"
        )
        self.xcoms[task_id] = self.run.xcoms(task_id)
        self.links[task_id] = self.run.link(task_id)


def waiting(stage, dag_id, state, *, task_id="sync"):
    """Start a run, and wait until its task waits for a sync that runs."""
    run = stage.start(dag_id)
    scene = Scene(run=run)
    run.wait_for(state, task_id)
    if state == "deferred":
        run.wait_for_trigger(task_id)
    run.wait_for_looks()
    return scene


# --- syncs in every mode ------------------------------------------------------------------------------


@scene
def blocking(stage):
    seen = waiting(stage, "blocking", "running")
    seen.look()
    seen.run.finish()
    seen.run.wait_for_end()
    return seen


@scene
def deferrable(stage):
    seen = waiting(stage, "deferrable", "deferred")
    seen.look()
    seen.run.wait_for_looks(6)
    seen.run.finish()
    seen.run.wait_for_end()
    return seen


@scene
def asynchronous(stage):
    seen = Scene(run=stage.start("asynchronous"))
    sensors = {
        "blocking_sensor": "running",
        "rescheduling_sensor": "up_for_reschedule",
        "deferrable_sensor": "deferred",
    }
    for task_id, state in sensors.items():
        seen.run.wait_for(state, task_id)
        seen.look(task_id)
    # Airflow 3 takes a deferral that ends at once for the death of its task.
    seen.run.wait_for_trigger("deferrable_sensor")
    seen.run.wait_for_looks(4)
    seen.look("sync")
    seen.run.finish()
    seen.run.wait_for_end()
    return seen


# --- syncs that end by themselves, or whose time is up ------------------------------------------------


def fails(stage):
    return [job_scripts.fails(REASON, lasts=timedelta(seconds=stage.machine.lasts))]


def fails_first(stage):
    return [*fails(stage), job_scripts.succeeds(lasts=timedelta(seconds=stage.machine.lasts))]


def never_ends(_stage):
    return []  # as every sync of the directed engine


def ended(stage, dag_id, scripts_of_jobs):
    run = stage.start(dag_id, *scripts_of_jobs(stage))
    run.wait_for_end()
    return Scene(run=run)


ENDED = {
    "blocking_failed": ("blocking", fails),
    "deferrable_failed": ("deferrable", fails),
    "blocking_late": ("blocking_in_a_hurry", never_ends),
    "deferrable_late": ("deferrable_in_a_hurry", never_ends),
    "blocking_execution_timeout": ("blocking_with_a_deadline", never_ends),
    "deferrable_execution_timeout": ("deferrable_with_a_deadline", never_ends),
    "sensors_of_a_failed_sync": ("sensors_of_a_failed_sync", fails),
    "blocking_failed_once": ("blocking_with_retries", fails_first),
    "deferrable_failed_once": ("deferrable_with_retries", fails_first),
}
"""The DAG of each, and what its jobs do."""
for name, (dag_id, scripts_of_jobs) in ENDED.items():
    SCENES[name] = partial(ended, dag_id=dag_id, scripts_of_jobs=scripts_of_jobs)


@scene
def sensors_in_a_hurry(stage):
    run = stage.start("sensors_in_a_hurry")
    tries = 2 * stage.machine.execution_timeout  # where another try follows
    run.wait_for_end(stage.patience + tries)
    return Scene(run=run)


# --- kills --------------------------------------------------------------------------------------------


@scene
def marked_failed(stage):
    seen = waiting(stage, "deferrable", "deferred")
    seen.run.mark("failed")
    seen.run.wait_until_cancelled()
    return seen


@scene
def marked_success(stage):
    seen = waiting(stage, "deferrable", "deferred")
    seen.run.mark("success")
    seen.run.wait_until_cancelled()
    return seen


@scene
def mapped_index_marked_failed(stage):
    run = stage.start("deferrable_mapped", connections=3)
    for number in range(3):
        run.wait_for("deferred", map_index=number)
        run.wait_for_looks(8, number)  # the triggerer begins with new ones within seconds
    run.mark("failed", map_index=1)
    run.wait_until_cancelled(number=1)
    for number in (0, 2):
        run.wait_for_looks(number=number)
        run.finish(number)
    run.wait_for_end()
    return Scene(run=run)


@scene
def run_marked_failed(stage):
    seen = waiting(stage, "deferrable", "deferred")
    stage.airflow.mark_run(seen.run.dag_id, seen.run.run_id, "failed")
    seen.run.wait_until_cancelled()
    return seen


@scene
def run_timed_out(stage):
    seen = waiting(stage, "deferrable_in_a_dag_in_a_hurry", "deferred")
    seen.run.wait_until_cancelled()
    return seen


@scene
def sensor_that_cancels(stage):
    seen = waiting(stage, "sensor_that_cancels", "deferred", task_id="sensor")
    seen.run.mark("failed", "sensor")
    seen.run.wait_until_cancelled()
    return seen


@scene
def blocking_marked_failed(stage):
    seen = waiting(stage, "blocking", "running")
    pid = seen.run.task().pid
    killed_at = datetime.now(timezone.utc)
    seen.run.mark("failed")
    seen.run.wait_until(seen.run.cancels, "a cancel")
    [first, *_] = seen.run.requests("DELETE /jobs/{jobId}")
    seen.cancelled_after = (first.received_at - killed_at).total_seconds()
    seen.run.wait_until(lambda: not is_running(pid), f"the end of the worker {pid}")
    seen.worker_gone_after = (datetime.now(timezone.utc) - killed_at).total_seconds()
    seen.run.wait_until_cancelled()
    return seen


# --- what is left running -----------------------------------------------------------------------------


def left_running(seen, task_id="sync"):
    """Mark a task failed, and give its trigger or its worker the time to do something wrong."""
    seen.run.mark("failed", task_id)
    wait_until_left_alone(seen.run)
    return seen


def wait_until_left_alone(run):
    """Wait until nothing polls the job any more, and with it the time to do something wrong."""
    since = datetime.now(timezone.utc)
    run.wait_until(lambda: is_left_alone(run, since), "an end of the polls of the job")


def is_left_alone(run, since):
    looks = [record.received_at for record in run.requests("GET /jobs/{jobId}")]
    alone = datetime.now(timezone.utc) - max([*looks, since])
    return alone > timedelta(seconds=run.stage.machine.alone_seconds)


@scene
def deferrable_that_leaves_it_running(stage):
    return left_running(waiting(stage, "deferrable_that_leaves_it_running", "deferred"))


@scene
def blocking_that_leaves_it_running(stage):
    return left_running(waiting(stage, "blocking_that_leaves_it_running", "running"))


@scene
def sensor_that_only_looks(stage):
    seen = waiting(stage, "sensor_that_only_looks", "deferred", task_id="sensor")
    return left_running(seen, "sensor")


@scene
def cleared(stage):
    seen = waiting(stage, "deferrable", "deferred")
    run = seen.run
    stage.airflow.clear(run.dag_id, run.run_id, "sync")
    run.wait_for("deferred", try_number=2)
    # The old trigger is cancelled only now, seconds later: it has its time to do something wrong.
    run.wait_for_looks(16)
    run.finish()
    run.wait_for_end()
    return seen


# --- retries ------------------------------------------------------------------------------------------


def with_a_lost_worker(stage, dag_id, task_id):
    seen = waiting(stage, dag_id, "running", task_id=task_id)
    stage.airflow.kill_worker(seen.run.task(task_id))
    seen.run.wait_for("running", task_id, try_number=2)
    seen.run.wait_for_looks()
    seen.run.finish()
    seen.run.wait_for_end()
    return seen


@scene
def blocking_worker_killed(stage):
    return with_a_lost_worker(stage, "blocking_with_retries", "sync")


@scene
def sensor_worker_killed(stage):
    return with_a_lost_worker(stage, "sensor_with_retries", "sensor")


@scene
def blocking_worker_stands_still(stage):
    """As on a machine that was paused: Airflow gives its task to another try, and then it goes on."""
    seen = waiting(stage, "blocking_with_retries", "running")
    before = seen.run.task()
    with stage.airflow.paused_worker(before):
        seen.run.wait_for("running", try_number=2)
        seen.run.wait_for_looks()
    # Airflow 3 stops it at its next heartbeat; Airflow 2 complains, and lets it go on beside the other.
    seen.run.wait_for_looks(2 * stage.machine.alone_seconds)
    if is_running(before.pid):
        # Two that see the end at once write the result at once, and Airflow 2 fails the later one.
        stage.airflow.kill_worker(before)
    seen.run.wait_until(
        lambda: not is_running(before.pid), "the end of the worker that stood still"
    )
    seen.run.wait_for_looks()
    seen.run.finish()
    seen.run.wait_for_end()
    return seen
