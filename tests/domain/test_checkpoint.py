"""The checkpoint as JSON: it arrives as it was put away, or it is refused."""

import json
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airbyte_sync import Checkpoint, InvalidCheckpoint, JobStatus, JobType, Origin
from airbyte_sync.phases import (
    PHASES,
    Asked,
    Cancelling,
    ConnectionBusy,
    EarlierJobs,
    Failures,
    FindingJob,
    Submissions,
    Submitting,
    Watching,
)
from airbyte_sync.version_1 import _READERS as VERSION_1

NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
moments = some.datetimes(
    min_value=NOON.replace(year=2000, tzinfo=None),
    max_value=NOON.replace(year=2200, tzinfo=None),
    timezones=some.just(timezone.utc),
)
ids = some.integers(1, 2**63 - 1)
counts = some.integers(0, 10**6)

FIELDS = {
    "connection_id": some.text(),
    "job_type": some.sampled_from(JobType),
    "asked_at": moments,
    "deadline": some.none() | moments,
    "deadline_name": some.none() | some.text(),
    "queue_deadline": some.none() | moments,
    "answered_since": moments,
    "tries": some.integers(min_value=0, max_value=99),
    "job_id": ids,
    "origin": some.sampled_from(Origin),
    "status": some.none() | some.builds(JobStatus, some.text()),
    "after_job_id": ids,
    "in_doubt": some.booleans(),
    "search_until": some.none() | moments,
    "cancel_until": moments,
    "cancel_sent": some.booleans(),
    "queued_too_long": some.booleans(),
    "wake_at": some.none() | moments,
    "since": moments,
    "count": counts,
    "polls": counts,
    "lost": some.integers(0, 9),
    "lost_status": some.none() | some.integers(100, 599),
    "nothing_came": some.booleans(),
    "newer_ended": some.none() | some.integers(1, 10**9),
    "has_met_airbyte": some.booleans(),
    "strange_since": some.none() | moments,
}


def built(kind):
    return some.builds(kind, **{each.name: FIELDS[each.name] for each in fields(kind)})


for name in ("failures", "submit_failures", "missing"):
    FIELDS[name] = some.none() | built(Failures)
FIELDS["submissions"] = built(Submissions)
FIELDS["earlier"] = some.none() | built(EarlierJobs)
FIELDS["phase"] = some.one_of([built(phase) for phase in PHASES.values()])
checkpoints = built(Checkpoint)
COMMON = {each.name: FIELDS[each.name] for each in fields(Checkpoint)}

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)


def stored_and_read(checkpoint):
    return Checkpoint.from_json(json.loads(json.dumps(checkpoint.to_json())))


@given(checkpoints)
def test_a_checkpoint_survives_json(checkpoint):
    """A checkpoint that went through a store is equal to the one that was put away."""
    assert stored_and_read(checkpoint) == checkpoint


@pytest.mark.parametrize("field", ["after_job_id", "connection_id", "origin"])
@given(some.data())
def test_what_is_not_known_survives_json(field, data):
    """``None`` comes back where a phase allows it."""
    allowing = {
        "after_job_id": (Submitting, FindingJob),
        "connection_id": (Watching, Cancelling),
        "origin": (Cancelling,),
    }
    phase = data.draw(built(data.draw(some.sampled_from(allowing[field]))))
    values = {each.name: getattr(phase, each.name) for each in fields(phase)} | {field: None}
    checkpoint = Checkpoint(phase=type(phase)(**values), asked_at=NOON)
    assert stored_and_read(checkpoint) == checkpoint


def test_no_name_means_two_things():
    """A stored checkpoint is flat: what is common and what its phase adds have different names."""
    common = {each.name for each in fields(Checkpoint)}
    for phase in PHASES.values():
        assert common.isdisjoint(each.name for each in fields(phase))


def test_defaults_are_left_out():
    """A stored checkpoint is small: it says only what is not as usual."""
    checkpoint = Checkpoint.watching(7, Origin.STARTED, asked_at=NOON)
    assert {
        "version": 2,
        "phase": "watching",
        "asked_at": "2026-01-05T12:00:00+00:00",
        "job_id": 7,
        "origin": "started",
    } == checkpoint.to_json()


