"""What Airflow and a DAG's author find installed."""

import json
import subprocess
import sys
from importlib import import_module

import pytest

from airbyte_sync_airflow.coexistence import warn_if_files_are_overwritten
from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_airflow.provider_info import get_provider_info

HEAVY = {"requests", "aiohttp", "httpx", "urllib3", "dependency_injector", "asyncio", "asgiref"}


def test_importing_the_operator_loads_nothing_heavy():
    """Parsing a DAG pays for no HTTP library, no container and no event loop."""
    code = """
import json, sys, warnings
warnings.simplefilter("ignore")
try:
    import airflow.sdk
except ImportError:
    import airflow.models.baseoperator, airflow.sensors.base, airflow.hooks.base
before = set(sys.modules)
import airbyte_sync_airflow.operators, airbyte_sync_airflow.sensors
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert set() == loaded & HEAVY
    assert "airbyte_sync_airflow" in loaded


@pytest.mark.parametrize(
    ("path", "name", "ours"),
    [
        ("operators", "AirbyteTriggerSyncOperator", "operators"),
        ("sensors", "AirbyteJobSensor", "sensors"),
        ("triggers", "AirbyteSyncTrigger", "triggers"),
        ("hooks", "AirbyteHook", "hooks"),
    ],
)
def test_the_official_import_paths_serve_our_classes(path, name, ours):
    """DAGs written for the official provider find the same names."""
    official = import_module(f"airflow.providers.airbyte.{path}.airbyte")
    assert getattr(official, name) is getattr(import_module(f"airbyte_sync_airflow.{ours}"), name)


def installed(folder, *names):
    for name in names:
        info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


def test_beside_the_official_provider_a_warning_names_the_remedy(tmp_path, monkeypatch, caplog):
    """The two packages own the same files."""
    installed(tmp_path, "apache-airflow-providers-airbyte")
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level("WARNING", logger="airbyte_sync_airflow"):
        get_provider_info()
    assert "pip uninstall -y apache-airflow-providers-airbyte" in caplog.text


def test_alone_there_is_no_warning(caplog):
    """The drop-in without the official provider is as it should be."""
    warn_if_files_are_overwritten()
    assert "" == caplog.text


def test_airflow_takes_our_hook_for_connections_of_type_airbyte():
    """The provider is found by its entry point."""
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as Manager
    except ImportError:
        from airflow.providers_manager import ProvidersManager as Manager
    hook = Manager().hooks["airbyte"]
    assert "airbyte_sync_airflow.hooks.AirbyteHook" == hook.hook_class_name


def test_every_module_that_the_provider_names_exists():
    """What Airflow's documentation and UI link to can be imported."""
    info = get_provider_info()
    for kind in ("operators", "sensors", "triggers", "hooks"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                import_module(module)


# --------------------------------------------------------------------------------------------------
# The hook


def test_the_hook_tests_a_connection_with_its_credentials(connection, airbyte):
    """The button in the UI makes a call that needs the credentials."""
    works, text = AirbyteHook().test_connection()
    assert works, text
    assert any(record.headers.get("Authorization") for record in airbyte.requests)


def test_the_hook_says_what_is_wrong_with_a_connection(airbyte, connect):
    """Wrong credentials are not a success, as a health check would have it."""
    connect(host=airbyte.base_url, login="the-client-id", password="not-the-secret")
    works, text = AirbyteHook().test_connection()
    assert not works
    assert "client secret is wrong" in text
    assert "not-the-secret" not in text


def test_the_hook_starts_follows_and_cancels_jobs(connection, airbyte):
    """The methods of the official hook, over our gateway."""
    hook = AirbyteHook()
    job = hook.submit_sync_connection(connection.connection_id)
    assert "pending" == hook.get_job_status(job.job_id)
    hook.wait_for_job(job.job_id)
    assert "succeeded" == hook.get_job_details(job.job_id).status.word
    second = hook.submit_sync_connection(connection.connection_id)
    assert "cancelled" == hook.cancel_job(second.job_id).status.word


def test_the_container_is_complete():
    """Nothing but the server and the listener has to be given."""
    from airbyte_sync_airflow.composition import Container
    from airbyte_sync_airflow.connection import AirbyteServer
    from airbyte_sync_http import ServerSettings

    server = AirbyteServer(settings=ServerSettings(base_url="http://127.0.0.1:1"))
    container = Container(server=server, on_event=print)
    container.check_dependencies()
    assert container.interpreter() is not container.interpreter()
    assert container.gateway() is container.gateway()
