"""Statuses, job types and requests, as Airbyte uses the words."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airbyte_sync import InvalidInput, Job, JobStatus, JobType, SyncRequest
from airbyte_sync.jobs import newest

NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize("word", ["succeeded", "failed", "cancelled"])
def test_three_words_end_a_job(word):
    """succeeded, failed and cancelled are final."""
    assert JobStatus(word).is_final


@given(some.text())
def test_one_word_is_a_success(word):
    """Letter by letter: a word that looks like it is none."""
    assert (word == "succeeded") is JobStatus(word).is_success
    assert JobStatus("succeeded").is_success


@given(some.text().filter(lambda word: word not in {"succeeded", "failed", "cancelled"}))
def test_every_other_word_does_not_end_a_job(word):
    """The set of statuses is open: a word that does not exist yet is not final."""
    assert not JobStatus(word).is_final


def test_a_status_equals_its_word():
    """Code that compares with Airbyte's words means what it says; sets and dicts agree with it."""
    assert JobStatus.SUCCEEDED == "succeeded"
    assert "succeeded" == JobStatus("succeeded")
    assert JobStatus.SUCCEEDED != "failed"
    assert JobStatus.SUCCEEDED in ("failed", "succeeded")
    assert JobStatus.SUCCEEDED not in (None, 1, b"succeeded")
    assert {"succeeded"} == {JobStatus.SUCCEEDED, "succeeded", JobStatus("succeeded")}
    assert hash("succeeded") == hash(JobStatus.SUCCEEDED)


def test_a_status_knows_its_words():
    """Known words are told from unknown ones, and those before the first attempt from the others."""
    assert JobStatus.QUEUED.is_known
    assert not JobStatus("hibernating").is_known
    assert JobStatus.PENDING.is_waiting_to_run
    assert not JobStatus.RUNNING.is_waiting_to_run
    assert "running" == str(JobStatus.RUNNING)


def test_airbyte_reports_a_clear_as_a_reset():
    """A job reported as reset is covered by a request to clear, and only the same word otherwise."""
    assert JobType.CLEAR.covers("reset")
    assert JobType.CLEAR.covers("clear")
    assert JobType.SYNC.covers("sync")
    assert not JobType.SYNC.covers("reset")
    assert not JobType.RESET.covers("clear")


@pytest.mark.parametrize(
    "connection_id", ["", "  ", "{{ var.value.connection_id }}", "{an_f_string}"]
)
def test_a_request_refuses_what_cannot_be_an_id(connection_id):
    """An empty id and a template that was never rendered are refused, and the text says where ids are."""
    with pytest.raises(InvalidInput, match="in the address of the connection's page"):
        SyncRequest(connection_id=connection_id)


@pytest.mark.parametrize(
    ("connection_id", "expected"),
    [
        ("3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11", True),
        ("3F4E7F6A-54D0-4A3E-9E5C-0D6F6A2F8B11", True),
        ("3f4e7f6a54d04a3e9e5c0d6f6a2f8b11", False),
        ("urn:uuid:3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11", False),
        ("my connection", False),
    ],
)
def test_a_request_recognises_the_form_of_airbytes_ids(connection_id, expected):
    """Only a UUID with its hyphens looks as Airbyte's ids do: its server reads no other form."""
    assert SyncRequest(connection_id=connection_id).has_uuid is expected


def test_the_newest_job_is_found_in_any_order():
    """Jobs of the same second are told apart by their ids."""
    jobs = [
        Job(
            job_id=job_id,
            status=JobStatus.RUNNING,
            job_type="sync",
            connection_id="c",
            created_at=NOON + timedelta(seconds=second),
        )
        for job_id, second in ((2, 1), (3, 1), (1, 0))
    ]
    found = newest(jobs)
    assert found is not None
    assert 3 == found.job_id
    assert newest([]) is None


@pytest.mark.parametrize("ended", [True, False])
def test_a_job_as_json_holds_json_types_only(ended):
    """For what cannot carry the class: the same after it was written and read."""
    job = Job(
        job_id=7,
        status=JobStatus("succeeded" if ended else "running"),
        job_type="sync",
        connection_id="c",
        created_at=NOON,
        **({"ended_at": NOON, "duration": timedelta(minutes=1), "rows": 3} if ended else {}),
    )
    expected = {
        "job_id": 7,
        "status": "succeeded" if ended else "running",
        "job_type": "sync",
        "connection_id": "c",
        "created_at": "2026-01-05T12:00:00+00:00",
        "ended_at": "2026-01-05T12:00:00+00:00" if ended else None,
        "duration_seconds": 60.0 if ended else None,
        "rows": 3 if ended else None,
        "bytes": None,
    }
    assert expected == json.loads(json.dumps(job.to_json()))
