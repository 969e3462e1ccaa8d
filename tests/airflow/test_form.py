"""The connection form and the section of airflow.cfg, as the installed Airflow reads them."""

import json
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from airflow.providers_manager import ProvidersManager

from airbyte_sync_airflow.config.connection import server_from
from airbyte_sync_airflow.config.policy_options import POLICY_OPTIONS
from airbyte_sync_airflow.config.provider_info import get_provider_info
from airbyte_sync_airflow.hooks import AirbyteHook

try:
    import airflow.sdk  # noqa: F401

    IS_AIRFLOW_2 = False
except ImportError:
    IS_AIRFLOW_2 = True
READS_DECLARATIONS = hasattr(ProvidersManager, "_load_ui_metadata")  # from Airflow 3.2 on

(FORM,) = get_provider_info()["connection-types"]
NETWORK = {
    *("auth", "proxies", "verify", "client_cert", "headers"),
    *("connect_timeout", "read_timeout", "submit_timeout"),
    *("transport", "async_transport", "ui_url"),
}
POLICY = {option.name for option in POLICY_OPTIONS}

airflow_2 = pytest.mark.skipif(not IS_AIRFLOW_2, reason="its form is made of widgets")
airflow_3 = pytest.mark.skipif(IS_AIRFLOW_2, reason="its form is a web page")
pytestmark = pytest.mark.filterwarnings("ignore")  # what Airflow imports warns of itself


def test_every_field_says_what_it_is_for():
    """A label and a description, and no default: an empty field is not set."""
    for name, field in FORM["conn-fields"].items():
        assert field["label"], name
        assert field["description"].endswith("."), name
        assert "null" in field["schema"]["type"], name
        assert "default" not in field["schema"], name


def test_the_methods_are_the_hooks_own():
    """Airflow before 3.2 does not look at inherited ones."""
    assert {"get_connection_form_widgets", "get_ui_field_behaviour"} <= vars(AirbyteHook).keys()


# What Airflow finds, in a process of its own: a manager of providers remembers for ever.
FIND = """
import json, warnings
from airflow.providers_manager import ProvidersManager
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    manager = ProvidersManager()
    hook = manager.hooks["airbyte"]
    widgets = {
        name: found for name, found in manager.connection_form_widgets.items()
        if name.startswith("extra__airbyte__")
    }
print(json.dumps({
    "hook": hook.hook_class_name,
    "testable": hook.connection_testable,
    "name": hook.hook_name,
    "fields": {found.field_name: found.is_sensitive for found in widgets.values()},
    "from": sorted({found.package_name for found in widgets.values()}),
    "behaviour": manager.field_behaviours["airbyte"],
    "warnings": [str(each.message) for each in caught if "irbyte" in str(each.message)],
}))
"""


@pytest.fixture(scope="module")
def found():
    """What the installed Airflow makes of our provider."""
    if not (IS_AIRFLOW_2 or READS_DECLARATIONS):
        pytest.skip("its form needs the API server, which pretends that widgets are installed")
    done = subprocess.run([sys.executable, "-c", FIND], capture_output=True, text=True, check=True)
    assert "irbyte" not in done.stderr, done.stderr
    *log, last = done.stdout.splitlines()
    assert [] == [line for line in log if "irbyte" in line]
    return json.loads(last)


def test_airflow_finds_the_form(found):
    """Every field, without a word of complaint; secrets are known as such."""
    assert "airbyte_sync_airflow.hooks.AirbyteHook" == found["hook"]
    assert ("Airbyte", True) == (found["name"], found["testable"])
    assert ["airbyte-sync-airflow"] == found["from"]
    assert NETWORK | POLICY == set(found["fields"])
    assert ["headers"] == [name for name, is_secret in found["fields"].items() if is_secret]
    assert [] == found["warnings"]


def test_airflow_finds_the_names_of_the_usual_fields(found):
    """The same in every release."""
    expected = {name.replace("-", "_"): text for name, text in FORM["ui-field-behaviour"].items()}
    assert expected == found["behaviour"]


# What the API server sends to the browser, in a process of its own for the same reason.
SEND = """
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
(form,) = (each for each in HookMetaService.hook_meta_data() if each.connection_type == "airbyte")
print(form.model_dump_json())
"""


@airflow_3
@pytest.mark.skipif(
    version("apache-airflow").startswith("3.0.") and find_spec("flask_appbuilder") is None,
    reason="it makes forms only where flask_appbuilder is installed",
)
def test_the_browser_gets_the_form():
    """Airflow 3.0 and 3.1 make it of the widgets, later ones of the declaration."""
    done = subprocess.run([sys.executable, "-c", SEND], capture_output=True, text=True, check=True)
    form = json.loads(done.stdout.splitlines()[-1])
    usual, fields = form["standard_fields"], form["extra_fields"]
    assert ("Server URL", "https://api.airbyte.com/v1") == (
        usual["host"]["title"],
        usual["host"]["placeholder"],
    )
    assert NETWORK | POLICY == set(fields)
    assert {None} == {field["value"] for field in fields.values()}
    assert ["headers"] == [
        name for name, field in fields.items() if field["schema"].get("format") == "password"
    ]
    for name, field in FORM["conn-fields"].items():
        assert field["label"] == fields[name]["schema"]["title"]
        assert field["description"] == fields[name]["description"]
        if READS_DECLARATIONS:
            assert field["schema"].items() <= fields[name]["schema"].items()


