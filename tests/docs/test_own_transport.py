"""The example of a transport of one's own keeps the contract and is found by its name."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from airbyte_sync_local import LocalAirbyte, RequireClientCredentials, job_scripts
from airbyte_sync_testkit.contract import TransportContract

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "own_transport"


class TestStandardLibraryTransport(TransportContract):
    @pytest.fixture
    def new_transport(self, monkeypatch):
        monkeypatch.syspath_prepend(str(EXAMPLE))
        return import_module("standard_library_transport").StandardLibraryTransport


def test_it_is_small():
    """Forty lines, docstrings and all."""
    assert len((EXAMPLE / "standard_library_transport.py").read_text().splitlines()) <= 40


def test_it_is_found_by_its_name(tmp_path, monkeypatch):
    """Its manifest line, once installed, makes it known; a script then syncs through it."""
    manifest = (EXAMPLE / "pyproject.toml").read_text()
    group = re.search(r'^\[project\.entry-points\."(.+)"\]$', manifest, re.MULTILINE)[1]
    name, target = re.search(r'^(.+) = "(standard_library_.+)"$', manifest, re.MULTILINE).groups()
    info = tmp_path / "my_airbyte_transport-1.0.dist-info"  # what installing it would leave
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: my-airbyte-transport\nVersion: 1\n"
    )
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    with LocalAirbyte(
        auth=RequireClientCredentials(client_id="id", client_secret="secret")
    ) as airbyte:
        at_once = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))
        done = subprocess.run(
            [
                sys.executable,
                EXAMPLE.parent / "blocking_script.py",
                airbyte.add_connection(job_scripts=[at_once]).connection_id,
            ],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(
                    [str(tmp_path), str(EXAMPLE), *filter(None, [os.environ.get("PYTHONPATH")])]
                ),
                "AIRBYTE_SYNC_URL": airbyte.base_url,
                "AIRBYTE_SYNC_CLIENT_ID": "id",
                "AIRBYTE_SYNC_CLIENT_SECRET": "secret",
                "AIRBYTE_SYNC_TRANSPORT": name,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        agents = {record.headers.get("Accept-Encoding") for record in airbyte.requests}
    assert (0, "standard-library") == (done.returncode, name), done.stderr
    assert {"identity"} == agents, "http.client says this of itself; the other transports do not"
