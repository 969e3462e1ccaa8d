"""What flows where: a connection's source and destination, and its streams.

Airbyte spreads this over three resources. A connection names its two ends and lists its streams; a source
and a destination tell their type and configuration. Only the two ids and the two types decide. A stream
without a name, or a configuration that is none, is left out.

Source: ``ConnectionResponse``, ``SourceResponse`` and ``DestinationResponse`` of the public OpenAPI file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airbyte_sync_http.auth.hiding import hide
from airbyte_sync_http.protocol.cleaning import LONGEST_NAME, clean
from airbyte_sync_http.protocol.json_node import InvalidField, if_readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airbyte_sync_http.protocol.json_node import JsonNode

Role = Literal["source", "destination"]

MOST_STREAMS = 5000
"""Streams of a connection that are told of: no event can hold the datasets of more."""

SOURCE_NAMESPACE = "${SOURCE_NAMESPACE}"
"""Stands in a custom format for the namespace that the stream has in the source."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One end of a connection."""

    role: Role
    endpoint_id: str
    """The API's ``sourceId`` or ``destinationId``."""
    kind: str
    """The connector's type, an open set: ``postgres``, ``s3``, ``stripe`` ..."""
    configuration: Mapping[str, object] = field(default_factory=dict, repr=False)
    """As the server tells it, without what we sent. It may hold secrets of others, masked or not: never pass
    it on as a whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A table, a file or a collection, at either end."""

    name: str
    namespace: str | None = None
    """The schema or database in the source; not every source has one, and not every server tells it."""
    written_as: str
    """The name in the destination: with the connection's prefix."""
    written_to: str | None = None
    """The schema or database in the destination; ``None`` for the one in its configuration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """What a sync of a connection reads and writes."""

    source: Endpoint
    destination: Endpoint
    streams: tuple[Stream, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """What a connection tells of its lineage: the two ends by their ids, and the streams."""

    source_id: str
    destination_id: str
    streams: tuple[Stream, ...]


def route(document: JsonNode) -> Route:
    """
    Read a ``ConnectionResponse``.

    Raises:
        InvalidField: It does not name its two ends.
    """
    return Route(
        source_id=document["sourceId"].word(),
        destination_id=document["destinationId"].word(),
        streams=tuple(_streams(document)),
    )


def endpoint(document: JsonNode, role: Role) -> Endpoint:
    """
    Read a ``SourceResponse`` or a ``DestinationResponse``.

    Raises:
        InvalidField: It has no id or no type.
    """
    configuration = document["configuration"].value
    try:
        configuration = _hidden(configuration)
    except RecursionError:  # nothing that a connector needs is nested so deep
        configuration = None
    return Endpoint(
        role=role,
        endpoint_id=document[f"{role}Id"].word(),
        kind=document[f"{role}Type"].word(),
        configuration=configuration if isinstance(configuration, dict) else {},
    )


def _hidden(value: Any) -> Any:
    """Return a JSON value without our credentials in any of its texts."""
    match value:
        case str():
            return hide(value)
        case dict():
            return {hide(name): _hidden(member) for name, member in value.items()}
        case list():
            return [_hidden(item) for item in value]
    return value


def _streams(document: JsonNode) -> Iterator[Stream]:
    definition = if_readable(document["namespaceDefinition"].text)
    custom_format = if_readable(document["namespaceFormat"].label) or ""
    prefix = if_readable(document["prefix"].label) or ""
    for node in document.items_at("configurations", "streams")[:MOST_STREAMS]:
        try:
            name = node["name"].label()
        except InvalidField:
            continue
        namespace = if_readable(node["namespace"].label)
        yield Stream(
            name=name,
            namespace=namespace,
            written_as=clean(prefix + name, LONGEST_NAME),
            written_to=_written_to(definition, custom_format, namespace),
        )


def _written_to(definition: str | None, custom_format: str, namespace: str | None) -> str | None:
    """
    Return where a stream goes; ``None`` for the destination's own default.

    A custom format that comes to nothing means the default, too. So does a definition that is absent.

    Source: ``NamespaceDefinitionEnum`` and ``namespaceFormat`` of the public OpenAPI file, and
    ``NamespacingMapper`` of airbyte-platform.
    """
    if definition == "source":
        return namespace
    if definition == "custom_format":
        filled = custom_format.replace(SOURCE_NAMESPACE, namespace or "")
        return clean(filled, LONGEST_NAME) if filled.strip() else None
    return None
