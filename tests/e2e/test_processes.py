"""Whatever the demo and these tests start is gone afterwards, however they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import Processes, ProcessFailed, signal_session
from stage import is_running

TOOLS = Path(sys.modules[Processes.__module__].__file__).parent

STUBBORN_FAMILY = """
import os, signal, sys, time
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(600)
"""
"""A process with a child that does not listen to SIGTERM; both tell their ids."""

OWNER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from processes import Processes
with Processes(Path(sys.argv[2])) as processes:
    processes.start("family", [sys.executable, "-c", sys.argv[3]], env=dict(os.environ))
    time.sleep(600)
"""


def start_family(processes):
    processes.start("family", [sys.executable, "-c", STUBBORN_FAMILY], env=dict(os.environ))
    return told_ids(processes.log("family"))


def told_ids(log):
    wait_until(lambda: log.exists() and 2 == len(log.read_text().split()))
    return [int(line) for line in log.read_text().split()]


def wait_until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check_until_it_fails(processes):
    while True:
        processes.check()
        time.sleep(0.05)


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@needs_proc
def test_a_block_ends_processes_with_their_children(tmp_path, monkeypatch):
    """Also those that do not listen to SIGTERM."""
    monkeypatch.setattr("processes.PATIENCE_SECONDS", 0.5)
    with Processes(tmp_path) as processes:
        family = start_family(processes)
        assert all(map(is_running, family))
    assert not any(map(is_running, family))


@needs_proc
def test_a_block_that_fails_ends_them_too(tmp_path, monkeypatch):
    """An interrupt is an error like any other."""
    monkeypatch.setattr("processes.PATIENCE_SECONDS", 0.5)
    family = []

    def interrupted():
        with Processes(tmp_path) as processes:
            family.extend(start_family(processes))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert 2 == len(family)
    assert not any(map(is_running, family))


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_guard_ends_them_when_their_owner_is_killed(tmp_path, number):
    """Nobody is left to end them but the guard."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(TOOLS), str(tmp_path), STUBBORN_FAMILY]
    ) as owner:
        family = told_ids(tmp_path / "family.log")
        owner.send_signal(number)
    wait_until(lambda: not any(map(is_running, family)))


@needs_proc
@pytest.mark.parametrize("alone", [True, False])
def test_a_process_that_is_killed_on_purpose_is_no_reason_to_complain(tmp_path, monkeypatch, alone):
    """What it has started ends with it or, where it is killed alone, with the block."""
    monkeypatch.setattr("processes.PATIENCE_SECONDS", 0.5)
    with Processes(tmp_path) as processes:
        family = set(start_family(processes))
        [child] = family - {processes.pid("family")}
        processes.kill("family", alone=alone)
        processes.check()
        wait_until(lambda: alone == is_running(child))
    assert not any(map(is_running, family))


@needs_proc
def test_a_process_that_is_stopped_on_purpose_ends_with_all_it_has_started(tmp_path, monkeypatch):
    """It can be started again under its name, and adds to the same log."""
    monkeypatch.setattr("processes.PATIENCE_SECONDS", 0.5)
    with Processes(tmp_path) as processes:
        family = start_family(processes)
        processes.stop("family")
        processes.check()
        assert not any(map(is_running, family))
        processes.start("family", [sys.executable, "-c", "print('again')"], env=dict(os.environ))
        wait_until(lambda: 3 == len(processes.log("family").read_text().split()))


@needs_proc
def test_a_process_that_is_paused_goes_on_afterwards(tmp_path):
    """Time passes for everybody but the processes of its session."""
    with Processes(tmp_path) as processes:
        start_family(processes)
        leader = processes.pid("family")
        signal_session(leader, signal.SIGSTOP)
        wait_until(lambda: b") T" in Path(f"/proc/{leader}/stat").read_bytes())
        signal_session(leader, signal.SIGCONT)
        wait_until(lambda: b") S" in Path(f"/proc/{leader}/stat").read_bytes())


def test_a_process_that_has_ended_is_told_with_the_end_of_its_log(tmp_path):
    """Whoever waits for it learns at once that there is nothing to wait for, and why."""
    with Processes(tmp_path) as processes:
        command = [sys.executable, "-c", "raise SystemExit('the port is taken')"]
        processes.start("server", command, env=dict(os.environ))
        with pytest.raises(
            ProcessFailed, match=r"server ended with code 1(.|\n)*the port is taken"
        ):
            check_until_it_fails(processes)
