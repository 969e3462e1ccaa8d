"""What Airflow and a DAG's author find installed."""

import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from airbyte_sync_airflow.compat.official_provider import what_is_wrong
from airbyte_sync_airflow.config.provider_info import get_provider_info

HEAVY = {"requests", "aiohttp", "httpx", "urllib3", "dependency_injector", "asyncio", "asgiref"}


def test_importing_the_operator_loads_nothing_heavy():
    """Parsing a DAG pays for a dozen small modules: no HTTP library, no container, no event loop."""
    code = """
import json, sys, warnings
warnings.simplefilter("ignore")
try:
    import airflow.sdk
except ImportError:
    import airflow.models.baseoperator, airflow.sensors.base, airflow.hooks.base
before = set(sys.modules)
import airbyte_sync_airflow.operators, airbyte_sync_airflow.sensors
parsed = set(sys.modules) - before
airbyte_sync_airflow.operators.AirbyteTriggerSyncOperator(task_id="sync", connection_id="x")
airbyte_sync_airflow.sensors.AirbyteJobSensor(task_id="wait", airbyte_job_id=7)
ours = {name for name in set(sys.modules) - before - parsed if name.startswith("airbyte_sync")}
print(json.dumps(sorted(parsed | ours)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "airbyte_sync_airflow.operators" in loaded
    assert len(loaded) <= 12, loaded
    assert set() == {name.partition(".")[0] for name in loaded} & HEAVY


@pytest.mark.parametrize(
    ("path", "name", "ours"),
    [
        ("operators", "AirbyteTriggerSyncOperator", "operators"),
        ("sensors", "AirbyteJobSensor", "sensors"),
        ("triggers", "AirbyteSyncTrigger", "triggerer.official"),
        ("hooks", "AirbyteHook", "hooks"),
    ],
)
def test_the_official_import_paths_serve_our_classes(path, name, ours):
    """DAGs written for the official provider find the same names."""
    official = import_module(f"airflow.providers.airbyte.{path}.airbyte")
    assert getattr(official, name) is getattr(import_module(f"airbyte_sync_airflow.{ours}"), name)


OFFICIAL = "apache-airflow-providers-airbyte"
DROP_IN = "airbyte-sync-airflow-dropin"
SHARED = ("__init__.py", "hooks/__init__.py", "hooks/airbyte.py", "operators/airbyte.py")
OWN = {OFFICIAL: ("get_provider_info.py", "version_compat.py"), DROP_IN: ("py.typed",)}


class SitePackages:
    """A folder in which packages are installed and uninstalled as pip does it."""

    def __init__(self, folder):
        self.folder = folder
        self._place = folder / "airflow" / "providers" / "airbyte"

    def _files(self, name):
        return [f"airflow/providers/airbyte/{file}" for file in SHARED + OWN[name]]

    def _info(self, name):
        return self.folder / f"{name.replace('-', '_')}-1.0.dist-info"

    def install(self, name):
        info = self._info(name)
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in self._files(name)))
        for file in self._files(name):
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).write_text(f"# {name}\n")

    def uninstall(self, name):
        for file in self._files(name):
            (self.folder / file).unlink(missing_ok=True)
        shutil.rmtree(self._info(name))


@pytest.fixture
def site_packages(tmp_path, monkeypatch):
    """The only folder in which packages are looked for."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return SitePackages(tmp_path)


def test_beside_the_official_provider_a_warning_names_the_remedy(site_packages, caplog):
    """The two packages own the same files."""
    site_packages.install(OFFICIAL)
    site_packages.install(DROP_IN)
    with caplog.at_level("WARNING", logger="airbyte_sync_airflow"):
        get_provider_info()
    assert f"pip uninstall -y {OFFICIAL} {DROP_IN} && pip install {DROP_IN}" in caplog.text


@pytest.mark.parametrize(("left", "gone"), [(DROP_IN, OFFICIAL), (OFFICIAL, DROP_IN)])
def test_files_that_went_with_the_other_package_are_told_with_the_remedy(
    site_packages, caplog, left, gone
):
    """``airflow providers list`` shows no logs, but the description."""
    site_packages.install(OFFICIAL)
    site_packages.install(DROP_IN)
    site_packages.uninstall(gone)
    with caplog.at_level("WARNING", logger="airbyte_sync_airflow"):
        described = get_provider_info()["description"]
    remedy = f"Run: pip install --force-reinstall --no-deps {left}"
    assert described.startswith(
        f"ATTENTION: files of {left} under airflow/providers/airbyte are missing"
    )
    assert described.endswith(remedy)
    assert remedy in caplog.text
    site_packages.install(left)
    assert "ATTENTION" not in get_provider_info()["description"]


def test_the_official_provider_without_the_drop_in_is_no_problem_and_told(site_packages, caplog):
    """Which hook Airflow uses for the connection type is said."""
    site_packages.install(OFFICIAL)
    with caplog.at_level("INFO", logger="airbyte_sync_airflow"):
        assert what_is_wrong() is None
    assert "connections of type airbyte get the form, the test and the hook of" in caplog.text


def test_alone_there_is_no_warning(caplog):
    """The drop-in without the official provider is as it should be."""
    assert what_is_wrong() is None
    assert "" == caplog.text


@pytest.mark.filterwarnings("ignore")  # Airflow 2.11 imports what warns of itself
def test_airflow_takes_our_hook_for_connections_of_type_airbyte():
    """The provider is found by its entry point."""
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as Manager
    except ImportError:
        from airflow.providers_manager import ProvidersManager as Manager
    hook = Manager().hooks["airbyte"]
    assert "airbyte_sync_airflow.hooks.AirbyteHook" == hook.hook_class_name


def test_the_description_is_what_airflow_expects():
    """Airflow's own schema holds for it."""
    import airflow
    import jsonschema

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_the_description_is_light():
    """Every Airflow process asks for it."""
    code = """
import sys
before = set(sys.modules)
from airbyte_sync_airflow.config.provider_info import get_provider_info
get_provider_info()
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert set() == loaded & (HEAVY | {"airflow", "airbyte_sync", "airbyte_sync_http"})
    assert "airbyte_sync_airflow" in loaded


def test_every_link_that_the_provider_names_exists():
    """Airflow 2.11 drops all links of an operator if one of them is not registered."""
    for path in get_provider_info()["extra-links"]:
        module, _, name = path.rpartition(".")
        assert getattr(import_module(module), name)()


def test_every_module_that_the_provider_names_exists():
    """What Airflow's documentation and UI link to can be imported."""
    info = get_provider_info()
    for kind in ("operators", "sensors", "triggers", "hooks"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                import_module(module)


def test_the_container_makes_what_a_task_is_made_of(airbyte):
    """Nothing but the server has to be given; parts are shared, interpreters are not."""
    from airbyte_sync_airflow.composition import Container
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_http import ServerSettings

    server = AirbyteServer(settings=ServerSettings(base_url=airbyte.base_url))
    container = Container(server)
    with container.gateway():
        assert container.interpreter() is not container.interpreter()
        assert container.gateway() is container.gateway()
        assert container.tokens() is Container(server).tokens()


def test_a_task_loads_no_web_framework():
    """dependency-injector's own container class would load FastAPI, which comes with Airflow 3."""
    code = "import airbyte_sync_airflow.worker.session, sys; print('fastapi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False" == done.stdout.splitlines()[-1]
