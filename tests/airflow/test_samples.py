"""What the release before the second edition left in Airflow comes to the same end with this one."""

import json
import sys
from functools import partial
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
sys.path.insert(0, str(SAMPLES))

from replay_airflow import Stage, failure_sample, moment_of  # noqa: E402

EXCEPTIONS = {"AirbyteTroubled": "AirbyteTransientError"}
"""What that release called otherwise, with the present name."""


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


TASKS = {
    path.stem: read(path)
    for folder in ("deferrals", "stores")
    for path in sorted((SAMPLES / folder).glob("*.json"))
}
FAILURES = read(SAMPLES / "failures.json")


@pytest.fixture
def stage_of(airbyte, clock, context, state_store, event_of, connect):
    parts = {"airbyte": airbyte, "clock": clock, "context": context, "state_store": state_store}
    return partial(Stage, event_of=event_of, connect=connect, **parts)


@pytest.mark.parametrize(
    ("name", "way"), [(name, way) for name, sample in TASKS.items() for way in sample["outcomes"]]
)
def test_a_task_comes_to_the_same_end(stage_of, name, way):
    """
    The same result or exception, after the same events and requests, the same XComs and the same time.

    ``fired``: the triggerer reads the trigger; ``picked_up``: a worker reads an event that was stored;
    ``deferred_for_too_long``: Airflow gives the deferral up; ``tried_again``: another try reads the task's
    state store; ``poked``: the next poke of a rescheduled sensor does.
    """
    stage = stage_of(TASKS[name])
    stage.come_to(moment_of(TASKS[name], way))
    assert in_present_words(stage.sample["outcomes"][way], stage) == getattr(stage, way)()


@pytest.mark.parametrize("kind", ["operator", "sensor"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_becomes_the_same_exception(stage_of, name, kind):
    """
    Whatever error that release's triggers told of, but for a checkpoint that they could not read.

    That was written by this release, so another try overcomes it (decision 0022).
    """
    stage = stage_of(failure_sample(kind, FAILURES[name]["event"]))
    outcome = in_present_words({"error": FAILURES[name][kind]}, stage)
    if name == "InvalidCheckpoint":
        outcome["error"] = "AirbyteTransientError"
    assert outcome["error"] == stage.picked_up()["error"]


def in_present_words(outcome, stage):
    """Return an outcome with the present names of its exceptions."""
    error = outcome.get("error")
    return stage.plain(outcome | ({} if error is None else {"error": EXCEPTIONS.get(error, error)}))
