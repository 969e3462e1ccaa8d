"""What flows where: read from a connection and its two ends."""

from __future__ import annotations

import pytest

from airbyte_sync import Forbidden, NotFound, UnexpectedReply
from airbyte_sync_http import ServerSettings, open_gateway
from airbyte_sync_http.protocol import messages
from airbyte_sync_http.protocol.streams import Endpoint, Lineage, Stream
from airbyte_sync_local import Actor, Caller, Fault, LocalAirbyte, Quirks, ServerConnection, answers
from tests.http.replies import SETTINGS, reply


def read(call, document):
    return call.read(reply(document))


def streams(*entries, **members):
    document = {
        "sourceId": "s",
        "destinationId": "d",
        "configurations": {"streams": list(entries)},
        **members,
    }
    return read(messages.fetch_route(SETTINGS, "c"), document).streams


def written(namespace, **members):
    (stream,) = streams({"name": "users", "namespace": namespace}, **members)
    return stream.written_to


# --- reading ---


def test_a_stream_at_both_ends():
    """In the source a stream has its own name; in the destination it has the connection's prefix."""
    found = streams(
        {"name": "users", "namespace": "shop"}, prefix="raw_", namespaceDefinition="source"
    )
    expected = Stream(name="users", namespace="shop", written_as="raw_users", written_to="shop")
    assert (expected,) == found


@pytest.mark.parametrize(
    ("definition", "custom_format", "expected"),
    [
        ("source", None, "shop"),
        ("destination", None, None),
        ("destination", "ignored", None),
        (None, None, None),
        ("not yet invented", "x", None),
        ("custom_format", "lake", "lake"),
        ("custom_format", "lake_${SOURCE_NAMESPACE}", "lake_shop"),
        ("custom_format", "${SOURCE_NAMESPACE}", "shop"),
        ("custom_format", "", None),
        ("custom_format", " ", None),
        ("custom_format", None, None),
    ],
)
def test_where_a_stream_goes(definition, custom_format, expected):
    """The namespace in the destination follows the rule of the connection."""
    members = {"namespaceDefinition": definition, "namespaceFormat": custom_format}
    assert expected == written("shop", **members)


@pytest.mark.parametrize(
    ("definition", "custom_format", "expected"),
    [
        ("source", None, None),
        ("custom_format", "${SOURCE_NAMESPACE}", None),
        ("custom_format", "lake_${SOURCE_NAMESPACE}", "lake_"),
    ],
)
def test_a_source_without_namespaces(definition, custom_format, expected):
    """Where the source has none, the destination's own default remains."""
    members = {"namespaceDefinition": definition, "namespaceFormat": custom_format}
    assert expected == written(None, **members)


@pytest.mark.parametrize("entry", [None, 7, "users", [], {}, {"name": None}, {"name": ""}])
def test_a_stream_without_a_name_is_left_out(entry):
    """The others still count."""
    assert ["users"] == [stream.name for stream in streams(entry, {"name": "users"})]


@pytest.mark.parametrize("configurations", [None, 7, [], {}, {"streams": None}, {"streams": {}}])
def test_a_connection_may_tell_no_streams(configurations):
    """Where no list of streams is readable there are none."""
    assert () == streams(configurations=configurations)


def test_prefix_and_rules_of_another_shape_are_none():
    """What is not a text is taken for absent."""
    members = {"prefix": 7, "namespaceDefinition": ["source"], "namespaceFormat": {}}
    expected = Stream(name="users", written_as="users")
    assert (expected,) == streams({"name": "users", "namespace": 7}, **members)


@pytest.mark.parametrize("missing", ["sourceId", "destinationId"])
def test_the_two_ends_are_needed(missing):
    """A connection without an end is not a connection."""
    document = {"sourceId": "s", "destinationId": "d", missing: None}
    with pytest.raises(UnexpectedReply, match=missing):
        read(messages.fetch_route(SETTINGS, "c"), document)


