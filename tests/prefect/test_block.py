"""The block: what it refuses, what it keeps, and what it never shows."""

import pytest
from prefect.client.orchestration import get_client

from airbyte_sync import InvalidInput
from airbyte_sync_http import BasicAuth, BearerToken, ClientCredentials, NoAuth
from airbyte_sync_prefect import AirbyteServer

URL = "http://localhost:8000"
SECRET = "a-secret-of-tests"


@pytest.mark.parametrize(
    ("fields", "auth"),
    [
        ({}, NoAuth()),
        (
            {"client_id": "me", "client_secret": SECRET},
            ClientCredentials(client_id="me", client_secret=SECRET),
        ),
        ({"username": "me", "password": SECRET}, BasicAuth(username="me", password=SECRET)),
        ({"token": SECRET}, BearerToken(token=SECRET)),
    ],
    ids=["none", "application", "user", "token"],
)
def test_the_credentials(fields, auth):
    """Of every kind; none where none are given."""
    assert auth == AirbyteServer(url=URL, **fields).settings().auth


def test_the_other_settings():
    """Headers are kept as secrets, and all others are there, too."""
    block = AirbyteServer(url=URL, headers={"X-Key": SECRET}, more={"verify": False})
    settings = block.settings()
    assert ({"X-Key": SECRET}, False) == (dict(settings.headers), settings.transport.verify)
    assert SECRET not in repr(block)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"url": "localhost:8000"}, "no scheme"),
        ({"url": URL, "client_id": "me"}, "client_secret"),
        ({"url": URL, "more": {"verfy": False}}, "did you mean verify"),
    ],
)
def test_what_cannot_be_right_is_refused(fields, text):
    """When the block is made, before it is saved."""
    with pytest.raises(InvalidInput, match=text):
        AirbyteServer(**fields)


def test_a_saved_block_keeps_its_secret(prefect_server):
    """It comes back with it, and Prefect's API shows stars."""
    AirbyteServer(url=URL, client_id="me", client_secret=SECRET).save("kept", overwrite=True)
    assert SECRET == AirbyteServer.load("kept").settings().auth.client_secret
    with get_client(sync_client=True) as client:
        shown = client.read_block_document_by_name(
            "kept", "airbyte-sync-server", include_secrets=False
        )
    assert SECRET not in str(shown.data)
    assert "me" == shown.data["client_id"]
