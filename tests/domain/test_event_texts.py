"""Events in words, and which of them are worth a line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from airbyte_sync import (
    CancelRequested,
    EarlierTryLookedFor,
    InvalidInput,
    Job,
    JobEnded,
    JobLeftOver,
    JobObtained,
    JobPolled,
    JobRecalled,
    JobStatus,
    Origin,
    PollFailed,
    ProgressThrottle,
    RefusedOnTheWay,
    RequestNotSent,
    ServerTrouble,
    StatusChanged,
    SubmitPostponed,
    SubmitUncertain,
    SyncPolicy,
    Throttled,
    WaitingForOther,
    describe,
    sync,
)
from airbyte_sync.event_texts import introduce, readable_bytes

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
JOB = Job(
    job_id=7,
    status=JobStatus.RUNNING,
    job_type="sync",
    connection_id="3f4e",
    created_at=NOON,
)
BUSY = replace(JOB, rows=1_234_567, bytes=98_765_432)
ENDED = replace(
    BUSY, status=JobStatus.SUCCEEDED, ended_at=NOON + MINUTE, duration=timedelta(seconds=61)
)
TROUBLE = ServerTrouble("HTTP 502", status=502)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            JobObtained(job=JOB, origin=Origin.STARTED),
            "Started Airbyte sync job 7 of connection 3f4e (running)",
        ),
        (
            JobObtained(job=JOB, origin=Origin.ADOPTED),
            (
                "Found Airbyte sync job 7 of connection 3f4e (running), begun since this request: "
                "following it as our own"
            ),
        ),
        (
            JobObtained(job=JOB, origin=Origin.ATTACHED),
            "Following Airbyte sync job 7 of connection 3f4e (running), which was started elsewhere",
        ),
        (
            JobRecalled(job=JOB, origin=Origin.STARTED),
            "Going on with Airbyte sync job 7 of connection 3f4e (running), which an earlier try started",
        ),
        (
            EarlierTryLookedFor(since=NOON, look_until=NOON + MINUTE),
            (
                "An earlier try may have started a sync: looking in Airbyte for a job that began since "
                "12:00:00 UTC; if there is none by 12:01:00 UTC, a new one is started"
            ),
        ),
        (StatusChanged(job=JOB, previous=None), "Airbyte job 7 is running"),
        (
            StatusChanged(job=BUSY, previous=JobStatus.PENDING),
            "Airbyte job 7: pending -> running, 1,234,567 rows, 98.8 MB so far",
        ),
        (
            JobPolled(job=BUSY, at=NOON),
            "Airbyte job 7 is still running, 1,234,567 rows, 98.8 MB so far",
        ),
        (
            JobEnded(job=ENDED),
            "Airbyte job 7 ended: succeeded, 1,234,567 rows, 98.8 MB in 0:01:01",
        ),
        (
            WaitingForOther(job=JOB),
            (
                "The connection is busy with Airbyte job 7 (sync, running), begun before this request; "
                "ours starts when it ends"
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_in_words(event, text):
    """One sentence, which no log shows as a warning."""
    assert (text, False) == (describe(event).text, describe(event).is_warning)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            PollFailed(error=TROUBLE, failing_since=NOON, next_poll=NOON + MINUTE),
            "Could not poll Airbyte (failing since 12:00:00 UTC); polling again at 12:01:00 UTC: HTTP 502",
        ),
        (
            SubmitPostponed(error=Throttled("HTTP 429"), next_try=NOON + MINUTE),
            "Airbyte did not accept the sync; trying again at 12:01:00 UTC: HTTP 429",
        ),
        (
            SubmitPostponed(error=RequestNotSent("no certificate"), next_try=NOON + MINUTE),
            "The submission of the sync did not reach Airbyte; trying again at 12:01:00 UTC: no certificate",
        ),
        (
            SubmitPostponed(error=RefusedOnTheWay("a page"), next_try=NOON + MINUTE),
            "The submission of the sync did not reach Airbyte; trying again at 12:01:00 UTC: a page",
        ),
        (
            SubmitUncertain(error=TROUBLE, look_until=NOON + MINUTE),
            (
                "Airbyte's answer was lost, so the sync may have started; looking for it until 12:01:00 UTC "
                "before anything else: HTTP 502"
            ),
        ),
        (
            JobLeftOver(job=JOB, newer=replace(ENDED, job_id=8)),
            (
                "Airbyte job 7 is still reported as running, but the newer job 8 of the connection has ended "
                "(succeeded). Airbyte runs one job of a connection at a time, so job 7 is a leftover "
                "that nothing works on any more"
            ),
        ),
        (CancelRequested(job=JOB), "Cancelling Airbyte job 7 (running)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_warning_in_words(event, text):
    """Something went wrong, or is cancelled."""
    assert (text, True) == (describe(event).text, describe(event).is_warning)


def test_the_line_about_the_beginning_has_name_and_link_where_they_are_known():
    """A person knows a connection by its name, and wants to open the job."""
    event = JobObtained(job=JOB, origin=Origin.STARTED)
    told = describe(event, connection_name="Orders", job_url="https://airbyte.example/jobs/7")
    assert (
        "Started Airbyte sync job 7 of connection 'Orders' (3f4e) (running): "
        "https://airbyte.example/jobs/7" == told.text
    )


def test_a_job_that_is_known_by_its_id_is_introduced_without_its_origin():
    """How it began is not known."""
    told = introduce(job_id=7, job_type="sync", status="running", connection_id="3f4e")
    assert "Following Airbyte sync job 7 of connection 3f4e (running)" == told


def test_a_description_is_one_clean_line():
    """A server, or an adapter that did not read with care, forges no line."""
    odd = replace(JOB, status=JobStatus("run\nning"), job_type="sy\x00nc", connection_id="3\r4")
    for event in (
        JobObtained(job=odd, origin=Origin.STARTED),
        StatusChanged(job=odd, previous=odd.status),
        JobPolled(job=odd, at=NOON),
        JobEnded(job=odd),
        WaitingForOther(job=odd),
        JobLeftOver(job=odd, newer=odd),
        CancelRequested(job=odd),
        PollFailed(error=ServerTrouble("5\n02" * 2000), failing_since=NOON, next_poll=NOON),
    ):
        text = describe(event).text
        assert text.isprintable(), repr(text)
        assert len(text) < 2200


def test_each_event_of_a_flow_has_words(world):
    """Whatever a flow reports can be told."""
    world.run(sync(world.request, SyncPolicy()))
    assert all(describe(event).text for event in world.events)


def test_polls_are_let_through_once_a_minute():
    """Beginning with the first one, and for each job on its own."""
    throttle = ProgressThrottle()
    told = [
        (second, job.job_id)
        for second in range(0, 200, 10)
        for job in (JOB, replace(JOB, job_id=8))
        if throttle(JobPolled(job=job, at=NOON + timedelta(seconds=second)))
    ]
    assert [(60, 7), (60, 8), (120, 7), (120, 8), (180, 7), (180, 8)] == told


def test_every_other_event_is_let_through():
    """They tell something new."""
    throttle = ProgressThrottle(every=timedelta(hours=1))
    events = [StatusChanged(job=JOB, previous=None), CancelRequested(job=JOB), JobEnded(job=JOB)]
    assert all(throttle(event) for event in events * 2)


def test_the_time_between_two_lines_is_chosen():
    """Zero holds back nothing."""
    poll = JobPolled(job=JOB, at=NOON)
    assert ProgressThrottle(every=timedelta(0))(poll)
    assert not ProgressThrottle(every=timedelta(seconds=1))(poll)


@pytest.mark.parametrize(("every", "text"), [(60, "give a datetime.timedelta"), (-MINUTE, "below")])
def test_a_time_between_two_lines_that_cannot_be_right_is_refused(every, text):
    """The text says what to give."""
    with pytest.raises(InvalidInput, match=text):
        ProgressThrottle(every=every)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (999, "999 B"), (65_500, "65.5 kB"), (10**9, "1.0 GB"), (10**16, "10000.0 TB")],
)
def test_bytes_as_a_person_says_them(amount, text):
    """Decimal units, as Airbyte's own web application has them."""
    assert text == readable_bytes(amount)
