"""Every public value and error of this package can be pickled and copied."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import is_dataclass
from datetime import timedelta

import pytest

import airbyte_sync_http
from airbyte_sync import AirbyteSyncError
from airbyte_sync_http import (
    BasicAuth,
    BearerToken,
    ClientCredentials,
    HttpRequest,
    HttpResponse,
    MissingLibrary,
    NoAuth,
    ServerSettings,
    SettingsSource,
    TransportOptions,
    UnknownTransport,
)
from airbyte_sync_http.protocol.streams import Endpoint, Lineage, Route, Stream
from airbyte_sync_http.transports.base import AnswerTooLarge

SOURCE = Endpoint(role="source", endpoint_id="s", kind="postgres", configuration={"host": "db"})
STREAM = Stream(name="orders", written_as="raw_orders")
VALUES = [
    NoAuth(),
    BasicAuth(username="me", password="secret"),
    BearerToken(token="secret"),
    ClientCredentials(client_id="id", client_secret="secret"),
    ServerSettings(
        base_url="http://localhost:8000",
        auth=ClientCredentials(client_id="id", client_secret="secret"),
        headers={"X-Tenant": "7"},
        read_timeout=timedelta(seconds=7),
    ),
    SettingsSource.environment({"AIRBYTE_SYNC_URL": "http://localhost:8000"}),
    TransportOptions(proxies={"https": "http://proxy:8080"}, verify=False),
    HttpRequest(
        method="POST",
        url="http://localhost:8000",
        headers={"A": "b"},
        body=b"{}",
        connect_timeout=timedelta(seconds=1),
        read_timeout=timedelta(seconds=2),
    ),
    HttpResponse(status=200, headers={"Date": "now"}, body=b"{}"),
    SOURCE,
    STREAM,
    Lineage(source=SOURCE, destination=SOURCE, streams=(STREAM,)),
    Route(source_id="s", destination_id="d", streams=(STREAM,)),
]
ERRORS = [
    UnknownTransport("no transport is called x"),
    MissingLibrary("install it"),
    AnswerTooLarge("too large", status=200, retry_after=timedelta(seconds=3)),
]


def pickled(value, protocol=None):
    """Return a value as another process gets it."""
    return pickle.loads(pickle.dumps(value, protocol))  # noqa: S301 - our own bytes


COPIES = [pickled, copy.copy, copy.deepcopy]
ids = {"ids": lambda value: type(value).__name__}


def test_no_public_value_is_left_out():
    """Whatever dataclass or error this package exports is among those below."""
    public = {
        kind
        for kind in vars(airbyte_sync_http).values()
        if inspect.isclass(kind) and (is_dataclass(kind) or issubclass(kind, AirbyteSyncError))
    }
    assert public <= {type(value) for value in [*VALUES, *ERRORS]}


@pytest.mark.parametrize("value", VALUES, **ids)
def test_a_value_survives(value):
    """What comes back is equal, secrets included."""
    assert [value] * 3 == [copied(value) for copied in COPIES]


@pytest.mark.parametrize("error", ERRORS, **ids)
def test_an_error_survives(error):
    """Its text and its attributes come back."""
    for copied in COPIES:
        again = copied(error)
        assert (type(error), error.args, vars(error)) == (type(again), again.args, vars(again))
