"""The README of the package tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airbyte_sync_local import LocalAirbyte, ServerConnection, job_scripts

README = (Path(__file__).parents[2] / "packages" / "runner" / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CONNECTION_ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
AT_ONCE = job_scripts.JobScript(
    steps=(job_scripts.Step(status="running"), job_scripts.Step(status="succeeded"))
)


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (PROGRAMS[0], "job 1 succeeded: 0 rows"),
        (PROGRAMS[1], f"{CONNECTION_ID}: job 1 succeeded, 0 rows"),
    ],
    ids=["one", "many"],
)
def test_an_example_runs(program, told, capsys, tmp_path, monkeypatch):
    """It sees its syncs through, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    with LocalAirbyte() as airbyte:
        airbyte.add_connection(ServerConnection(connection_id=CONNECTION_ID), job_scripts=[AT_ONCE])
        program = program.replace("http://localhost:8000", airbyte.base_url)
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102 - it is our own README
    assert told == capsys.readouterr().out.strip()
    assert [] == list(tmp_path.glob("state/*"))


def test_every_example_is_run():
    """None is left out."""
    assert 2 == len(PROGRAMS)
