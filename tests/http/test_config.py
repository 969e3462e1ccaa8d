"""Settings in plain words: from the environment, from TOML, from a mapping, and from several in order."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from airbyte_sync import InvalidInput
from airbyte_sync_http import (
    BasicAuth,
    BearerToken,
    ClientCredentials,
    NoAuth,
    ServerSettings,
    SettingsSource,
    TransportOptions,
    config,
    settings_from,
)

SECRET = "s3cr3t-of-ours"
URL = {"AIRBYTE_SYNC_URL": "http://h:8000"}
CLIENT = {
    **URL,
    "AIRBYTE_SYNC_CLIENT_ID": "me",
    "AIRBYTE_SYNC_CLIENT_SECRET": SECRET,
}
README = (Path(__file__).parents[2] / "packages" / "http" / "README.md").read_text("utf-8")


@pytest.fixture
def write(tmp_path):
    """Writes a file, and returns its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


# --- what is understood ---


def test_an_address_is_enough():
    """Everything else has a default."""
    assert ServerSettings(base_url="http://h:8000") == ServerSettings.from_env(URL)


@pytest.mark.parametrize(
    ("given", "auth"),
    [
        ({}, NoAuth()),
        (
            {"client_id": " me ", "client_secret": SECRET},
            ClientCredentials(client_id="me", client_secret=SECRET),
        ),
        (
            {"client_id": "me", "client_secret": SECRET, "token_url": "https://sso.test/token"},
            ClientCredentials(
                client_id="me", client_secret=SECRET, token_url="https://sso.test/token"
            ),
        ),
        (
            {"username": "ann", "password": f" {SECRET} "},
            BasicAuth(username="ann", password=f" {SECRET} "),
        ),
        ({"token": SECRET}, BearerToken(token=SECRET)),
    ],
)
def test_credentials_are_told_by_their_keys(given, auth):
    """The same in a mapping and in the environment; a secret keeps its blanks."""
    environ = {f"AIRBYTE_SYNC_{key.upper()}": value for key, value in given.items()}
    expected = ServerSettings(base_url="http://h:8000", auth=auth)
    assert expected == ServerSettings.from_config({"url": "http://h:8000", **given})
    assert expected == ServerSettings.from_env(URL | environ)


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("connect_timeout", "7", {"connect_timeout": timedelta(seconds=7)}),
        ("read_timeout", 7.5, {"read_timeout": timedelta(seconds=7.5)}),
        ("submit_timeout", " 120 ", {"submit_timeout": timedelta(minutes=2)}),
        ("explain_timeout", 1, {"explain_timeout": timedelta(seconds=1)}),
        ("headers", "X-Key: a: b", {"headers": {"X-Key": "a: b"}}),
        ("headers", {"X-Key": "a: b"}, {"headers": {"X-Key": "a: b"}}),
        ("ui_url", "https://airbyte.test/workspaces/7", {"ui_url": "https://airbyte.test"}),
    ],
)
def test_settings(key, given, expected):
    """Plain words and numbers."""
    settings = ServerSettings(base_url="http://h:8000")
    found = ServerSettings.from_config({"url": "http://h:8000", key: given})
    assert replace(settings, **expected) == found


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        (
            "proxies",
            "http://p:1",
            TransportOptions(proxies={"http": "http://p:1", "https": "http://p:1"}),
        ),
        ("proxies", {"https": "http://p:1"}, TransportOptions(proxies={"https": "http://p:1"})),
        ("verify", "false", TransportOptions(verify=False)),
        ("verify", True, TransportOptions()),
        ("verify", __file__, TransportOptions(verify=__file__)),
        ("client_cert", __file__, TransportOptions(client_cert=__file__)),
        (
            "client_cert",
            f"{__file__},{__file__}",
            TransportOptions(client_cert=(__file__, __file__)),
        ),
        ("trust_env", "False", TransportOptions(trust_env=False)),
    ],
)
def test_options_of_the_network(key, given, expected):
    """The same that a transport is told."""
    found = ServerSettings.from_config({"url": "http://h:8000", key: given})
    assert expected == found.transport


