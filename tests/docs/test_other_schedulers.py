"""What the page on other schedulers shows, as far as it needs no scheduler."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from airbyte_sync_local import LocalAirbyte, ServerConnection, job_scripts

PAGE = (Path(__file__).parents[2] / "docs" / "other-schedulers.md").read_text("utf-8")
SYNC_CONNECTION, LUIGI, TEMPORAL = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
[SHELL] = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
AT_ONCE = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0), rows=7)


@pytest.fixture
def airbyte(monkeypatch):
    """A server with the two connections of the page."""
    with LocalAirbyte() as server:
        for name in ("Orders", "Prices"):
            server.add_connection(ServerConnection(name=name), job_scripts=[AT_ONCE])
        monkeypatch.setenv("AIRBYTE_SYNC_URL", server.base_url)
        yield server


def test_the_function_syncs_a_connection(airbyte, tmp_path):
    """It returns the job as JSON, and leaves nothing behind."""
    found = {}
    exec(compile(SYNC_CONNECTION, "page", "exec"), found)  # noqa: S102 - it is our own page
    connection = airbyte.add_connection(job_scripts=[AT_ONCE]).connection_id
    job = found["sync_connection"](connection, run_id="today", state=str(tmp_path))
    assert (7, "succeeded") == (job["rows"], job["status"])
    assert [] == list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("program", [LUIGI, TEMPORAL], ids=["Luigi", "Temporal"])
def test_the_other_programs_are_python(program):
    """They have run on Luigi 3.8 and Temporal 1.35, which are not installed here."""
    compile(program, "page", "exec")


def test_the_shell_script_goes_on_when_all_is_well(airbyte, tmp_path):
    """It runs both syncs, and then what depends on them."""
    script = SHELL.replace("https://api.airbyte.com", airbyte.base_url)
    script = re.sub(r"^export AIRBYTE_SYNC_CLIENT_ID.*\n", "", script, flags=re.MULTILINE)
    script = script.replace("/var/lib/airbyte-sync", str(tmp_path)).replace(
        "dbt build", "echo built"
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PATH": path},
    )
    assert (0, "built") == (done.returncode, done.stdout.splitlines()[-1]), done.stderr
    assert 2 == len(airbyte.jobs)
