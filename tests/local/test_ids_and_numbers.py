"""Ids, numbers, words and charsets as clients spell them, read as a real server reads them."""

from __future__ import annotations

import pytest

from airbyte_sync_local import (
    Caller,
    Fault,
    LocalAirbyte,
    Quirks,
    RequireClientCredentials,
    ServerConnection,
    Tag,
    answers,
    job_scripts,
)

ID = "b5ef9c4c-6b4f-4d5c-9f55-0d2a4c9b7c11"
WORKSPACE = "5ae6b09b-fdec-41af-aaf7-7d94cfc33ef6"
OTHER_WORKSPACE = "0c7ab1f5-8d7e-4a76-9d0a-4c1d3c6f8a02"
TAG = "d2b7c9a8-1e61-4f0e-8b39-6a5e0c3f9d03"


@pytest.fixture
def connection(api):
    return api.airbyte.add_connection(ServerConnection(connection_id=ID))


# --- UUIDs ---


def test_a_connection_is_found_in_any_case(api, connection):
    """Every operation takes an upper-case UUID, and tells the id as the server writes it."""
    submitted = api.submit(ID.upper()).json()
    found = api.get(f"/connections/{ID.upper()}").json()
    (listed,) = api.get("/jobs", connectionId=ID.upper()).json()["data"]
    told = [row["connectionId"] for row in (submitted, found, listed)]
    assert [ID] * 3 == told


@pytest.mark.parametrize("path", ["connections/get", "state/get", "connections/sync"])
def test_the_config_api_finds_it_too(api, connection, path):
    """The id comes in the body there."""
    url = f"{api.airbyte.base_url}/api/v1/{path}"
    assert 200 == api.call("POST", url, json={"connectionId": ID.upper()}).status_code


def test_sources_destinations_and_workspaces_are_found_in_any_case(serve):
    """They are UUIDs as well, also in the lists and for a member."""
    api = serve(quirks=Quirks(caller=Caller.MEMBER))
    row = api.airbyte.add_connection()
    assert 200 == api.get(f"/sources/{row.source_id.upper()}").status_code
    assert 200 == api.get(f"/destinations/{row.destination_id.upper()}").status_code
    assert 200 == api.get(f"/workspaces/{WORKSPACE.upper()}").status_code
    api.submit(row)
    for path in ("/connections", "/sources", "/destinations", "/jobs"):
        assert 1 == len(api.get(path, workspaceIds=WORKSPACE.upper()).json()["data"])


def test_a_running_sync_is_found_in_any_case(api, connection):
    """One active job per connection, however its id is written."""
    api.airbyte.start_external_job(ID.upper(), job_scripts.never_ends())
    api.wait(100)
    assert (409, "running") == (api.submit(ID).status_code, api.status(1))
    assert 409 == api.submit(ID.upper()).status_code


def test_an_id_may_be_put_in_upper_case():
    """A connection that is replaced under another spelling is the same one."""
    with LocalAirbyte() as airbyte:
        for connection_id in (ID, ID.upper()):
            airbyte.add_connection(ServerConnection(connection_id=connection_id))
        job = airbyte.start_external_job(ID)
    assert ID.upper() == job.connection_id


def test_a_fault_strikes_in_any_case(api, connection):
    """Its id may be written in another case than the client's."""
    api.airbyte.inject(
        Fault(on="POST /jobs", do="answer", answer=answers.no_route(), about=ID.upper())
    )
    assert 404 == api.submit(ID).status_code


# --- numbers ---


@pytest.mark.parametrize(
    "value",
    ["1_0", "٣", "1.0", "1e1", " 1", "0x1", "", "nan", str(2**31), str(-(2**31) - 1), "9" * 5000],
)
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_a_page_takes_java_s_numbers_only(api, name, value):
    """Limit and offset are ints of 32 bits: anything else is 400 with an errorId."""
    reply = api.get("/jobs", **{name: value})
    assert (400, ["errorId"]) == (reply.status_code, list(reply.json()))


@pytest.mark.parametrize("value", ["1_0", "٣", "1.0", "%201", str(2**63), "9" * 5000])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_job_id_is_a_java_long(api, method, value):
    """Beyond 64 bits, or in digits of Python's own, it is no id."""
    reply = api.call(method, f"/jobs/{value}")
    assert (400, ["errorId"]) == (reply.status_code, list(reply.json()))


def test_the_largest_numbers_are_numbers(api):
    """Within their bits they are read, and nothing is found there."""
    assert (409, 409) == tuple(api.get(f"/jobs/{value}").status_code for value in (2**63 - 1, -1))
    assert [] == api.list_ids(offset=2**31 - 1)


