"""The examples of the documentation run as they stand, on a machine without Airflow."""

import os
import re
import signal
import subprocess
import sys
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from airbyte_sync_local import LocalAirbyte, RequireClientCredentials, job_scripts

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
MANY = 200
AT_ONCE = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0), rows=7, bytes_=70)


@pytest.fixture
def airbyte():
    with LocalAirbyte(
        auth=RequireClientCredentials(client_id="id", client_secret="secret")
    ) as server:
        yield server


@pytest.fixture
def open_airbyte():
    """A server whose authentication is off."""
    with LocalAirbyte() as server:
        yield server


@pytest.fixture
def run_script(airbyte, tmp_path):
    """Run an example as its user would, in a process of its own."""

    def run(name, *arguments, secret="secret", **environment):
        return subprocess.run(
            [sys.executable, EXAMPLES / name, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={
                **os.environ,
                "AIRBYTE_SYNC_URL": airbyte.base_url,
                "AIRBYTE_SYNC_CLIENT_ID": "id",
                "AIRBYTE_SYNC_CLIENT_SECRET": secret,
                **environment,
            },
        )

    return run


def test_no_airflow_is_installed_here():
    """What these tests show, they show without Airflow."""
    assert find_spec("airflow") is None


def test_the_blocking_script_runs_a_sync(airbyte, run_script):
    """It ends with the job's rows and bytes, and started one job."""
    done = run_script(
        "blocking_script.py", airbyte.add_connection(job_scripts=[AT_ONCE]).connection_id
    )
    assert (0, "job 1 succeeded: 7 rows, 70 bytes") == (
        done.returncode,
        done.stdout.splitlines()[-1],
    ), done.stderr
    assert 1 == len(airbyte.jobs)


def test_the_blocking_script_says_what_went_wrong(airbyte, run_script):
    """A refused secret is named, and not shown."""
    done = run_script(
        "blocking_script.py", airbyte.add_connection().connection_id, secret="wrong-secret"
    )
    assert 1 == done.returncode
    assert "client secret is wrong" in done.stderr
    assert "wrong-secret" not in done.stdout + done.stderr


def test_the_asyncio_script_runs_several_syncs_at_once(airbyte, run_script):
    """Each connection gets one job; one that fails does not hide the others."""
    good = [airbyte.add_connection(job_scripts=[AT_ONCE]).connection_id for _ in range(3)]
    bad = airbyte.add_connection(job_scripts=[job_scripts.fails(lasts=timedelta(0))]).connection_id
    done = run_script("asyncio_script.py", *good, bad)
    assert 1 == done.returncode, done.stderr
    for connection_id in good:
        assert re.search(rf"{connection_id}: job \d+ succeeded, 7 rows", done.stdout)
    assert f"{bad}: SyncFailed" in done.stdout
    assert 4 == len(airbyte.jobs)


def test_the_asyncio_script_is_twenty_lines():
    """Imports and docstring included, blank lines not: two hundred syncs at once, with a store."""
    lines = (EXAMPLES / "asyncio_script.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 20


@pytest.mark.parametrize("script", ["blocking_script.py", "asyncio_script.py"])
def test_a_server_without_authentication_needs_no_credentials(open_airbyte, script, tmp_path):
    """The address is all that the examples demand."""
    connection_id = open_airbyte.add_connection(job_scripts=[AT_ONCE]).connection_id
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, connection_id],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env=without_credentials(open_airbyte),
    )
    assert 0 == done.returncode, done.stderr
    assert "job 1 succeeded" in done.stdout
    assert [] == list((tmp_path / "state").iterdir())


def without_credentials(server):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRBYTE_")}
    return {**kept, "AIRBYTE_SYNC_URL": server.base_url}


@pytest.fixture
def start_many(open_airbyte, tmp_path):
    """Run the asyncio example with many connections, until all of them have their job."""

    def start(ids, word):
        script = subprocess.Popen(
            [sys.executable, "-W", "error", EXAMPLES / "asyncio_script.py", *ids],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=without_credentials(open_airbyte),
        )
        jobs = 0
        while jobs < len(ids):
            jobs += f"{word} Airbyte sync job" in script.stderr.readline()
        return script

    return start


@pytest.fixture
def many(open_airbyte):
    """Connections whose syncs run until they are cancelled."""
    never_ends = job_scripts.never_ends()
    return [
        open_airbyte.add_connection(job_scripts=[never_ends]).connection_id for _ in range(MANY)
    ]


def test_ctrl_c_cancels_every_sync(open_airbyte, many, start_many):
    """Two hundred run, and two hundred are cancelled; nothing is left open, and no traceback is shown."""
    with start_many(many, "Started") as script:
        script.send_signal(signal.SIGINT)
        told, errors = script.communicate(timeout=300)
    assert ["cancelled"] * MANY == [str(job.status) for job in open_airbyte.jobs]
    assert MANY == len(re.findall(r"Interrupted: cancelling Airbyte job \d+", errors)), errors
    assert ("", 1, "interrupted") == (told, script.returncode, errors.splitlines()[-1])
    assert not re.search("Traceback|never|unclosed|destroyed|ignored", errors), errors


def test_a_reboot_cancels_none_and_the_next_run_follows_all(open_airbyte, many, start_many):
    """SIGTERM leaves two hundred running, and so does a kill: the same jobs, and no second submission."""
    with start_many(many, "Started") as script:
        script.send_signal(signal.SIGTERM)
        _, errors = script.communicate(timeout=300)
    assert 143 == script.returncode
    assert not re.search("Traceback|never|unclosed|destroyed|ignored", errors), errors
    with start_many(many, "Going on with") as script:
        script.kill()
        script.communicate()
    with start_many(many, "Going on with") as script:
        script.kill()
        script.communicate()
    assert ["running"] * MANY == [str(job.status) for job in open_airbyte.jobs]
