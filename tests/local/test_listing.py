"""The rules and the quirks of GET /jobs and GET /connections."""

import pytest

from airbyte_sync_local import Caller, Quirks, ScriptedEngine, ServerConnection, job_scripts

OTHER_WORKSPACE = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def three(api, connection):
    """Three jobs of one connection: two have ended, one is running."""
    for _ in range(3):
        api.submit(connection)
        api.wait(10)
    api.airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
    api.cancel(3)
    return connection


def test_the_oldest_job_comes_first(api, three):
    """Without orderBy the list begins with the oldest job."""
    assert [1, 2, 3] == api.list_ids(connectionId=three.connection_id)


def test_the_default_page_has_twenty_rows(api, connection):
    """Without limit a page has 20 rows."""
    for _ in range(21):
        api.submit(connection)
        api.wait(10)
    assert list(range(1, 21)) == api.list_ids()


@pytest.mark.usefixtures("three")
def test_pages_are_cut_by_limit_and_offset(api):
    """The page is what limit and offset say, and no total is told."""
    assert [2] == api.list_ids(limit=1, offset=1)
    assert {"data", "next", "previous"} == set(api.get("/jobs").json())


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("createdAt|ASC", [1, 2]),
        ("createdAt|DESC", [2, 1]),
        ("updatedAt|ASC", [2, 1]),
        ("updatedAt|DESC", [1, 2]),
    ],
)
def test_jobs_can_be_ordered(api, order, expected):
    """Jobs are ordered by creation or by the last change of status, either way round."""
    slow = api.airbyte.add_connection(job_scripts=[job_scripts.succeeds_slowly()])
    api.submit(slow)
    api.wait(1)
    api.submit(api.airbyte.add_connection())
    api.wait(1000)
    assert expected == api.list_ids(orderBy=order)


def test_an_order_that_cannot_be_read_is_a_problem(api):
    """An orderBy outside the grammar gives 400 with a text."""
    reply = api.get("/jobs", orderBy="createdAt")
    assert (400, "bad-request") == (reply.status_code, reply.json()["title"])
    assert "Invalid order by clause provided: createdAt" == reply.json()["data"]["message"]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"offset": -1},
        {"status": "done"},
        {"jobType": "dance"},
        {"createdAtStart": "2026-08-21T10:15:00"},
        {"createdAtStart": "2026-13-41T10:15:00Z"},
        {"updatedAtEnd": "yesterday"},
    ],
)
def test_other_nonsense_gives_an_error_id(api, params):
    """Values out of bounds, and instants without a zone, give 400 and no explanation."""
    reply = api.get("/jobs", **params)
    assert (400, ["errorId"]) == (reply.status_code, list(reply.json()))


@pytest.mark.usefixtures("three")
def test_jobs_are_filtered_by_connection(api):
    """With connectionId only the jobs of that connection are listed."""
    other = api.airbyte.add_connection()
    api.submit(other)
    assert [4] == api.list_ids(connectionId=other.connection_id)


def test_jobs_are_filtered_by_one_status(api, connection):
    """One status may be asked for; of several, the first counts."""
    api.submit(connection)
    api.wait(10)
    api.submit(connection)
    assert [2] == api.list_ids(status="pending")
    assert [1] == api.list_ids(status=["succeeded", "pending"])


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"createdAtStart": "2026-08-21T10:15:10Z"}, [2, 3]),
        ({"createdAtEnd": "2026-08-21T10:15:10Z"}, [1, 2]),
        ({"createdAtStart": "2026-08-21T12:15:10.000+02:00"}, [2, 3]),
        ({"createdAtStart": "2026-08-21T10:15Z", "createdAtEnd": "2026-08-21T10:15Z"}, [1]),
        ({"updatedAtStart": "2026-08-21T10:15:12Z"}, [2, 3]),
        ({"updatedAtEnd": "2026-08-21T10:15:12Z"}, [1, 2]),
    ],
)
def test_bounds_are_inclusive(api, params, expected):
    """Jobs are filtered by instants, and both ends belong to the range."""
    assert expected == api.list_ids(**params)


def test_one_request_finds_every_change(api, three):
    """A job that has not changed since an instant does not appear, which makes polling cheap."""
    cursor = "2026-08-21T10:15:30Z"
    assert [] == api.list_ids(updatedAtStart=cursor)
    api.submit(three)
    assert [4] == api.list_ids(updatedAtStart=cursor, orderBy="updatedAt|ASC")


