"""State of the release before the second edition comes to the same end in this one."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from replay import Replay

from airbyte_sync import Checkpoint, InvalidCheckpoint, RequestNotSent, SyncPolicy

HERE = Path(__file__).resolve().parent
SAMPLES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((HERE / "checkpoints").glob("*.json"))
}
POLICIES = json.loads((HERE / "policies.json").read_text(encoding="utf-8"))
EVENTS = {"LookFailed": "PollFailed", "JobSeen": "JobPolled"}
"""What that release called otherwise, with the present name."""
WAYS = [(name, way) for name, sample in SAMPLES.items() for way in sample["outcomes"]]


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_a_checkpoint_comes_to_the_same_end(name, way):
    """The same result or error, after the same requests, events and seconds."""
    sample = SAMPLES[name]
    assert in_present_words(sample["outcomes"][way]) == getattr(Replay(sample), way)()


@pytest.mark.parametrize("name", SAMPLES)
def test_each_pause_may_be_the_last_one_of_its_process(name):
    """What this release writes when it goes on from such a checkpoint comes to the same end, too."""
    sample = SAMPLES[name]
    assert in_present_words(sample["outcomes"]["resumed"]) == Replay(sample).put_away()


def test_the_samples_have_every_phase_and_every_field():
    """Between them they hold each field that a checkpoint of version 1 could have."""
    checkpoints = [sample["checkpoint"] for sample in SAMPLES.values()]
    assert {1} == {checkpoint["version"] for checkpoint in checkpoints}
    assert {"submit", "look", "queue", "watch", "cancel"} == {each["phase"] for each in checkpoints}
    assert set(FIELDS) == set().union(*checkpoints) - {"version"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_damaged_field_is_noticed(name):
    """A value of a wrong type is an invalid checkpoint, in whichever field it is."""
    checkpoint = SAMPLES[name]["checkpoint"]
    for field in checkpoint:
        with pytest.raises(InvalidCheckpoint):
            Checkpoint.from_json({**checkpoint, field: {"no": "such value"}})


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_read_as_before(name):
    """It is written as it was, and its intervals and pauses are the same."""
    sample = POLICIES[name]
    policy = SyncPolicy.from_json(sample["policy"])
    assert {**sample["policy"], "streams": False} == policy.to_json()  # the release before had none
    assert sample["intervals"] == [
        policy.poll.interval(
            waited=timedelta(seconds=waited), job_id=7, polls=polls
        ).total_seconds()
        for polls, waited in enumerate(WAITED)
    ]
    assert sample["backoff"] == [
        policy.backoff(RequestNotSent("no route"), failures=failures, seed=7).total_seconds()
        for failures in range(8)
    ]


WAITED = (0, 10, 100, 1000, 10_000)
FIELDS = (
    *("phase", "connection_id", "job_type", "asked_at", "deadline", "limit", "queue_deadline"),
    *("answered_since", "earlier_tries", "job_id", "origin", "status", "blocked_by", "in_doubt"),
    *("settle_until", "cancel_until", "cancel_sent", "queued_too_long", "wake_at"),
    *("failing_since", "failures", "looks", "submit_failing_since", "submit_failures"),
    *("lost_submissions", "lost_status", "nothing_came", "newer_ended", "missing_since"),
    *("missing_polls", "has_met_airbyte", "strange_since"),
)


def in_present_words(outcome):
    """Return an outcome with the present names of its events."""
    return {**outcome, "events": [_renamed(told) for told in outcome["events"]]}


def _renamed(told):
    for before, now in EVENTS.items():
        told = told.replace(before, now)
    return told
