"""The checkpoint as JSON: it arrives as it was put away, or it is refused."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airbyte_sync import (
    Checkpoint,
    InvalidCheckpoint,
    JobStatus,
    JobType,
    Origin,
    Phase,
    SyncPolicy,
    resume,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
moments = some.datetimes(
    min_value=NOON.replace(year=2000, tzinfo=None),
    max_value=NOON.replace(year=2200, tzinfo=None),
    timezones=some.just(timezone.utc),
)
ids = some.integers(1, 2**63 - 1)

FIELDS = {
    "phase": some.sampled_from(Phase),
    "connection_id": some.none() | some.text(),
    "job_type": some.sampled_from(JobType),
    "asked_at": moments,
    "deadline": some.none() | moments,
    "limit": some.none() | some.text(),
    "queue_deadline": some.none() | moments,
    "answered_since": some.none() | moments,
    "earlier_tries": some.integers(min_value=0, max_value=99),
    "job_id": some.none() | ids,
    "origin": some.none() | some.sampled_from(Origin),
    "status": some.none() | some.builds(JobStatus, some.text()),
    "blocked_by": some.none() | ids,
    "in_doubt": some.booleans(),
    "settle_until": some.none() | moments,
    "cancel_until": some.none() | moments,
    "cancel_sent": some.booleans(),
    "queued_too_long": some.booleans(),
    "wake_at": some.none() | moments,
    "failing_since": some.none() | moments,
    "failures": some.integers(0, 10**6),
    "looks": some.integers(0, 10**6),
    "submit_failing_since": some.none() | moments,
    "submit_failures": some.integers(0, 10**6),
    "lost_submissions": some.integers(0, 9),
    "lost_status": some.none() | some.integers(100, 599),
    "nothing_came": some.booleans(),
    "newer_ended": some.none() | some.integers(1, 10**9),
    "missing_since": some.none() | moments,
    "missing_polls": some.integers(0, 10**6),
    "has_met_airbyte": some.booleans(),
    "strange_since": some.none() | moments,
}
checkpoints = some.builds(Checkpoint, **FIELDS)

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)


@given(checkpoints)
def test_a_checkpoint_survives_json(checkpoint):
    """A checkpoint that went through a store is equal to the one that was put away."""
    assert Checkpoint.from_json(json.loads(json.dumps(checkpoint.to_json()))) == checkpoint


def test_the_examples_above_know_every_field():
    """A field that is added to the checkpoint is tried in a store too."""
    assert set(FIELDS) == set(Checkpoint.__dataclass_fields__)


def test_defaults_are_left_out():
    """A stored checkpoint is small: it says only what is not as usual."""
    checkpoint = Checkpoint(phase=Phase.WATCH, asked_at=NOON, job_id=7, origin=Origin.STARTED)
    assert checkpoint.to_json() == {
        "version": 1,
        "phase": "watch",
        "asked_at": "2026-01-05T12:00:00+00:00",
        "job_id": 7,
        "origin": "started",
    }


def test_a_checkpoint_of_the_release_before_is_read():
    """What a task had put away when it was upgraded has no early end and no earlier try."""
    document = {"version": 1, "phase": "look", "asked_at": NOON.isoformat(), "connection_id": "c"}
    checkpoint = Checkpoint.from_json(document)
    assert (checkpoint.limit, checkpoint.answered_since) == (None, None)


def test_moments_are_stored_in_utc():
    """A moment of another zone is the same moment, in UTC."""
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    stored = Checkpoint(phase=Phase.LOOK, asked_at=elsewhere).to_json()
    assert stored["asked_at"] == "2026-01-05T12:00:00+00:00"
    stored["asked_at"] = elsewhere.isoformat()
    assert Checkpoint.from_json(stored).asked_at.tzinfo is timezone.utc


@given(JSON)
def test_what_is_no_checkpoint_is_refused(document):
    """Whatever a store brings back in the place of a checkpoint is InvalidCheckpoint."""
    with pytest.raises(InvalidCheckpoint, match="look at the connection's last job"):
        Checkpoint.from_json(document)


@given(
    some.dictionaries(
        some.sampled_from([*Checkpoint.__dataclass_fields__, "password"]), JSON, max_size=4
    )
)
def test_a_damaged_checkpoint_is_refused(damage):
    """A checkpoint with damaged entries is read as one or refused, and nothing else happens."""
    document = {
        **Checkpoint(phase=Phase.LOOK, connection_id="c", asked_at=NOON).to_json(),
        **damage,
    }
    try:
        checkpoint = Checkpoint.from_json(document)
    except InvalidCheckpoint:
        return
    assert Checkpoint.from_json(json.loads(json.dumps(checkpoint.to_json()))) == checkpoint


@pytest.mark.parametrize(
    "damage",
    [
        {"phase": "sleep"},
        {"asked_at": "2026-01-05T12:00:00"},
        {"asked_at": "0001-01-01T00:00:00+14:00"},
        {"asked_at": 1},
        {"asked_at": "0001-01-01T00:00:00+00:00"},
        {"deadline": "9999-12-31T23:59:59+00:00"},
        {"job_id": 2**63},
        {"job_id": -1},
        {"job_id": 10**4400},
        {"job_id": True},
        {"job_id": "7"},
        {"looks": -1},
        {"limit": 1},
        {"answered_since": "2026-01-05T12:00:00"},
        {"answered_since": True},
        {"token": "secret"},
    ],
)
def test_entries_of_the_wrong_kind_are_refused(damage):
    """Strings for numbers, moments without a zone and unknown entries are not guessed at."""
    document = {"version": 1, "phase": "look", "asked_at": NOON.isoformat(), **damage}
    with pytest.raises(InvalidCheckpoint, match="damaged"):
        Checkpoint.from_json(document)


@pytest.mark.parametrize("version", [10**4400, "x" * 10**6, ["\ud800"]], ids=lambda _: "")
def test_a_foreign_version_is_told_in_a_few_words(version):
    """The text is printable and short, whatever stands in the place of the version."""
    with pytest.raises(InvalidCheckpoint) as caught:
        Checkpoint.from_json({"version": version})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_another_version_is_refused_with_advice():
    """A release that cannot read a checkpoint says so before it does anything."""
    with pytest.raises(
        InvalidCheckpoint, match="version 1, not 2: look at the connection's last job"
    ):
        Checkpoint.from_json({"version": 2, "phase": "look", "asked_at": NOON.isoformat()})


@pytest.mark.parametrize(
    ("phase", "missing"),
    [
        (Phase.SUBMIT, "connection_id"),
        (Phase.LOOK, "connection_id"),
        (Phase.QUEUE, "blocked_by"),
        (Phase.WATCH, "origin"),
        (Phase.CANCEL, "origin"),
    ],
)
def test_a_checkpoint_that_lacks_something_is_refused_before_any_call(world, phase, missing):
    """A checkpoint that does not fit its phase starts and cancels nothing."""
    checkpoint = Checkpoint(phase=phase, asked_at=NOON, job_id=1)
    with pytest.raises(InvalidCheckpoint, match=f"phase {phase.value}|phase look"):
        world.run(resume(checkpoint, SyncPolicy()))
    assert world.airbyte.calls == []
    assert missing in Checkpoint.__dataclass_fields__


@pytest.mark.parametrize("phase", [Phase.WATCH, Phase.CANCEL])
def test_a_checkpoint_without_its_job_is_refused(world, phase):
    """There is nothing to watch or to cancel without a job's id."""
    checkpoint = Checkpoint(phase=phase, asked_at=NOON, origin=Origin.STARTED)
    with pytest.raises(InvalidCheckpoint, match="needs a job_id"):
        world.run(resume(checkpoint, SyncPolicy()))
    assert world.airbyte.calls == []