@pytest.mark.parametrize("configuration", [None, 7, [], "text"])
def test_a_configuration_that_is_none(configuration):
    """An end is known by its id and type alone."""
    document = {"sourceId": "s", "sourceType": "stripe", "configuration": configuration}
    expected = Endpoint(role="source", endpoint_id="s", kind="stripe")
    assert expected == read(messages.fetch_source(SETTINGS, "s"), document)


@pytest.mark.parametrize("missing", ["destinationId", "destinationType"])
def test_an_end_needs_id_and_type(missing):
    """Nothing can be said about an end without them."""
    document = {"destinationId": "d", "destinationType": "s3", "configuration": {}, missing: 7}
    with pytest.raises(UnexpectedReply, match=missing):
        read(messages.fetch_destination(SETTINGS, "d"), document)


def test_no_repr_shows_a_configuration():
    """It may hold secrets that the server did not mask."""
    end = Endpoint(role="source", endpoint_id="s", kind="x", configuration={"password": "s3cr3t"})
    assert "s3cr3t" not in repr(Lineage(source=end, destination=end, streams=()))


def test_ids_are_quoted():
    """An id of another shape cannot lead to another resource."""
    calls = [
        messages.fetch_route(SETTINGS, "a/b"),
        messages.fetch_source(SETTINGS, "a/b"),
        messages.fetch_destination(SETTINGS, "a/b"),
    ]
    expected = [
        f"{SETTINGS.base_url}/{resource}/a%2Fb"
        for resource in ("connections", "sources", "destinations")
    ]
    assert expected == [call.request.url for call in calls]


# --- over HTTP ---


@pytest.fixture
def connection():
    return ServerConnection(
        source=Actor(type="postgres", configuration={"host": "db", "port": 5432}),
        destination=Actor(type="s3", configuration={"s3_bucket_name": "lake"}),
        streams=("users", "orders"),
        stream_namespace="public",
        namespace_definition="custom_format",
        namespace_format="shop_${SOURCE_NAMESPACE}",
        prefix="raw_",
    )


def fetch(airbyte, connection_id):
    with open_gateway(ServerSettings(base_url=airbyte.api_url)) as gateway:
        return gateway.fetch_lineage(connection_id)


def test_a_lineage_comes_with_three_requests(connection):
    """The connection leads to its two ends."""
    with LocalAirbyte() as airbyte:
        airbyte.add_connection(connection)
        found = fetch(airbyte, connection.connection_id)
        asked = [record.operation for record in airbyte.requests]
    expected = Lineage(
        source=Endpoint(
            role="source",
            endpoint_id=connection.source_id,
            kind="postgres",
            configuration={"host": "db", "port": 5432},
        ),
        destination=Endpoint(
            role="destination",
            endpoint_id=connection.destination_id,
            kind="s3",
            configuration={"s3_bucket_name": "lake"},
        ),
        streams=tuple(
            Stream(
                name=name,
                namespace="public",
                written_as=f"raw_{name}",
                written_to="shop_public",
            )
            for name in ("users", "orders")
        ),
    )
    assert expected == found
    assert [
        "GET /connections/{connectionId}",
        "GET /sources/{sourceId}",
        "GET /destinations/{destinationId}",
    ] == asked


@pytest.mark.parametrize(
    "struck",
    [
        "GET /connections/{connectionId}",
        "GET /sources/{sourceId}",
        "GET /destinations/{destinationId}",
    ],
)
def test_a_refusal_is_a_domain_error(connection, struck):
    """A caller who may not see one of the three gets the usual error."""
    with LocalAirbyte() as airbyte:
        airbyte.add_connection(connection)
        airbyte.inject(Fault(on=struck, do="answer", answer=answers.forbidden()))
        with pytest.raises(Forbidden):
            fetch(airbyte, connection.connection_id)


@pytest.mark.parametrize(
    ("caller", "error"), [(Caller.ADMIN, NotFound), (Caller.MEMBER, Forbidden)]
)
def test_an_unknown_connection(connection, caller, error):
    """It is reported as everywhere else."""
    with LocalAirbyte(quirks=Quirks(caller=caller)) as airbyte, pytest.raises(error):
        fetch(airbyte, connection.connection_id)
