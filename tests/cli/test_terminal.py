"""The live display, as a person sees it on a terminal: real processes with a pseudo-terminal."""

import os
import signal
import sys
from datetime import timedelta

import pytest

from airbyte_sync_local import Fault, job_scripts
from tests.cli.command import A_MINUTE, AN_HOUR, QUICKLY, RUNS, statuses
from tests.cli.terminal import on_terminal

MOVES = job_scripts.JobScript(
    steps=(
        job_scripts.Step(status="running"),
        job_scripts.Step(status="running", at=timedelta(minutes=1), rows=600, bytes=600_000),
        job_scripts.Step(status="running", at=timedelta(minutes=2), rows=1200, bytes=1_200_000),
        job_scripts.Step(status="succeeded", at=timedelta(minutes=3), rows=2000, bytes=2_000_000),
    )
)
FAILS = job_scripts.fails("The password is wrong", lasts=timedelta(0))


@pytest.fixture
def sit(airbyte, environment):
    """Run the command on a terminal of some width."""
    environment.setenv("AIRBYTE_SYNC_URL", airbyte.base_url)

    def sitting(*arguments, **size):
        command = [sys.executable, "-m", "airbyte_sync_cli", *map(str, arguments)]
        return on_terminal(command, **size)

    return sitting


def test_a_sync_is_watched_to_its_end(sit, add, clock):
    """Numbers grow in their place; at the end stands what came of it, and the cursor is back."""
    add("Orders", MOVES)
    with sit("run", *QUICKLY, "Orders") as user:
        user.see("Orders: job 1 running")
        assert user.terminal.is_cursor_hidden
        clock.advance(A_MINUTE)
        user.see("  600 rows · 600.0 kB")
        clock.advance(A_MINUTE)
        user.see("  1,200 rows · 1.2 MB ·")
        user.see("/s")
        clock.advance(A_MINUTE)
        assert 0 == user.leave()
    first, second, link, *_rest = user.terminal.text.splitlines()
    assert ("✓ Orders: job 1 succeeded in 3m 00s", "  2,000 rows · 2.0 MB") == (first, second)
    assert "/connections/" in link
    assert not user.terminal.is_cursor_hidden
    assert any("/timeline?jobId=1" in each for each in user.terminal.links)


def test_a_sync_that_fails(sit, add):
    """The reason stays there."""
    add("Orders", FAILS)
    with sit("run", *QUICKLY, "Orders", width=60) as user:
        assert 6 == user.leave()
    assert "✗ Orders: job 1 failed" in user.terminal.text
    assert "The password is wrong" in user.terminal.text


@pytest.mark.parametrize("width", [100, 40])
def test_several_have_a_line_each(sit, add, clock, width):
    """Each in its place, and all of them at the end; on a narrow terminal, too."""
    for name, script in {"Orders": MOVES, "Prices": FAILS, "Stock": MOVES}.items():
        add(name, script)
    with sit("run", *QUICKLY, "Orders", "Prices", "Stock", width=width) as user:
        user.see("✗ Prices")
        user.see("2 running · 1 failed")
        clock.advance(AN_HOUR)
        assert 6 == user.leave()
    heading, *lines = user.terminal.text.splitlines()
    assert "CONNECTION" in heading
    assert ["✓ Orders", "✗ Prices", "✓ Stock"] == [line[:8].strip() for line in lines[:3]]
    assert "2 succeeded · 1 failed" in lines[3]
    assert 1 == user.terminal.text.count("✓ Orders")
    assert "The password is wrong" in " ".join(user.terminal.text.split())


def test_trouble_is_shown_and_goes_away(sit, add, airbyte):
    """Polls that fail are no end."""
    add("Orders", RUNS)
    with sit("run", *QUICKLY, "Orders") as user:
        user.see("running")
        airbyte.inject(Fault(on="GET /jobs*", do="drop", times=2))
        user.see("Could not poll Airbyte")
        user.see_no_more("Could not poll")
        os.kill(user.pid, signal.SIGINT)
        assert 130 == user.leave()


def test_an_interruption_is_told(sit, add, airbyte):
    """What is done about it, and that it was done."""
    add("Orders", RUNS)
    with sit("run", *QUICKLY, "Orders") as user:
        user.see("running")
        os.kill(user.pid, signal.SIGINT)
        assert 130 == user.leave()
    assert "✗ Orders: job 1 interrupted" in user.terminal.text
    assert "Airbyte job 1 was cancelled" in user.terminal.text
    assert "Traceback" not in user.terminal.text
    assert ["cancelled"] == statuses(airbyte)


def test_watching_is_ended_without_a_trace(sit, busy, airbyte):
    """By SIGTERM, too: the cursor is back, and the job goes on."""
    busy("Orders")
    with sit("watch", *QUICKLY, "Orders") as user:
        user.see("Orders: job 1 running")
        os.kill(user.pid, signal.SIGTERM)
        assert 143 == user.leave()
    assert "Airbyte job 1 goes on" in user.terminal.text
    assert not user.terminal.is_cursor_hidden
    assert ["running"] == statuses(airbyte)


def test_a_terminal_that_goes_away(sit, add, clock):
    """With nohup or disown: the sync is followed all the same, and the exit code says how it ended."""
    add("Orders", MOVES)
    with sit("run", *QUICKLY, "Orders", ignored=signal.SIGHUP) as user:
        user.see("Orders: job 1 running")
        user.go_away()
        clock.advance(A_MINUTE * 3)
        assert 0 == user.wait()


def test_lists_fit(sit, add, airbyte):
    """What has no room is left out."""
    airbyte.start_external_job(
        add("Orders of the shop in Berlin, with everything that was returned")
    )
    with sit("jobs", width=50) as user:
        assert 0 == user.leave()
    heading, job = user.terminal.text.splitlines()
    assert "CONNECTION" in heading
    assert job.endswith("…")