def test_groups_are_stored_as_such():
    """What belongs together stands together."""
    phase = FindingJob(
        connection_id="c",
        submissions=Submissions(in_doubt=True, lost=1, lost_status=504),
        submit_failures=Failures(since=NOON, count=1),
        earlier=EarlierJobs(answered_since=NOON, tries=2),
    )
    noon = "2026-01-05T12:00:00+00:00"
    assert Checkpoint(phase=phase, asked_at=NOON).to_json() == {
        "version": 2,
        "phase": "finding_job",
        "asked_at": noon,
        "connection_id": "c",
        "submissions": {"in_doubt": True, "lost": 1, "lost_status": 504},
        "submit_failures": {"since": noon, "count": 1},
        "earlier": {"answered_since": noon, "tries": 2},
    }


def test_moments_are_stored_in_utc():
    """A moment of another zone is the same moment, in UTC."""
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    stored = Checkpoint.asked(elsewhere).to_json()
    assert "2026-01-05T12:00:00+00:00" == stored["asked_at"]
    stored["asked_at"] = elsewhere.isoformat()
    assert Checkpoint.from_json(stored).asked_at.tzinfo is timezone.utc


# --- what the release before wrote ---

OLD = {"version": 1, "asked_at": NOON.isoformat(), "connection_id": "c"}
IN_DOUBT = {"in_doubt": True, "lost_submissions": 2, "lost_status": 502}
LATER = NOON + timedelta(hours=1)
VERSION_1_EXAMPLES = [
    ({"phase": "submit", "connection_id": None}, Asked()),
    (
        {"phase": "submit", "blocked_by": 4} | IN_DOUBT,
        Submitting(
            connection_id="c",
            after_job_id=4,
            submissions=Submissions(in_doubt=True, lost=2, lost_status=502),
        ),
    ),
    (
        {
            "phase": "look",
            "settle_until": LATER.isoformat(),
            "nothing_came": True,
            "submit_failing_since": NOON.isoformat(),
            "submit_failures": 2,
            "answered_since": NOON.isoformat(),
            "earlier_tries": 3,
        },
        FindingJob(
            connection_id="c",
            submit_failures=Failures(since=NOON, count=2),
            earlier=EarlierJobs(answered_since=NOON, tries=3),
            search_until=LATER,
            nothing_came=True,
        ),
    ),
    (
        {"phase": "queue", "blocked_by": 6, "status": "running"},
        ConnectionBusy(connection_id="c", after_job_id=6),
    ),
    (
        {
            "phase": "watch",
            "job_id": 7,
            "origin": "adopted",
            "status": "running",
            "newer_ended": 8,
            "missing_since": NOON.isoformat(),
            "missing_polls": 2,
            "blocked_by": 3,
            "earlier_tries": 1,
        },
        Watching(
            connection_id="c",
            job_id=7,
            origin=Origin.ADOPTED,
            status=JobStatus.RUNNING,
            newer_ended=8,
            missing=Failures(since=NOON, count=2),
        ),
    ),
    (
        {
            "phase": "cancel",
            "job_id": 7,
            "origin": "started",
            "cancel_until": LATER.isoformat(),
            "cancel_sent": True,
            "queued_too_long": True,
        },
        Cancelling(
            connection_id="c",
            job_id=7,
            origin=Origin.STARTED,
            cancel_until=LATER,
            cancel_sent=True,
            queued_too_long=True,
        ),
    ),
]


@pytest.mark.parametrize(("document", "phase"), VERSION_1_EXAMPLES)
def test_a_checkpoint_of_the_release_before_is_read(document, phase):
    """A task that was deferred when it was upgraded goes on."""
    stored = {name: value for name, value in (OLD | document).items() if value is not None}
    assert Checkpoint(phase=phase, asked_at=NOON) == Checkpoint.from_json(stored)


