"""The Airflow connection: every field means what the specification says, however it was filled."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from airbyte_sync import InvalidInput
from airbyte_sync_airflow.config.connection import server_from
from airbyte_sync_airflow.config.policy_options import POLICY_OPTIONS
from airbyte_sync_http import BasicAuth, BearerToken, ClientCredentials, NoAuth

try:
    from airflow.sdk import Connection
except ImportError:
    from airflow.models import Connection


def server(api_version="v1", extra=None, host="https://api.airbyte.com", conn_id="c", **fields):
    """Describe a server as an Airflow connection does."""
    text = None if extra is None else json.dumps(extra)
    connection = Connection(conn_id=conn_id, conn_type="airbyte", host=host, extra=text, **fields)
    return server_from(connection, api_version)


def test_the_specified_connection_is_understood():
    """The example of the specification, field by field."""
    settings = server(
        host="https://api.airbyte.com",
        login="client_id",
        password="client_secret",
        schema="v1/applications/token",
        extra={"proxies": {"http": "http://proxy:8080", "https": "https://proxy:8080"}},
    ).settings
    assert "https://api.airbyte.com/v1" == settings.base_url
    assert isinstance(settings.auth, ClientCredentials)
    assert "https://api.airbyte.com/v1/applications/token" == settings.token_url(settings.auth)
    assert {"http": "http://proxy:8080", "https": "https://proxy:8080"} == dict(
        settings.transport.proxies
    )


@pytest.mark.parametrize(
    ("host", "port", "base_url"),
    [
        ("http://airbyte.internal", 8000, "http://airbyte.internal:8000/api/public/v1"),
        ("http://airbyte.internal:8001", 8000, "http://airbyte.internal:8001/api/public/v1"),
        ("http://airbyte.internal/", None, "http://airbyte.internal/api/public/v1"),
        ("http://airbyte.internal/api/public/v1/", None, "http://airbyte.internal/api/public/v1"),
        ("https://api.airbyte.com/v1/", None, "https://api.airbyte.com/v1"),
    ],
)
def test_usual_spellings_of_the_host_mean_the_same(host, port, base_url):
    """People paste what they have."""
    assert base_url == server(host=host, port=port).settings.base_url


@pytest.mark.parametrize(
    ("fields", "auth"),
    [
        ({}, NoAuth()),
        ({"extra": {"auth": "none"}, "login": "x"}, NoAuth()),
        (
            {"extra": {"auth": "basic"}, "login": "u", "password": "p"},
            BasicAuth(username="u", password="p"),
        ),
        ({"extra": {"auth": "bearer"}, "password": "t"}, BearerToken(token="t")),
        (
            {"login": "i", "password": "s"},
            ClientCredentials(client_id="i", client_secret="s"),
        ),
    ],
)
def test_who_asks_is_told_by_login_password_and_auth(fields, auth):
    """No login means no credentials; anything but client credentials is named."""
    assert auth == server(**fields).settings.auth


def test_no_secret_is_in_a_repr():
    """Neither credentials nor headers nor proxies, which may hold passwords."""
    described = repr(
        server(
            login="id",
            password="the-secret",
            extra={
                "headers": {"X-Key": "the-secret"},
                "proxies": {"https": "http://user:the-secret@proxy:8080"},
            },
        )
    )
    assert "the-secret" not in described


@pytest.mark.parametrize("extra", ["{'verify': false", "[1]", '"text"'])
def test_an_extra_that_cannot_be_read_is_not_taken_for_an_empty_one(extra):
    """Airflow would ignore it, and the sync would run without its proxy or certificate."""
    connection = SimpleNamespace(conn_id="c", host="http://h", port=None, extra=extra)
    with pytest.raises(InvalidInput, match="Airflow connection 'c': extra is not"):
        server_from(connection, "v1")


def refusal(name, value):
    """What is said about one wrong field."""
    with pytest.raises(InvalidInput) as caught:
        server(extra={name: value})
    text = str(caught.value)
    assert text.startswith("Airflow connection 'c': ")
    assert name in text
    return text


# --------------------------------------------------------------------------------------------------
# Fields that a form fills with texts

BOTH = {"http": "http://proxy:8080", "https": "http://proxy:8080"}


@pytest.mark.parametrize("empty", [None, "", "  ", {}, []])
def test_an_empty_field_is_not_set(empty):
    """Forms leave empty texts and nulls behind."""
    names = ["auth", "proxies", "verify", "client_cert", "headers", "transport", "async_transport"]
    names += ["connect_timeout", "read_timeout", "submit_timeout", "ui_url", "timeout"]
    names += [option.name for option in POLICY_OPTIONS]
    assert server() == server(extra=dict.fromkeys(names, empty))


@pytest.mark.parametrize(
    ("given", "proxies"),
    [
        (BOTH, BOTH),
        (json.dumps(BOTH), BOTH),
        ("http://proxy:8080", BOTH),
        (" http://proxy:8080 ", BOTH),
        ('"http://proxy:8080"', BOTH),
        ({"https": "http://proxy:8080"}, {"https": "http://proxy:8080"}),
        ({"https://": "http://proxy:8080"}, {"https": "http://proxy:8080"}),
        ({"all": "http://proxy:8080"}, BOTH),
        ({"all": "http://proxy:8080", "http": "http://other"}, BOTH | {"http": "http://other"}),
    ],
)
def test_proxies(given, proxies):
    """An object by scheme, the same as a text, or one URL for both."""
    assert proxies == server(extra={"proxies": given}).settings.transport.proxies


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("proxy:8080", "write it as http://host:port"),
        ('{"https": "http://ann:hunter2@proxy"', "is not JSON, though it begins so"),
        ({"htps": "http://ann:hunter2@proxy"}, "something else than http and https"),
        ({"https": 8080}, "is not a JSON object of texts"),
        (8080, "or one URL for both"),
        ("http://ann:hunter2@[::1", "write it as http://host:port"),
    ],
)
def test_impossible_proxies(given, words):
    """The text says what to write, and shows no password."""
    with pytest.raises(InvalidInput, match=r"'c': .*prox") as caught:
        server(extra={"proxies": given})
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"X-Key": "a: b", "X-Other": "c"},
        '{"X-Key": "a: b", "X-Other": "c"}',
        "X-Key: a: b\nX-Other:c\n",
        "\r\n X-Key : a: b \r\nX-Other: c",
    ],
)
def test_headers(given):
    """An object, the same as a text, or lines."""
    assert {"X-Key": "a: b", "X-Other": "c"} == server(extra={"headers": given}).settings.headers


@pytest.mark.parametrize(
    "given",
    ["X-Key=hunter2", ": hunter2", '{"X-Key": "hunter2"', {"X-Key": ["hunter2"]}, '["hunter2"]'],
)
def test_impossible_headers(given):
    """The text says what to write, and shows no value."""
    assert "hunter2" not in refusal("headers", given)


@pytest.mark.parametrize(
    "given", ["X-Auth-Token: hunter2-hunter2", {"X-Auth-Token": "hunter2-hunter2"}]
)
def test_what_is_secret_in_a_text_is_masked_in_logs(redact, given):
    """Airflow masks what an extra holds as JSON; headers in lines and a proxy's password are ours."""
    server(extra={"headers": given, "proxies": "http://ann:pass-of-ann@proxy:8080"})
    assert "hunter2-hunter2" not in redact("sent hunter2-hunter2")
    assert "pass-of-ann" not in redact("through pass-of-ann")


