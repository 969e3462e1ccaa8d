"""What README and documentation show runs, and is as short as it claims."""

import re
from pathlib import Path

import dagster as dg
import pytest
from shop import QUICK, SECRET, submissions

from airbyte_sync_dagster import Airbyte

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "docs" / "examples" / "dagster" / "definitions.py").read_text("utf-8")
README = (ROOT / "packages" / "dagster" / "README.md").read_text("utf-8")
[IN_README] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def definitions(airbyte, add, monkeypatch):
    """Run a program as Dagster loads it, on a server that is set up as it expects."""
    monkeypatch.setenv("AIRBYTE_CLIENT_ID", "me")
    monkeypatch.setenv("AIRBYTE_CLIENT_SECRET", SECRET)

    def load(program):
        [connection_id] = re.findall(r'"([0-9a-f-]{36})"', program)
        add(QUICK, connection_id=connection_id)
        program = program.replace("https://api.airbyte.com", airbyte.base_url)
        found = {}
        exec(compile(program, "definitions.py", "exec"), found)  # noqa: S102 - it is our own
        return found["defs"]

    return load


def lines_of(program):
    return [line for line in program.splitlines() if line.strip()]


@pytest.mark.parametrize("program", [EXAMPLE, IN_README], ids=["example", "README"])
def test_a_user_writes_few_lines(program):
    """At most fifteen, imports and docstring included."""
    assert len(lines_of(program)) <= 15


def test_the_example_runs(definitions, airbyte, instance):
    """Its job materializes both streams with one sync."""
    defs = definitions(EXAMPLE)
    result = defs.resolve_job_def("sync_shop").execute_in_process(instance=instance)
    assert {"users", "orders"} == {
        event.asset_key.path[-1] for event in result.get_asset_materialization_events()
    }
    assert 1 == len(submissions(airbyte))


def test_the_schedule_of_the_example(definitions):
    """It launches the job, whose runs Dagster retries."""
    defs = definitions(EXAMPLE)
    [schedule] = defs.schedules
    assert ("sync_shop", "0 6 * * *") == (schedule.job_name, schedule.cron_schedule)
    assert "3" == defs.resolve_job_def("sync_shop").tags["dagster/max_retries"]


def test_the_readme_runs(definitions, instance):
    """Its definitions load, and materialize."""
    defs = definitions(IN_README)
    job = defs.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance).success


def test_the_readme_lists_the_fields():
    """Each field of the resource has its place in the table."""
    listed = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", README, re.MULTILINE)[:4]))
    assert list(Airbyte.model_fields) == listed


def test_fields_are_shown_without_secrets(airbyte):
    """What Dagster shows of the resource names the variable, not its value."""
    resource = Airbyte(url=airbyte.base_url, client_id="me", client_secret=dg.EnvVar("THE_SECRET"))
    assert SECRET not in repr(resource)
    assert "THE_SECRET" in repr(resource)
