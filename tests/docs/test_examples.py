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
def run_script(airbyte):
    """Run an example as its user would, in a process of its own."""

    def run(name, *arguments, secret="secret", **environment):
        return subprocess.run(
            [sys.executable, EXAMPLES / name, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={
                **os.environ,
                "AIRBYTE_URL": airbyte.base_url,
                "AIRBYTE_CLIENT_ID": "id",
                "AIRBYTE_CLIENT_SECRET": secret,
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


@pytest.mark.parametrize("script", ["blocking_script.py", "asyncio_script.py"])
def test_a_server_without_authentication_needs_no_credentials(open_airbyte, script):
    """The address is all that the examples demand."""
    connection_id = open_airbyte.add_connection(job_scripts=[AT_ONCE]).connection_id
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, connection_id],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=without_credentials(open_airbyte),
    )
    assert 0 == done.returncode, done.stderr
    assert "job 1 succeeded" in done.stdout


def without_credentials(server):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRBYTE_")}
    return {**kept, "AIRBYTE_URL": server.base_url}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda stop: stop.name)
def test_an_interruption_cancels_every_sync(open_airbyte, stop):
    """Two hundred run, and two hundred are cancelled; nothing is left open, and no traceback is shown."""
    ids = [
        open_airbyte.add_connection(job_scripts=[job_scripts.never_ends()]).connection_id
        for _ in range(MANY)
    ]
    with subprocess.Popen(
        [sys.executable, "-W", "error", EXAMPLES / "asyncio_script.py", *ids],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=without_credentials(open_airbyte),
    ) as script:
        started = [script.stdout.readline() for _ in ids]
        script.send_signal(stop)
        told, errors = script.communicate(timeout=300)
    assert MANY == sum(line.endswith(" started\n") for line in started)
    assert MANY == len(re.findall(r": interrupted, job \d+ cancelled\n", told)), told
    assert ("interrupted\n", 1) == (errors, script.returncode)
    assert ["cancelled"] * MANY == [str(job.status) for job in open_airbyte.jobs]
