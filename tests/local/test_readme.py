"""What the README shows is true."""

import re
from pathlib import Path

import pytest

from airbyte_sync_local import FAULT_ACTIONS, answers, job_scripts, load, scenario_names
from airbyte_sync_local.api.operations import LOCAL_PREFIX

README = (Path(__file__).parents[2] / "packages/local/README.md").read_text()


def snippets(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("snippet", snippets("python"))
def test_the_code_runs(snippet):
    """Every Python snippet runs as it stands, assertions and all."""
    exec(compile(snippet, "README.md", "exec"), {})  # noqa: S102


@pytest.mark.parametrize(
    ("content", "expected"), list(zip(snippets("toml"), [(1, 0, 0), (1, 3, 4)], strict=True))
)
def test_the_scenarios_load(tmp_path, content, expected):
    """Every scenario is one, and has the connections, job scripts and faults that it seems to have."""
    path = tmp_path / "scenario.toml"
    path.write_text(content)
    scenario = load(path)
    lives_of_first = scenario.connections[0].job_scripts
    assert expected == (len(scenario.connections), len(lives_of_first), len(scenario.faults))


def test_every_word_is_explained():
    """The ready-made scripts and scenarios, the actions and the answers are all listed."""
    words = {
        *job_scripts.BY_NAME,
        *scenario_names(),
        *answers.BY_NAME,
        *FAULT_ACTIONS,
        f"GET {LOCAL_PREFIX}/jobs",
    }
    assert set() == {word for word in words if f"`{word}`" not in README}