def test_what_is_common_to_the_phases_is_read_from_the_release_before():
    """Its names are the new ones."""
    common = {
        "job_type": "reset",
        "deadline": LATER.isoformat(),
        "limit": "execution_timeout",
        "queue_deadline": LATER.isoformat(),
        "wake_at": LATER.isoformat(),
        "failing_since": NOON.isoformat(),
        "failures": 3,
        "looks": 9,
        "has_met_airbyte": True,
        "strange_since": NOON.isoformat(),
    }
    assert Checkpoint(
        phase=FindingJob(connection_id="c"),
        asked_at=NOON,
        job_type=JobType.RESET,
        deadline=LATER,
        deadline_name="execution_timeout",
        queue_deadline=LATER,
        wake_at=LATER,
        failures=Failures(since=NOON, count=3),
        polls=9,
        has_met_airbyte=True,
        strange_since=NOON,
    ) == Checkpoint.from_json(OLD | {"phase": "look"} | common)


def test_a_request_with_its_job_is_written_for_the_release_before():
    """Its workers read what a triggerer of this release sends."""
    watching = Checkpoint(
        phase=Watching(
            connection_id="c",
            job_id=7,
            origin=Origin.ADOPTED,
            status=JobStatus.RUNNING,
            missing=Failures(since=NOON, count=2),
        ),
        asked_at=NOON,
        deadline=LATER,
        deadline_name="execution_timeout",
        wake_at=LATER,
        failures=Failures(since=NOON, count=3),
        polls=9,
    )
    noon, later = NOON.isoformat(), LATER.isoformat()
    assert watching.to_json(for_version=1) == {
        "version": 1,
        "phase": "watch",
        "connection_id": "c",
        "job_id": 7,
        "origin": "adopted",
        "status": "running",
        "missing_since": noon,
        "missing_polls": 2,
        "asked_at": noon,
        "deadline": later,
        "limit": "execution_timeout",
        "wake_at": later,
        "failing_since": noon,
        "failures": 3,
        "looks": 9,
    }


@given(some.builds(Checkpoint, **{**COMMON, "phase": built(Watching)}))
def test_what_is_written_for_the_release_before_is_read_by_this_one(checkpoint):
    """No fact is lost on the way."""
    assert checkpoint == Checkpoint.from_json(checkpoint.to_json(for_version=1))


# --- what is refused ---


@given(JSON)
def test_what_is_no_checkpoint_is_refused(document):
    """Whatever a store brings back in the place of a checkpoint is InvalidCheckpoint."""
    with pytest.raises(InvalidCheckpoint, match="look at the connection's last job"):
        Checkpoint.from_json(document)


NAMES = ["phase", *FIELDS, "password"]
LOOKING = Checkpoint(phase=FindingJob(connection_id="c"), asked_at=NOON).to_json()


@pytest.mark.parametrize(
    ("document", "names"), [(LOOKING, NAMES), (OLD | {"phase": "look"}, [*VERSION_1, "password"])]
)
@given(data=some.data())
def test_a_damaged_checkpoint_is_refused(document, names, data):
    """A checkpoint with damaged entries is read as one or refused, and nothing else happens."""
    damage = data.draw(some.dictionaries(some.sampled_from(names), JSON, max_size=4))
    try:
        checkpoint = Checkpoint.from_json({**document, **damage})
    except InvalidCheckpoint:
        return
    assert stored_and_read(checkpoint) == checkpoint


WATCHING = Checkpoint.watching(7, Origin.STARTED, asked_at=NOON).to_json()


@pytest.mark.parametrize(
    "damage",
    [
        {"phase": "sleep"},
        {"phase": []},
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
        {"polls": -1},
        {"limit": 1},
        {"deadline_name": 1},
        {"answered_since": "2026-01-05T12:00:00"},
        {"answered_since": True},
        {"missing": {"since": NOON.isoformat(), "count": -1}},
        {"missing": {"count": 1}},
        {"missing": []},
        {"after_job_id": 1},
        {"token": "secret"},
    ],
)
@pytest.mark.parametrize("document", [WATCHING, WATCHING | {"version": 1, "phase": "watch"}])
def test_entries_of_the_wrong_kind_are_refused(document, damage):
    """Strings for numbers, moments without a zone and unknown entries are not guessed at."""
    assert 7 == Checkpoint.from_json(document).job_id
    with pytest.raises(InvalidCheckpoint, match="damaged"):
        Checkpoint.from_json(document | damage)