@pytest.mark.parametrize("empty", [None, "", "  ", {}, []])
def test_what_is_empty_is_not_set(empty):
    """Schedulers and shells leave empty values behind."""
    given = dict.fromkeys(config.KEYS, empty) | {"url": "http://h:8000"}
    assert ServerSettings(base_url="http://h:8000") == ServerSettings.from_config(given)


def test_the_environment_is_that_of_this_process(monkeypatch):
    """Unless another one is given; variables of other names do not matter."""
    monkeypatch.setenv("AIRBYTE_SYNC_URL", "http://h:8000")
    monkeypatch.setenv("AIRBYTE_SYNC_TIMEOUT", "an option of the policy")
    assert "http://h:8000/api/public/v1" == ServerSettings.from_env().base_url


def test_another_prefix():
    """Two servers may share an environment."""
    assert (
        "http://other/api/public/v1"
        == ServerSettings.from_env(URL | {"STAGING_URL": "http://other"}, "STAGING_").base_url
    )


# --- files ---


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_may_be_in_a_file(write, ending):
    """As container platforms mount it; the line break at its end does not belong to it."""
    path = write("secret", SECRET + ending)
    environ = URL | {"AIRBYTE_SYNC_CLIENT_ID": "me", "AIRBYTE_SYNC_CLIENT_SECRET_FILE": path}
    expected = ClientCredentials(client_id="me", client_secret=SECRET)
    assert expected == ServerSettings.from_env(environ).auth


@pytest.mark.parametrize(
    ("key", "content", "read"),
    [
        ("password", SECRET, lambda found: found.auth.password),
        ("token", SECRET, lambda found: found.auth.token),
        ("headers", f"X-Key: {SECRET}\n", lambda found: found.headers["X-Key"]),
        ("proxies", SECRET.join(["http://u:", "@p:1"]), lambda found: found.transport.proxies),
    ],
)
def test_everything_that_may_be_secret_has_a_file(write, key, content, read):
    """Also a header's value and a proxy's password."""
    given = {"url": "http://h", f"{key}_file": write("secret", content)}
    given |= {"username": "ann"} if key == "password" else {}
    assert SECRET in str(read(ServerSettings.from_config(given)))


def test_a_toml_file(write):
    """Tables in the place of objects; paths are relative to the file."""
    write("secret", SECRET)
    write("bundle.pem", "")
    path = write(
        "airbyte.toml",
        """
        [server]
        url = "http://h:8000"
        client_id = "me"
        client_secret_file = "secret"
        read_timeout = 20
        verify = "bundle.pem"
        headers = { X-Key = "a" }

        [policy]
        timeout = 3600
        """,
    )
    settings = ServerSettings.from_toml(path)
    assert ClientCredentials(client_id="me", client_secret=SECRET) == settings.auth
    assert timedelta(seconds=20) == settings.read_timeout
    assert str(Path(path).with_name("bundle.pem")) == settings.transport.verify
    assert {"X-Key": "a"} == settings.headers


def test_a_table_within_a_table(write):
    """A file may hold several servers."""
    path = write("x.toml", '[servers.staging]\nurl = "http://staging"\n')
    settings = ServerSettings.from_toml(path, "servers.staging")
    assert "http://staging/api/public/v1" == settings.base_url


def test_the_home_of_a_user_is_found(write, monkeypatch, tmp_path):
    """``~`` means it also where no shell has read the path."""
    write("token", SECRET)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = ServerSettings.from_config({"url": "http://h", "token_file": "~/token"})
    assert BearerToken(token=SECRET) == found.auth


# --- several sources ---


