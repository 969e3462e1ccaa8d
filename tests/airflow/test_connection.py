"""The Airflow connection: every field means what the specification says."""

import json
from types import SimpleNamespace

import pytest

from airbyte_sync import InvalidInput
from airbyte_sync_airflow.connection import server_from
from airbyte_sync_http import BasicAuth, BearerToken, ClientCredentials, NoAuth

try:
    from airflow.sdk import Connection
except ImportError:
    from airflow.models import Connection


def server(api_version="v1", extra=None, host="https://api.airbyte.com", **fields):
    """Describe a server as an Airflow connection does."""
    text = None if extra is None else json.dumps(extra)
    connection = Connection(conn_id="c", conn_type="airbyte", host=host, extra=text, **fields)
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


def test_the_api_version_is_honoured():
    """It is a part of the address."""
    assert "http://h/api/public/v2" == server("v2", host="http://h").settings.base_url


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
    connection = SimpleNamespace(host="http://h", port=None, extra=extra)
    with pytest.raises(InvalidInput, match="extra is not"):
        server_from(connection, "v1")
