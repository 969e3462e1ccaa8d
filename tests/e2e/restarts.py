"""What happens while tasks wait, one thing after the other: to Airflow's own processes, and to Airbyte."""

from scenes import waiting

from airbyte_sync_local import Fault, answers

STEPS = {}
WATCHED = 4
"""Looks at a job that show that it is followed, and with them the time to do something wrong."""
TROUBLE = "Could not look at Airbyte"


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


class Onlookers:
    """Tasks that wait, in every mode, for a sync that does not end."""

    def __init__(self, stage, pool):
        self._started = {
            name: pool.submit(waiting, stage, dag_id, state, task_id=task_id)
            for name, (dag_id, state, task_id) in ONLOOKERS.items()
        }

    @property
    def runs(self):
        return {name: future.result().run for name, future in self._started.items()}

    def deferred(self):
        return self._those_that_are("deferred")

    def blocking(self):
        return self._those_that_are("running")

    def _those_that_are(self, wanted):
        return [
            (self.runs[name], task_id)
            for name, (_, state, task_id) in ONLOOKERS.items()
            if state == wanted
        ]

    def cancels(self):
        return {name: run.cancels() for name, run in self.runs.items()}

    def wait_until_followed(self, looks=WATCHED):
        """Wait until somebody looks at each of the deferred tasks' jobs."""
        wanted = [(run, run.looks() + looks) for run, _ in self.deferred()]
        for run, count in wanted:
            run.wait_for_looks_in_all(count)


def play(stage, pool, onlookers):
    """Play every step, and return what came of each."""
    outcomes = {}
    for name, step_ in STEPS.items():
        outcomes[name] = pool.submit(step_, stage, onlookers)
        outcomes[name].exception()  # wait for its end; a test raises it
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
    return onlookers.cancels()


@step
def triggerer_stops_and_starts(stage, onlookers):
    stage.airflow.stop("triggerer")
    stage.airflow.start("triggerer")
    onlookers.wait_until_followed()
    return onlookers.cancels()


@step
def triggerer_stands_still_while_another_takes_over(stage, onlookers):
    stage.airflow.start("triggerer 2", like="triggerer")
    stage.airflow.pause("triggerer")
    onlookers.wait_until_followed()
    stage.airflow.resume("triggerer")
    # It learns now that its triggers are another's, and cancels them.
    onlookers.wait_until_followed(2 * WATCHED)
    return onlookers.cancels()


@step
def triggerer_is_killed_and_another_takes_over(stage, onlookers):
    stage.airflow.kill("triggerer 2")
    onlookers.wait_until_followed()
    return onlookers.cancels()


@step
def airbyte_cannot_be_reached_for_a_while(stage, onlookers):
    """As when its server restarts: first nobody answers, then something does that cannot."""
    airbyte = stage.airbyte
    asked_before = len(airbyte.requests)
    airbyte.inject(Fault(on="*", do="drop", times=None))
    for run, task_id in onlookers.deferred():
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
    return onlookers.cancels()


@step
def deferred_tasks_end(stage, onlookers):
    end(onlookers.deferred())


@step
def blocking_tasks_end(stage, onlookers):
    """A worker that runs what the scheduler had lost goes on with its job, in the same try or the next."""
    for run, task_id in onlookers.blocking():
        run.wait_for("running", task_id)
        run.wait_for_looks(WATCHED)
    end(onlookers.blocking())


def end(waiting_runs):
    for run, _ in waiting_runs:
        run.finish()
    for run, _ in waiting_runs:
        run.wait_for_end()
