"""The README of the package tells the truth."""

import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from airbyte_sync import SyncPolicy
from airbyte_sync_cli import main
from airbyte_sync_cli.main import program
from airbyte_sync_cli.settings import RUN_KEYS, SERVER_KEYS, CliSettings
from airbyte_sync_local import scenario_names
from tests.cli.command import QUICKLY

ROOT = Path(__file__).parents[2]
README = (ROOT / "packages" / "cli" / "README.md").read_text("utf-8")
TRY_IT = re.findall(r"```\n(pip install airbyte-sync-local\n.*?)```", README, re.DOTALL)[0]
TOML = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0]


@contextmanager
def serving(scenario):
    """The local server of the README, at a port of its own."""
    command = [sys.executable, "-m", "airbyte_sync_local", "serve", "--scenario", scenario]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline()).group()
        finally:
            server.kill()


def test_it_can_be_tried_without_an_airbyte(environment, capsys):
    """The lines, one after the other."""
    _, serve, _, export, *commands = TRY_IT.splitlines()
    scenario = re.search(r"--scenario (\S+)", serve)[1]
    variable, address = export.removeprefix("export ").split("=")
    with serving(scenario) as url:
        assert "http://localhost:8000" == address
        environment.setenv(variable, url)
        environment.setenv("AIRBYTE_SYNC_POLL_INTERVAL", "0.1")
        for line in commands:
            arguments = [each.strip('"') for each in re.findall(r'"[^"]+"|\S+', line)]
            assert 0 == main(arguments[1:])
    told = capsys.readouterr().out
    assert "Faker to DuckDB" in told
    assert "succeeded: job 1" in told


def test_the_first_readme_says_the_same():
    """But for the line that installs, which installs the command as well."""
    _, _, the_rest = TRY_IT.partition("\n")
    assert f"airbyte-sync-cli airbyte-sync-local\n{the_rest}```" in (ROOT / "README.md").read_text(
        "utf-8"
    )


def test_the_scenarios_are_there():
    """Each that the README names."""
    section = README.partition("Other scenarios")[2].partition("\n\n")[0]
    named = [each for each in re.findall(r"`([a-z-]+)`", section) if each != "skip"]
    assert {"fails", "queued", "never-ends"} <= set(named) <= set(scenario_names())


def test_every_command_is_in_the_table():
    """And no other."""
    assert list(program.commands) == re.findall(r"^\| `airbyte-sync (\w+)", README, re.MULTILINE)


def test_the_settings_file_can_be_read(environment, tmp_path):
    """As it stands, with its secret beside it."""
    (tmp_path / "config.toml").write_text(TOML)
    (tmp_path / "secret").write_text("hush-hush\n")
    settings = CliSettings({"config": str(tmp_path / "config.toml")})
    assert "https://api.airbyte.com/v1" == settings.server().base_url
    assert 7200 == settings.policy().timeout.total_seconds()
    assert Path("/var/lib/airbyte-sync") == settings.path("state")


def test_the_spellings_follow_one_rule():
    """--queue-timeout, AIRBYTE_SYNC_QUEUE_TIMEOUT and queue_timeout."""
    pattern = r"^\| `--([a-z-]+)` \| `AIRBYTE_SYNC_([A-Z_]+)` \| `(\w+)` in `\[(\w+)\]` \|$"
    rows = re.findall(pattern, README, re.MULTILINE)
    tables = {"server": SERVER_KEYS, "policy": SyncPolicy.CONFIG_KEYS, "run": RUN_KEYS}
    assert {"server", "policy", "run"} == {table for *_, table in rows}
    for option, variable, key, table in rows:
        assert option.replace("-", "_") == variable.lower() == key
        assert key in tables[table]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_completion_line_is_understood_by_bash(environment):
    """It defines a completion for the command."""
    done = subprocess.run(
        [
            "bash",
            "-c",
            f'eval "$({sys.executable} -m airbyte_sync_cli completion bash)"; complete -p',
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "airbyte-sync" in done.stdout


def test_quick_polls_are_an_option(cli, add):
    """What these tests stand on."""
    add("Orders")
    assert 0 == cli("run", *QUICKLY, "Orders").code
