"""The first DAG of the README runs as it stands."""

import re
from configparser import ConfigParser
from datetime import timedelta
from pathlib import Path

import pytest

from airbyte_sync_airflow import exceptions
from airbyte_sync_airflow.config.fields import SERVER_FIELDS
from airbyte_sync_airflow.config.policy_options import POLICY_OPTIONS, policy_defaults
from airbyte_sync_local import ServerConnection, job_scripts

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PACKAGE_README = ROOT / "packages" / "airflow" / "README.md"

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
    at_once = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))
    for connection_id in (module.ORDERS, module.PRICES):
        airbyte.add_connection(ServerConnection(connection_id=connection_id), job_scripts=[at_once])
    connect(host=airbyte.base_url, login="the-client-id", password="the-client-secret")

    run = module.dag.test()

    assert "success" == str(run.state)
    assert ["succeeded", "succeeded"] == [job.status for job in airbyte.jobs]


def snippets(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PACKAGE_README.read_text(), re.DOTALL)


def test_every_field_of_the_connection_is_in_the_readme():
    """Those of the server in its table, those of the policy beside airflow.cfg."""
    text = PACKAGE_README.read_text()
    named = set(re.findall(r"`(\w+)`", text)) | set(re.findall(r"^(\w+) = ", text, re.MULTILINE))
    assert set() == {field.name for field in (*SERVER_FIELDS, *POLICY_OPTIONS)} - named


def test_the_imports_of_the_package_readme_work():
    """The first snippet names what there is."""
    scope = {}
    exec(snippets("python")[0], scope)  # noqa: S102 - it is our own README
    assert {"AirbyteTriggerSyncOperator", "AirbyteJobSensor"} <= scope.keys()


def test_the_retry_policy_names_our_exceptions():
    """A failed sync is final, a server that is away for a while is not."""
    policy_module = pytest.importorskip(
        "airflow.sdk.definitions.retry_policy", reason="retry policies came with Airflow 3.3"
    )
    scope = {}
    exec(snippets("python")[1], scope)  # noqa: S102 - it is our own README
    policy = scope["FAILED_SYNCS_ARE_FINAL"]
    actions = policy_module.RetryAction
    assert [actions.FAIL, actions.RETRY] == [
        policy.evaluate(exception("..."), 1, 3, None).action
        for exception in (exceptions.AirbyteSyncFailed, exceptions.AirbyteServerUnreachable)
    ]


def test_the_settings_of_the_package_readme_are_understood(monkeypatch):
    """Each line of the section of airflow.cfg sets an option."""
    section = ConfigParser()
    section.read_string(snippets("ini")[0])
    for name, value in section["airbyte_sync"].items():
        monkeypatch.setenv(f"AIRFLOW__AIRBYTE_SYNC__{name.upper()}", value)
    assert {
        "on_conflict": "attach",
        "unreachable_timeout": timedelta(hours=1),
        "cancel_on_kill": False,
    } == policy_defaults("airbyte_default", {})
