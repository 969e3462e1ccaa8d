"""Steps: what is done to all of Airflow, or to so much of it that nothing else can go on meanwhile.

They are played one after the other. Airflow is made whole again after each, so that a step that fails fails
alone.
"""

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a step."""

    name: str
    result: Any = None
    error: Exception | None = None
    """Why the step did not come to its end."""

    def get(self):
        """Return the result, or raise why there is none."""
        if self.error is not None:
            raise AssertionError(
                f"{self.name} did not come to its end: {self.error}"
            ) from self.error
        return self.result


def play(name, step, *arguments, stage, restores=True):
    """
    Play one step, or scene, and tell a screen how it ended.

    Args:
        name: What it is called.
        step: What to call.
        arguments: With what.
        stage: Where it is played.
        restores: Whether to make Airflow whole again afterwards.
    """
    begun = time.monotonic()
    try:
        outcome = Outcome(name=name, result=step(*arguments))
        stage.tell(f"  {name}: {time.monotonic() - begun:.0f} s")
    except Exception as error:  # a test raises it
        outcome = Outcome(name=name, error=error)
        stage.tell(f"  {name}: FAILED after {time.monotonic() - begun:.0f} s: {error}")
    finally:
        if restores:
            restore(stage)
    return outcome


def restore(stage):
    """Make Airflow and Airbyte whole again, whatever a step left."""
    airflow = stage.airflow
    stage.airbyte.clear_faults()
    for proxy in (airflow.api_proxy, airflow.database_proxy):
        if proxy is not None:
            proxy.pass_on()
    for name in airflow.names:
        airflow.resume(name)
    for name in airflow.dead:
        airflow.kill(name)
    for name in airflow.process_names:
        if name not in airflow.names:
            airflow.start(name)