def test_jobs_are_filtered_by_type(serve):
    """Without jobType every type is listed, save on old servers, and with it only that one."""
    api = serve(engine=ScriptedEngine(resets=job_scripts.succeeds()))
    connection = api.airbyte.add_connection()
    api.submit(connection, "reset")
    api.wait(10)
    api.submit(connection)
    assert [1, 2] == api.list_ids()
    assert [1] == api.list_ids(jobType="reset")
    assert [2] == api.list_ids(jobType="sync")


def test_jobs_are_filtered_by_workspace(api, connection):
    """Workspaces may be given repeatedly or joined by commas; with a connection they are ignored."""
    other = api.airbyte.add_connection(ServerConnection(workspace_id=OTHER_WORKSPACE))
    api.submit(connection)
    api.submit(other)
    assert [2] == api.list_ids(workspaceIds=OTHER_WORKSPACE)
    assert [1, 2] == api.list_ids(workspaceIds=f"{OTHER_WORKSPACE},{connection.workspace_id}")
    assert [1] == api.list_ids(workspaceIds=OTHER_WORKSPACE, connectionId=connection.connection_id)


def test_a_member_must_be_let_into_every_workspace(serve):
    """For a member one unreadable workspace spoils the list."""
    api = serve(quirks=Quirks(caller=Caller.MEMBER))
    assert 403 == api.get("/jobs", workspaceIds=OTHER_WORKSPACE).status_code


def test_links_lead_to_another_host_and_forget_filters(api, three):
    """Page links name the server's own idea of its host, and lose status, dates and order."""
    links = api.get(
        "/jobs",
        limit=1,
        offset=1,
        connectionId=three.connection_id,
        jobType="sync",
        status="succeeded",
        orderBy="createdAt|DESC",
    ).json()
    jobs = "http://localhost:8001/api/public/v1/jobs"
    kept = f"connectionId={three.connection_id}&jobType=sync"
    assert f"{jobs}?limit=1&offset=2&{kept}" == links["next"]
    assert f"{jobs}?limit=1&offset=0&{kept}" == links["previous"]


@pytest.mark.usefixtures("three")
def test_the_first_page_has_no_previous_one(api):
    """A link that leads nowhere is an empty text, not null."""
    assert "" == api.get("/jobs").json()["previous"]


@pytest.mark.usefixtures("three")
def test_the_last_page_still_has_a_next_one(api):
    """Only an empty page has no next page."""
    assert "" != api.get("/jobs", offset=2).json()["next"]
    assert "" == api.get("/jobs", offset=3).json()["next"]


def test_old_servers_hide_refreshes(serve):
    """Up to v2.0.0 a list of no particular type holds syncs and resets."""
    api = serve(quirks=Quirks(list_hides_refreshes=True))
    api.submit(api.airbyte.add_connection())
    assert [1] == api.list_ids()
    assert [] == api.list_ids(jobType="refresh")


def test_deleted_connections_are_listed_on_request(api, connection):
    """A deleted connection can be read by its id, and is listed only on request."""
    deleted = api.airbyte.add_connection(ServerConnection(status="deprecated"))
    assert [connection.connection_id] == listed(api)
    assert [connection.connection_id, deleted.connection_id] == listed(api, includeDeleted="true")
    assert 200 == api.get(f"/connections/{deleted.connection_id}").status_code


@pytest.mark.usefixtures("connection")
def test_connections_are_filtered_by_workspace(api):
    """Connections of other workspaces are left out."""
    other = api.airbyte.add_connection(ServerConnection(workspace_id=OTHER_WORKSPACE))
    assert [other.connection_id] == listed(api, workspaceIds=OTHER_WORKSPACE)


def test_workspaces_are_listed(api, connection):
    """Every workspace that has a connection is listed."""
    api.airbyte.add_connection(ServerConnection(workspace_id=OTHER_WORKSPACE))
    ids = [row["workspaceId"] for row in api.get("/workspaces").json()["data"]]
    assert [connection.workspace_id, OTHER_WORKSPACE] == ids


def listed(api, **params):
    return [row["connectionId"] for row in api.get("/connections", **params).json()["data"]]