@pytest.mark.parametrize(
    ("value", "status"),
    [(1, 200), ("1", 200), (True, 422), (1.5, 422), (None, 422), ([1], 422), ("1_0", 422)],
)
def test_the_config_api_takes_numbers_only(api, connection, value, status):
    """An id in a body is a number, or a text that is one."""
    api.submit(connection)
    url = f"{api.airbyte.base_url}/api/v1/jobs/get"
    assert status == api.call("POST", url, json={"id": value}).status_code


# --- charsets ---


@pytest.mark.parametrize("charset", ["utf-8", "nonsense", "latin-1", '"'])
def test_a_charset_changes_nothing(api, connection, charset):
    """JSON says its own encoding: an unknown charset is no uncaught error."""
    kind = f"application/json; charset={charset}"
    body = b'{"connectionId": "%s", "jobType": "sync"}' % ID.encode()
    reply = api.call("POST", "/jobs", data=body, headers={"Content-Type": kind})
    assert (200, 1) == (reply.status_code, reply.json()["jobId"])


@pytest.mark.parametrize(("body", "status"), [(b"client_id=a", 400), (b"\xff=\xff", 400)])
def test_a_charset_of_a_form_changes_nothing(serve, body, status):
    """A form is UTF-8; the credentials are wrong, or it cannot be read."""
    api = serve(auth=RequireClientCredentials(client_id="me", client_secret="hush"))
    kind = "application/x-www-form-urlencoded; charset=nonsense"
    path = "/applications/token"
    reply = api.call("POST", path, data=body, headers={"Content-Type": kind})
    assert (status, "application/json") == (
        reply.status_code,
        reply.headers["Content-Type"].split(";")[0],
    )


# --- lists ---


def names(api, path="/connections", **params):
    return [row["name"] for row in api.get(path, **params).json()["data"]]


@pytest.fixture
def tagged(api):
    """Connections with and without tags, and a deleted one."""
    night, shop = Tag(tag_id=TAG, name="night"), Tag(name="shop")
    api.airbyte.add_connection(ServerConnection(name="both", tags=(night, shop)))
    api.airbyte.add_connection(ServerConnection(name="shop", tags=(shop,)))
    api.airbyte.add_connection(ServerConnection(name="none"))
    api.airbyte.add_connection(ServerConnection(name="gone", tags=(night,), status="deprecated"))
    return shop


def test_connections_are_listed_by_tag(api, tagged):
    """Those with any of the tags; an empty list means all."""
    assert ["both"] == names(api, tagIds=TAG)
    assert ["both"] == names(api, tagIds=TAG.upper())
    assert ["both", "shop"] == names(api, tagIds=f"{TAG},{tagged.tag_id}")
    assert ["both", "shop"] == names(api, tagIds=[TAG, tagged.tag_id])
    assert [] == names(api, tagIds=ID)
    assert ["both", "shop", "none"] == names(api, tagIds="")


@pytest.mark.parametrize("yes", ["true", "True", "TRUE", "yes", "on"])
def test_deleted_connections_are_listed_on_request(api, tagged, yes):
    """However the request says yes, and together with tags."""
    assert ["both", "gone"] == names(api, tagIds=TAG, includeDeleted=yes)
    assert ["both"] == names(api, tagIds=TAG, includeDeleted="false")


def test_links_keep_what_was_asked_for(api, tagged):
    """The next page of a list of connections is about the same ones."""
    link = api.get("/connections", tagIds=TAG, includeDeleted="true", limit=1).json()["next"]
    assert (True, True) == (f"tagIds={TAG}" in link, "includeDeleted=true" in link)


def test_tags_are_told(api, tagged):
    """A tag has an id, a workspace, a name and a color."""
    (tag, _other) = api.get("/connections").json()["data"][0]["tags"]
    expected = {"tagId": TAG, "workspaceId": WORKSPACE, "name": "night", "color": "75DCFF"}
    assert expected == tag


def test_sources_and_destinations_are_listed_once(api):
    """Two connections share a source; another workspace has its own."""
    first = api.airbyte.add_connection()
    api.airbyte.add_connection(ServerConnection(source_id=first.source_id))
    api.airbyte.add_connection(ServerConnection(workspace_id=OTHER_WORKSPACE))
    assert ["faker", "faker"] == names(api, "/sources")
    assert ["faker"] == names(api, "/sources", workspaceIds=WORKSPACE)
    assert ["duckdb"] == names(api, "/destinations", workspaceIds=OTHER_WORKSPACE)
    assert 3 == len(names(api, "/destinations"))
    assert 2 == len(names(api, "/destinations", limit=2))


def test_an_unknown_workspace_is_refused(api, serve):
    """An administrator is told what was not found; a member learns nothing."""
    reply = api.get(f"/workspaces/{ID}")
    assert (404, "STANDARD_WORKSPACE") == (reply.status_code, reply.json()["data"]["resourceType"])
    member = serve(quirks=Quirks(caller=Caller.MEMBER))
    assert 403 == member.get(f"/workspaces/{ID}").status_code
    assert 403 == member.get("/sources", workspaceIds=ID).status_code
