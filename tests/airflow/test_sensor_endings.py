"""How a sensor ends: one table for all modes, run by Airflow itself.

A row is a task of a DAG that ``dag.test()`` runs, with its own resumption after pokes and deferrals. The
clocks of ours and of Airflow's loop of pokes are virtual; what is left of Airflow's time is real.
"""

import json
import time
from datetime import datetime, timedelta, timezone
from itertools import product
from types import SimpleNamespace

import pytest

from airbyte_sync_local import Fault, answers, job_scripts

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
    "refused": (FAILS_AT_ONCE, RETRIED, SKIPPED),
    "bad_input": (FAILS_AT_ONCE, RETRIED, SKIPPED),
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

    def sleep(seconds):
        clock.advance(timedelta(seconds=seconds))

    def monotonic():
        return (clock.now() - began).total_seconds()

    monkeypatch.setattr(airflow_sensor, "time", SimpleNamespace(sleep=sleep, monotonic=monotonic))


@pytest.fixture
def options_of(airbyte, connection, connect):
    """Return what makes a sensor end in a certain way."""
    connect("unreachable", host="http://127.0.0.1:1", extra={"unreachable_timeout": 300})
    jobs = {
        "succeeded": job_scripts.succeeds(lasts=timedelta(minutes=3)),
        "failed": job_scripts.fails(),
        "cancelled": job_scripts.is_cancelled_by_server(),
    }

    def options(ending):
        if ending == "refused":
            return {"airbyte_job_id": 4711}
        if ending == "bad_input":
            return {"airbyte_job_id": "None"}
        added = airbyte.add_connection()
        life = jobs.get(ending, job_scripts.never_ends())
        chosen = {
            "airbyte_job_id": airbyte.start_external_job(added.connection_id, life).job_id,
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
def run_tasks(load_dag_file, monkeypatch):
    """Let Airflow run sensors of a DAG file; return with which state and try each of them ended."""

    def run(name, tasks, pass_time=()):
        monkeypatch.setenv("THE_ROWS", json.dumps(tasks))
        module = load_dag_file(name, DAG_FILE.replace("sensor_endings", name))
        module.PASS_TIME.extend(pass_time)
        ended = module.dag.test()
        return {
            each.task_id: (str(each.state), each.try_number) for each in ended.get_task_instances()
        }

    return run


@pytest.fixture
def run_rows(options_of, virtual_pokes, run_tasks, clock):
    """Run rows of the table."""

    def run(rows):
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
        pass_time = [lambda context: clock.advance(timedelta(minutes=2))]
        ended = run_tasks("sensor_endings", tasks, pass_time)
        return {tuple(name.split("-")): end for name, end in ended.items()}

    return run


@pytest.mark.filterwarnings("default")  # dag.test() warns of its own parts
def test_every_ending_means_the_same_in_every_mode(run_rows):
    """State and retries depend on the ending and the flag, never on the mode."""
    expected = {
        (mode, ending, flag): TABLE[ending][FLAGS.index(flag)] for mode, ending, flag in ROWS
    }
    assert expected == run_rows(ROWS)


@pytest.mark.filterwarnings("default")
def test_airflows_own_alarm_between_two_pokes_means_the_same(
    options_of, run_tasks, cancellations, clock, monkeypatch
):
    """It ends the sleep after a poke; then the job is polled once more, and never cancelled."""

    def sleep(seconds):
        clock.advance(timedelta(minutes=5))
        time.sleep(seconds)

    loop = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
    monkeypatch.setattr(airflow_sensor, "time", loop)
    ends = {"plain": RETRIED, "soft_fail": SKIPPED, "never_fail": SKIPPED, "ended": SUCCEEDS}

    def task(flag):
        options = options_of("timeout") | {"timeout": 3600, "execution_timeout": 1}
        if flag == "ended":
            return options | options_of("succeeded")
        return options | ({} if flag == "plain" else {flag: True, "cancel_on_kill": True})

    order = ["ended", "plain", "soft_fail", "never_fail"]
    tasks = [(flag, "sensor", task(flag)) for flag in order]
    assert ends == run_tasks("sensor_alarm", tasks)
    assert [] == cancellations()


@pytest.mark.filterwarnings("default")
def test_a_rescheduled_sensor_introduces_its_job_once(options_of, run_tasks, airbyte, clock, log):
    """Each poke is a process of its own; a first poll that fails introduces nothing."""
    airbyte.inject(Fault(on="GET /jobs/{jobId}", do="answer", answer=answers.bad_gateway()))
    options = options_of("succeeded") | {"mode": "reschedule", "poke_interval": 0.01}
    pokes = []

    def pass_time(context):
        pokes.append(context.get("task_state_store") is not None)
        clock.advance(timedelta(seconds=50))

    assert {"follow": SUCCEEDS} == run_tasks(
        "sensor_pokes", [("follow", "sensor", options)], [pass_time]
    )
    assert len(pokes) >= 4
    assert 1 == str(log).count("Following Airbyte")
    assert "None" not in str(log)
    asked = [
        each for each in airbyte.requests if each.operation == "GET /connections/{connectionId}"
    ]
    # Without a store each poke asks where the job can be looked at: Airflow deletes the link before it.
    assert (1 if all(pokes) else len(pokes)) == len(asked)
