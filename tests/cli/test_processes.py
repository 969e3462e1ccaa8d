"""Kills, interruptions and locks on real processes: nothing is doubled, and nothing is left behind unsaid."""

import asyncio
import os
import signal

import pytest

from airbyte_sync_cli.execution import exiting_on_sigterm
from tests.cli.command import (
    A_MINUTE,
    AN_HOUR,
    AT_ONCE,
    LASTS_AN_HOUR,
    PATIENCE,
    QUICKLY,
    RUNS,
    end_of,
    kill_when_it_runs,
    poll_of,
    statuses,
    submissions,
    until,
)


@pytest.fixture
def state(tmp_path):
    return ("--state", tmp_path / "state")


def test_killed_and_run_again(start, add, airbyte, clock, state):
    """kill -9 in the middle: the next run goes on with the same job, and the one after it starts anew."""
    command = ("run", *QUICKLY, *state, add("Orders", LASTS_AN_HOUR, AT_ONCE))
    with start(*command) as process:
        assert -signal.SIGKILL == kill_when_it_runs(airbyte, process).code
    with start(*command) as process:
        poll_of(airbyte)
        clock.advance(AN_HOUR)
        done = end_of(process)
    assert 0 == done.code, done
    assert "Going on with Airbyte sync job 1" in done.out
    assert 1 == submissions(airbyte)
    with start(*command) as process:
        assert 0 == end_of(process).code
    assert 2 == submissions(airbyte)


def test_another_run_id_is_another_request(start, add, airbyte, clock, state):
    """The job of the run that was killed is waited for, as another program's is."""
    command = ("run", *QUICKLY, *state, "--run-id")
    connection_id = add("Orders", LASTS_AN_HOUR, AT_ONCE)
    with start(*command, "monday", connection_id) as process:
        kill_when_it_runs(airbyte, process)
    clock.advance(A_MINUTE)
    with start(*command, "tuesday", connection_id) as process:
        poll_of(airbyte)
        clock.advance(AN_HOUR)
        done = end_of(process)
    assert 0 == done.code, done
    assert ["succeeded", "succeeded"] == statuses(airbyte)


@pytest.mark.parametrize("with_state", [False, True])
def test_ctrl_c_cancels(start, add, airbyte, state, with_state):
    """Once, until it has ended; no traceback."""
    with start("run", *QUICKLY, *(state if with_state else ()), add("Orders", RUNS)) as process:
        done = kill_when_it_runs(airbyte, process, signal.SIGINT)
    assert 130 == done.code, done
    assert "interrupted: Airbyte job 1 was cancelled" in done.out
    assert "" == done.err
    assert ["cancelled"] == statuses(airbyte)
    assert 1 == sum(record.operation.startswith("DELETE") for record in airbyte.requests)


def test_sigterm_cancels_without_state(start, add, airbyte):
    """No later run could go on with the sync."""
    with start("run", *QUICKLY, add("Orders", RUNS)) as process:
        done = kill_when_it_runs(airbyte, process, signal.SIGTERM)
    assert 143 == done.code, done
    assert "terminated: Airbyte job 1 was cancelled" in done.out
    assert ["cancelled"] == statuses(airbyte)


def test_sigterm_leaves_the_sync_with_state(start, add, airbyte, clock, state):
    """A host that reboots does not end it, and the next run goes on with it."""
    command = ("run", *QUICKLY, *state, add("Orders", LASTS_AN_HOUR))
    with start(*command) as process:
        done = kill_when_it_runs(airbyte, process, signal.SIGTERM)
    assert 143 == done.code, done
    assert "terminated: Airbyte job 1 goes on" in done.out
    assert ["running"] == statuses(airbyte)
    clock.advance(AN_HOUR)
    with start(*command) as process:
        assert 0 == end_of(process).code
    assert 1 == submissions(airbyte)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_chosen_goes_before(start, add, airbyte, state, number):
    """--leave-running with Ctrl-C, and --cancel-on-interrupt with SIGTERM and --state."""
    choice, expected = {
        signal.SIGINT: ("--leave-running", "running"),
        signal.SIGTERM: ("--cancel-on-interrupt", "cancelled"),
    }[number]
    with start("run", *QUICKLY, *state, choice, add("Orders", RUNS)) as process:
        done = kill_when_it_runs(airbyte, process, number)
    assert 128 + number == done.code, done
    assert [expected] == statuses(airbyte)


