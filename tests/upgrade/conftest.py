"""An Airflow 3.3 of real processes whose packages are those of another release of ours after an upgrade."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from airbyte_sync_local import LocalAirbyte

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parents[1] / "tools")]

import environments as envs  # noqa: E402 - neither the scenes nor the tools are a package
import swapping  # noqa: E402
from airflow_stack import AirflowStack  # noqa: E402
from directed_engine import DirectedEngine  # noqa: E402
from pace import measure  # noqa: E402
from stage import Stage  # noqa: E402

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
            airbyte = everything.enter_context(
                LocalAirbyte(engine=engine, recorded_requests=1_000_000)
            )
            connection = {"conn_type": "airbyte", "host": airbyte.base_url}
            stack = AirflowStack(
                home=tmp_path / "airflow",
                dags=HERE / "dags",
                env={
                    "AIRFLOW_CONN_AIRBYTE_DEFAULT": json.dumps(connection),
                    "UPGRADE_RETRIES": str(retries),
                    "AIRFLOW__CORE__PARALLELISM": "16",
                    **{f"AIRFLOW__{name}": str(value) for name, value in machine.settings.items()},
                },
                database="postgresql",
            )
            stage = Stage(everything.enter_context(stack), airbyte, engine, machine)
            return everything.enter_context(stage)

        yield start


@pytest.fixture
def upgrade_packages():
    """Change our packages under what runs."""
    return lambda: swapping.put_ours_in_place(envs.UPGRADING)
