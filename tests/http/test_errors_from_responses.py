"""What is said about an answer that is not the one asked for: which address is right, or who answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airbyte_sync import (
    Forbidden,
    NotFound,
    RefusedOnTheWay,
    RequestNotSent,
    ServerTrouble,
    Unauthorized,
    UnexpectedReply,
    UnreadableId,
)
from airbyte_sync_http import (
    AirbyteGateway,
    BasicAuth,
    BearerToken,
    ClientCredentials,
    HttpResponse,
    NoAuth,
    ServerSettings,
)

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
        assert kind is type(caught.value) or kind is UnexpectedReply
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
    unknown = b'{"title": "resource-not-found"}'
    for body, kind in ((unknown, NotFound), (b"{}", RefusedOnTheWay), (b"no", RefusedOnTheWay)):
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
    text = complaint(HttpResponse(status=403, body=b'{"title": "forbidden"}'), kind=Forbidden)
    assert "Check the rights of the user" in text
    assert "id" not in text.partition(". ")[2].split()


def test_a_page_instead_of_a_token_says_which_address_is_wrong(complaint):
    """The server's address where the token URL is the usual one, and else the token URL."""
    credentials = ClientCredentials(client_id="me", client_secret="s3cr3t")
    usual = replace(SETTINGS, auth=credentials)
    assert "web application answers there" in complaint(page(), usual, RefusedOnTheWay)
    own = replace(SETTINGS, auth=replace(credentials, token_url="/oauth/token"))
    text = complaint(page(), own, RefusedOnTheWay)
    assert f"the usual one is {HOST}/api/public/v1/applications/token" in text


@pytest.mark.parametrize("token_url", ["", "/oauth/token"])
def test_an_outage_of_the_token_route_is_not_blamed_on_its_address(complaint, token_url):
    """A proxy that answers 502 says nothing about the token URL."""
    credentials = ClientCredentials(client_id="me", client_secret="s3cr3t", token_url=token_url)
    settings = replace(SETTINGS, auth=credentials)
    text = complaint(HttpResponse(status=502), settings, RequestNotSent)
    assert "Try again later" in text
    assert "Check the token URL" not in text


BASIC = {"WWW-Authenticate": 'Basic realm="proxy"'}


@pytest.mark.parametrize("auth", [NoAuth(), BearerToken(token="t")], ids=repr)
def test_a_proxy_that_wants_a_user_name_is_told_from_airbyte(complaint, auth):
    """It has nothing to do with Airbyte's own credentials: the way to give a user name is named."""
    settings = replace(SETTINGS, auth=auth)
    text = complaint(HttpResponse(status=401, headers=BASIC), settings, RefusedOnTheWay)
    assert "wants a user name and a password: use basic authentication (auth: basic)" in text


def test_a_proxy_that_refuses_a_user_name_is_final(complaint):
    """It was asked with one, so it is wrong."""
    settings = replace(SETTINGS, auth=BasicAuth(username="ann", password="guess"))
    text = complaint(HttpResponse(status=401, headers=BASIC), settings, Unauthorized)
    assert "The user name or the password is wrong" in text


def test_a_firewall_is_told_from_airbyte(complaint):
    """Its page is no word about the rights of a user."""
    text = complaint(page(b"<html><title>Blocked</title></html>", 403), kind=RefusedOnTheWay)
    assert "a firewall or a proxy in front of it blocked the request" in text
    assert "The credentials are good" not in text


@pytest.mark.parametrize(
    ("status", "connection_id", "kind"),
    [
        (500, "c-1", UnreadableId),
        (500, "../workspaces", UnreadableId),
        (500, "3F4E7F6A-54d0-4a3e-9e5c-0d6f6a2f8b11", ServerTrouble),
        (502, "c-1", ServerTrouble),
    ],
)
def test_a_failure_at_an_id_that_is_no_uuid_is_told_apart(scripted, status, connection_id, kind):
    """An administrator hears no 404 for it. A proxy in trouble answers 502 to 504, and knows no ids."""
    gateway = AirbyteGateway(
        scripted(lambda _: HttpResponse(status=status, headers={}, body=b'{"errorId":"1"}')),
        SETTINGS,
    )
    with pytest.raises(ServerTrouble) as caught:
        gateway.fetch_connection(connection_id)
    assert kind is type(caught.value)
    assert status == caught.value.status
    assert caught.value.retry_safe is False
