"""An Airflow 3.3 of real processes whose packages are those of another release of ours after an upgrade."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parents[1] / "tools")]

import environments as envs  # noqa: E402 - neither the scenes nor the tools are a package
import swapping  # noqa: E402
from directed_engine import DirectedEngine  # noqa: E402
from pace import measure  # noqa: E402
from stage import Stage, open_airbyte, open_airflow  # noqa: E402

BEFORE = "b9b82a73dc43b1a3d8c1f8a818bde36593a97252"
"""The release that is upgraded."""


def pytest_addoption(parser):
    parser.addoption("--airflow-database", choices=["postgresql"], default="postgresql")


@pytest.fixture(scope="session")
def machine(tmp_path_factory):
    return measure(tmp_path_factory.mktemp("measured"))


@pytest.fixture
def stage_with(tmp_path, machine):
    """Start an Airflow with the release before, whose deferrable tasks have so many retries."""
    engine = DirectedEngine()
    with ExitStack() as everything:

        def start(retries):
            swapping.put_ours_in_place(envs.UPGRADING, BEFORE)
            airbyte = everything.enter_context(open_airbyte(engine))
            stack = open_airflow(
                airbyte,
                home=tmp_path / "airflow",
                dags=HERE / "dags",
                settings={"CORE__PARALLELISM": 16, **machine.settings},
                env={"UPGRADE_RETRIES": retries},
                database="postgresql",
            )
            stage = Stage(everything.enter_context(stack), airbyte, engine, machine)
            return everything.enter_context(stage)

        yield start


@pytest.fixture
def upgrade_packages():
    """Change our packages under what runs."""
    return lambda: swapping.put_ours_in_place(envs.UPGRADING)
