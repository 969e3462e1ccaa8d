"""Constructors of this package refuse values of a wrong type, and never show a secret one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airbyte_sync import InvalidInput
from airbyte_sync_http import (
    BasicAuth,
    BearerToken,
    ClientCredentials,
    HttpRequest,
    HttpResponse,
    ServerSettings,
    TransportOptions,
    open_async_gateway,
    open_gateway,
)
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_testkit.clock import AsyncVirtualClock

SERVER = {"base_url": "http://localhost:8000"}
REQUEST = {
    "method": "GET",
    "url": "http://localhost:8000",
    "headers": {},
    "connect_timeout": timedelta(seconds=1),
    "read_timeout": timedelta(seconds=1),
}
SECONDS = r"give a datetime.timedelta, as in timedelta\(seconds=5\)"

WRONG = [
    (BasicAuth, {"username": "me"}, "password", b"s3cr3t", "password is of type bytes: give a str"),
    (BasicAuth, {"password": "me"}, "username", None, "username is None: give a str"),
    (BearerToken, {}, "token", b"s3cr3t", "token is of type bytes: give a str"),
    (ClientCredentials, {"client_secret": "s"}, "client_id", 7, "client_id is 7: give a str"),
    (
        ClientCredentials,
        {"client_id": "i"},
        "client_secret",
        b"s3cr3t",
        "of type bytes: give a str",
    ),
    (ClientCredentials, {"client_id": "i", "client_secret": "s"}, "token_url", None, "give a str"),
    (
        ServerSettings,
        SERVER,
        "auth",
        ("id", "s3cr3t"),
        "auth is of type tuple: give a NoAuth, Basic",
    ),
    (ServerSettings, SERVER, "headers", ["X: s3cr3t"], "headers is of type list: give a dict"),
    (ServerSettings, SERVER, "ui_url", None, "ui_url is None: give a str"),
    (ServerSettings, SERVER, "connect_timeout", 5, f"connect_timeout is 5: {SECONDS}"),
    (ServerSettings, SERVER, "read_timeout", 5, SECONDS),
    (ServerSettings, SERVER, "submit_timeout", 5, SECONDS),
    (ServerSettings, SERVER, "explain_timeout", 5, SECONDS),
    (ServerSettings, SERVER, "transport", "requests", "transport is 'requests': give TransportOpt"),
    (
        TransportOptions,
        {},
        "proxies",
        "http://me:s3cr3t@proxy",
        "of type str: give a dict of scheme",
    ),
    (TransportOptions, {}, "trust_env", "no", "trust_env is 'no': give True or False"),
    (HttpRequest, REQUEST, "read_timeout", 5, SECONDS),
    (HttpRequest, REQUEST, "body", "s3cr3t", "body is of type str: give bytes"),
    (HttpResponse, {"status": 200}, "body", '{"s3cr3t": 1}', "body is of type str: give bytes"),
    (HttpResponse, {}, "status", "200", "status is '200': give an int"),
]


@pytest.mark.parametrize(("kind", "others", "name", "value", "text"), WRONG)
def test_a_wrong_type_is_refused_at_once(kind, others, name, value, text):
    """The text names the argument and the type to use; what may be a secret is not in it."""
    with pytest.raises(InvalidInput, match=text) as caught:
        kind(**{**others, name: value})
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("opens", [open_gateway, open_async_gateway])
def test_an_address_is_no_settings(opens):
    """The usual mistake is answered with what to write."""
    with pytest.raises(
        InvalidInput, match=r"settings is of type str: give ServerSettings, as in Se"
    ):
        opens("http://localhost:8000")


def test_a_feed_wants_a_number(clock):
    """A text of a number is none."""
    with pytest.raises(InvalidInput, match="max_concurrency is '3': give an int"):
        JobFeed(None, AsyncVirtualClock(clock), max_concurrency="3")  # type: ignore[arg-type]
