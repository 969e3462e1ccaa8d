"""What is shown of syncs: views that follow events, and screens that are drawn from views."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from io import StringIO

import pytest
from rich.console import Console

from airbyte_sync import Job, JobStatus, Origin, RequestNotSent
from airbyte_sync.events import (
    CancelRequested,
    JobEnded,
    JobObtained,
    JobPolled,
    PollFailed,
    StatusChanged,
    SubmitUncertain,
    WaitingForOther,
)
from airbyte_sync_cli import ExitCode
from airbyte_sync_cli.display.screen import Size, explanations, final_screen, screen
from airbyte_sync_cli.display.view import SyncView

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
CONNECTION = "b5ef9c4c-6b4f-4d5c-9f55-0d2a4c9b7c11"
URL = "http://localhost:8000/workspaces/w/connections/c/timeline?jobId=12&openLogs=true"
REFUSED = RequestNotSent("cannot connect to localhost:8000: connection refused")


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def job(job_id=12, status="running", *, rows=None, bytes=None, duration=None):  # noqa: A002
    return Job(
        job_id=job_id,
        status=JobStatus(status),
        job_type="sync",
        connection_id=CONNECTION,
        created_at=NOON,
        rows=rows,
        bytes=bytes,
        duration=duration,
    )


def polled(*amounts, title="Orders", job_id=12):
    """A sync that was started at noon and polled with these (seconds, rows, bytes)."""
    obtained = JobObtained(job=job(job_id, "pending"), origin=Origin.STARTED)
    view = SyncView(title=title).on_event(obtained, NOON)
    changed = StatusChanged(job=job(job_id), previous=JobStatus.PENDING)
    view = view.on_event(changed, after(1))
    for seconds, rows, size in amounts:
        seen = job(job_id, rows=rows, bytes=size)
        view = view.on_event(JobPolled(job=seen, at=after(seconds)), after(seconds))
    return view


RUNNING = polled((60, 602_000, 155_200_000), (110, 1_204_300, 310_400_000))
DONE = replace(polled(title="Prices", job_id=13), url=URL).polled(
    job(13, "succeeded", rows=12_000, bytes=1_200_000, duration=timedelta(seconds=41)), after(50)
)
DONE = DONE.ended(ExitCode.SUCCEEDED, after(50))
REASON = "Airbyte job 14 failed: The source answered: invalid credentials. Fix it in Airbyte."
FAILED = replace(polled(title="Customers of the old shop in Berlin", job_id=14), url=URL)
FAILED = FAILED.ended(ExitCode.FAILED, after(60), text=REASON)
BUSY = SyncView(title="Stock").on_event(WaitingForOther(job=job(11)), NOON)
WAITING = SyncView(title="Returns")
SEVERAL = [RUNNING, DONE, FAILED, BUSY, WAITING]
WIDE = Size(width=110, height=30)


def text_of(drawn, width=110):
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(drawn)
    return console.file.getvalue()


def lines_of(views, size=WIDE, at=134):
    lines = text_of(screen(views, after(at), size), size.width).splitlines()
    return [line.rstrip() for line in lines]


# --- views --------------------------------------------------------------------------------------------


def test_a_sync_that_waits_for_its_turn():
    """Nothing is done for it yet, and no time passes."""
    assert ("waiting", None, False) == (WAITING.status, WAITING.elapsed(NOON), WAITING.is_active)


def test_the_rate_is_that_of_the_last_minute():
    """Not of the whole sync: a stall is seen soon."""
    assert 3_104_000 == RUNNING.rate
    stalled = RUNNING
    for seconds in (140, 171):
        seen = job(rows=1_204_300, bytes=310_400_000)
        stalled = stalled.on_event(JobPolled(job=seen, at=after(seconds)), after(seconds))
    assert 0 == stalled.rate


def test_the_rate_of_polls_that_are_far_apart():
    """It is that between the last two."""
    assert 100 == polled((100, 1, 10_000), (300, 2, 30_000)).rate


def test_there_is_no_rate_before_the_second_poll():
    """And none after the end."""
    assert polled((60, 1, 1)).rate is None
    assert RUNNING.ended(ExitCode.SUCCEEDED, after(120)).rate is None


def test_attempts_are_counted():
    """Airbyte says incomplete between two of them."""
    incomplete = StatusChanged(job=job(status="incomplete"), previous=JobStatus.RUNNING)
    again = StatusChanged(job=job(), previous=JobStatus.INCOMPLETE)
    view = RUNNING.on_event(incomplete, after(120))
    assert "incomplete" == view.status
    assert "running (attempt 2)" == view.on_event(again, after(130)).status


def test_amounts_stay_where_an_answer_has_none():
    """The answer to a cancellation never has them."""
    view = RUNNING.on_event(CancelRequested(job=job()), after(120))
    view = view.on_event(JobEnded(job=job(status="cancelled")), after(121))
    assert (1_204_300, "cancelling") == (view.job.rows, view.status)


def test_trouble_is_noted_until_it_is_over():
    """A poll that succeeds ends it."""
    failed = PollFailed(error=REFUSED, failing_since=NOON, next_poll=after(130))
    view = RUNNING.on_event(failed, after(120))
    assert view.is_warning
    assert "connection refused" in view.note
    view = view.on_event(JobPolled(job=job(rows=1, bytes=1), at=after(130)), after(130))
    assert (None, False) == (view.note, view.is_warning)


def test_what_is_done_before_there_is_a_job():
    """Waiting for another one, or looking for what may have been started."""
    assert "waiting for job 11" == BUSY.status
    uncertain = SubmitUncertain(error=REFUSED, look_until=after(90))
    assert "looking for its job" == WAITING.on_event(uncertain, NOON).status


def test_time_counts_from_the_start_of_a_job_that_was_found():
    """Not from when we came to it."""
    found = JobObtained(job=job(), origin=Origin.ATTACHED)
    assert timedelta(60) == SyncView(title="x").on_event(found, NOON + timedelta(60)).elapsed(
        NOON + timedelta(60)
    )


# --- one sync -----------------------------------------------------------------------------------------


def test_a_sync_that_runs():
    """Two lines: where it stands, and how much it has moved."""
    first, second = lines_of([RUNNING])
    assert "Orders: job 12 running  2m 14s" == first[2:]
    assert "  1,204,300 rows · 310.4 MB · 3.1 MB/s" == second


def test_a_sync_in_trouble():
    """What is wrong is there in full."""
    failed = PollFailed(error=REFUSED, failing_since=NOON, next_poll=after(140))
    told = " ".join(" ".join(lines_of([RUNNING.on_event(failed, after(120))])).split())
    assert (
        "Could not poll Airbyte (failing since 12:00:00 UTC); polling again at 12:02:20 UTC" in told
    )
    assert "connection refused" in told


def test_a_sync_that_has_succeeded():
    """The spinner is a tick, the time is the job's own."""
    told = text_of(final_screen([DONE], after(50), WIDE)).splitlines()
    assert ["✓ Prices: job 13 succeeded in 41s", "  12,000 rows · 1.2 MB"] == told
    assert [f"  {URL}"] == [line.plain for line in explanations([DONE], WIDE)]


