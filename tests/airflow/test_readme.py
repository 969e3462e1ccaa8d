"""The first DAG of the README runs as it stands."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from airbyte_sync_local import Connection, lives

README = Path(__file__).parents[2] / "README.md"

pytestmark = pytest.mark.filterwarnings("default")  # dag.test() warns of its own parts


def first_dag():
    """The snippet, with the one change that the README names for Airflow 2.11."""
    (snippet,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    try:
        import airflow.sdk  # noqa: F401
    except ImportError:
        snippet = snippet.replace("from airflow.sdk import DAG", "from airflow import DAG")
    return snippet


def test_the_first_dag_runs(load_dag_file, airbyte, connect):
    """Both ways of syncing end in success, each with one job."""
    module = load_dag_file("readme_first_dag", first_dag())
    at_once = lives.succeeds(starts=timedelta(0), lasts=timedelta(0))
    for connection_id in (module.ORDERS, module.PRICES):
        airbyte.add_connection(Connection(connection_id=connection_id), lives=[at_once])
    connect(host=airbyte.base_url, login="the-client-id", password="the-client-secret")

    run = module.dag.test()

    assert "success" == str(run.state)
    assert ["succeeded", "succeeded"] == [job.status for job in airbyte.jobs]