def test_an_interruption_as_json(start, add, airbyte):
    """The document is written all the same."""
    with start("run", *QUICKLY, "--json", add("Orders", RUNS)) as process:
        done = kill_when_it_runs(airbyte, process, signal.SIGINT)
    assert (130, "interrupted") == (done.json["exit_code"], done.json["outcome"])
    assert "cancelled" == done.json["syncs"][0]["job"]["status"]


def test_several_are_cancelled_together(start, add, airbyte):
    """Each is told."""
    names = ["Orders", "Prices", "Stock"]
    for name in names:
        add(name, RUNS)
    with start("run", *QUICKLY, *names) as process:
        until(lambda: ["running"] * 3 == statuses(airbyte), "three running jobs")
        done = end_of(process, signal.SIGINT)
    assert 130 == done.code, done
    assert ["cancelled"] * 3 == statuses(airbyte)
    assert "3 syncs: 3 interrupted" in done.out


def test_a_second_process_starts_nothing(start, add, airbyte, state):
    """It says who holds the request."""
    command = ("run", *QUICKLY, *state, add("Orders", RUNS))
    with start(*command) as first:
        until(lambda: statuses(airbyte) == ["running"], "a running job")
        with start(*command) as second:
            done = end_of(second)
        assert 3 == done.code, done
        assert "busy: " in done.out
        assert str(first.pid) in done.out
        assert 130 == end_of(first, signal.SIGINT).code
    assert 1 == submissions(airbyte)


def test_watching_ends_with_ctrl_c(start, busy, airbyte):
    """And cancels nothing."""
    busy("Orders")
    with start("watch", *QUICKLY, "Orders") as process:
        done = kill_when_it_runs(airbyte, process, signal.SIGINT)
    assert 130 == done.code, done
    assert "interrupted: Airbyte job 1 goes on" in done.out
    assert "" == done.err
    assert ["running"] == statuses(airbyte)


def test_a_reader_that_goes_away_ends_no_sync(start, add, airbyte, clock):
    """As in ``airbyte-sync run Orders | head -1``: the sync is followed to its end."""
    add("Orders", LASTS_AN_HOUR)
    with start("run", *QUICKLY, "Orders") as process:
        until(lambda: statuses(airbyte) == ["running"], "a running job")
        process.stdout.close()
        clock.advance(AN_HOUR)
        assert 0 == process.wait(PATIENCE)
        assert "" == process.stderr.read()
    assert ["succeeded"] == statuses(airbyte)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_submission_is_told(start, busy, airbyte, number):
    """Whatever it waits for: what may have been started is looked for by the one who reads this."""
    connection_id = busy("Orders")
    with start("submit", connection_id) as process:
        until(lambda: submissions(airbyte) == 1, "a submission")
        done = end_of(process, number)
    assert (128 + number, "") == (done.code, done.out)
    assert "it is unknown whether a sync was started" in done.err
    assert "Traceback" not in done.err


def test_sigterm_while_another_task_runs(caplog):
    """It ends the command, and not that task, which asyncio would tell of with a traceback."""
    told = []

    async def terminated():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(PATIENCE)

    async def command():
        with exiting_on_sigterm():
            try:
                await asyncio.gather(terminated(), asyncio.sleep(PATIENCE))
            except asyncio.CancelledError:
                told.append("closed in order")
                raise

    with pytest.raises(SystemExit) as ended:
        asyncio.run(command())
    assert 143 == ended.value.code
    assert ["closed in order"] == told
    assert [] == caplog.records
    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)
