"""A step that fails fails alone, and says what it waited for. Needs no Airflow."""

import time
from concurrent.futures import Future

import pytest
import restarts
import steps
from stage import Late, Run, Stage


class WholeAirflow:
    """What steps do to Airflow's processes, noted and not done."""

    process_names = ("scheduler", "triggerer")
    api_proxy = None
    database_proxy = None
    database = "postgresql"

    def __init__(self):
        self.names = list(self.process_names)
        self.dead = []
        self.done = []

    def kill(self, name):
        self.names.remove(name)
        self.dead = [other for other in self.dead if other != name]
        self.done.append(f"kill {name}")

    def start(self, name):
        self.names.append(name)
        self.done.append(f"start {name}")

    def resume(self, name):
        self.done.append(f"resume {name}")

    def check(self):
        assert [] == self.dead

    def all_tasks(self):
        return []


class WholeAirbyte:
    """An Airbyte that nothing was asked."""

    jobs = ()
    requests = ()

    def clear_faults(self):
        """There are none."""


@pytest.fixture
def told():
    return []


@pytest.fixture
def stage(told):
    return Stage(WholeAirflow(), WholeAirbyte(), None, None, told.append)


def is_late():
    raise Late("not in 7 s: the end of the world")


def test_a_step_that_fails_tells_a_screen_and_raises_when_its_result_is_wanted(stage, told):
    """With its name, and what it waited for."""
    outcome = steps.play("the_step", is_late, stage=stage)
    assert "the_step: FAILED after 0 s: not in 7 s: the end of the world" in told[0]
    with pytest.raises(AssertionError, match=r"the_step(.|\n)*the end of the world"):
        outcome.get()


def test_airflow_is_whole_again_after_a_step_that_failed(stage):
    """What it paused goes on, what died starts again, and what it killed is there."""
    stage.airflow.names.remove("scheduler")
    stage.airflow.dead = ["triggerer"]
    steps.play("the_step", is_late, stage=stage)
    assert ["resume triggerer", "kill triggerer", "start scheduler", "start triggerer"] == (
        stage.airflow.done
    )


class Onlookers(restarts.Onlookers):
    """Onlookers that begin at once, with the damage that a test wants."""

    def __init__(self, damage):
        self.damages = iter(damage)
        self.replaced = []
        self._started = {name: done(name) for name in restarts.ONLOOKERS}

    def damage(self):
        return next(self.damages)

    def replace(self, names):
        self.replaced.append(set(names))


def done(result):
    future = Future()
    future.set_result(result)
    return future


def test_an_onlooker_that_a_step_damaged_is_told_once_and_replaced(stage, monkeypatch):
    """The next step begins with a whole one, and is green."""
    monkeypatch.setattr(
        restarts, "STEPS", {"harmful": lambda *_: None, "harmless": lambda *_: None}
    )
    onlookers = Onlookers([{"blocking": {"cancelled": 1}}, {}])
    outcomes = restarts.play(stage, onlookers)
    assert {"blocking": {"cancelled": 1}} == outcomes["harmful"].get()
    assert {} == outcomes["harmless"].get()
    assert [{"blocking"}, set()] == onlookers.replaced


def test_what_a_run_waited_for_is_told_with_what_is_to_be_seen_of_it(stage):
    """The DAG, the run, the states of its tasks and jobs."""
    run = Run(stage=stage, dag_id="blocking", run_id="manual__1", connection_ids=("id",))
    with pytest.raises(Late, match=r"not in 0 s: the job(.|\n)*blocking manual__1: tasks"):
        run.wait_until(lambda: False, "the job", patience=0)


def test_an_airflow_that_is_too_busy_to_answer_is_asked_again(stage, monkeypatch):
    """One request that was given up ends no scene."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    answers = iter([TimeoutError("timed out"), True])

    def holds():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    stage.wait_until(holds, "an answer", patience=60)
