"""What is said about an answer that is not the one asked for: which address is right, or who answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airbyte_sync import Forbidden, NotFound, RequestNotSent, UnexpectedReply
from airbyte_sync_http import AirbyteGateway, ClientCredentials, HttpResponse, ServerSettings

HOST = "http://localhost:8000"
SETTINGS = ServerSettings(base_url=HOST)
WEB_APPLICATION = b"<!doctype html><html><head><title>Airbyte</title></head></html>"
LOGIN = b"<html><title>Sign in</title></html>"


@pytest.fixture
def complaint(scripted):
    """What a check says about an answer."""

    def complaint_about(response, settings=SETTINGS, kind=UnexpectedReply):
        with pytest.raises(kind) as caught:
            AirbyteGateway(scripted(lambda _: response), settings).check()
        return str(caught.value)

    return complaint_about


def page(body=WEB_APPLICATION, status=200, **headers):
    return HttpResponse(status=status, headers={"Content-Type": "text/html", **headers}, body=body)


def test_a_page_at_an_unusual_path_is_answered_with_the_usual_one(complaint):
    """The address to write is named."""
    text = complaint(page(), replace(SETTINGS, base_url=f"{HOST}/v1"))
    assert f"write {HOST}/api/public/v1, or what stands before it" in text


def test_a_version_that_does_not_exist_is_answered_with_the_one_that_does(complaint):
    """Airbyte knows one version, and its answer may be JSON."""
    settings = replace(SETTINGS, base_url=f"{HOST}/api/public/v7")
    for body, kind in ((b"{}", NotFound), (b"not found", UnexpectedReply)):
        text = complaint(HttpResponse(status=404, body=body), settings, kind)
        assert f"write {HOST}/api/public/v1" in text


def test_the_web_application_at_the_usual_path_is_recognised(complaint):
    """The path is right, so another path is no advice."""
    assert "Airbyte's web application answers there, not its server" in complaint(page())


def test_a_login_page_at_the_usual_path_is_recognised(complaint):
    """The headers that let programs pass are named."""
    text = complaint(page(LOGIN))
    assert "a web page (Sign in)" in text
    assert "login page: give the headers" in text


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://sso.corp/login?next=s3cr3t", "sends us elsewhere, perhaps to log in"),
        ("https://localhost:8443/api/public/v1/connections", "wants TLS: write https://"),
        ("http://localhost:8000/login", "its path is the usual one"),
        ("/login", "its path is the usual one"),
        ("http://[", "its path is the usual one"),
    ],
)
def test_a_redirect_says_what_it_is_about(complaint, location, words):
    """It is not followed; its target tells what is wrong."""
    text = complaint(HttpResponse(status=302, headers={"Location": location}))
    assert words in text
    assert "s3cr3t" not in text


def test_a_list_that_may_not_be_seen_is_a_matter_of_rights(complaint):
    """No id was given, so none can be wrong."""
    text = complaint(HttpResponse(status=403, body=b"{}"), kind=Forbidden)
    assert "Check the rights of the user" in text
    assert "id" not in text.partition(". ")[2].split()


def test_a_page_instead_of_a_token_says_which_address_is_wrong(complaint):
    """The server's address where the token URL is the usual one, and else the token URL."""
    credentials = ClientCredentials(client_id="me", client_secret="s3cr3t")
    usual = replace(SETTINGS, auth=credentials)
    assert "web application answers there" in complaint(page(), usual, RequestNotSent)
    own = replace(SETTINGS, auth=replace(credentials, token_url="/oauth/token"))
    text = complaint(page(), own, RequestNotSent)
    assert f"the usual one is {HOST}/api/public/v1/applications/token" in text
    text = complaint(HttpResponse(status=502), usual, RequestNotSent)
    assert "Check the token URL, and the server's address" in text
