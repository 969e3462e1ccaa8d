"""The official Airflow provider, unmodified, works against ``airbyte-sync-local serve``."""

import json
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest
from airflow.providers.airbyte.hooks.airbyte import AirbyteHook
from airflow.providers.airbyte.operators.airbyte import AirbyteTriggerSyncOperator
from airflow.providers.airbyte.triggers.airbyte import AirbyteSyncTrigger
from airflow.sdk.exceptions import AirflowException

# The provider and the SDK below it warn about themselves; that proves nothing about us.
pytestmark = pytest.mark.filterwarnings("default")

QUICK, SLOW, FAILING = (str(uuid4()) for _ in range(3))
SCENARIO = {
    "connections": [
        {"id": QUICK, "job_scripts": [{"script": "succeeds", "starts": 0, "lasts": 0.1}]},
        {"id": SLOW, "job_scripts": ["never_ends"]},
        {"id": FAILING, "job_scripts": ["fails"]},
    ]
}


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server started from the command line, and the Airflow connection that leads to it."""
    scenario, url_file, secret = tmp_path / "scenario.json", tmp_path / "url", uuid4().hex
    scenario.write_text(json.dumps(SCENARIO))
    with subprocess.Popen(
        [
            *(Path(sys.executable).with_name("airbyte-sync-local"), "serve"),
            *("--scenario", scenario, "--url-file", url_file),
            *("--auth", "client-credentials", "--client-id", "me", "--client-secret", secret),
        ]
    ) as server:
        until = monotonic() + 30
        while not url_file.exists():
            assert server.poll() is None, "the server did not start"
            assert monotonic() < until, "the server does not say its address"
            sleep(0.05)
        connection = {
            "conn_type": "airbyte",
            "host": url_file.read_text().strip() + "/api/public/v1",
            "login": "me",
            "password": secret,
        }
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_DEFAULT", json.dumps(connection))
        yield
        server.send_signal(signal.SIGTERM)
        assert 0 == server.wait(timeout=300)


def operator(connection_id, **options):
    return AirbyteTriggerSyncOperator(
        task_id="sync", connection_id=connection_id, wait_seconds=0.2, **options
    )


def test_these_are_the_published_versions():
    """What is proven here is proven for them."""
    assert ("6.2.0", "1.0.1") == (
        version("apache-airflow-providers-airbyte"),
        version("airbyte-api"),
    )


def test_its_operator_triggers_and_polls(served):
    """A sync runs to its end; a failing one fails."""
    assert isinstance(operator(QUICK).execute({}), int)
    with pytest.raises(AirflowException, match="failed"):
        operator(FAILING).execute({})


def test_its_hook_triggers_polls_and_cancels(served):
    """The methods that DAGs use directly."""
    hook = AirbyteHook()
    assert hook.test_connection()[0]
    job = hook.submit_sync_connection(SLOW)
    until = monotonic() + 30
    while hook.get_job_status(job.job_id).value != "running":
        assert monotonic() < until, "the job did not start"
        sleep(0.1)
    assert "cancelled" == hook.cancel_job(job.job_id).status.value
    assert "cancelled" == hook.get_job_status(job.job_id).value


def test_its_operator_cancels_when_time_is_up(served):
    """Its own timeout reaches the server."""
    with pytest.raises(AirflowException):
        operator(SLOW, timeout=2).execute({})


def test_what_its_trigger_stores_is_what_our_drop_in_takes_over():
    """``tests/airflow/test_takeover.py`` makes our trigger of exactly these arguments."""
    trigger = AirbyteSyncTrigger(job_id=1, conn_id="x", end_time=1.0, poll_interval=60.0)
    path, arguments = trigger.serialize()
    assert "airflow.providers.airbyte.triggers.airbyte.AirbyteSyncTrigger" == path
    assert {"job_id", "conn_id", "end_time", "poll_interval", "execution_deadline"} == set(
        arguments
    )
