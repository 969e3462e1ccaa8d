"""The command line: what it says, how it stops, and what it refuses."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

from airbyte_sync_local import scenario_names
from airbyte_sync_local.cli import main


@contextmanager
def serving(*options):
    """A server in a process of its own, and the line that it printed."""
    command = [sys.executable, "-m", "airbyte_sync_local", "serve", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def url_of(line):
    return re.search(r"http://127\.0\.0\.1:\d+/api/public/v1", line).group()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_stops_when_told(number):
    """One line tells all that a client needs, and both signals end it in peace."""
    with serving() as (process, line):
        assert 200 == requests.get(f"{url_of(line)}/health", timeout=60).status_code
        assert "connections: b5ef9c4c-6b4f-4d5c-9f55-0d2a4c9b7c11 (Faker to DuckDB)" in line
        assert "no credentials needed" in line
        os.kill(process.pid, number)
        assert 0 == process.wait(timeout=60)


def test_credentials_are_made_up_and_told():
    """Without a secret of the caller's choice, the one that is made up works."""
    with serving("--auth", "client-credentials", "--client-id", "me") as (_, line):
        secret = re.search(r"client id: me, client secret: (\S+)", line).group(1)
        body = {"client_id": "me", "client_secret": secret}
        url = f"{url_of(line)}/applications/token"
        assert 200 == requests.post(url, json=body, timeout=60).status_code


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        (["--auth", "basic", "--password", "hush"], {"Authorization": "Basic bG9jYWw6aHVzaA=="}),
        (["--auth", "bearer", "--token", "hush"], {"Authorization": "Bearer hush"}),
    ],
)
def test_credentials_can_be_chosen(options, headers):
    """Name, password and token are those of the command line."""
    with serving(*options) as (_, line):
        url = f"{url_of(line)}/jobs"
        refused, admitted = (requests.get(url, headers=h, timeout=60) for h in ({}, headers))
        assert (401, 200) == (refused.status_code, admitted.status_code)


def test_the_url_file_is_whole_when_the_line_is_out(tmp_path):
    """Scripts find the base URL in a file."""
    path = tmp_path / "url"
    with serving("--url-file", str(path)) as (_, line):
        assert url_of(line) == path.read_text().strip() + "/api/public/v1"


def test_a_scenario_is_served(tmp_path):
    """The file's connections are there."""
    path = tmp_path / "scenario.toml"
    path.write_text('[[connections]]\nid = "c1"\nname = "Orders"\n')
    with serving("--scenario", str(path), "--latency", "1", "--threads", "2") as (_, line):
        assert "connections: c1 (Orders)" in line
        assert "Orders" == requests.get(f"{url_of(line)}/connections/c1", timeout=60).json()["name"]


def test_a_ready_made_scenario_is_served_by_its_name():
    """Its credentials are told, and an option goes before them."""
    with serving("--scenario", "token-180s") as (_, line):
        assert "client id: local, client secret: local" in line
        url = f"{url_of(line)}/applications/token"
        body = {"client_id": "local", "client_secret": "local"}
        assert 180 == requests.post(url, json=body, timeout=60).json()["expires_in"]
    with serving("--scenario", "token-180s", "--auth", "none") as (_, line):
        assert 200 == requests.get(f"{url_of(line)}/jobs", timeout=60).status_code


def test_ready_made_scenarios_are_listed(capsys):
    """Each with its name and what it shows."""
    assert 0 == main(["scenarios"])
    lines = capsys.readouterr().out.splitlines()
    assert list(scenario_names()) == [line.split()[0] for line in lines]
    assert "queued                           A sync waits a minute for capacity" in "\n".join(lines)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--scenario", "nothing-like-it"], "airbyte-sync-local scenarios lists"),
        (["--port", "99999"], "'99999' is not a number from 0 to 65535; give one"),
        (["--threads", "0"], "'0' is not a number from 1 to 1000; give one"),
        (["--latency", "fast"], "'fast' is not a number"),
        (["--scenario", "nowhere.toml"], "nowhere.toml: cannot be opened"),
        (["--engine", "connectors"], "needs --connectors-python"),
        (["--url-file", "/nowhere/url"], "name a file in a folder that exists"),
    ],
)
def test_what_cannot_be_meant_is_explained(capsys, options, text):
    """A mistake ends the program with status 2 and words that help to fix it."""
    with pytest.raises(SystemExit) as end:
        main(["serve", *options])
    assert 2 == end.value.code
    assert text in capsys.readouterr().err


def test_a_port_that_is_taken_is_explained(api, capsys):
    """Where another process listens, another port is needed."""
    port = api.airbyte.base_url.rpartition(":")[2]
    with pytest.raises(SystemExit):
        main(["serve", "--port", port])
    assert "choose another, or 0 for any free one" in capsys.readouterr().err
