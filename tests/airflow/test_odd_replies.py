"""Any reply, in any mode of operator and sensor: a true end or an error of ours, and clean words about it."""

import asyncio
import json
import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from airbyte_sync_airflow import exceptions
from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_airflow.triggers import AirbyteSyncTrigger
from airbyte_sync_http.protocol import cleaning
from airbyte_sync_local import job_scripts
from airbyte_sync_testkit.odd_replies import (
    CANCEL,
    CONNECTION,
    EXPLAIN,
    FIND,
    ODD_REPLIES,
    POLL,
    SUBMIT,
    TOKEN,
)

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred

FIXED = "AIRBYTE_SYNC_NEW_LIVES" not in os.environ
"""The same examples in every run; see ``tests/drivers``."""

SECRET = "the-client-secret"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
TIMEOUT = 900
LIVES = {
    "succeeds": job_scripts.succeeds(),
    "succeeds later": job_scripts.succeeds(lasts=4 * MINUTE),
    "fails": job_scripts.fails("\ud800\x00" * 400, lasts=MINUTE),
    "is cancelled": job_scripts.is_cancelled_by_server(),
    "never ends": job_scripts.never_ends(),
}
SLOW = {"silence", "silence afterwards", "drip", "dripping header", "dripping refusal"}
"""Each costs the real time that a call may take."""


OF_ANOTHER_CONNECTION = "a job of another connection"
"""Only who knows more of a job than its id can tell."""


@some.composite
def odd_replies(draw, calls):
    call = draw(some.sampled_from(calls))
    fitting = [name for name, reply in ODD_REPLIES.items() if reply.may_strike(call)]
    if SUBMIT not in calls or FIND not in calls:
        fitting = [name for name in fitting if name != OF_ANOTHER_CONNECTION]
    name = draw(some.sampled_from(fitting))
    times = 1 if name in SLOW else draw(some.sampled_from([1, 1, 2, 3, None]))
    return call, name, times, draw(some.integers(0, 4))