# --------------------------------------------------------------------------------------------------
# Airflow 2: what its form does with our widgets


@pytest.fixture(scope="module")
def web(database):
    """The web application of Airflow 2, open to everybody."""
    code = "AUTH_ROLE_PUBLIC = 'Admin'\nWTF_CSRF_ENABLED = False\n"
    from airflow.configuration import AIRFLOW_HOME

    with open(f"{AIRFLOW_HOME}/webserver_config.py", "w") as file:  # noqa: PTH123
        file.write(code)
    from airflow.www.app import create_app

    app = create_app(testing=True)
    app.config["WTF_CSRF_ENABLED"] = False
    return app.test_client()


@pytest.fixture
def saved(web):
    """Fill the form of Airflow 2 and return the connection that was saved."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    def save(page, **fields):
        usual = {"conn_id": "form", "conn_type": "airbyte", "host": "http://h"}
        usual |= prefixed(dict.fromkeys(FORM["conn-fields"], ""))  # as a browser sends them
        answer = web.post(page, data=usual | fields, follow_redirects=False)
        assert 302 == answer.status_code, answer.get_data(as_text=True)[:2000]
        with create_session() as session:
            connection = session.query(Connection).filter_by(conn_id="form").one()
            session.expunge(connection)
            return connection

    yield save
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="form").delete()


TYPED = {
    "auth": "none",
    "proxies": "http://proxy:8080",
    "verify": "false",
    "headers": "X-Key: the-secret",
    "read_timeout": "7",
    "on_conflict": "skip",
    "explain": "false",
}


def prefixed(fields):
    return {f"extra__airbyte__{name}": value for name, value in fields.items()}


@airflow_2
def test_what_is_typed_into_the_form_of_airflow_2_is_understood(saved):
    """Every field is a text there, and those left empty are not set."""
    server = server_from(saved("/connection/add", **prefixed(TYPED)), "v1")
    assert "http://proxy:8080" == server.settings.transport.proxies["https"]
    assert server.settings.transport.verify is False
    assert {"X-Key": "the-secret"} == server.settings.headers
    assert 7 == server.settings.read_timeout.total_seconds()
    assert {"on_conflict": "skip", "explain": False} == dict(server.policy)


@airflow_2
def test_editing_in_airflow_2_changes_nothing_else(web, saved):
    """What is shown comes back as it was: JSON as JSON, and a secret without being shown."""
    import re
    from html import unescape

    proxies = {"http": "http://proxy:8080", "https": "http://proxy:8080"}
    extra = {"proxies": proxies, "headers": {"X-Key": "the-secret"}, "verify": "false"}
    first = saved("/connection/add", extra=json.dumps(extra))
    page = web.get(f"/connection/edit/{first.id}").get_data(as_text=True)
    assert "the-secret" not in page
    shown = {
        name: unescape(value)
        for tag in re.findall(r"<input[^>]+>", page)
        for name in re.findall(r'name="(extra__airbyte__\w+)"', tag)
        for value in re.findall(r'value="([^"]*)"', tag)
    }
    assert proxies == json.loads(shown["extra__airbyte__proxies"])
    (text,) = re.findall(r'<textarea[^>]*name="extra"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    again = saved(f"/connection/edit/{first.id}", **shown, extra=unescape(text).strip())
    before, after = server_from(first, "v1"), server_from(again, "v1")
    assert before == after


@airflow_2
def test_other_widgets_are_left_as_they_are():
    """A field without a value is shown empty."""
    widgets = AirbyteHook.get_connection_form_widgets()
    for name in ("headers", "proxies"):
        shown = []
        widget = widgets[name].kwargs["widget"]
        widget._widget = lambda field, **_: shown.append(field.data)  # noqa: B023
        widget(SimpleNamespace(data=""))
        assert [""] == shown


# --------------------------------------------------------------------------------------------------
# The section of airflow.cfg


def test_airflow_knows_the_section():
    """`airflow config list` describes every option, and none has a default."""
    code = """
import json
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
ProvidersManager().initialize_providers_configuration()
print(json.dumps(conf.configuration_description["airbyte_sync"]["options"]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    options = json.loads(done.stdout.splitlines()[-1])
    assert POLICY | {"composition"} == set(options)
    assert {None} == {option["default"] for option in options.values()}
    assert all(option["version_added"] and option["example"] for option in options.values())


def test_the_examples_of_the_section_are_right(monkeypatch):
    """Whoever copies all of them gets all of them."""
    for option in POLICY_OPTIONS:
        monkeypatch.setenv(f"AIRFLOW__AIRBYTE_SYNC__{option.name.upper()}", option.example)
    connection = SimpleNamespace(
        conn_id="c",
        host="http://h",
        extra=None,
        extra_dejson={},
        **dict.fromkeys(("port", "login", "password", "schema")),
    )
    assert POLICY == set(server_from(connection, "v1").policy)


def test_options_that_are_not_set_are_read_without_a_word():
    """In a process that knows no provider, such as a worker's, too."""
    code = """
import warnings
from airbyte_sync_airflow.compat.airflow import conf
from airbyte_sync_airflow.config.policy_options import policy_defaults
with warnings.catch_warnings():
    warnings.simplefilter("error")
    print(policy_defaults("c", {}))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert ("{}", "") == (done.stdout.splitlines()[-1], done.stderr)
    assert "airbyte" not in done.stdout