@pytest.mark.parametrize(
    ("given", "verify"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        (" FALSE ", False),
        (__file__, __file__),
        (f" {__file__} ", __file__),
    ],
)
def test_verify(given, verify):
    """A truth value, the same as a text, or a path."""
    assert verify == server(extra={"verify": given}).settings.transport.verify


@pytest.mark.parametrize(
    ("given", "client_cert"),
    [
        (__file__, __file__),
        (f"{__file__}, {__file__}", (__file__, __file__)),
        ([__file__, __file__], (__file__, __file__)),
        (json.dumps([__file__, __file__]), (__file__, __file__)),
    ],
)
def test_client_cert(given, client_cert):
    """One path or two, as a list or with a comma."""
    assert client_cert == server(extra={"client_cert": given}).settings.transport.client_cert


@pytest.mark.parametrize("given", ["a,b,c", ["a"], {"a": "b"}, 7, "/no/such/file.pem"])
def test_an_impossible_client_cert(given):
    """The text names the field."""
    refusal("client_cert", given)


@pytest.mark.parametrize("given", [7, 7.0, "7", " 7.0 "])
def test_timeouts(given):
    """A number of seconds, or its text."""
    names = ("connect_timeout", "read_timeout", "submit_timeout")
    settings = server(extra=dict.fromkeys(names, given)).settings
    assert {timedelta(seconds=7)} == {getattr(settings, name) for name in names}


