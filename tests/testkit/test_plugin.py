"""The pytest plugin gives a test a server by name, and a marker says what it starts with."""

import os
import re
import subprocess
import sys
import urllib.request

import pytest

from airbyte_sync_local import (
    ConnectionScenario,
    InvalidScenario,
    RequireBearerToken,
    Scenario,
    ServerConnection,
)

CONNECTION = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"
SCENARIO = Scenario(
    connections=(ConnectionScenario(connection=ServerConnection(connection_id=CONNECTION)),)
)


def status_of(airbyte, path, **headers):
    request = urllib.request.Request(airbyte.api_url + path, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return answer.status


def run_pytest(folder, *arguments):
    """Run pytest as a user would who has installed the kit, and has no configuration."""
    command = ["-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", "-c", os.devnull]
    return subprocess.run(
        [sys.executable, *command, f"--rootdir={folder}", folder, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_server_runs_while_the_test_does(local_airbyte):
    """The fixture is known without an import, and the server answers."""
    assert 200 == status_of(local_airbyte, "/health")


@pytest.mark.local_airbyte(scenario=SCENARIO)
def test_a_server_starts_with_a_scenario(local_airbyte):
    """The marker hands a scenario over."""
    assert 200 == status_of(local_airbyte, f"/connections/{CONNECTION}")


@pytest.mark.local_airbyte(scenario=SCENARIO, auth=RequireBearerToken(token="outer"))
class TestNearest:
    @pytest.mark.local_airbyte(auth=RequireBearerToken(token="inner"))
    def test_the_nearest_marker_holds(self, local_airbyte):
        """Each option of it, and what it does not say comes from the class."""
        path = f"/connections/{CONNECTION}"
        assert 200 == status_of(local_airbyte, path, Authorization="Bearer inner")


def test_a_scenario_file_is_found_beside_the_test(tmp_path):
    """A path is read from the test's folder, wherever pytest is started."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "one.toml").write_text(f'[[connections]]\nid = "{CONNECTION}"\n')
    (tmp_path / "here" / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.local_airbyte(scenario='one.toml')\n"
        "def test_it(local_airbyte):\n"
        f"    local_airbyte.start_external_job({CONNECTION!r})\n"
        "@pytest.mark.local_airbyte(scenario='two.toml')\n"
        "def test_that_it_is_said(local_airbyte): ...\n"
    )
    done = run_pytest(tmp_path)
    assert "1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert re.search(rf"{InvalidScenario.__name__}: .*two\.toml: cannot be opened", done.stdout)


def test_a_failing_fact_shows_its_values(tmp_path):
    """Pytest explains the asserts of the published suites as it explains one's own."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "from airbyte_sync_http import HttpResponse\n"
        "from airbyte_sync_testkit.contract import TransportContract\n"
        "class Teapot:\n"
        "    def __init__(self, options): ...\n"
        "    def send(self, request): return HttpResponse(status=418)\n"
        "    def close(self): ...\n"
        "class TestTeapot(TransportContract):\n"
        "    @pytest.fixture\n"
        "    def new_transport(self): return Teapot\n"
    )
    done = run_pytest(tmp_path, "-k", "returns_every_status and 404")
    assert "assert (404, b'body') == (418, b'')" in done.stdout, done.stdout + done.stderr


def test_only_a_suite_says_what_is_broken(tmp_path):
    """A test of a user's own, even one in the place of a fact, shows what it always has."""
    (tmp_path / "test_it.py").write_text(
        """
from airbyte_sync_testkit.contract import TransportContract

def test_mine():
    assert False

class TestMine(TransportContract):
    def test_is_a_transport(self):
        assert False
"""
    )
    done = run_pytest(tmp_path, "-k", "test_mine or is_a_transport")
    assert "2 failed, " in done.stdout
    assert "error" not in done.stdout.splitlines()[-1]
    assert "The fact that is broken" not in done.stdout
