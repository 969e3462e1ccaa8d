"""The lines for cron and systemd do what their page says, word for word but for the place of the program."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from airbyte_sync_cli import ExitCode
from airbyte_sync_local import (
    LocalAirbyte,
    RequireClientCredentials,
    ServerConnection,
    job_scripts,
)

PAGE = (Path(__file__).parents[2] / "docs" / "cron-and-systemd.md").read_text("utf-8")
PROGRAM = "/opt/airbyte-sync/bin/airbyte-sync"
PATIENCE = 60
(CRONTAB,) = re.findall(r"```crontab\n(.*?)```", PAGE, re.DOTALL)
(SETTINGS,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SERVICE, TIMER = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
MINUTES, HOURS, *DAYS, COMMAND = CRONTAB.strip().split(maxsplit=5)
ENDS_SOON = job_scripts.JobScript.of((0, "running"), (2.5, "succeeded"))


@pytest.fixture
def airbyte():
    auth = RequireClientCredentials(client_id="my-id", client_secret="hush-hush")
    with LocalAirbyte(auth=auth) as server:
        server.add_connection(ServerConnection(name="Orders"), job_scripts=[ENDS_SOON])
        yield server


@pytest.fixture
def home(tmp_path, airbyte):
    """A user's home with the settings of the page, for a server of this machine."""
    folder = tmp_path / ".config" / "airbyte-sync"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(
        SETTINGS.replace("https://api.airbyte.com", airbyte.base_url)
    )
    (folder / "secret").write_text("hush-hush\n")
    return tmp_path


def started(command, **environment):
    """Start a line as cron and systemd do: by a shell, with next to no environment."""
    line = command.replace(PROGRAM, f"exec {sys.executable} -m airbyte_sync_cli")
    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    return subprocess.Popen(
        ["/bin/sh", "-c", line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", **path, **environment},
    )


def finished(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def wait_until_it_runs(airbyte):
    end = time.monotonic() + PATIENCE
    while ["running"] != [str(job.status) for job in airbyte.jobs]:
        assert time.monotonic() < end, "no sync was started"
        time.sleep(0.05)


def test_cron_takes_one_line():
    """That is all a user writes."""
    assert 1 == len([line for line in CRONTAB.splitlines() if line.strip() and line[0] != "#"])
    assert ("0", "2", ["*", "*", "*"]) == (MINUTES, HOURS, DAYS)


def test_the_cron_line_survives_a_kill(airbyte, home):
    """Killed in the middle and run again, it goes on with the same job; it is quiet when all is well."""
    process = started(COMMAND, HOME=str(home))
    wait_until_it_runs(airbyte)
    process.kill()
    assert (-signal.SIGKILL, "", "") == finished(process)
    assert (0, "", "") == finished(started(COMMAND, HOME=str(home)))
    assert ["succeeded"] == [str(job.status) for job in airbyte.jobs]
    assert (home / ".airbyte-sync").is_dir()


def test_the_cron_line_tells_a_bad_end(airbyte, home):
    """The mail has the reason."""
    failing = job_scripts.fails("The password is wrong", lasts=timedelta(0))
    (connection,) = {job.connection_id for job in airbyte.jobs} or {None}
    assert connection is None
    airbyte.add_connection(ServerConnection(name="Prices"), job_scripts=[failing])
    code, out, err = finished(started(COMMAND.replace("Orders", "Prices"), HOME=str(home)))
    assert (6, "") == (code, out)
    assert "The password is wrong" in err


def service(key):
    return re.findall(rf"^{key}=(.*)$", SERVICE, re.MULTILINE)


def test_the_service_leaves_a_sync_to_its_next_start(airbyte, home, tmp_path):
    """``systemctl stop`` in the middle is no failure, and the next start goes on with the same job."""
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "secret").write_text("hush-hush\n")

    def filled(text):
        text = text.replace("%S", str(tmp_path)).replace("%d", str(tmp_path / "credentials"))
        return text.replace("https://api.airbyte.com", airbyte.base_url)

    environment = dict(
        pair.split("=", 1) for line in service("Environment") for pair in shlex.split(filled(line))
    )
    (command,) = map(filled, service("ExecStart"))
    process = started(command, HOME="/", **environment)
    wait_until_it_runs(airbyte)
    process.terminate()
    code, out, _ = finished(process)
    assert service("SuccessExitStatus") == [str(code)], out
    assert "Airbyte job 1 goes on" in out
    code, out, _ = finished(started(command, HOME="/", **environment))
    assert 0 == code, out
    assert "Going on with Airbyte sync job 1" in out
    assert 1 == len(airbyte.jobs)


def test_the_service_is_started_again_where_that_may_help():
    """Not after what is the same a minute later."""
    (prevented,) = service("RestartPreventExitStatus")
    left = {code for code in ExitCode if str(int(code)) not in prevented.split()}
    assert left == {
        ExitCode.SUCCEEDED,
        ExitCode.UNREACHABLE,
        ExitCode.OUTCOME_UNKNOWN,
        ExitCode.INTERRUPTED,
        ExitCode.TERMINATED,
    }


def test_the_units_are_whole():
    """Sections, and a timer that is enabled."""
    assert ["Unit", "Service"] == re.findall(r"^\[(\w+)\]$", SERVICE, re.MULTILINE)
    assert ["Unit", "Timer", "Install"] == re.findall(r"^\[(\w+)\]$", TIMER, re.MULTILINE)
    assert "OnCalendar=02:00" in TIMER
