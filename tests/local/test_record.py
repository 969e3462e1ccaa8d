"""The record of requests: it keeps no secret, is bounded, and is for this machine only."""

from __future__ import annotations

import base64
import json
import re
import socket
from http.client import HTTPConnection

import pytest
import requests

from airbyte_sync_local import Fault, RequireClientCredentials, answers

CANARY = "hush-4711"
ENCODED = base64.b64encode(f"me:{CANARY}".encode()).decode()


def on_record(api):
    """Everything that the record says, in Python and over the wire."""
    url = f"{api.airbyte.base_url}/_local/requests"
    return repr(api.airbyte.requests) + api.call("GET", url).text


# --- secrets ---


@pytest.mark.parametrize(
    "header",
    [
        *("Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "Api-Key", "X-Auth-Token"),
        *("CF-Access-Client-Secret", "X-Forwarded-Access-Token", "X-Anything", "Referer"),
        *("Forwarded", "X-Amz-Security-Token", "Origin"),
    ],
)
@pytest.mark.parametrize("value", [CANARY, f"Bearer {CANARY}", f"Basic {ENCODED}"])
def test_no_header_s_secret_is_on_record(api, header, value):
    """Only the values of headers that are known to be harmless are kept, whatever the others hold."""
    api.call("GET", "/jobs", headers={header: value, "User-Agent": "me/1"})
    assert [] == re.findall(f"{CANARY}|{ENCODED}", on_record(api))
    headers = api.airbyte.requests[0].headers
    assert ("***", "me/1") == (headers[header], headers["User-Agent"])


@pytest.mark.parametrize(
    "name",
    [
        *("client_secret", "clientSecret", "client-secret", "CLIENT_SECRET", "secret", "password"),
        *("apiKey", "api_key", "x-api-key", "token", "refreshToken", "assertion", "passphrase"),
        *("configuration", "anything", CANARY),
    ],
)
@pytest.mark.parametrize("path", ["/jobs", "/applications/token", "/nothing"])
def test_no_field_s_secret_is_on_record(serve, name, path):
    """A secret in a query, a JSON body, a form, at any depth and under any name is not kept."""
    api = serve(auth=RequireClientCredentials(client_id="me", client_secret=CANARY))
    bodies = [
        {"json": {name: CANARY}},
        {"json": {name: [{"deep": {name: CANARY}}]}},
        {"json": {"connectionId": {name: CANARY}}},
        {"json": [CANARY]},
        {"json": [[{name: CANARY}]]},
        {"json": CANARY},
        {"data": {name: CANARY}},
        {"data": f"{name}={CANARY}{{"},
        {"data": f'{{"{name}": "{CANARY}"', "headers": {"Content-Type": "application/json"}},
        {"data": json.dumps({name: CANARY}).encode("utf-16"), "params": {name: CANARY}},
        {"params": {name: [CANARY, CANARY]}},
        {"params": CANARY},
    ]
    for body in bodies:
        api.call("POST", path, **body)
    assert len(bodies) == len(api.airbyte.requests)
    assert CANARY not in on_record(api)


def test_what_is_no_secret_is_on_record(serve):
    """What a test wants to know of a request is there."""
    api = serve(auth=RequireClientCredentials(client_id="me", client_secret=CANARY))
    body = {"client_id": "me", "client_secret": CANARY, "grant-type": "client_credentials"}
    token = api.call("POST", "/applications/token", json=body).json()["access_token"]
    api.call(
        "GET",
        "/jobs",
        headers={"Authorization": f"Bearer {token}"},
        params={"workspaceIds": "w", "orderBy": "createdAt|DESC", "access_token": token},
    )
    asked, listed = api.airbyte.requests
    expected = {"client_id": "me", "client_secret": "***", "grant-type": "client_credentials"}
    assert expected == asked.body
    assert {
        "workspaceIds": "w",
        "orderBy": "createdAt|DESC",
        "access_token": "***",
    } == listed.query
    assert token not in on_record(api)


def test_a_header_may_be_declared_harmless(serve):
    """A test that wants to see a value says so."""
    api = serve(recorded_headers=["X-Ingress"])
    api.call("GET", "/jobs", headers={"x-ingress": "open", "X-Api-Key": CANARY})
    (record,) = api.airbyte.requests
    assert ("open", "***") == (record.headers["x-ingress"], record.headers["X-Api-Key"])


def test_a_server_that_echoes_a_secret_does_not_record_it(api):
    """What was answered is on record as a status and nothing more."""
    echo = answers.gateway_json(400, f"bad header Authorization: Bearer {CANARY}")
    api.airbyte.inject(Fault(on="GET /jobs", do="answer", answer=echo.with_header("X", CANARY)))
    assert CANARY in api.get("/jobs").text
    assert CANARY not in on_record(api)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/jobs?x=%s\x01 HTTP/1.1",
        b"GET /v1/jobs HTTP/1.1\r\nAuthorization: Bearer %s\x00",
        b"GET /v1/jobs HTTP/1.1\r\nX-Api-Key: %s" + b"y" * 9000,
        b"POST /v1/jobs HTTP/1.1\r\nContent-Length: %s",
    ],
)
def test_a_request_that_cannot_be_read_is_not_quoted_in_a_log(api, caplog, line):
    """The log says that something was wrong, and not what was in it."""
    host, port = api.airbyte.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(line.replace(b"%s", CANARY.encode()) + b"\r\nHost: x\r\n\r\n")
        assert b" 400 " in connection.recv(4096)
    assert "Error handling request" in caplog.text
    assert CANARY not in caplog.text + on_record(api)


