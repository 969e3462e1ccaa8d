"""Syncs as processes: with tiny runners in Python, and with real connectors where there are any."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from airbyte_sync_local.engines import connector_process
from airbyte_sync_local.engines.connector_process import (
    ConnectorProcess,
    ConnectorRun,
    ConnectorsEnvironment,
    Progress,
    RunOutcome,
    RunResult,
)
from airbyte_sync_local.platform.model import Failure

CONNECTORS_PYTHON = os.environ.get("AIRBYTE_SYNC_CONNECTORS_PYTHON")

needs_connectors = pytest.mark.skipif(
    CONNECTORS_PYTHON is None,
    reason="AIRBYTE_SYNC_CONNECTORS_PYTHON is not set: no connectors environment to run",
)


@pytest.fixture
def run_of(tmp_path):
    """A run whose runner is the given Python text."""

    def make(text, **options):
        runner = tmp_path / "runner.py"
        runner.write_text("import os, signal, subprocess, sys\n" + dedent(text), "utf-8")
        return ConnectorRun(
            environment=ConnectorsEnvironment(python=Path(sys.executable), runner=runner),
            database=tmp_path / "rows.duckdb",
            log_file=tmp_path / "logs" / "sync.log",
            **options,
        )

    return make


class Lifeline:
    """A fifo that processes hold open for writing for as long as they live."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = path
        self.reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def is_let_go(self):
        """Whether all of them are gone, or go within seconds."""
        readable, _, _ = select.select([self.reader], [], [], 5)
        return bool(readable) and os.read(self.reader, 1) == b""


@pytest.fixture
def lifeline(tmp_path):
    lifeline = Lifeline(tmp_path / "lifeline")
    yield lifeline
    os.close(lifeline.reader)


@pytest.fixture
def real_run(tmp_path):
    """A short sync of users by the real source-faker."""
    return ConnectorRun(
        environment=ConnectorsEnvironment(python=Path(CONNECTORS_PYTHON)),
        database=tmp_path / "rows.duckdb",
        log_file=tmp_path / "sync.log",
        config={"count": 300, "seed": 1, "parallelism": 1},
        streams=("users",),
    )


def result_of(run):
    async def go():
        process = ConnectorProcess(run)
        process.start()
        return await process.wait()

    return asyncio.run(go())


def cancelled_after_first_progress(run):
    async def go():
        process = ConnectorProcess(run)
        process.start()
        async for _ in process.updates():
            break
        return await process.cancel()

    return asyncio.run(go())


def rows_in(run, table):
    """Count with another process, as a user would."""
    query = (
        "import sys, duckdb; database = duckdb.connect(sys.argv[1], read_only=True); "
        "print(database.execute(f'select count(*) from {sys.argv[2]}').fetchone()[0])"
    )
    python = run.environment.python
    counted = subprocess.check_output([python, "-c", query, run.database, table])
    return int(counted)


def alive_in_group_of(leader):
    processes = subprocess.check_output(["ps", "-eo", "pgid=,stat=,args="], text=True)
    lines = (line.split(None, 2) for line in processes.splitlines())
    return [args for pgid, state, args in lines if int(pgid) == leader and state[0] != "Z"]


def all_gone(group, *, within):
    deadline = time.monotonic() + within
    while alive_in_group_of(group):
        if time.monotonic() > deadline:
            os.killpg(group, signal.SIGKILL)
            return False
        time.sleep(0.05)
    return True


def test_a_finished_sync_tells_the_rows_of_each_table(run_of):
    run = run_of("""
        print('{"event": "started", "streams": ["users", "products"]}')
        print('{"event": "finished", "streams": {"users": 7, "products": 3}, "bytes": 500}')
    """)
    result = result_of(run)
    assert (
        RunResult(
            outcome=RunOutcome.SUCCEEDED, rows_by_stream={"users": 7, "products": 3}, bytes=500
        )
        == result
    )
    assert 10 == result.rows


