"""How a sensor ends: one table for all modes, run by Airflow itself.

A row is a task of a DAG that ``dag.test()`` runs, with its own resumption after pokes and deferrals. The
clocks of ours and of Airflow's loop of pokes are virtual; what is left of Airflow's time is real.
"""

from datetime import datetime, timedelta, timezone
from itertools import product
from types import SimpleNamespace

import pytest

from airbyte_sync_local import lives

try:
    from airflow.sdk.bases import sensor as airflow_sensor
except ImportError:
    from airflow.sensors import base as airflow_sensor

MODES = ("poke", "reschedule", "deferrable")
FLAGS = ("plain", "soft_fail", "never_fail")
SUCCEEDS, RETRIED, FAILS_AT_ONCE, SKIPPED = (
    ("success", 1),
    ("failed", 2),
    ("failed", 1),
    ("skipped", 1),
)
"""State and try with which a task ends that may be tried once more."""

TABLE = {
    # ending: without a flag, with soft_fail, with never_fail
    "succeeded": (SUCCEEDS, SUCCEEDS, SUCCEEDS),
    "failed": (RETRIED, RETRIED, SKIPPED),
    "cancelled": (RETRIED, RETRIED, SKIPPED),
    "timeout": (FAILS_AT_ONCE, SKIPPED, SKIPPED),
    "execution_timeout": (RETRIED, SKIPPED, SKIPPED),
    "unreachable": (RETRIED, RETRIED, SKIPPED),
    "refused": (FAILS_AT_ONCE, SKIPPED, SKIPPED),
    "bad_input": (FAILS_AT_ONCE, SKIPPED, SKIPPED),
    "trigger_died": (RETRIED, RETRIED, SKIPPED),
}
ROWS = [
    (mode, ending, flag)
    for ending, mode, flag in product(TABLE, MODES, FLAGS)
    if ending != "trigger_died" or mode == "deferrable"
]

DAG_FILE = """
import json, os
from datetime import datetime, timedelta

from airflow.triggers.base import BaseTrigger
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
from airbyte_sync_airflow.sensors import AirbyteJobSensor

PASS_TIME = []


class NoEvent(BaseTrigger):
    def serialize(self):
        return "sensor_endings.NoEvent", {}

    async def run(self):
        for event in ():
            yield event


class Abandoned(AirbyteJobSensor):
    '''A sensor whose trigger dies: Airflow goes on with this method then.'''

    def defer(self, **_):
        super().defer(
            trigger=NoEvent(), method_name="__fail__", kwargs={"error": "Trigger failure"}
        )


with DAG("sensor_endings", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    for name, kind, options in json.loads(os.environ["THE_ROWS"]):
        seconds = options.pop("execution_timeout", None)
        {"sensor": AirbyteJobSensor, "abandoned": Abandoned}[kind](
            task_id=name,
            retries=1,
            retry_delay=timedelta(0),
            execution_timeout=None if seconds is None else timedelta(seconds=seconds),
            pre_execute=lambda context: [each(context) for each in PASS_TIME],
            **options,
        )
"""


@pytest.fixture
def clock():
    """Begins now, because Airflow's own time is real."""
    from airbyte_sync_testkit.clock import VirtualClock

    return VirtualClock(datetime.now(timezone.utc))


@pytest.fixture
def virtual_pokes(clock, monkeypatch):
    """Between two pokes of a process no real time passes."""
    began = clock.now()
    passed = SimpleNamespace(
        sleep=lambda seconds: clock.advance(timedelta(seconds=seconds)),
        monotonic=lambda: (clock.now() - began).total_seconds(),  # noqa: PLW0108 - asked anew
    )
    monkeypatch.setattr(airflow_sensor, "time", passed)


@pytest.fixture
def options_of(airbyte, connection, connect):
    """Return what makes a sensor end in a certain way."""
    connect("unreachable", host="http://127.0.0.1:1", extra={"unreachable_timeout": 300})
    jobs = {
        "succeeded": lives.succeeds(lasts=timedelta(minutes=3)),
        "failed": lives.fails(),
        "cancelled": lives.is_cancelled_by_server(),
    }

    def options(ending):
        if ending == "refused":
            return {"airbyte_job_id": 4711}
        if ending == "bad_input":
            return {"airbyte_job_id": "None"}
        added = airbyte.add_connection()
        life = jobs.get(ending, lives.never_ends())
        chosen = {
            "airbyte_job_id": airbyte.start_foreign_job(added.connection_id, life).job_id,
            "poke_interval": 60,
        }
        match ending:
            case "timeout":
                return chosen | {"timeout": 600}
            case "execution_timeout":
                return chosen | {"execution_timeout": 600}
            case "unreachable":
                return chosen | {"airbyte_conn_id": "unreachable"}
        return chosen

    return options


@pytest.fixture
def run_rows(options_of, virtual_pokes, load_dag_file, monkeypatch, clock):
    """Run rows of the table, and return with which state and try each of them ended."""

    def run(rows):
        import json

        tasks = []
        for mode, ending, flag in rows:
            options = options_of(ending)
            if mode == "deferrable":
                options["deferrable"] = True
            else:
                options["mode"] = mode
            if mode == "reschedule":
                options["poke_interval"] = 0.01
                if ending == "timeout":
                    options["timeout"] = 0.5  # it is Airflow that counts, in real time
            if flag != "plain":
                options[flag] = True
            kind = "abandoned" if ending == "trigger_died" else "sensor"
            tasks.append((f"{mode}-{ending}-{flag}", kind, options))
        monkeypatch.setenv("THE_ROWS", json.dumps(tasks))
        module = load_dag_file("sensor_endings", DAG_FILE)
        module.PASS_TIME.append(lambda context: clock.advance(timedelta(minutes=2)))
        ended = module.dag.test()
        return {
            tuple(each.task_id.split("-")): (str(each.state), each.try_number)
            for each in ended.get_task_instances()
        }

    return run


@pytest.mark.filterwarnings("default")  # dag.test() warns of its own parts
def test_every_ending_means_the_same_in_every_mode(run_rows):
    """State and retries depend on the ending and the flag, never on the mode."""
    expected = {
        (mode, ending, flag): TABLE[ending][FLAGS.index(flag)] for mode, ending, flag in ROWS
    }
    assert expected == run_rows(ROWS)
