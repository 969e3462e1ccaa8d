"""Standard streams that are closed, full, or cannot show every letter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import PATIENCE, QUICKLY, Done

FULL = Path("/dev/full")


@pytest.fixture
def shell(airbyte, environment):
    """Run the command with redirections: ``shell("run", "Orders", to=">&-")``."""
    environment.setenv("AIRBYTE_SYNC_URL", airbyte.base_url)

    def run(*arguments, to, **variables):
        command = ["sh", "-c", f'exec "$@" {to}', "sh", sys.executable, "-m", "airbyte_sync_cli"]
        done = subprocess.run(
            [*command, *map(str, arguments)],
            env={**os.environ, **variables},
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.mark.parametrize(
    ("display", "to"),
    [
        ((), ">&-"),
        (("--json",), ">&- 2>&-"),
        (("--json-events",), "<&- >&- 2>&-"),
        (("--quiet",), "2>&-"),
    ],
)
def test_closed_streams_end_no_sync(shell, add, airbyte, to, display):
    """The exit code says how it ended."""
    add("Orders")
    assert 0 == shell("run", *QUICKLY, *display, "Orders", to=to).code
    assert 4 == shell("run", *QUICKLY, *display, "Nothing", to=to).code
    assert 1 == len(airbyte.jobs)


@pytest.mark.parametrize("arguments", [("connections",), ("jobs", "--json"), ("check", "Orders")])
def test_other_commands_with_closed_streams(shell, add, arguments):
    """They end as ever."""
    add("Orders")
    assert 0 == shell(*arguments, to=">&-").code
    assert 2 == shell(*arguments, "--no-such-option", to="2>&-").code


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
class TestFullDisk:
    """What was to be read is lost, and that is said."""

    @pytest.mark.parametrize("display", [(), ("--json",), ("--json-events",)])
    def test_a_sync_is_followed_to_its_end(self, shell, add, display):
        """The exit code says how it ended, and standard error that there is nothing to read."""
        add("Orders")
        done = shell("run", *QUICKLY, *display, "Orders", to="> /dev/full")
        assert 0 == done.code, done
        assert 1 == done.err.count("standard output cannot be written")

    @pytest.mark.parametrize(
        "arguments", [("connections",), ("connections", "--json"), ("jobs", "--json")]
    )
    def test_a_list_that_is_lost_is_no_success(self, shell, add, arguments):
        """A script must not take it for an empty one."""
        add("Orders")
        done = shell(*arguments, to="> /dev/full")
        assert 1 == done.code, done
        assert "standard output cannot be written" in done.err
        assert "Traceback" not in done.err

    def test_bad_usage(self, shell):
        """Its exit code does not depend on whether it could be told."""
        assert 2 == shell("run", to="2> /dev/full").code


@pytest.mark.parametrize("name", ["Köln 🚀", "Ελλάδα"])
def test_json_is_json_in_every_encoding(shell, add, name):
    """Letters that an encoding does not have are escaped as JSON does it."""
    add(name)
    done = shell("connections", "--json", to="", PYTHONIOENCODING="ascii")
    assert name == json.loads(done.out)["connections"][0]["name"]
    assert done.out.isascii()
    events = shell("run", *QUICKLY, "--json-events", name, to="", PYTHONIOENCODING="ascii").events
    assert name == events[-1]["syncs"][0]["connection_name"]
