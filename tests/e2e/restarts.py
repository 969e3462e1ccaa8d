"""What happens while tasks wait, one thing after the other: to Airflow's own processes, and to Airbyte.

The same onlookers wait through all of it. What a step does to one of them is told by that step alone: a step
compares before and after, an onlooker that was damaged is replaced, and Airflow is made whole again.
"""

import time
from dataclasses import replace

import steps
from scenes import waiting
from stage import Late

from airbyte_sync_local import Fault, answers

STEPS = {}
WATCHED = 4
"""Looks at a job that show that it is followed, and with them the time to do something wrong."""
TROUBLE = "Could not poll Airbyte"
OLDER_BY = 5
"""Seconds after which a job is surely older than a request: a fresher one would be attached to."""


def step(play):
    STEPS[play.__name__] = play
    return play


ONLOOKERS = {
    "deferrable": ("deferrable", "deferred", "sync"),
    "deferrable with retries": ("deferrable_with_retries", "deferred", "sync"),
    "deferrable sensor": ("sensor_that_cancels", "deferred", "sensor"),
    "blocking": ("blocking_with_retries", "running", "sync"),
    "blocking sensor": ("sensor_with_retries", "running", "sensor"),
}
"""The DAG of each, and how which of its tasks waits."""
DEFERRED = tuple(name for name, (_, state, _) in ONLOOKERS.items() if state == "deferred")
BLOCKING = tuple(name for name in ONLOOKERS if name not in DEFERRED)


class Onlookers:
    """Tasks that wait, in every mode, for a sync that does not end."""

    def __init__(self, stage, pool):
        self._stage = stage
        self._pool = pool
        self._started = {}
        self._start(ONLOOKERS)

    def _start(self, names):
        for name in names:
            dag_id, state, task_id = ONLOOKERS[name]
            self._started[name] = self._pool.submit(
                waiting, self._stage, dag_id, state, task_id=task_id
            )

    def run(self, name):
        return self._started[name].result().run

    def task_id(self, name):
        return ONLOOKERS[name][2]

    def present(self):
        """Wait for those that still begin, and return the names of those that wait."""
        return [name for name, future in self._started.items() if future.exception() is None]

    def wait_until_followed(self, names=DEFERRED, looks=WATCHED):
        """
        Wait until the job of each is polled.

        Raises:
            Late: Nobody looks at some of them; the text says at which.
        """
        runs = {name: self.run(name) for name in names if name in self.present()}
        wanted = {name: run.looks() + looks for name, run in runs.items()}
        late = {}
        for name, run in runs.items():
            # What was not polled while the others were waited for gets a last, short chance.
            patience = None if not late else 10 * WATCHED
            try:
                run.wait_until(
                    lambda run=run, name=name: is_followed(run, wanted[name]),
                    f"{looks} polls of the job of {name}",
                    patience,
                )
            except Late as error:
                late[name] = str(error)
        if late:
            raise Late("\n".join(late.values()))

    def damage(self):
        """Tell by name what is wrong with those that wait."""
        found = {}
        for name in self.present():
            run = self.run(name)
            # An onlooker is new, or was whole when the step before this one ended.
            wrong = {
                "cancelled": run.cancels(),
                "submitted again": run.submissions() - 1,
                "ended": sum(job.is_terminal for job in run.jobs()),
            }
            if told := {what: count for what, count in wrong.items() if count}:
                found[name] = told
        return found

    def replace(self, names):
        """Let those go that are damaged, and begin anew with them."""
        self._start(names)


def is_followed(run, polls):
    """
    Tell whether a job was polled so often.

    Raises:
        Late: It never will be, as it has ended.
    """
    if all(job.is_terminal for job in run.jobs()):
        raise Late("the job has ended, which nothing was to end")
    return run.looks() >= polls


def play(stage, onlookers):
    """Play every step; the result of each is the damage that it did, by onlooker."""
    outcomes = {}
    for name, step_ in STEPS.items():
        outcome = steps.play(name, step_, stage, onlookers, stage=stage)
        damage = {} if name in ENDS else onlookers.damage()
        outcomes[name] = replace(outcome, result={**damage, **(outcome.result or {})})
        if name not in ENDS:
            onlookers.replace(set(damage) | (set(ONLOOKERS) - set(onlookers.present())))
    return outcomes