def examples(number):
    return settings(
        derandomize=FIXED,
        max_examples=number,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


OF_A_TASK = [SUBMIT, POLL, POLL, FIND, CANCEL, CONNECTION, TOKEN, EXPLAIN]
OF_A_SENSOR = [POLL, POLL, CONNECTION, TOKEN, EXPLAIN]


def replies_to(calls):
    return some.lists(odd_replies(calls), min_size=1, max_size=3)


@pytest.fixture
def stage(airbyte, connect_with, context, clock, log):
    """One server and one Airflow; each example has a connection, a task and a record of its own."""
    connect_with(read_timeout=0.2, submit_timeout=0.2, unreachable_timeout=300)
    return Stage(airbyte, context, clock, log)


class Stage:
    def __init__(self, airbyte, context, clock, log):
        self.airbyte, self.context, self.clock, self.log = airbyte, context, clock, log
        self.events = []

    def begin(self, life, odd):
        self.airbyte.clear_faults()
        self.airbyte.clear_requests()
        self.events.clear()
        self.log.lines.clear()
        self.context["ti"].xcoms.clear()
        self.context["ti"].start_date = self.began = self.clock.now()
        self.connection = self.airbyte.add_connection(job_scripts=[LIVES[life]])
        for call, name, times, skip in odd:
            self.airbyte.inject(ODD_REPLIES[name].on(call, times=times, skip=skip))

    def run(self, act):
        """Run a task to its end; return its result, or the exception of ours that it raised."""
        try:
            result = act()
        except Exception as error:  # its kind is asserted below
            result = error
        if isinstance(result, Exception):
            assert exceptions.__name__ == type(result).__module__, repr(result)
        elapsed, requests = self.clock.now() - self.began, len(self.airbyte.requests)
        assert elapsed <= TIMEOUT * SECOND + 3 * MINUTE
        assert requests <= 60 + 3 * elapsed / (10 * SECOND)
        for line in self.log.lines:
            assert_clean(line, 4000)
        for value in (*self.events, self.context["ti"].xcoms):
            assert_clean_json(value)
        assert_clean(str(result), 3000)
        return result

    def deferred(self, make, call):
        """Run a task in worker and triggerer, with nothing but JSON between them."""
        while True:
            try:
                return call()
            except TaskDeferred as deferral:
                _, options = deferral.trigger.serialize()
            assert_clean_json(options)
            event = asyncio.run(self._event(AirbyteSyncTrigger(**json.loads(json.dumps(options)))))
            call = self._complete(make(), event)

    async def _event(self, trigger):
        [event] = [event.payload async for event in trigger.run()]
        self.events.append(event)
        return json.loads(json.dumps(event))

    def _complete(self, task, event):
        return lambda: task.execute_complete(self.context, event)

    def jobs(self):
        mine = self.connection.connection_id
        return {job.job_id: job.status for job in self.airbyte.jobs if job.connection_id == mine}


def assert_clean(text, longest):
    assert SECRET not in text
    assert cleaning.is_clean(text), repr(text)
    assert len(text) <= longest


def assert_clean_json(value):
    assert len(json.dumps(value, allow_nan=False)) <= 16 * 1024
    match value:
        case str():
            assert_clean(value, 4000)
        case int() | float():
            assert abs(value) < 2**63
        case dict():
            for item in (*value.keys(), *value.values()):
                assert_clean_json(item)
        case list():
            for item in value:
                assert_clean_json(item)


LEFT_RUNNING = (exceptions.AirbyteSubmitInDoubt, exceptions.AirbyteServerUnreachable)
ADMITTED = ("not confirmed", "left running", "could not be seen")


def assert_true(stage, result, *, waits=True):
    stage.clock.advance(5 * MINUTE)  # for what is still on its way
    jobs = stage.jobs()
    assert len(jobs) <= 1, "two syncs for one request"
    [status] = jobs.values() or [None]
    if not isinstance(result, Exception):
        assert {result} == set(jobs)
        assert status == "succeeded" or not waits
    elif isinstance(result, exceptions.AirbyteSyncFailed):
        assert "failed" == status
    elif isinstance(result, exceptions.AirbyteSyncCancelled):
        assert "cancelled" == status
    elif status not in {None, "succeeded", "failed", "cancelled"}:
        admits = any(word in str(result) for word in ADMITTED)
        assert isinstance(result, LEFT_RUNNING) or admits, f"a sync was lost: {result!r}"
    assert not isinstance(result, exceptions.AirbyteJobGone), "the job is there"


MODES = {
    "blocking": {},
    "asynchronous": {"asynchronous": True},
    "deferrable": {"deferrable": True},
}


@pytest.mark.parametrize("mode", MODES)
@examples(30)
@given(odd=replies_to(OF_A_TASK), life=some.sampled_from(sorted(LIVES)))
def test_an_operator_ends_truly(stage, operator, mode, odd, life):
    """Up to three kinds of odd replies, once or for ever, to any call of a task."""
    stage.begin(life, odd)

    def make():
        connection_id = stage.connection.connection_id
        return operator(connection_id, timeout=TIMEOUT, wait_seconds=10, **MODES[mode])

    def act():
        result = stage.deferred(make, lambda: make().execute(stage.context))
        return stage.context["ti"].xcoms["return_value"] if result is None else result

    assert_true(stage, stage.run(act), waits=mode != "asynchronous")


@pytest.mark.parametrize("deferrable", [False, True])
@examples(30)
@given(odd=replies_to(OF_A_SENSOR), life=some.sampled_from(sorted(LIVES)))
def test_a_sensor_ends_truly(stage, sensor, deferrable, odd, life):
    """It reports the end of the job that it follows, and of no other, and cancels nothing."""
    stage.begin(life, odd)
    job_id = stage.airbyte.start_external_job(stage.connection.connection_id).job_id

    def make():
        return sensor(job_id, poke_interval=30, timeout=TIMEOUT, deferrable=deferrable)

    def poke():
        task = make()
        for _ in range(2 * TIMEOUT // 30):
            if task.poke(stage.context):
                return
            stage.clock.advance(30 * SECOND)
        pytest.fail("the sensor does not end")

    def act():
        if deferrable:
            stage.deferred(make, lambda: make().execute(stage.context))
        else:
            poke()
        return job_id

    result = stage.run(act)
    assert "DELETE" not in {record.method for record in stage.airbyte.requests}
    if isinstance(result, exceptions.AirbyteSensorTimedOut):
        assert "left running" in str(result) or "could not be seen" in str(result)
        return
    assert_true(stage, result)


OF_THE_HOOK = {
    "get_job_details": POLL,
    "submit_sync_connection": SUBMIT,
    "submit_reset_connection": SUBMIT,
    "cancel_job": CANCEL,
    "wait_for_job": POLL,
    "test_connection": "GET /connections",
}


@pytest.mark.parametrize("method", OF_THE_HOOK)
@examples(15)
@given(data=some.data())
def test_the_hook_answers_truly(stage, method, data):
    """What it returns is about what was asked; a submission is made once."""
    odd = data.draw(replies_to([OF_THE_HOOK[method], OF_THE_HOOK[method], TOKEN, POLL]))
    stage.begin("succeeds later", [])
    connection_id = stage.connection.connection_id
    job_id = None
    if method in {"get_job_details", "cancel_job", "wait_for_job"}:
        job_id = stage.airbyte.start_external_job(connection_id).job_id
    for call, name, times, skip in odd:
        stage.airbyte.inject(ODD_REPLIES[name].on(call, times=times, skip=skip % 2))
    hook, arguments = AirbyteHook(), [job_id or connection_id]
    if method == "test_connection":
        arguments = []
    if method == "wait_for_job":
        arguments = [job_id, 10, TIMEOUT]
    result = stage.run(lambda: getattr(hook, method)(*arguments))
    if method == "test_connection":
        assert_clean(result[1], 4000)
    if method.startswith("submit"):
        assert len(stage.jobs()) <= 1
        posts = [record for record in stage.airbyte.requests if record.path.endswith("/jobs")]
        assert len(posts) <= 2  # again after a 401, which started nothing
    if not isinstance(result, Exception) and hasattr(result, "job_id"):
        assert connection_id == result.connection_id
        assert result.job_id in stage.jobs()
