"""Streams and attempts of a job that succeeded: asked for on request, best effort, and bounded."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from airbyte_sync import (
    Attempt,
    FailureReason,
    InvalidInput,
    JobDetails,
    JobStreams,
    Pause,
    ServerTrouble,
    StreamTotals,
    SyncFailed,
    SyncPolicy,
    resume,
    step,
    submit,
    sync,
)
from airbyte_sync_testkit.memory import CallFault

POLICY = SyncPolicy(streams=True)
STREAMS = JobStreams.of([StreamTotals(name="orders", namespace="shop", rows=7, bytes=70)])
NOON = datetime(2026, 8, 21, 12, tzinfo=timezone.utc)
ATTEMPT = Attempt(
    number=0,
    status="failed",
    started_at=NOON,
    ended_at=NOON + timedelta(minutes=1),
    rows=7,
    bytes=70,
    failure=FailureReason(message="too slow"),
)


def test_a_result_tells_streams_and_attempts(world):
    """Where the policy asks for them."""
    world.airbyte.details[1] = JobDetails(streams=STREAMS, attempts=(ATTEMPT,))
    result = world.run(sync(world.request, POLICY))
    assert (STREAMS, (ATTEMPT,)) == (result.streams, result.attempts)


def test_nothing_is_asked_for_unless_it_is_wanted(world):
    """A thousand syncs cost no request more."""
    result = world.run(sync(world.request, SyncPolicy()))
    assert (None, ()) == (result.streams, result.attempts)
    assert 0 == world.airbyte.count("fetch_details")


def test_trouble_with_the_details_does_not_change_the_outcome(world):
    """The other API is switched off or slow: the job has succeeded all the same."""
    world.airbyte.fail("fetch_details", CallFault(error=ServerTrouble("no", status=503)))
    result = world.run(sync(world.request, POLICY))
    assert (1, None) == (result.job.job_id, result.streams)


def test_a_failure_is_explained_and_not_detailed(world):
    """Why it failed is what counts then."""
    world.life((0, "running"), (10, "failed"))
    with pytest.raises(SyncFailed):
        world.run(sync(world.request, POLICY))
    assert 0 == world.airbyte.count("fetch_details")


def test_a_job_that_succeeds_at_its_deadline_is_detailed_too(world):
    """However the flow comes to the end."""
    world.airbyte.details[1] = JobDetails(streams=STREAMS)
    world.life((0, "running"), (100, "succeeded"))
    policy = replace(POLICY, timeout=timedelta(seconds=60), cancel_on_timeout=False)
    world.later(59.9, lambda: world.pass_time(60))
    assert STREAMS == world.run(sync(world.request, policy)).streams


def test_no_checkpoint_holds_streams(world):
    """They are asked for at the very end, after the last pause."""
    world.airbyte.details[1] = JobDetails(streams=JobStreams.of(_many(1000)))
    checkpoint = world.run(submit(world.request, POLICY)).checkpoint
    sizes = []
    while isinstance(turn := step(resume(checkpoint, POLICY), world), Pause):
        checkpoint = turn.checkpoint
        sizes.append(len(json.dumps(checkpoint.to_json())))
        world.clock.sleep(turn.until - world.clock.now())
    assert 1000 == turn.result.streams.count
    assert max(sizes) < 1000


def test_a_thousand_streams_are_bounded():
    """Those with the most rows are told by name, and the rest is counted."""
    streams = JobStreams.of(_many(1000))
    assert (100, 900, 1000) == (len(streams.streams), streams.others, streams.count)
    assert ("stream 999", 999) == (streams.streams[0].name, streams.streams[0].rows)
    assert sum(range(900)) == streams.other_rows
    assert 10 * sum(range(900)) == streams.other_bytes
    assert len(json.dumps(streams.to_json())) < 10_000


def test_streams_without_amounts_are_in_the_order_of_their_names():
    """As of a server that tells names only."""
    streams = JobStreams.of(StreamTotals(name=f"{number:03}") for number in reversed(range(150)))
    assert ["000", "001"] == [stream.name for stream in streams.streams[:2]]
    assert (50, None, None) == (streams.others, streams.other_rows, streams.other_bytes)


def test_too_many_streams_are_refused():
    """No caller makes a value by hand that blows up what carries it."""
    with pytest.raises(InvalidInput, match="streams has 101 items: give at most 100"):
        JobStreams(streams=tuple(_many(101)))


def test_streams_survive_as_json():
    """An event of a scheduler carries them."""
    streams = JobStreams.of(_many(101))
    assert streams == JobStreams.from_json(json.loads(json.dumps(streams.to_json())))


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"streams": None},
        {**STREAMS.to_json(), "others": "7"},
        {**STREAMS.to_json(), "streams": [1]},
    ],
)
def test_what_are_no_stored_streams(stored):
    """They are refused as one error, whatever is wrong with them."""
    with pytest.raises(InvalidInput):
        JobStreams.from_json(stored)


def test_a_result_as_json(world):
    """What a command prints, and what a scheduler stores."""
    world.airbyte.details[1] = JobDetails(streams=STREAMS, attempts=(ATTEMPT,))
    result = world.run(sync(world.request, POLICY))
    document = json.loads(json.dumps(result.to_json()))
    assert result.job.to_json() == document["job"]
    assert "started" == document["origin"]
    assert STREAMS.to_json() == document["streams"]
    [attempt] = document["attempts"]
    assert ("2026-08-21T12:00:00+00:00", "too slow") == (
        attempt["started_at"],
        attempt["failure"]["message"],
    )
    plain = world.run(sync(world.request, SyncPolicy())).to_json()
    assert (None, []) == (plain["streams"], plain["attempts"])


def test_a_policy_of_the_release_before_has_no_streams():
    """A task that was deferred before an upgrade goes on."""
    stored = SyncPolicy().to_json()
    del stored["streams"]
    assert SyncPolicy() == SyncPolicy.from_json(stored)
    assert POLICY == SyncPolicy.from_json(POLICY.to_json())


def _many(count):
    return [
        StreamTotals(name=f"stream {number}", rows=number, bytes=10 * number)
        for number in range(count)
    ]