@step
def scheduler_is_killed_and_starts_again(stage, onlookers):
    """
    Workers go on meanwhile. The new scheduler starts their tasks once more when the old one is surely
    dead, long after this step: see :func:`blocking_tasks_end`.
    """
    stage.airflow.kill("scheduler", alone=True)
    stage.airflow.start("scheduler")
    onlookers.wait_until_followed()


@step
def triggerer_stops_and_starts(stage, onlookers):
    stage.airflow.stop("triggerer")
    stage.airflow.start("triggerer")
    onlookers.wait_until_followed()


@step
def triggerer_stands_still_while_another_takes_over(stage, onlookers):
    """
    As on a machine that is paused. The first triggerer knows nothing of what the second did meanwhile.

    One task has no job yet: it waits behind a job that was started elsewhere and that ends meanwhile.
    """
    connection_id = stage.airbyte.add_connection().connection_id
    external = stage.airbyte.start_external_job(connection_id)
    time.sleep(OLDER_BY)
    queued = stage.start_for("deferrable", connection_id)
    queued.wait_for("deferred")
    queued.wait_for_trigger()
    stage.airflow.start("triggerer 2", like="triggerer")
    stage.airflow.pause("triggerer")
    refused = queued.submissions()
    stage.engine.succeed(external.job_id)
    queued.wait_until(lambda: 2 == len(queued.jobs()), "the sync of the task that was queued")
    onlookers.wait_until_followed()
    stage.airflow.resume("triggerer")
    # It learns now that its triggers are another's, and cancels them.
    onlookers.wait_until_followed(looks=4 * WATCHED)
    queued.finish()
    queued.wait_for_end()
    wrong = {
        "submitted again": queued.submissions() - refused - 1,
        "cancelled": queued.cancels(),
        "states": queued.states() != {"sync": "success"} and queued.states(),
    }
    found = {what: count for what, count in wrong.items() if count}
    return {"queued behind an external job": found} if found else {}


@step
def triggerer_is_killed_and_another_takes_over(stage, onlookers):
    if "triggerer 2" not in stage.airflow.names:
        stage.airflow.start("triggerer 2", like="triggerer")
    stage.airflow.kill("triggerer 2")
    onlookers.wait_until_followed()


@step
def airbyte_cannot_be_reached_for_a_while(stage, onlookers):
    """As when its server restarts: first nobody answers, then something does that cannot."""
    airbyte = stage.airbyte
    asked_before = len(airbyte.requests)
    airbyte.inject(Fault(on="*", do="drop", times=None))
    for name in DEFERRED:
        run, task_id = onlookers.run(name), onlookers.task_id(name)
        run.wait_until(
            lambda run=run, task_id=task_id: TROUBLE in run.log(task_id), "a look that fails"
        )
    airbyte.clear_faults()
    airbyte.inject(Fault(on="*", do="answer", answer=answers.unavailable(), times=None))
    stage.wait_until(
        lambda: 503 in {record.status for record in airbyte.requests[asked_before:]}, "a refusal"
    )
    airbyte.clear_faults()
    onlookers.wait_until_followed()


@step
def deferred_tasks_end(stage, onlookers):
    end(onlookers, DEFERRED)


@step
def blocking_tasks_end(stage, onlookers):
    """A worker that runs what the scheduler had lost goes on with its job, in the same try or the next."""
    for name in BLOCKING:
        run = onlookers.run(name)
        run.wait_for("running", onlookers.task_id(name))
    onlookers.wait_until_followed(BLOCKING)
    end(onlookers, BLOCKING)


ENDS = (deferred_tasks_end.__name__, blocking_tasks_end.__name__)
"""The steps after which no task waits any more."""


def end(onlookers, names):
    runs = [onlookers.run(name) for name in names]
    for run in runs:
        run.finish()
    for run in runs:
        run.wait_for_end()