def test_progress_is_told_while_the_sync_goes_on(run_of, tmp_path):
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    run = run_of(f"""
        print('{{"event": "progress", "rows": 1, "bytes": 10}}', flush=True)
        open("{go_on}").readline()
        print('{{"event": "progress", "rows": 2, "bytes": 20}}', flush=True)
        print('{{"event": "finished", "streams": {{"users": 2}}, "bytes": 20}}')
    """)

    async def go():
        process = ConnectorProcess(run)
        process.start()
        seen = []
        with go_on.open("r+b", buffering=0) as told_to_go_on:  # r+ does not wait for a reader
            async for progress in process.updates():
                seen.append(progress)
                told_to_go_on.write(b"\n")
        return seen

    assert asyncio.run(go()) == [Progress(rows=1, bytes=10), Progress(rows=2, bytes=20)]


def test_a_failure_keeps_the_words_of_the_connector(run_of):
    run = run_of("""
        print('{"event": "failed", "failure": {"failureOrigin": "source", "failureType": '
              '"config_error", "externalMessage": "bad count", "internalMessage": "count"}}')
        sys.exit(1)
    """)
    failure = Failure(
        reason="bad count", type="config_error", origin="source", internal_message="count"
    )
    assert result_of(run) == RunResult(outcome=RunOutcome.FAILED, failure=failure)


