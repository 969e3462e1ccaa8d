"""No life makes a flow run hot: what fails is paced, in every phase."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from airbyte_sync import (
    AirbyteSyncError,
    OnConflict,
    PollSchedule,
    PortInterpreter,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    StateConflict,
    SyncAlreadyRunning,
    SyncPolicy,
    SyncRequest,
    Throttled,
    run,
    sync,
)
from airbyte_sync.commands import Now, Pause, Report
from airbyte_sync_local import JobScript
from airbyte_sync_testkit.clock import VirtualClock
from airbyte_sync_testkit.memory import CallFault, InMemoryAirbyte

CONNECTION_ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
ENDLESS = JobScript.of((0, "pending"), (2, "running"))
MINUTE = timedelta(minutes=1)
AT_ONCE = timedelta(0)

ERRORS = [
    ResponseNotReceived("lost"),
    ResponseNotReceived("lost", retry_after=AT_ONCE),
    RequestNotSent("not sent"),
    ServerTrouble("503", status=503, retry_after=AT_ONCE),
    Throttled("429", retry_after=AT_ONCE),
    SyncAlreadyRunning("409", status=409),
    StateConflict("409", status=409),
]


class Pacemaker:
    """Counts the calls of every minute."""

    def __init__(self, airbyte, clock):
        self.ports = PortInterpreter(airbyte, clock)
        self.clock = clock
        self.moments = []

    def answer(self, command):
        if not isinstance(command, (Now, Pause, Report)):
            self.moments.append(self.clock.now())
            assert len(self.moments) < 20_000, "a hot loop"
        return self.ports.answer(command)

    def busiest_minute(self):
        return max(
            sum(1 for other in self.moments if moment <= other < moment + MINUTE)
            for moment in self.moments
        )


def drive(policy, *, faults, foreign=False):
    clock = VirtualClock()
    airbyte = InMemoryAirbyte(clock=clock)
    airbyte.add_connection(CONNECTION_ID)
    airbyte.job_scripts.append(ENDLESS)
    if foreign:
        airbyte.start_external_job(CONNECTION_ID, ENDLESS)
        clock.advance(MINUTE)
    for method, errors in faults.items():
        airbyte.fail(method, *(error and CallFault(error=error) for error in errors))
    pacemaker = Pacemaker(airbyte, clock)
    with suppress(AirbyteSyncError):
        run(sync(SyncRequest(connection_id=CONNECTION_ID), policy), pacemaker)
    return pacemaker


@pytest.mark.parametrize("adopt_window", [AT_ONCE, timedelta(seconds=90)])
@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_a_submission_that_always_fails_is_paced(error, adopt_window):
    """Submit, look, submit again: never without a pause in between, and never for ever."""
    policy = SyncPolicy(timeout=timedelta(hours=2), adopt_window=adopt_window)
    assert (
        drive(policy, faults={"submit": [error] * 9999}).busiest_minute() <= 50
    )  # commands, of which half only ask the time or take notes


some_faults = some.lists(some.none() | some.sampled_from(ERRORS[:5]), max_size=40)


@settings(max_examples=200, deadline=None)
@given(
    faults=some.fixed_dictionaries(
        {
            "submit": some.lists(some.none() | some.sampled_from(ERRORS), max_size=40),
            "fetch_job": some_faults,
            "find_jobs": some_faults,
            "cancel": some_faults,
        }
    ),
    policy=some.builds(
        SyncPolicy,
        on_conflict=some.sampled_from(OnConflict),
        adopt_window=some.sampled_from([AT_ONCE, timedelta(seconds=90)]),
        timeout=some.sampled_from([1, 60, 1000, 7200]).map(lambda n: timedelta(seconds=n)),
    ),
    foreign=some.booleans(),
)
def test_no_life_is_hot(faults, policy, foreign):
    """Whatever fails and in whatever order, no minute sees more than a handful of calls."""
    assert drive(policy, faults=faults, foreign=foreign).busiest_minute() <= 60


def test_the_shortest_poll_interval_does_not_storm_the_list():
    """A caller who polls every tenth of a second does not list every tenth of a second."""
    policy = replace(SyncPolicy(), poll=PollSchedule.fixed(timedelta(seconds=0.1)))
    pacemaker = drive(policy, faults={"submit": [ERRORS[0]] * 9999})
    assert pacemaker.busiest_minute() <= 70
