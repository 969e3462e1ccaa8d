"""The pages and the example tell the truth, and a flow takes few lines."""

import asyncio
import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from runpy import run_path

import pytest
from prefect import Flow
from stage import Run

from airbyte_sync_local import job_scripts

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "prefect" / "nightly.py"
PAGES = [ROOT / "docs" / "prefect.md", ROOT / "packages" / "prefect" / "README.md"]
MOST_LINES = 12


def snippets(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def lines(code):
    return [line for line in code.splitlines() if line.strip()]


@pytest.fixture
def production(block):
    """The server's block, under the name that the pages use."""
    block.save("production", overwrite=True)


@pytest.fixture
def connection_id(airbyte):
    at_once = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0), rows=7)
    return airbyte.add_connection(job_scripts=[at_once]).connection_id


def test_a_flow_takes_few_lines():
    """Those that are not blank, imports and schedule included."""
    assert len(lines(EXAMPLE.read_text())) <= MOST_LINES


def test_the_example_runs(production, connection_id):
    """As it stands."""
    assert 7 == run_path(str(EXAMPLE))["nightly"](connection_id)
    assert "Completed" == Run.newest().state.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_pages_run(page, airbyte, production, connection_id):
    """Each snippet, and each flow that one defines."""
    flows = {}
    for snippet in snippets(page):
        real = f'url="{airbyte.base_url}", client_id="me", client_secret="a-secret-of-tests"'
        code = re.sub(r'url="https://api.*?client_secret="\.\.\."', real, snippet)
        found = {}
        exec(compile(code, str(page), "exec"), found)  # noqa: S102 - our own page
        flows |= {name: each for name, each in found.items() if isinstance(each, Flow)}
    for name, flow in flows.items():
        outcome = flow([connection_id] if name.startswith("all") else connection_id)
        outcome = asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome
        assert outcome in (7, [7], 1, "7 rows")


def test_everything_public_is_documented():
    """Also what Prefect shows of the block."""
    public = import_module("airbyte_sync_prefect")
    assert all(getattr(public, name).__doc__ for name in public.__all__ if name != "__version__")
    assert "Cloud or self-managed" in public.AirbyteServer.get_description()