def test_the_timeout_of_the_official_provider():
    """It holds for every request; a timeout with a name of its own wins."""
    settings = server(extra={"timeout": 7, "submit_timeout": "90"}).settings
    timeouts = (settings.connect_timeout, settings.read_timeout, settings.submit_timeout)
    assert [7, 7, 90] == [timeout.total_seconds() for timeout in timeouts]


@pytest.mark.parametrize("name", ["connect_timeout", "read_timeout", "submit_timeout", "timeout"])
@pytest.mark.parametrize("given", [0, "0", -1, "soon", True, "nan", "inf", [7], 1e300])
def test_an_impossible_timeout(name, given):
    """The text says what to write."""
    assert "give a number of seconds above zero" in refusal(name, given)


@pytest.mark.parametrize("given", ["basic", "Basic", " BASIC "])
def test_auth_in_any_case(given):
    """People type it as they like."""
    extra = {"auth": given}
    assert isinstance(server(extra=extra, login="u", password="p").settings.auth, BasicAuth)


# --------------------------------------------------------------------------------------------------
# The web application


@pytest.mark.parametrize(
    ("host", "given", "ui_url"),
    [
        ("https://api.airbyte.com", None, "https://cloud.airbyte.com"),
        ("https://api.airbyte.com/v1", None, "https://cloud.airbyte.com"),
        ("http://airbyte.internal:8000", None, "http://airbyte.internal:8000"),
        ("http://airbyte.internal:8000/api/public/v1", "", "http://airbyte.internal:8000"),
        ("https://example.org/airbyte/api/public", None, "https://example.org/airbyte"),
        ("http://server:8001", " https://airbyte.corp/ ", "https://airbyte.corp"),
        ("http://server", "https://airbyte.corp/workspaces/7/connections", "https://airbyte.corp"),
    ],
)
def test_the_web_application(host, given, ui_url):
    """It is found from the server's address, unless it is set."""
    assert ui_url == server(host=host, extra={"ui_url": given}).settings.ui_url


@pytest.mark.parametrize("given", ["airbyte.corp", "javascript:alert(1)", "ftp://airbyte.corp"])
def test_an_impossible_web_application(given):
    """It becomes a link, so nothing but http and https will do."""
    with pytest.raises(InvalidInput, match="'c': the address of Airbyte's web application"):
        server(extra={"ui_url": given})


# --------------------------------------------------------------------------------------------------
# Defaults of the policy


@pytest.fixture
def configure(monkeypatch):
    """Set options of the section ``[airbyte_sync]``."""

    def configure(**options):
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__AIRBYTE_SYNC__{name.upper()}", value)

    return configure


GOOD = {
    "on_conflict": [("attach", "attach"), (" Attach ", "attach")],
    "queue_timeout": [(600, timedelta(minutes=10)), ("600.0", timedelta(minutes=10))],
    "unreachable_timeout": [("1.5", timedelta(seconds=1.5))],
    "adopt_window": [("0", timedelta(0)), (0, timedelta(0)), (90, timedelta(seconds=90))],
    "cancel_timeout": [(" 30 ", timedelta(seconds=30))],
    "cancel_on_timeout": [(False, False), ("false", False), ("True", True), ("0", False)],
    "cancel_on_kill": [(True, True), ("f", False)],
    "explain": [("1", True), (False, False)],
    "streams": [("true", True), (False, False)],
    "longest_wait_seconds": [("300", timedelta(minutes=5))],
}
ROWS = [(name, *row) for name, rows in GOOD.items() for row in rows]


def test_nothing_is_set_unless_somebody_does():
    """No option is declared to Airflow with a default that would look like a choice."""
    assert {} == dict(server().policy)
    assert set(GOOD) == {option.name for option in POLICY_OPTIONS}


@pytest.mark.parametrize(("name", "given", "value"), ROWS)
def test_a_connection_sets_a_policy(name, given, value):
    """As a JSON type, or as the text that a form gives."""
    policy = server(extra={name: given}).policy
    assert {name: value} == dict(policy)
    assert type(value) is type(policy[name])