def test_a_sync_that_has_failed():
    """Why, and where to read more."""
    headline, *reason = text_of(final_screen([FAILED], after(60), WIDE)).splitlines()
    assert "✗ Customers of the old shop in Berlin: job 14 failed after 1m 00s" == headline
    assert REASON == " ".join(" ".join(reason).split())


def test_what_is_said_stands_below():
    """Such as what an interruption does."""
    drawn = screen([RUNNING], after(134), WIDE, "Interrupted: cancelling Airbyte job 12")
    assert "  Interrupted: cancelling Airbyte job 12" == text_of(drawn).splitlines()[-1].rstrip()


# --- several ------------------------------------------------------------------------------------------


def test_several_have_a_line_each():
    """With what hinders them below, and a sum at the end."""
    told = lines_of(SEVERAL)
    assert told[0].split() == ["CONNECTION", "JOB", "STATUS", "TIME", "ROWS", "BYTES", "RATE"]
    assert told[1].split()[1:] == [
        "Orders",
        "12",
        "running",
        "2m",
        "14s",
        "1,204,300",
        "310.4",
        "MB",
        "3.1",
        "MB/s",
    ]
    assert "✓ Prices" == told[2][:8]
    assert "✗ Customers of the old shop in Berlin" == told[3][:37]
    assert told[4].startswith("    Airbyte job 14 failed: The source answered")
    assert "· Returns" == told[7][:9]
    assert "  1 running · 2 waiting · 1 succeeded · 1 failed · 2m 14s" == told[8]


@pytest.mark.parametrize("views", [SEVERAL, [RUNNING], [FAILED], [BUSY]], ids=len)
def test_nothing_is_wider_than_the_terminal(views):
    """So that no line is broken in two, and the screen can be drawn anew in its place."""
    for width in range(8, 130):
        size = Size(width=width, height=30)
        for drawn in (screen(views, after(134), size), final_screen(views, after(134), size)):
            lines = drawn.renderables
            assert text_of(drawn, width).count("\n") == len(lines)
            assert all(len(line) <= width for line in text_of(drawn, width).splitlines())


def test_a_narrow_terminal_keeps_what_matters():
    """Name, status and time."""
    told = lines_of(SEVERAL, Size(width=44, height=30))
    assert ["CONNECTION", "STATUS", "TIME"] == told[0].split()
    assert ["Orders", "running", "2m", "14s"] == told[1].split()[1:]


def test_more_syncs_than_lines():
    """What runs and what went wrong is shown, and the rest is counted."""
    size = Size(width=80, height=8)
    told = lines_of([DONE] * 20 + SEVERAL + [WAITING] * 10, size)
    assert len(told) <= size.height
    shown = [line[2:8] for line in told[1:-1]]
    assert ["Orders", "Custom", "Stock "] == shown[:3]
    assert "21 succeeded · 1 failed · 30 not shown" in told[-1]


def test_a_terminal_without_unicode():
    """ASCII alone."""
    size = Size(width=80, height=30, is_ascii=True)
    views = [RUNNING, DONE, FAILED, WAITING]
    short = [replace(view, title=view.title[:12]) for view in views]
    assert "".join(lines_of(short, size)).isascii()


def test_what_an_interruption_left_is_told_in_a_line_each():
    """However many there are."""
    cancelled = RUNNING.ended(ExitCode.INTERRUPTED, after(140), text="Airbyte job 12 was cancelled")
    told = [line.plain for line in explanations([cancelled] * 3, WIDE)]
    assert ["✗ Orders: Airbyte job 12 was cancelled"] * 3 == told


def test_what_stays_on_the_terminal():
    """All syncs, however many, then each that did not succeed with its reason and its link."""
    views = [DONE] * 40 + [FAILED]
    size = Size(width=80, height=10)
    assert 43 - 1 == len(text_of(final_screen(views, after(60), size), 80).splitlines()) - 1
    told = [line.plain for line in explanations(views, size)]
    assert ["", "✗ Customers of the old shop in Berlin"] == told[:2]
    assert f"  {URL}" == told[-1]
