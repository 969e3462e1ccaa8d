"""The endpoints under /_local/: what a test looks at, and what it changes."""

import pytest
import requests

from airbyte_sync_local import Fault, RequireBearerToken, RequireClientCredentials


def local(api, method, path, **options):
    return api.call(method, f"{api.airbyte.base_url}/_local/{path}", **options)


def test_requests_are_on_record(api, connection):
    """Each request is there with what was asked and what was answered, in order."""
    api.submit(connection)
    api.get("/jobs", limit=3)
    first, second = local(api, "GET", "requests").json()["data"]
    assert ("POST /jobs", 200) == (first["operation"], first["status"])
    assert {"connectionId": connection.connection_id, "jobType": "sync"} == first["body"]
    assert "2026-08-21T10:15:00+00:00" == first["received_at"]
    assert ("/api/public/v1/jobs", {"limit": "3"}) == (second["path"], second["query"])


def test_paths_outside_the_api_are_on_record(api):
    """A wrong prefix gets the web application's page, and is recorded as no operation."""
    reply = api.get(f"{api.airbyte.base_url}/api/v2/jobs")
    assert (200, "text/html; charset=utf-8") == (reply.status_code, reply.headers["Content-Type"])
    assert (None, 200) == (api.airbyte.requests[0].operation, api.airbyte.requests[0].status)


def test_an_unknown_path_of_the_api_is_404(api):
    """Below the right prefix an unknown path or method is refused by the framework."""
    assert (404, 405) == (api.get("/nothing").status_code, api.call("PUT", "/jobs").status_code)


def test_no_secret_is_on_record(serve):
    """Neither credentials in headers and bodies nor anything that cannot be read is kept."""
    api = serve(auth=RequireClientCredentials(client_id="me", client_secret="hush"))
    credentials = {"client_id": "me", "client_secret": "hush"}
    api.call("POST", "/applications/token", json=credentials)
    api.call("POST", "/applications/token", data=credentials)
    api.call("POST", "/applications/token", data="client_secret=hush{")
    api.call("GET", "/jobs", headers={"Authorization": "Bearer hush", "Cookie": "hush"})
    api.call("GET", "/jobs", params={"access_token": "hush"})
    text = local(api, "GET", "requests").text
    assert "hush" not in text
    assert '"client_id": "me"' in text
    assert '"Authorization": "***"' in text


def test_a_request_that_got_no_answer_has_no_status(api):
    """Where the client was left alone, no status is on record."""
    api.airbyte.inject(Fault(on="GET /jobs", do="drop"))
    with pytest.raises(requests.ConnectionError):
        api.get("/jobs")
    assert [None] == [record.status for record in api.airbyte.requests]


def test_the_record_can_be_cleared(api):
    """After a DELETE the record begins again."""
    api.get("/jobs")
    assert 204 == local(api, "DELETE", "requests").status_code
    assert {"max_concurrency": 0, "forgotten": 0, "data": []} == local(
        api, "GET", "requests"
    ).json()


def test_admin_endpoints_need_no_credentials_and_leave_no_trace(serve):
    """They are no part of Airbyte: no door, no record, no fault."""
    api = serve(auth=RequireBearerToken(token="x"))
    api.airbyte.inject(Fault(on="*", do="drop", times=None))
    assert [200, 200] == [local(api, "GET", path).status_code for path in ("jobs", "requests")]
    assert () == api.airbyte.requests


def test_somebody_else_may_start_a_job(api, connection):
    """An external job runs as told, and stands in the way of our own."""
    body = {"connection_id": connection.connection_id, "script": "never_ends"}
    reply = local(api, "POST", "jobs", json=body)
    api.wait(1000)
    assert (200, "running") == (reply.status_code, api.status(1))
    assert 409 == api.submit(connection).status_code
    assert 409 == local(api, "POST", "jobs", json=body).status_code
    assert ["running"] == [job["status"] for job in local(api, "GET", "jobs").json()["data"]]


def test_faults_can_be_injected_and_taken_back(api):
    """A fault is written as in a scenario file."""
    fault = {"on": "GET /jobs", "answer": "rate_limited", "retry_after": 7, "times": "always"}
    assert 204 == local(api, "POST", "faults", json=fault).status_code
    struck = api.get("/jobs")
    assert (429, "7") == (struck.status_code, struck.headers["Retry-After"])
    local(api, "DELETE", "faults")
    assert 200 == api.get("/jobs").status_code


def test_connections_can_be_put(api):
    """A connection is written as in a scenario file, and replaced if its id is known."""
    for name in ("First", "Second"):
        body = {"id": "c1", "name": name, "job_scripts": ["fails"]}
        assert name == local(api, "PUT", "connections", json=body).json()["name"]
    assert 1 == len(api.get("/connections").json()["data"])
    api.submit("c1")
    api.wait(10)
    assert "failed" == api.status(1)


def test_somebody_elses_sync_comes_with_a_connection_once(api):
    """A connection may be put with a running sync, and not twice."""
    body = {"id": "c1", "already_running": "never_ends"}
    statuses = [local(api, "PUT", "connections", json=body).status_code for _ in range(2)]
    assert ([200, 409], [1]) == (statuses, api.list_ids())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "send a JSON object"),
        (b'{"do": "drop"}', "the key 'on' is missing"),
        (b'{"on": "GET /jobs", "do": "drop", "tmies": 2}', "unknown key 'tmies'"),
        (b'{"on": "GET /job", "do": "drop"}', "no operation is called 'GET /job'"),
    ],
)
def test_what_cannot_be_meant_is_explained(api, body, text):
    """A mistake is answered with 400 and words that help to fix it."""
    reply = local(api, "POST", "faults", data=body)
    assert 400 == reply.status_code
    assert text in reply.text


def test_the_server_s_time_is_in_every_answer(api):
    """The Date header shows the injected clock, since clients take the server's time from it."""
    api.wait(3600)
    assert "Fri, 21 Aug 2026 11:15:00 GMT" == api.get("/health").headers["Date"]