@pytest.mark.parametrize(("name", "given", "value"), ROWS)
def test_airflow_cfg_sets_a_policy(configure, name, given, value):
    """All of its values are texts, and the connection wins over it."""
    configure(**{name: str(given)})
    assert {name: value} == dict(server().policy)
    other = "fail" if name == "on_conflict" else not value if isinstance(value, bool) else 17
    assert value != server(extra={name: other}).policy[name]


def test_an_empty_option_in_airflow_cfg_is_not_set(configure):
    """Templates of configurations leave empty values behind."""
    configure(on_conflict="", queue_timeout=" ")
    assert {} == dict(server().policy)


BAD = [
    ("on_conflict", "fight", "use one of 'queue', 'attach', 'skip', 'fail'"),
    ("queue_timeout", "soon", "give a number of seconds above zero"),
    ("queue_timeout", "0", "give a number of seconds above zero"),
    ("adopt_window", "-1", "give a number of seconds from zero on"),
    ("longest_wait_seconds", "1e99", "at most ten years"),
    ("cancel_on_kill", "maybe", "write true or false"),
]


@pytest.mark.parametrize(("name", "given", "words"), BAD)
def test_a_wrong_policy_in_a_connection(name, given, words):
    """The text names the connection and the field, and says what to write."""
    assert f"the extra {name!r} is {given!r}: {words}"[:40] in refusal(name, given)
    assert words in refusal(name, given)


@pytest.mark.parametrize(("name", "given", "words"), BAD)
def test_a_wrong_policy_in_airflow_cfg(configure, name, given, words):
    """The text names the section, not a connection, and says what to write."""
    configure(**{name: given})
    with pytest.raises(
        InvalidInput, match=rf"^{name} in the section \[airbyte_sync] of airflow.cfg"
    ) as e:
        server()
    assert words in str(e.value)


@pytest.fixture
def warnings_of_ours(caplog):
    """What this package has warned of; Airflow's masker warns of short values, too."""
    caplog.set_level("WARNING", logger="airbyte_sync_airflow")

    def found():
        return [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("airbyte_sync_airflow")
        ]

    return found


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("unreachable_timeouts", "unreachable_timeout"),
        ("cancel-on-kill", "cancel_on_kill"),
        ("cancelonkill", "cancel_on_kill"),
        ("Auth", "auth"),
        ("header", "headers"),
    ],
)
def test_a_misspelled_extra_is_warned_of_once(warnings_of_ours, name, meant):
    """It does nothing, and an option that does nothing is found out at night."""
    for _ in range(2):
        server(extra={name: "true"}, conn_id=f"misspelled_{name}")
    text = (
        f"Airflow connection 'misspelled_{name}': the extra '{name}' is not known and does nothing. "
        f"Do you mean '{meant}'?"
    )
    assert [text] == warnings_of_ours()


@pytest.fixture
def section():
    """The section of airflow.cfg, to be written to."""
    from airbyte_sync_airflow.compat.airflow import conf

    def write(**options):
        conf.read_dict({"airbyte_sync": options})

    yield write
    conf.remove_section("airbyte_sync")


def test_a_misspelled_option_of_airflow_cfg_is_warned_of_once(warnings_of_ours, section):
    """The section has no options but ours."""
    section(queue_timeouts="5", queue_timeout="5")
    for conn_id in ("first", "second"):
        server(conn_id=conn_id)
    [text] = warnings_of_ours()
    assert text.startswith(
        "The section [airbyte_sync] of airflow.cfg: queue_timeouts is not known (did you mean "
        "queue_timeout?): there are "
    )
    assert text.endswith(", composition")


def test_a_section_of_airflow_cfg_that_airflow_cannot_read_fails_no_task(
    warnings_of_ours, section, monkeypatch
):
    """What is read by its name counts; the search for misspelled names is a service."""
    section(explain="true")
    monkeypatch.setenv("AIRFLOW__AIRBYTE_SYNC__QUEUE_TIMEOUTS_CMD", "echo 5")
    assert {"explain": True} == dict(server().policy)
    assert [] == warnings_of_ours()


@pytest.mark.parametrize("name", ["client_id", "team", "extra__airbyte__x", "wait", "timeout", ""])
def test_an_extra_of_another_kind_is_left_alone(warnings_of_ours, name):
    """Platforms keep things of their own there."""
    server(extra={name: 7}, conn_id=f"foreign_{name}")
    assert [] == warnings_of_ours()
