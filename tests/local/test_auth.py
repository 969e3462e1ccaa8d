"""Which credentials are accepted, and how others are answered."""

import base64
import json
from datetime import timedelta

import pytest

from airbyte_sync_local import (
    Edition,
    Quirks,
    RequireBasicAuth,
    RequireBearerToken,
    RequireClientCredentials,
    UnauthorizedBody,
)

CREDENTIALS = {"client_id": "me", "client_secret": "hush"}


@pytest.fixture
def guarded(serve):
    return serve(auth=RequireClientCredentials(**CREDENTIALS))


def token(api, **options):
    reply = api.call("POST", "/applications/token", **(options or {"json": CREDENTIALS}))
    return reply.json()["access_token"]


def list_with(api, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    return api.call("GET", "/jobs", headers=headers)


def test_without_auth_there_is_no_token_route(api):
    """A server without auth needs no header, and answers 404 where tokens would be sold."""
    reply = api.call("POST", "/applications/token", json=CREDENTIALS)
    assert (200, 404) == (api.get("/jobs").status_code, reply.status_code)
    assert "Not Found" == reply.json()["message"]


@pytest.mark.parametrize(
    "options",
    [
        {"json": CREDENTIALS},
        {"json": {**CREDENTIALS, "grant-type": "client_credentials"}},
        {"data": {**CREDENTIALS, "grant_type": "client_credentials"}},
    ],
)
def test_tokens_are_sold_for_json_and_for_forms(guarded, options):
    """Credentials may come as JSON or as a form, and the grant type is ignored."""
    reply = guarded.call("POST", "/applications/token", **options)
    assert 200 == reply.status_code
    assert {"access_token", "token_type", "expires_in"} == set(reply.json())
    assert ("Bearer", 900) == (reply.json()["token_type"], reply.json()["expires_in"])
    assert 200 == list_with(guarded, f"Bearer {reply.json()['access_token']}").status_code


def test_a_token_tells_its_end(guarded, clock):
    """The token looks like a JWT, and its exp is the truth."""
    payload = token(guarded).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert (clock() + timedelta(seconds=900)).timestamp() == claims["exp"]


def test_a_token_ends_by_the_server_s_clock(guarded):
    """A token is good until its last second, and not in the next."""
    header = f"Bearer {token(guarded)}"
    guarded.wait(899)
    before = list_with(guarded, header).status_code
    guarded.wait(1)
    assert (200, 401) == (before, list_with(guarded, header).status_code)


def test_a_new_token_does_not_end_another(guarded):
    """Tokens know nothing of each other."""
    first = token(guarded)
    guarded.wait(10)
    token(guarded)
    assert 200 == list_with(guarded, f"Bearer {first}").status_code


def test_expires_in_may_lie(serve):
    """Some servers tell a longer life than the token has."""
    auth = RequireClientCredentials(
        **CREDENTIALS, lifetime=timedelta(seconds=180), told_lifetime=timedelta(seconds=900)
    )
    api = serve(auth=auth)
    reply = api.call("POST", "/applications/token", json=CREDENTIALS).json()
    api.wait(180)
    assert 900 == reply["expires_in"]
    assert 401 == list_with(api, f"Bearer {reply['access_token']}").status_code


def test_a_token_of_another_server_is_refused(guarded, serve):
    """A token is signed, and no other server's signature counts."""
    other = serve(auth=RequireClientCredentials(**CREDENTIALS))
    assert 401 == list_with(guarded, f"Bearer {token(other)}").status_code


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer x", "Bearer a.b.c", "Basic x"])
def test_without_a_token_nobody_is_let_in(guarded, authorization):
    """A missing or broken header gives 401 in the framework's shape."""
    reply = list_with(guarded, authorization)
    expected = {
        "message": "Unauthorized",
        "_links": {"self": {"href": "/api/public/v1/jobs", "templated": False}},
        "_embedded": {"errors": [{"message": "Unauthorized"}]},
    }
    assert (401, expected) == (reply.status_code, reply.json())


def test_cloud_refuses_with_a_problem(serve):
    """On Cloud the 401 is a problem, with its status as a text."""
    api = serve(auth=RequireClientCredentials(**CREDENTIALS), quirks=Quirks(edition=Edition.CLOUD))
    body = list_with(api, None).json()
    assert ("401", "invalid-access-token") == (body["status"], body["title"])


@pytest.mark.parametrize("edition", Edition)
def test_the_body_of_a_401_can_be_chosen(serve, edition):
    """Whatever the edition, a 401 carries what the quirk says."""
    replies = {
        body: list_with(
            serve(
                auth=RequireClientCredentials(**CREDENTIALS),
                quirks=Quirks(edition=edition, unauthorized=body),
            ),
            None,
        )
        for body in UnauthorizedBody
    }
    assert {401} == {reply.status_code for reply in replies.values()}
    assert b"" == replies[UnauthorizedBody.EMPTY].content
    assert "_links" in replies[UnauthorizedBody.FRAMEWORK].json()
    assert "title" in replies[UnauthorizedBody.PROBLEM].json()
    usual = UnauthorizedBody.PROBLEM if edition is Edition.CLOUD else UnauthorizedBody.FRAMEWORK
    assert replies[usual].json() == replies[UnauthorizedBody.BY_EDITION].json()


@pytest.mark.parametrize("wrong", [{"client_secret": "x"}, {"client_id": "x"}, {"client_id": None}])
def test_bad_credentials_are_a_bad_request(guarded, wrong):
    """A community server answers bad client credentials with 400 in the framework's shape."""
    reply = guarded.call("POST", "/applications/token", json={**CREDENTIALS, **wrong})
    assert 400 == reply.status_code
    assert "Bad Request" == reply.json()["message"]
    errors = reply.json()["_embedded"]["errors"]
    assert [{"message": "Invalid client id or token"}] == errors


def test_cloud_answers_bad_credentials_with_an_error_id(serve):
    """On Cloud bad client credentials give 401 and nothing but an id."""
    api = serve(auth=RequireClientCredentials(**CREDENTIALS), quirks=Quirks(edition=Edition.CLOUD))
    reply = api.call("POST", "/applications/token", json={**CREDENTIALS, "client_id": "x"})
    assert (401, ["errorId"]) == (reply.status_code, list(reply.json()))


def test_health_is_for_everybody(guarded):
    """Health needs no credentials, and answers a bare text whatever its content type says."""
    reply = guarded.get("/health")
    assert (200, "Successful operation") == (reply.status_code, reply.text)


def test_basic_auth_wants_name_and_password(serve):
    """With HTTP Basic only the right pair is let in."""
    api = serve(auth=RequireBasicAuth(username="me", password="hush"))
    right, wrong = (api.call("GET", "/jobs", auth=("me", secret)) for secret in ("hush", "x"))
    assert (200, 401) == (right.status_code, wrong.status_code)


def test_a_fixed_bearer_token_never_ends(serve):
    """A fixed token is let in for ever, and no other is."""
    api = serve(auth=RequireBearerToken(token="abc"))
    api.wait(1_000_000)
    assert (200, 401) == tuple(
        list_with(api, header).status_code for header in ("Bearer abc", "Bearer abd")
    )


def test_secrets_do_not_show():
    """No repr holds a secret."""
    auths = (
        RequireClientCredentials(**CREDENTIALS),
        RequireBasicAuth(username="me", password="hush"),
        RequireBearerToken(token="hush"),
    )
    assert "hush" not in repr(auths)
