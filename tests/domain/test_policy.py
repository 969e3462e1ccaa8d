"""The numbers of the policy: poll intervals, back-off, and settings that cannot be right."""

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airbyte_sync import (
    InvalidInput,
    OnConflict,
    PollSchedule,
    ResponseNotReceived,
    ServerTrouble,
    SyncPolicy,
    Throttled,
)

SECOND = timedelta(seconds=1)
durations = some.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=365))
parts = some.floats(min_value=0, max_value=1)


schedules = some.builds(
    lambda floor, more, fraction, jitter: PollSchedule(
        floor=floor, cap=floor + more, fraction=fraction, jitter=jitter
    ),
    durations,
    durations,
    parts,
    parts,
)


@given(
    schedule=schedules,
    waited=some.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=30)),
    job_id=some.integers(0, 2**63),
    polls=some.integers(0, 10**6),
)
def test_an_interval_lies_between_floor_and_cap(schedule, waited, job_id, polls):
    """Whatever the time waited and the jitter, an interval keeps to floor and cap, and repeats itself."""
    interval = schedule.interval(waited=waited, job_id=job_id, polls=polls)
    assert schedule.floor <= interval <= schedule.cap
    assert interval == schedule.interval(waited=waited, job_id=job_id, polls=polls)


def test_intervals_grow_with_the_time_waited():
    """Soon after the start a look comes at the floor, later after a tenth of the time waited."""
    schedule = PollSchedule(jitter=0)
    intervals = [
        schedule.interval(waited=waited * SECOND, job_id=1, polls=0) / SECOND
        for waited in (0, 60, 300, 6000)
    ]
    assert [3, 6, 30, 60] == intervals


def test_jitter_drives_jobs_apart():
    """Jobs of the same age look at different moments."""
    schedule = PollSchedule()
    intervals = {
        schedule.interval(waited=300 * SECOND, job_id=job_id, polls=7) for job_id in range(100)
    }
    assert len(intervals) > 90


def test_a_fixed_schedule_is_exact():
    """The documented fixed wait_seconds has no jitter and does not grow."""
    schedule = PollSchedule.fixed(7 * SECOND)
    assert {7 * SECOND} == {
        schedule.interval(waited=waited * SECOND, job_id=waited, polls=waited)
        for waited in range(0, 10_000, 17)
    }


def test_backoff_doubles_up_to_a_minute():
    """Without a word from the server, the time away doubles from a second to a minute."""
    policy = SyncPolicy(poll=PollSchedule(jitter=0))
    error = ResponseNotReceived("reset by peer")
    backoffs = [policy.backoff(error, failures=n, seed=1) / SECOND for n in (0, 1, 2, 5, 6, 2000)]
    assert [1, 2, 4, 32, 60, 60] == backoffs


@given(asked=some.integers(1, 86_400), failures=some.integers(0, 100), seed=some.integers())
def test_backoff_honours_retry_after(asked, failures, seed):
    """The server is never asked again before the time it gave, and not much later than we would anyway."""
    error = ServerTrouble("503", status=503, retry_after=asked * SECOND)
    backoff = SyncPolicy().backoff(error, failures=failures, seed=seed)
    assert asked * SECOND <= backoff <= 1.2 * max(asked, 60) * SECOND


@pytest.mark.parametrize("asked", [timedelta(0), timedelta(seconds=-5), timedelta.max])
def test_backoff_is_sane_when_retry_after_is_not(asked):
    """A Retry-After of nothing or of forever gives neither a hot loop nor an overflow."""
    backoff = SyncPolicy().backoff(Throttled("429", retry_after=asked), failures=0, seed=1)
    assert SECOND <= backoff <= timedelta(days=1.2)


def test_backoff_is_long_for_a_429_that_asks_for_nothing():
    """Airbyte's limiter sends no Retry-After: stay away for a minute."""
    assert SyncPolicy().backoff(Throttled("429"), failures=0, seed=1) >= 60 * SECOND


def test_backoff_drives_connections_apart():
    """Waiters that lost the same server at once do not come back at once."""
    error = ResponseNotReceived("reset by peer")
    backoffs = {SyncPolicy().backoff(error, failures=3, seed=f"connection {n}") for n in range(100)}
    assert len(backoffs) > 90


policies = some.builds(
    SyncPolicy,
    poll=schedules,
    timeout=some.none() | durations,
    on_conflict=some.sampled_from(OnConflict),
    unreachable_timeout=durations,
    adopt_window=durations | some.just(timedelta(0)),
    cancel_timeout=durations,
    cancel_on_timeout=some.booleans(),
)


@given(policies)
def test_a_policy_survives_json(policy):
    """A policy travels with its checkpoint and arrives as it was."""
    assert SyncPolicy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_not_a_policy_is_refused(document):
    """Whatever a store brings back in the place of a policy is InvalidInput."""
    with pytest.raises(InvalidInput, match="not a stored sync policy"):
        SyncPolicy.from_json(document)


@given(some.sampled_from(sorted(SyncPolicy().to_json())), JSON)
def test_a_damaged_policy_is_refused(name, value):
    """A policy with one damaged entry is read as a policy or refused, and nothing else happens."""
    document = {**SyncPolicy().to_json(), name: value}
    with suppress(InvalidInput):
        assert isinstance(SyncPolicy.from_json(document), SyncPolicy)


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": timedelta(0)},
        {"timeout": timedelta(seconds=-1)},
        {"timeout": timedelta.max},
        {"unreachable_timeout": timedelta(0)},
        {"cancel_timeout": timedelta(0)},
        {"adopt_window": timedelta(seconds=-1)},
        {"adopt_window": timedelta.max},
    ],
)
def test_a_policy_refuses_durations_that_cannot_be_right(settings):
    """Nothing waits for no time, or longer than a calendar has days; the text says what to give."""
    with pytest.raises(InvalidInput, match="give a number of seconds"):
        SyncPolicy(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"floor": timedelta(0)},
        {"floor": 90 * SECOND},
        {"cap": timedelta.max},
        {"fraction": -0.1},
        {"fraction": float("nan")},
        {"jitter": 2.0},
    ],
)
def test_a_schedule_refuses_settings_that_cannot_be_right(settings):
    """A floor of zero would be a hot loop; a cap below the floor contradicts itself."""
    with pytest.raises(InvalidInput):
        PollSchedule(**settings)


def test_no_timeout_is_allowed():
    """None means to wait without end."""
    assert SyncPolicy(timeout=None).timeout is None