# --- bounds ---


def test_the_record_keeps_the_newest_requests(serve):
    """Older ones make room, and are counted."""
    api = serve(recorded_requests=3)
    for limit in range(1, 6):
        api.get("/jobs", limit=limit)
    assert ["3", "4", "5"] == [record.query["limit"] for record in api.airbyte.requests]
    body = api.get(f"{api.airbyte.base_url}/_local/requests").json()
    assert (2, 3) == (body["forgotten"], len(body["data"]))


def test_a_request_takes_little_room(api):
    """Long texts are cut, long bodies left out, and neither depth nor number is without end."""
    api.call("GET", "/" + "x" * 7000, params={"connectionId": "y" * 500})
    api.call("POST", "/jobs", json={"connectionId": "z" * 60_000})
    api.call("POST", "/jobs", json={"connectionId": "z" * 70_000})
    api.call("POST", "/jobs", json={"workspaceIds": [[[[[[["a"]]]]]]]})
    api.call("POST", "/jobs", json={"workspaceIds": ["a"] * 10_000, "jobId": 2**70})
    api.call("POST", "/jobs", data=b"[" * 60_000)
    path, cut, absent, deep, many, nested = api.airbyte.requests
    assert (2000, 500, None, None) == (
        len(path.path),
        len(cut.body["connectionId"]),
        absent.body,
        nested.body,
    )
    assert {"workspaceIds": [[[["***"]]]]} == deep.body
    assert (100, "***") == (len(many.body["workspaceIds"]), many.body["jobId"])


def test_a_body_that_is_too_deep_is_refused_as_unreadable(api):
    """It is no uncaught error of the server."""
    assert 422 == api.call("POST", "/jobs", data=b"[" * 60_000).status_code


# --- which callers may read it ---


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "localhost", "Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8000"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost@evil.example"}, 403),
        ({"Host": "93.184.216.34"}, 403),
        ({"Host": "["}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost", "Origin": "https://localhost"}, 403),
        ({"Host": "localhost", "Origin": "http://localhost:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "requests"), ("DELETE", "requests"), ("GET", "jobs"), ("POST", "jobs")),
        *(("POST", "faults"), ("DELETE", "faults"), ("PUT", "connections")),
    ],
)
def test_admin_routes_are_for_this_machine_only(api, method, path, headers, expected):
    """A name that leads here (DNS rebinding) and a page from elsewhere are refused, before any effect."""
    fault = {"on": "GET /jobs", "do": "drop", "times": "always"}
    bodies = {"faults": fault, "connections": {"id": "c1"}}
    url = f"{api.airbyte.base_url}/_local/{path}"
    reply = api.call(method, url, headers=headers, json=bodies.get(path, {}))
    is_refused = reply.status_code == 403
    assert (expected == 403) == is_refused
    if is_refused and path != "requests":
        assert (200, []) == (api.get("/jobs").status_code, api.get("/connections").json()["data"])


def test_a_request_without_a_host_is_refused(api):
    """HTTP/1.0 needs none, and says nothing about where it meant to go."""
    connection = HTTPConnection(api.airbyte.base_url.removeprefix("http://"))
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
    connection.putrequest("GET", "/_local/requests", skip_host=True)
    connection.endheaders()
    assert 403 == connection.getresponse().status
    connection.close()


def test_the_api_itself_has_no_such_rule(api):
    """A client may call the API by any name that leads here, as behind a proxy."""
    reply = requests.get(f"{api.airbyte.api_url}/jobs", headers={"Host": "airbyte"}, timeout=5)
    assert 200 == reply.status_code