def test_the_first_source_that_has_a_key_holds(write):
    """Flags before the environment before a file: what the command does."""
    path = write("x.toml", '[server]\nurl = "http://file"\nread_timeout = 5\nsubmit_timeout = 6\n')
    environ = {"AIRBYTE_SYNC_URL": "http://env", "AIRBYTE_SYNC_READ_TIMEOUT": "7"}
    settings = settings_from(
        SettingsSource(values={"url": "http://flag"}, names={"url": "--url"}),
        SettingsSource.environment(environ),
        SettingsSource.toml(path),
    )
    assert "http://flag/api/public/v1" == settings.base_url
    assert timedelta(seconds=7) == settings.read_timeout
    assert timedelta(seconds=6) == settings.submit_timeout


def test_the_first_source_decides_of_which_kind_the_credentials_are():
    """An id from one place, and its secret from another; a token in a third one does not matter."""
    flags = SettingsSource(
        values={"url": "http://h", "client_id": "me"},
        names={"url": "--url", "client_id": "--client-id"},
    )
    environment = SettingsSource.environment(CLIENT)
    file = SettingsSource(values={"token": "other"})
    expected = ClientCredentials(client_id="me", client_secret=SECRET)
    assert expected == settings_from(flags, environment, file).auth
    with pytest.raises(InvalidInput, match="--client-id is set and client_secret or client_sec"):
        settings_from(flags, file)


