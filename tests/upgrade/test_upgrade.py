"""An upgrade from the release before the second edition: nothing is doubled, lost or failed."""

import time
from dataclasses import dataclass, field

import pytest

OLDER_BY = 5
"""Seconds after which a job is surely older than a request: a fresher one would be attached to."""
ADVICE = "upgrade the triggerers first"
"""What a task says whose trigger the old triggerer cannot read."""


@dataclass(kw_only=True)
class Upgrade:
    """Tasks in every state, and what is done to the Airflow that runs them."""

    stage: object
    change_packages: object
    runs: dict = field(default_factory=dict)
    external: dict = field(default_factory=dict)
    """The job that a run waits behind at first, where there is one."""

    def start(self, name, dag_id, state, *, task_id="sync", is_behind=False):
        """Start a run, and return how to wait until its task waits."""
        connection_id = self.stage.airbyte.add_connection().connection_id
        if is_behind:
            self.external[name] = self.stage.airbyte.start_external_job(connection_id).job_id
            time.sleep(OLDER_BY)
        run = self.runs[name] = self.stage.start_for(dag_id, connection_id)

        def wait():
            run.wait_for(state, task_id)
            if state == "deferred":
                run.wait_for_trigger(task_id)
            if not is_behind:
                run.wait_for_looks()

        return wait

    def start_all(self):
        waits = [
            self.start("deferred", "deferrable", "deferred"),
            self.start("in the queue", "deferrable", "deferred", is_behind=True),
            self.start("fired with a success", "deferrable", "deferred"),
            self.start("fired with a job", "deferrable", "deferred", is_behind=True),
            self.start("blocking", "blocking", "running"),
            self.start("sensor", "deferrable_sensor", "deferred", task_id="sensor"),
            self.start(
                "between two pokes", "rescheduling_sensor", "up_for_reschedule", task_id="sensor"
            ),
        ]
        for wait in waits:
            wait()

    def stop_the_scheduler(self):
        """Then let two triggers fire: their events are stored, and nothing takes the tasks up again."""
        self.stage.airflow.stop("scheduler")
        self.runs["fired with a success"].finish()
        self.stage.engine.succeed(self.external["fired with a job"])
        for name in ("fired with a success", "fired with a job"):
            self.runs[name].wait_for("scheduled")

    def upgrade_packages(self):
        """Change them under what runs, and restart what starts neither tasks nor triggers."""
        self.change_packages()
        self.restart("dag-processor", "api-server")
        self.stage.wait_until(self.stage.airflow.all_tasks, "the API server to answer")

    def restart(self, *names):
        for name in names:
            if name in self.stage.airflow.names:
                self.stage.airflow.stop(name)
            self.stage.airflow.start(name)

    def finish(self):
        for name, run in self.runs.items():
            if name == "in the queue":
                self.stage.engine.succeed(self.external[name])
                run.wait_until(lambda run=run: 2 == len(run.jobs()), "the job of its own")
            if name != "fired with a success":
                run.finish()
        for run in self.runs.values():
            run.wait_for_end()

    def damage(self):
        """Tell by name what went wrong, in words."""
        found = {}
        for name, run in self.runs.items():
            wrong = {
                "states": {each for each in run.states().values() if each != "success"},
                "jobs too many": len(run.jobs()) - 1 - (name in self.external),
                "cancelled": run.cancels(),
                "results": {run.xcoms().get("return_value")} - {run.jobs()[-1].job_id},
            }
            if told := {what: value for what, value in wrong.items() if value}:
                found[name] = told
        return found

    def tries(self):
        """Return how many tries each task took, by run."""
        return {
            name: max(task.try_number for task in run.tasks().values())
            for name, run in self.runs.items()
        }


@pytest.fixture
def upgrade(stage_with, upgrade_packages):
    """An upgrade of an Airflow whose deferrable tasks have so many retries."""
    return lambda retries: Upgrade(stage=stage_with(retries), change_packages=upgrade_packages)


def test_triggerers_first(upgrade):
    """No task needs another try but the blocking one, whose worker ended with its scheduler."""
    scene = upgrade(retries=0)
    scene.start_all()
    scene.stop_the_scheduler()
    scene.upgrade_packages()
    scene.restart("triggerer")
    scene.restart("scheduler")
    scene.start("started afterwards", "deferrable", "deferred")()
    scene.finish()
    assert {} == scene.damage()
    assert {1} == {tries for name, tries in scene.tries().items() if name != "blocking"}


def test_schedulers_first(upgrade):
    """What the old triggerer cannot read is tried again, and goes on with the sync that it has."""
    scene = upgrade(retries=100)
    scene.start_all()
    scene.stop_the_scheduler()
    scene.upgrade_packages()
    scene.restart("scheduler")
    scene.start("started meanwhile", "deferrable", "deferred")
    for name in ("started meanwhile", "fired with a job"):
        run = scene.runs[name]
        run.wait_until(
            lambda run=run: ADVICE in run.log(), "the advice in the log of its first try"
        )
    scene.restart("triggerer")
    scene.finish()
    assert {} == scene.damage()