def test_a_crash_without_a_result_is_a_failure_with_the_end_of_the_log(run_of):
    run = run_of("""
        print("too early", file=sys.stderr)
        print("x" * 5000 + " out of memory", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    failure = result_of(run).failure
    assert "airbyte_platform" == failure.origin
    assert "exit code -9" in failure.reason
    assert str(run.log_file) in failure.reason
    assert failure.internal_message.endswith("out of memory")
    assert "too early" not in failure.internal_message
    assert "too early" in run.log_file.read_text()


def test_the_log_of_an_earlier_sync_does_not_explain_a_crash(run_of):
    run = run_of("sys.exit(3)")
    run.log_file.parent.mkdir()
    run.log_file.write_text("an old story")
    assert "" == result_of(run).failure.internal_message


@pytest.mark.parametrize(
    "garbage",
    [
        'print("hello")',
        "print('[1, 2]')",
        'print(\'{"event": "finished"}\')',
        'print(\'{"event": "progress", "rows": 1}\')',
        "print('{\"event\": [1]}')",
        "print('x' * 3_000_000)",
        "sys.stdout.buffer.write(bytes([0xff, 0xfe, 0x0a]))",
        "print()",
    ],
)
def test_garbage_on_stdout_is_passed_over(run_of, garbage):
    run = run_of(f"""
        {garbage}
        sys.stdout.flush()
        print('{{"event": "finished", "streams": {{"users": 1}}, "bytes": 5}}')
    """)
    assert 1 == result_of(run).rows


def test_what_follows_the_last_word_does_not_matter(run_of):
    run = run_of("""
        print('{"event": "finished", "streams": {"users": 1}, "bytes": 5}', flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    """)
    assert result_of(run).outcome is RunOutcome.SUCCEEDED


def test_the_config_goes_to_stdin_and_on_no_command_line(run_of):
    run = run_of(
        """
        import json
        config = json.loads(sys.stdin.readline())
        assert config == {"password": "s3cret"}, config
        assert "s3cret" not in " ".join(sys.argv), sys.argv
        print('{"event": "finished", "streams": {}, "bytes": 0}')
        """,
        config={"password": "s3cret"},
    )
    assert result_of(run).outcome is RunOutcome.SUCCEEDED
    assert "s3cret" not in repr(run)


def test_the_scratch_folder_is_private_and_gone_afterwards(run_of):
    run = run_of("""
        scratch = dict(option.split("=", 1) for option in sys.argv[1:])["--scratch"]
        assert os.stat(scratch).st_mode & 0o077 == 0
        open(scratch + "/config.json", "w").write("secret")
        print(scratch, file=sys.stderr)
    """)
    result_of(run)
    scratch = Path(run.log_file.read_text().strip())
    assert scratch.is_absolute()
    assert not scratch.exists()


def test_a_cancelled_sync_ends_with_all_its_processes(run_of, lifeline):
    run = run_of(f"""
        held = open("{lifeline.path}", "w")
        subprocess.Popen(["sh", "-c", "trap '' TERM; exec sleep 600"], stdout=held)
        print('{{"event": "progress", "rows": 1, "bytes": 1}}', flush=True)
        signal.pause()
    """)
    assert cancelled_after_first_progress(run) == RunResult(outcome=RunOutcome.CANCELLED)
    assert lifeline.is_let_go()


def test_a_crash_leaves_no_process_behind(run_of, lifeline):
    run = run_of(f"""
        held = open("{lifeline.path}", "w")
        subprocess.Popen(["sleep", "600"], stdout=held)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert result_of(run).outcome is RunOutcome.FAILED
    assert lifeline.is_let_go()


def test_a_runner_that_will_not_end_is_killed(run_of, monkeypatch):
    monkeypatch.setattr(connector_process, "_SECONDS_TO_END", 0.05)
    run = run_of("""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('{"event": "progress", "rows": 1, "bytes": 1}', flush=True)
        while True:
            signal.pause()
    """)
    assert cancelled_after_first_progress(run).outcome is RunOutcome.CANCELLED


def test_a_sync_that_finished_first_stays_finished(run_of):
    run = run_of("""
        print('{"event": "finished", "streams": {"users": 1}, "bytes": 5}', flush=True)
        print('{"event": "progress", "rows": 1, "bytes": 5}', flush=True)
        signal.pause()
    """)
    assert cancelled_after_first_progress(run).outcome is RunOutcome.SUCCEEDED


def test_a_cancel_before_the_process_exists_is_kept(run_of):
    async def go():
        process = ConnectorProcess(run_of("signal.pause()"))
        process.start()
        return await process.cancel()

    assert asyncio.run(go()).outcome is RunOutcome.CANCELLED


def test_a_cancel_after_the_end_changes_nothing(run_of):
    async def go():
        process = ConnectorProcess(run_of("sys.exit(5)"))
        process.start()
        return await process.wait(), await process.cancel()

    before, after = asyncio.run(go())
    assert before == after
    assert before.outcome is RunOutcome.FAILED


def test_giving_up_on_the_wait_leaves_the_sync_alone(run_of):
    run = run_of("""
        print('{"event": "progress", "rows": 1, "bytes": 1}', flush=True)
        signal.pause()
    """)

    async def go():
        process = ConnectorProcess(run)
        process.start()
        async for _ in process.updates():
            break
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 0)
        alive = process._process.returncode is None
        await process.cancel()
        return alive

    assert asyncio.run(go())


def test_the_end_of_the_event_loop_ends_the_processes(run_of, lifeline):
    run = run_of(f"""
        held = open("{lifeline.path}", "w")
        print('{{"event": "progress", "rows": 1, "bytes": 1}}', flush=True)
        signal.pause()
    """)

    async def abandon():
        process = ConnectorProcess(run)
        process.start()
        async for _ in process.updates():
            return

    asyncio.run(abandon())
    assert lifeline.is_let_go()


def test_a_python_that_is_not_there_is_a_failure_that_says_what_to_do(run_of):
    run = run_of("")
    run = replace(run, environment=ConnectorsEnvironment(python=Path("/no/env/bin/python")))
    failure = result_of(run).failure
    assert "airbyte_platform" == failure.origin
    assert "/no/env/bin/python" in failure.reason
    assert "Is the connectors environment built?" in failure.reason


def test_an_unstarted_sync_says_so():
    process = ConnectorProcess(run=None)
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        asyncio.run(process.wait())


@pytest.fixture
def hollow_environment(tmp_path):
    """The layout of a connectors environment, with a Python that has no PyAirbyte."""
    for name, text in {
        "pyairbyte/bin/python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
        "source-faker/bin/source-faker": "#!/bin/sh\n",
    }.items():
        program = tmp_path / name
        program.parent.mkdir(parents=True)
        program.write_text(text)
        program.chmod(0o755)
    return ConnectorsEnvironment(python=tmp_path / "pyairbyte/bin/python")


def test_the_runner_needs_pyairbyte(run_of, hollow_environment):
    run = replace(run_of(""), environment=hollow_environment)
    failure = result_of(run).failure
    assert "airbyte_platform" == failure.origin
    assert "has no PyAirbyte" in failure.reason


def test_the_runner_needs_the_connector(run_of, hollow_environment):
    run = replace(run_of("", source="source-gone"), environment=hollow_environment)
    failure = result_of(run).failure
    assert failure.reason.startswith("There is no connector at ")
    assert failure.reason.endswith("install source-gone into the connectors environment.")


@needs_connectors
def test_a_real_sync_reports_what_is_in_the_database_and_a_failed_one_leaves_it(real_run):
    result = result_of(real_run)
    assert result.failure is None, real_run.log_file.read_text()
    assert {"users": 300} == result.rows_by_stream
    assert 300 == rows_in(real_run, "users")

    breaks_after_100 = {**real_run.config, "count": 250.0, "records_per_slice": 100}
    failure = result_of(replace(real_run, config=breaks_after_100)).failure
    assert ("source", "system_error") == (failure.origin, failure.type)
    assert "interpreted as an integer" in failure.internal_message
    assert 300 == rows_in(real_run, "users")


@needs_connectors
def test_a_second_real_sync_replaces_the_rows_of_the_first(real_run):
    wider = replace(real_run, streams=(), schema="shop", config={"count": 50, "seed": 1})
    assert {"products": 50, "users": 50, "purchases": 50} == result_of(wider).rows_by_stream
    smaller = replace(wider, config={"count": 20, "seed": 1})
    assert 20 == result_of(smaller).rows_by_stream["users"]
    assert 20 == rows_in(smaller, "shop.users")


@needs_connectors
def test_a_real_connector_explains_what_is_wrong_with_its_config(real_run):
    failure = result_of(replace(real_run, config={"count": "lots"})).failure
    assert failure == Failure(
        reason="Config validation error: 'lots' is not of type 'integer'",
        type="config_error",
        origin="source",
        internal_message="'lots' is not of type 'integer'",
    )


@needs_connectors
def test_a_stream_that_the_connector_lacks_is_a_config_error(real_run):
    failure = result_of(replace(real_run, streams=("users", "orders"))).failure
    assert "config_error" == failure.type
    assert "source-faker has no stream orders; it has products, users, purchases." == (
        failure.reason
    )


@needs_connectors
def test_a_database_that_is_open_elsewhere_is_a_failure_that_may_pass(real_run):
    hold = "import sys, duckdb; d = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    python = real_run.environment.python
    with subprocess.Popen(
        [python, "-c", hold, real_run.database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        failure = result_of(real_run).failure
        holder.communicate(b"\n")
    assert ("destination", "transient_error") == (failure.origin, failure.type)
    assert "Close it, or give each connection a file of its own." in failure.reason


@needs_connectors
def test_a_real_sync_is_cancelled_midway_with_every_process_of_the_connector(real_run):
    slow = replace(real_run, rows_per_second=50)

    async def go():
        process = ConnectorProcess(slow)
        process.start()
        async for progress in process.updates():
            if progress.rows >= 10:
                break
        before = alive_in_group_of(process._process.pid)
        result = await asyncio.wait_for(process.cancel(), 2)
        return before, result, alive_in_group_of(process._process.pid)

    before, result, after = asyncio.run(go())
    assert any("source-faker" in args for args in before)
    assert result == RunResult(outcome=RunOutcome.CANCELLED)
    assert [] == after


@needs_connectors
def test_a_real_sync_ends_when_the_server_that_started_it_is_killed(real_run, tmp_path):
    server = dedent(f"""
        import asyncio, os, signal
        from pathlib import Path
        from airbyte_sync_local.engines.connector_process import *

        async def main():
            process = ConnectorProcess(ConnectorRun(
                environment=ConnectorsEnvironment(python=Path({CONNECTORS_PYTHON!r})),
                database=Path({str(real_run.database)!r}),
                log_file=Path({str(real_run.log_file)!r}),
                config={{"count": 1000}}, rows_per_second=10,
            ))
            process.start()
            async for _ in process.updates():
                break
            print(process._process.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """)
    path = os.pathsep.join(sys.path)
    killed = subprocess.run(
        [sys.executable, "-c", server],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert all_gone(int(killed.stdout), within=5)