@pytest.mark.parametrize("version", [10**4400, "x" * 10**6, ["\ud800"], True, 0], ids=lambda _: "")
def test_a_foreign_version_is_told_in_a_few_words(version):
    """The text is printable and short, whatever stands in the place of the version."""
    with pytest.raises(InvalidCheckpoint) as caught:
        Checkpoint.from_json(WATCHING | {"version": version})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_another_version_is_refused_with_advice():
    """A release that cannot read a checkpoint says so before it does anything."""
    with pytest.raises(
        InvalidCheckpoint, match="versions 1 and 2, not 3: look at the connection's last job"
    ):
        Checkpoint.from_json({"version": 3, "phase": "look", "asked_at": NOON.isoformat()})


def examples_of_each_phase():
    """Yield each phase as JSON, in both versions, with the names of what it cannot do without."""
    needed = {
        "submitting": ["connection_id"],
        "finding_job": ["connection_id"],
        "connection_busy": ["connection_id", "after_job_id"],
        "watching": ["job_id", "origin"],
        "cancelling": ["job_id", "cancel_until"],
    }
    values = {"connection_id": "c", "after_job_id": 1, "job_id": 2, "origin": "started"}
    values |= {"cancel_until": NOON.isoformat(), "asked_at": NOON.isoformat()}
    for phase, names in needed.items():
        document = {"version": 2, "phase": phase} | {n: values[n] for n in [*names, "asked_at"]}
        for name in [*names, "asked_at", "phase"]:
            yield document, name
    old = {"look": ["connection_id"], "queue": ["connection_id", "blocked_by"]}
    old |= {"watch": ["job_id", "origin"], "cancel": ["job_id"]}
    for phase, names in old.items():
        document = {"version": 1, "phase": phase, "blocked_by": 1} | values
        del document["after_job_id"]
        for name in [*names, "asked_at", "phase"]:
            yield document, name


@pytest.mark.parametrize(("document", "missing"), list(examples_of_each_phase()))
def test_a_checkpoint_that_lacks_something_is_refused(document, missing):
    """A checkpoint that does not fit its phase is not read, so that it starts and cancels nothing."""
    assert isinstance(Checkpoint.from_json(document), Checkpoint)
    with pytest.raises(InvalidCheckpoint, match="damaged"):
        Checkpoint.from_json({name: value for name, value in document.items() if name != missing})


def test_the_examples_above_know_every_field():
    """A field that is added to the checkpoint is tried in a store too."""
    kinds = [Checkpoint, *PHASES.values(), Failures, Submissions, EarlierJobs]
    assert set(FIELDS) == {each.name for kind in kinds for each in fields(kind)}
    assert all(is_dataclass(kind) for kind in kinds)


ONE_TRY = EarlierJobs(answered_since=NOON, tries=1)
QUEUED = ConnectionBusy(connection_id="c", after_job_id=7)
UNSUBMITTED = FindingJob(connection_id="c")


@pytest.mark.parametrize("phase", [QUEUED, UNSUBMITTED])
def test_a_request_that_another_process_goes_on_with_has_an_earlier_try(phase):
    """That process may submit: the request made again looks for its job, and passes a failed one over."""
    handed_over = Checkpoint(phase=phase, asked_at=NOON).handed_over()
    assert Checkpoint(phase=replace(phase, earlier=ONE_TRY), asked_at=NOON) == handed_over


@pytest.mark.parametrize(
    "phase",
    [
        replace(QUEUED, submissions=Submissions(in_doubt=True, lost=1)),
        replace(QUEUED, earlier=EarlierJobs(answered_since=NOON.replace(hour=1), tries=3)),
        Watching(job_id=7, origin=Origin.STARTED),
        Submitting(connection_id="c"),
    ],
)
def test_what_is_looked_for_or_known_anyway_is_handed_over_as_it_is(phase):
    checkpoint = Checkpoint(phase=phase, asked_at=NOON)
    assert checkpoint == checkpoint.handed_over()