# --- what cannot be right ---


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "set AIRBYTE_SYNC_URL to its address, such as http://localhost:8000"),
        ({"AIRBYTE_SYNC_URL": "h:8000"}, "AIRBYTE_SYNC_URL: the Airbyte address 'h:8000' has no"),
        (
            URL | {"AIRBYTE_SYNC_CLIENT_ID": "me"},
            (
                "AIRBYTE_SYNC_CLIENT_ID is set and AIRBYTE_SYNC_CLIENT_SECRET or "
                "AIRBYTE_SYNC_CLIENT_SECRET_FILE is not: set both, or neither"
            ),
        ),
        (
            URL | {"AIRBYTE_SYNC_PASSWORD": SECRET},
            "AIRBYTE_SYNC_PASSWORD is set and AIRBYTE_SYNC_USERNAME is not",
        ),
        (
            CLIENT | {"AIRBYTE_SYNC_TOKEN": SECRET},
            (
                "credentials of 2 kinds, and a request can carry one of them only: keep one of "
                "AIRBYTE_SYNC_CLIENT_ID and AIRBYTE_SYNC_CLIENT_SECRET and AIRBYTE_SYNC_TOKEN"
            ),
        ),
        (
            CLIENT | {"AIRBYTE_SYNC_CLIENT_SECRET_FILE": __file__},
            "AIRBYTE_SYNC_CLIENT_SECRET and AIRBYTE_SYNC_CLIENT_SECRET_FILE are both set",
        ),
        (
            CLIENT | {"AIRBYTE_SYNC_CLIENT_SECRET": f"{SECRET}\n{SECRET}"},
            "AIRBYTE_SYNC_CLIENT_ID and AIRBYTE_SYNC_CLIENT_SECRET: client id or client secret has",
        ),
        (
            URL | {"AIRBYTE_SYNC_TOKEN_FILE": SECRET},
            "AIRBYTE_SYNC_TOKEN_FILE: the file cannot be read (No such file or directory): give",
        ),
        (URL | {"AIRBYTE_SYNC_TOKEN_FILE": "\0"}, "AIRBYTE_SYNC_TOKEN_FILE: "),
        (
            URL | {"AIRBYTE_SYNC_READ_TIMEOUT": "soon"},
            "AIRBYTE_SYNC_READ_TIMEOUT is 'soon': give a number of seconds above zero",
        ),
        (URL | {"AIRBYTE_SYNC_TRUST_ENV": "maybe"}, "TRUST_ENV is 'maybe': write true or false"),
        (
            URL | {"AIRBYTE_SYNC_VERIFY": "/no/such.pem"},
            "AIRBYTE_SYNC_VERIFY: verify is '/no/such.pem', and there is no such file",
        ),
        (
            URL | {"AIRBYTE_SYNC_HEADERS": f"X-Key={SECRET}"},
            "AIRBYTE_SYNC_HEADERS cannot be read: write one header as Name: value",
        ),
        (
            CLIENT | {"AIRBYTE_SYNC_HEADERS": f"Authorization: Basic {SECRET}"},
            "AIRBYTE_SYNC_HEADERS: there are credentials and an extra header Authorization",
        ),
        (
            URL | {"AIRBYTE_SYNC_PROXIES": f"socks5://u:{SECRET}@p"},
            "AIRBYTE_SYNC_PROXIES: the proxy for 'http' is not an HTTP proxy",
        ),
        (URL | {"AIRBYTE_SYNC_UI_URL": "h"}, "AIRBYTE_SYNC_UI_URL: the address of Airbyte's web"),
    ],
)
def test_an_error_names_the_variable(environ, words):
    """And never shows the secret."""
    with pytest.raises(InvalidInput) as caught:
        ServerSettings.from_env(environ)
    assert words in str(caught.value)
    assert SECRET not in _all_texts(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "url in [server] of"),
        ("[server]\nurl = 7", "url in [server] of"),
        ("server = 7", "server is no table: write [server] on a line of its own"),
        (f"[server]\ntoken = {SECRET}", "it is not TOML, see line 2, column"),
        (f"[server]\ntoken = '{SECRET}", "it is not TOML, see "),
        (b"[server]\nurl = '\xff'", "it is not encoded in UTF-8"),
        (
            "[server]\nurl = 'http://h'\nclientid = 'x'",
            "clientid is not known (did you mean client_id?): there are url, ",
        ),
        ("[server]\nurl = 'http://h'\ntoken = 7", "is of type int: write a text, in quotes"),
        ("[server]\nurl = 'http://h'\ntoken_file = 7", "token_file in [server] of"),
        (
            f"[server]\nurl = 'http://h'\nproxies = {{ https = 'http://u:{SECRET}@' }}",
            "the proxy for 'https' is not a URL",
        ),
    ],
)
def test_an_error_names_the_file_and_the_key(write, content, words):
    """And never shows the secret."""
    path = write("airbyte.toml", content)
    with pytest.raises(InvalidInput, match=re.escape(path)) as caught:
        ServerSettings.from_toml(path)
    assert words in str(caught.value)
    assert SECRET not in _all_texts(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"\xff", "is not a text in UTF-8"),
        (b"x" * 70_000, "larger than 64 KB"),
    ],
)
def test_a_file_that_holds_no_secret(write, content, words):
    """The text says what belongs there."""
    given = {"url": "http://h", "token_file": write("token", content)}
    with pytest.raises(InvalidInput, match=f"token_file: .*{words}: give the path of a file"):
        ServerSettings.from_config(given)


def test_a_settings_file_that_is_not_there(tmp_path):
    """The text names it."""
    path = tmp_path / "none.toml"
    with pytest.raises(InvalidInput, match=r"none.toml: it cannot be read: No such file"):
        ServerSettings.from_toml(path)


def test_a_source_shows_no_secret():
    """Nor do the settings."""
    source = SettingsSource.environment(CLIENT)
    assert SECRET not in repr(source) + repr(settings_from(source))


def test_the_readme_lists_every_key():
    """And no other."""
    told = re.findall(r"^\| `(\w+)`(?:, `(\w+)`)*(?:, `(\w+)`)? \| .* \|$", README, re.MULTILINE)
    listed = {name for names in told for name in names if name}
    assert {key for key in config.KEYS if not key.endswith("_file")} <= listed


def _all_texts(error):
    """What a traceback of an error would show of values."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " ".join(texts)
