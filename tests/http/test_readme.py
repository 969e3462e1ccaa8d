"""The README of the package tells the truth."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from airbyte_sync_http import ClientCredentials, ServerSettings, normalise_base_url
from airbyte_sync_local import LocalAirbyte, RequireClientCredentials, ServerConnection, job_scripts

README = (Path(__file__).parents[2] / "packages" / "http" / "README.md").read_text("utf-8")
RUN_A_SYNC, FROM_OUTSIDE, FOLLOW_MANY, OWN_TRANSPORT = re.findall(
    r"```python\n(.*?)```", README, re.DOTALL
)


@pytest.fixture(autouse=True)
def _installed(install, our_entry_points):
    install("airbyte-sync-http", our_entry_points)


def test_the_first_example_runs_a_sync(capsys):
    """The program at the top sees a sync through, on a server that is set up as it expects."""
    auth = RequireClientCredentials(client_id="my-id", client_secret="my-secret")
    [connection_id] = re.findall(r'connection_id="(.+?)"', RUN_A_SYNC)
    with LocalAirbyte(auth=auth) as airbyte:
        life = job_scripts.JobScript(
            steps=(job_scripts.Step(status="running"), job_scripts.Step(status="succeeded"))
        )
        airbyte.add_connection(ServerConnection(connection_id=connection_id), job_scripts=[life])
        program = RUN_A_SYNC.replace("http://localhost:8000", airbyte.base_url)
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102 - it is our own README
    assert "job 1 succeeded: 0 rows" == capsys.readouterr().out.strip()


def test_the_second_example_reads_settings(monkeypatch, tmp_path):
    """The variables and the file that the README shows lead to its server."""
    [file] = re.findall(r"```toml\n(# airbyte.toml\n.*?)```", README, re.DOTALL)
    (tmp_path / "airbyte.toml").write_text(file)
    (tmp_path / "client_secret").write_text("my-secret\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRBYTE_SYNC_URL", "http://localhost:8000")
    monkeypatch.setenv("AIRBYTE_SYNC_CLIENT_ID", "my-id")
    monkeypatch.setenv("AIRBYTE_SYNC_CLIENT_SECRET_FILE", str(tmp_path / "client_secret"))
    names: dict[str, object] = {}
    exec(compile(FROM_OUTSIDE, "README.md", "exec"), names)  # noqa: S102 - it is our own README
    auth = ClientCredentials(client_id="my-id", client_secret="my-secret")
    expected = ServerSettings(base_url="http://localhost:8000", auth=auth)
    assert expected == names["settings"]
    assert replace(expected, read_timeout=timedelta(seconds=20)) == names["from_file"]


def test_the_third_example_follows_many(capsys):
    """One feed sees three syncs to their ends."""
    with LocalAirbyte() as airbyte:
        life = job_scripts.JobScript(
            steps=(job_scripts.Step(status="running"), job_scripts.Step(status="succeeded"))
        )
        for _ in range(3):
            airbyte.start_external_job(airbyte.add_connection().connection_id, life)
        program = FOLLOW_MANY.replace("http://localhost:8000", airbyte.base_url)
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102 - it is our own README
    assert "{'succeeded'}" == capsys.readouterr().out.strip()


def test_the_fourth_example_is_a_transport():
    """A transport is as little as it shows."""
    exec(compile(OWN_TRANSPORT, "README.md", "exec"), {})  # noqa: S102 - it is our own README


def test_the_manifest_lines_are_ours(our_entry_points):
    """The groups are spelled as this package spells them."""
    assert set(our_entry_points) == set(re.findall(r'entry-points\."(.+?)"\]', README))


def test_the_addresses_mean_what_the_table_says():
    """Every spelling with its own meaning in the table."""
    rows = re.findall(r"^\| `(http\S+?)`.*\| `?(http\S+?|itself)`? \|$", README, re.MULTILINE)
    assert 4 == len(rows)
    for spelling, meaning in rows:
        assert (spelling if meaning == "itself" else meaning) == normalise_base_url(spelling)
