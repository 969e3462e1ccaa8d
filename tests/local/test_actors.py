"""Sources and destinations, and what a connection tells about where its streams go."""

import pytest

from airbyte_sync_local import Actor, Caller, Quirks, ServerConnection


@pytest.fixture
def connection(api):
    return api.airbyte.add_connection(
        ServerConnection(
            source=Actor(type="postgres", name="Shop", configuration={"host": "db"}),
            streams=("users",),
            stream_namespace="public",
            namespace_definition="custom_format",
            namespace_format="lake_${SOURCE_NAMESPACE}",
        )
    )


def test_a_source_has_every_required_field(api, connection):
    """A source tells all that the OpenAPI file requires."""
    body = api.get(f"/sources/{connection.source_id}").json()
    expected = {
        "sourceId": connection.source_id,
        "name": "Shop",
        "sourceType": "postgres",
        "workspaceId": connection.workspace_id,
        "configuration": {"host": "db"},
        "createdAt": 1767225600,
    }
    assert 36 == len(body.pop("definitionId"))
    assert expected == body


def test_a_destination_has_every_required_field(api, connection):
    """A destination is told in the same way, and is called by its type if by nothing else."""
    body = api.get(f"/destinations/{connection.destination_id}").json()
    expected = {
        "destinationId": connection.destination_id,
        "name": "duckdb",
        "destinationType": "duckdb",
        "workspaceId": connection.workspace_id,
        "configuration": {},
        "createdAt": 1767225600,
    }
    assert 36 == len(body.pop("definitionId"))
    assert expected == body


def test_sources_of_one_type_share_a_definition(api):
    """The definition is the connector's, not the source's."""
    rows = [api.airbyte.add_connection() for _ in range(2)]
    definitions = {api.get(f"/sources/{row.source_id}").json()["definitionId"] for row in rows}
    assert 1 == len(definitions)


def test_a_connection_tells_where_its_streams_go(api, connection):
    """The rule, its format and the namespaces of the streams are told where there are any."""
    body = api.get(f"/connections/{connection.connection_id}").json()
    keys = ("namespaceDefinition", "namespaceFormat")
    assert ("custom_format", "lake_${SOURCE_NAMESPACE}") == tuple(body[key] for key in keys)
    (stream,) = body["configurations"]["streams"]
    assert ("users", "public") == (stream["name"], stream["namespace"])


@pytest.mark.parametrize(
    ("resource", "told"),
    [("sources", "SOURCE_CONNECTION"), ("destinations", "DESTINATION_CONNECTION")],
)
def test_an_unknown_one_is_refused_as_a_connection_is(api, serve, resource, told):
    """An administrator is told what was not found; a member learns nothing; a strange id breaks things."""
    path = f"/{resource}/3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
    reply = api.get(path)
    assert (404, told) == (reply.status_code, reply.json()["data"]["resourceType"])
    assert 500 == api.get(f"/{resource}/x").status_code
    assert 403 == serve(quirks=Quirks(caller=Caller.MEMBER)).get(path).status_code
