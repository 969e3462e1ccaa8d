"""Settings are right or refused, and show no secret."""

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
    __version__,
)

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "value",
    [
        BasicAuth(username="ann", password=SECRET),
        BearerToken(token=SECRET),
        ClientCredentials(client_id="me", client_secret=SECRET),
        ServerSettings(
            base_url="http://h",
            auth=ClientCredentials(client_id="me", client_secret=SECRET),
            headers={"CF-Access-Client-Secret": SECRET},
        ),
        TransportOptions(proxies={"https": f"http://ann:{SECRET}@proxy:8080"}),
        HttpRequest(
            method="POST",
            url="http://h/",
            headers={"Authorization": f"Bearer {SECRET}"},
            body=SECRET.encode(),
            connect_timeout=timedelta(seconds=1),
            read_timeout=timedelta(seconds=1),
        ),
        HttpResponse(status=200, headers={"X": SECRET}, body=SECRET.encode()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_repr_shows_no_secret(value):
    """Whatever ends up in a log, it is not a secret."""
    assert SECRET not in repr(value)


def test_an_address_is_normalised():
    """Settings take any spelling."""
    assert "http://h:8000/api/public/v1" == ServerSettings(base_url="http://h:8000").base_url


def test_where_people_open_airbyte():
    """It is found from the address, unless it is told."""
    assert "https://cloud.airbyte.com" == ServerSettings(base_url="https://api.airbyte.com").ui_url
    told = ServerSettings(base_url="http://h", ui_url=" https://corp/airbyte/workspaces/7 ")
    assert "https://corp/airbyte" == told.ui_url


def test_defaults():
    """The timeouts fit how Airbyte answers: a submission may take it a minute."""
    settings = ServerSettings(base_url="http://h")
    waits = (settings.connect_timeout, settings.read_timeout, settings.submit_timeout)
    assert [10, 30, 90] == [wait.total_seconds() for wait in waits]
    assert f"airbyte-sync/{__version__}" == settings.user_agent


@pytest.mark.parametrize(
    "make",
    [
        lambda: ServerSettings(base_url="h"),
        lambda: ServerSettings(base_url="http://h", headers={"X Y": "1"}),
        lambda: ServerSettings(base_url="http://h", headers={f"Bearer {SECRET}": ""}),
        lambda: ServerSettings(base_url="http://h", headers={"X": "1\r\nHost: other"}),
        lambda: ServerSettings(base_url="http://h", user_agent="é"),
        lambda: ServerSettings(base_url="http://h", ui_url="javascript:alert(1)"),
        lambda: ServerSettings(base_url="http://h", read_timeout=timedelta(0)),
        lambda: ServerSettings(
            base_url="http://h",
            auth=ClientCredentials(client_id="me", client_secret=SECRET, token_url="a b"),
        ),
        lambda: ClientCredentials(client_id="me", client_secret=""),
        lambda: ClientCredentials(client_id="", client_secret=SECRET),
        lambda: BearerToken(token=""),
        lambda: BearerToken(token=f"Bearer {SECRET}"),
        lambda: TransportOptions(proxies={"https": f"ann:{SECRET}@proxy"}),
        lambda: TransportOptions(proxies={"https": f"http://ann:{SECRET}@[::1"}),
        lambda: TransportOptions(verify="/no/such/file.pem"),
        lambda: TransportOptions(verify={}),
        lambda: TransportOptions(client_cert=(__file__, "/no/such/key.pem")),
    ],
)
def test_what_cannot_be_right_is_refused(make):
    """At once, and without showing a secret."""
    with pytest.raises(InvalidInput) as caught:
        make()
    assert SECRET not in str(caught.value)


def test_a_header_replaces_one_of_the_same_name():
    """Header names have no case."""
    request = HttpRequest(
        method="GET",
        url="http://h/",
        headers={"authorization": "Basic old", "Accept": "*/*"},
        connect_timeout=timedelta(seconds=1),
        read_timeout=timedelta(seconds=1),
    )
    signed = request.with_header("Authorization", "Bearer new")
    assert {"Accept": "*/*", "Authorization": "Bearer new"} == signed.headers
