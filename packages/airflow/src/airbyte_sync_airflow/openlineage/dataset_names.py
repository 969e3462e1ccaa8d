"""How OpenLineage names what a connection reads and writes.

Lineage of several producers joins where they give a table the same name. So what OpenLineage has a
convention for is named by it, from the configuration of the source or destination:

===================  =========================================  ==================================
connector            namespace                                  name
===================  =========================================  ==================================
postgres             ``postgres://{host}:{port}``               ``{database}.{schema}.{table}``
mssql                ``mssql://{host}:{port}``                  ``{database}.{schema}.{table}``
oracle               ``oracle://{host}:{port}``                 ``{sid or service}.{schema}.{table}``
redshift             ``redshift://{cluster}.{region}:{port}``   ``{database}.{schema}.{table}``
mysql                ``mysql://{host}:{port}``                  ``{database}.{table}``
clickhouse           ``clickhouse://{host}:{port}``             ``{database}.{table}``
snowflake            ``snowflake://{account}``                  ``{database}.{schema}.{table}``
databricks           ``unitycatalog://{host}``                  ``{catalog}.{schema}.{table}``
bigquery             ``bigquery``                               ``{project}.{dataset}.{table}``
s3, gcs              ``s3://{bucket}``, ``gs://{bucket}``       ``{schema}/{stream}``
azure-blob-storage   ``wasbs://{container}@{account}.dfs...``   ``{schema}/{stream}``
===================  =========================================  ==================================

Everything else, and whatever lacks a part, is named by where Airbyte keeps it, which never changes:
``airbyte://{Airbyte's host}`` and ``{source-stripe}/{id of the source}/{stream}``.

A configuration holds secrets, and not every server masks them. Of a configuration nothing leaves this
module but hosts, ports, databases, schemas, buckets, projects and accounts, and those only where they look
like one. That is why objects in a bucket are named without the path that is configured for them.

Source: OpenLineage's ``Naming.md``; the connectors' specifications, as in Airbyte's SDK ``airbyte-api``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airbyte_sync_http.protocol.cleaning import LARGEST_NUMBER, LONGEST_NAME, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airbyte_sync_http.protocol.streams import Endpoint, Stream

_SCHEME = re.compile(r"^https?://")
_HOST = re.compile(r"(?:https?://)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?/?")
_PORT = re.compile(r"[0-9]{1,5}")
_WORD = re.compile(r"[\w$-](?:[\w$. -]*[\w$-])?")
_REDSHIFT = re.compile(
    r"(?P<cluster>[^.]+)\.[^.]+\.(?P<region>[^.]+)\.redshift(?:-serverless)?\.amazonaws\.com(?:\.cn)?"
)
_SNOWFLAKE = re.compile(r"(?P<account>.+?)(?:\.privatelink)?\.snowflakecomputing\.(?:com|cn)")


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetName:
    """A dataset as OpenLineage identifies it."""

    namespace: str
    name: str


def source_name(endpoint: Endpoint, stream: Stream, airbyte: str) -> DatasetName:
    """
    Return the name of what a stream reads.

    Args:
        endpoint: The source.
        stream: The stream.
        airbyte: The host of the Airbyte server, with a port where its address has one.
    """
    return _name(endpoint, stream.namespace, stream.name, airbyte)


def destination_name(endpoint: Endpoint, stream: Stream, airbyte: str) -> DatasetName:
    """Return the name of what a stream writes; see :func:`source_name`."""
    return _name(endpoint, stream.written_to, stream.written_as, airbyte)


def _name(endpoint: Endpoint, namespace: str | None, table: str, airbyte: str) -> DatasetName:
    name = _as_told(endpoint, namespace, table, airbyte)
    return DatasetName(namespace=clean(name.namespace), name=clean(name.name))


def _as_told(endpoint: Endpoint, namespace: str | None, table: str, airbyte: str) -> DatasetName:
    by_convention = _CONVENTIONS.get(endpoint.kind)
    if by_convention is not None:
        try:
            return by_convention(_Place(endpoint, namespace, table))
        except _Lacking:
            pass
    path = filter(
        None, [f"{endpoint.role}-{endpoint.kind}", endpoint.endpoint_id, namespace, table]
    )
    return DatasetName(namespace=f"airbyte://{airbyte}", name="/".join(path))


# --------------------------------------------------------------------------------------------------
# What may be told of a configuration


class _Lacking(Exception):
    """The configuration does not have a part, or has something else there."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A stream at one end, and the parts of the configuration that may be told."""

    endpoint: Endpoint
    namespace: str | None
    table: str

    def host(self, key: str = "host") -> str:
        return _SCHEME.sub("", self._text(key, _HOST)).rstrip("/.")

    def port(self, usual: int | None) -> str:
        """Return the port; the connector's default where there is none."""
        if usual is not None and self.endpoint.configuration.get("port") is None:
            return str(usual)
        return self._text("port", _PORT)

    def word(self, *keys: str) -> str:
        """Return a name of something, under the first of some keys that is there."""
        for key in keys:
            if key in self.endpoint.configuration:
                return self._text(key, _WORD)
        raise _Lacking(keys)

    def schema(self, usual: str | None = None) -> str:
        """
        Return the schema: the stream's own, or the one that is configured.

        Args:
            usual: The connector's default for a destination without one. A source has no default: its
                schema is known only if it reads a single one.
        """
        if self.namespace:
            return self.namespace
        configuration = self.endpoint.configuration
        if configuration.get("schema") is not None:
            return self.word("schema")
        if self.endpoint.role == "destination" and usual:
            return usual
        match configuration.get("schemas"):
            case [str(only)] if len(only) <= LONGEST_NAME and _WORD.fullmatch(only):
                return only
        raise _Lacking("schema")

    def inner(self, key: str) -> _Place:
        """Return the same stream with an object inside the configuration in its place."""
        value = self.endpoint.configuration.get(key)
        if not isinstance(value, dict):
            raise _Lacking(key)
        return replace(self, endpoint=replace(self.endpoint, configuration=value))

    def _text(self, key: str, pattern: re.Pattern[str]) -> str:
        value = self.endpoint.configuration.get(key)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        text = str(value) if is_number and 0 <= value <= LARGEST_NUMBER else value  # type: ignore[operator]
        if not isinstance(text, str) or len(text) > LONGEST_NAME or not pattern.fullmatch(text):
            raise _Lacking(key)
        return text


# --------------------------------------------------------------------------------------------------
# Conventions


def _with_schema(scheme: str, port: int, usual_schema: str) -> Callable[[_Place], DatasetName]:
    def name(place: _Place) -> DatasetName:
        return DatasetName(
            namespace=f"{scheme}://{place.host()}:{place.port(port)}",
            name=f"{place.word('database')}.{place.schema(usual_schema)}.{place.table}",
        )

    return name


def _without_schema(scheme: str, port: int | None = None) -> Callable[[_Place], DatasetName]:
    """Name the tables of servers where a schema is a database."""

    def name(place: _Place) -> DatasetName:
        return DatasetName(
            namespace=f"{scheme}://{place.host()}:{place.port(port)}",
            name=f"{place.namespace or place.word('database')}.{place.table}",
        )

    return name


def _oracle(place: _Place) -> DatasetName:
    is_source = place.endpoint.role == "source"
    service = place.inner("connection_data") if is_source else place
    return DatasetName(
        namespace=f"oracle://{place.host()}:{place.port(1521)}",
        name=f"{service.word('sid', 'service_name')}.{place.schema('airbyte')}.{place.table}",
    )


def _redshift(place: _Place) -> DatasetName:
    """Redshift folds names to lower case, also quoted ones (its SQL reference, Names and identifiers)."""
    host = place.host()
    address = _REDSHIFT.fullmatch(host)
    cluster = f"{address['cluster']}.{address['region']}" if address else host
    return DatasetName(
        namespace=f"redshift://{cluster}:{place.port(5439)}",
        name=f"{place.word('database')}.{place.schema('public')}.{place.table}".lower(),
    )


def _snowflake(place: _Place) -> DatasetName:
    """Airbyte writes names in upper case (``toSnowflakeCompatibleName`` of destination-snowflake)."""
    address = _SNOWFLAKE.fullmatch(place.host())
    if address is None:
        raise _Lacking("account")
    name = f"{place.word('database')}.{place.schema()}.{place.table}"
    return DatasetName(
        namespace=f"snowflake://{_snowflake_account(address['account'])}",
        name=name.upper() if place.endpoint.role == "destination" else name,
    )


def _snowflake_account(account: str) -> str:
    """
    Complete a locator, the older form of an account: what it leaves out is us-west-1 and aws.

    Source: ``fix_account_name`` of the Snowflake provider, which names the tables of Airflow's own tasks.
    """
    match account.split("."):
        case [name]:
            return name if re.search("[-_]", name) else f"{name}.us-west-1.aws"
        case [_, _]:
            return f"{account}.aws"
    return account


def _databricks(place: _Place) -> DatasetName:
    return DatasetName(
        namespace=f"unitycatalog://{place.host('hostname')}",
        name=f"{place.word('database')}.{place.schema('default')}.{place.table}",
    )


def _bigquery(place: _Place) -> DatasetName:
    """The default dataset may be written with its project: ``project:dataset``."""
    project, dataset = place.word("project_id"), place.namespace
    if not dataset:
        told = place.endpoint.configuration.get("dataset_id")
        if not isinstance(told, str) or len(told) > LONGEST_NAME:
            raise _Lacking("dataset_id")
        before, colon, dataset = told.rpartition(":")
        if not _WORD.fullmatch(dataset):
            raise _Lacking("dataset_id")
        if colon and not _WORD.fullmatch(before):
            raise _Lacking("dataset_id")
        project = before or project
    return DatasetName(namespace="bigquery", name=f"{project}.{dataset}.{place.table}")


def _bucket(scheme: str, *keys: str) -> Callable[[_Place], DatasetName]:
    def name(place: _Place) -> DatasetName:
        return DatasetName(namespace=f"{scheme}://{place.word(*keys)}", name=_object(place))

    return name


def _azure_blob(place: _Place) -> DatasetName:
    container = place.word("azure_blob_storage_container_name")
    account = place.word("azure_blob_storage_account_name")
    return DatasetName(
        namespace=f"wasbs://{container}@{account}.dfs.core.windows.net", name=_object(place)
    )


def _object(place: _Place) -> str:
    """Name a folder of objects as the file destinations do by default: ``${NAMESPACE}/${STREAM_NAME}``."""
    return "/".join(filter(None, [place.namespace, place.table]))


_CONVENTIONS: Mapping[str, Callable[[_Place], DatasetName]] = {
    "postgres": _with_schema("postgres", 5432, "public"),
    "mssql": _with_schema("mssql", 1433, "public"),
    "mssql-v2": _with_schema("mssql", 1433, "public"),
    "oracle": _oracle,
    "redshift": _redshift,
    "mysql": _without_schema("mysql", 3306),
    "clickhouse": _without_schema("clickhouse"),
    "snowflake": _snowflake,
    "databricks": _databricks,
    "bigquery": _bigquery,
    "s3": _bucket("s3", "bucket", "s3_bucket_name"),
    "gcs": _bucket("gs", "bucket", "gcs_bucket_name"),
    "azure-blob-storage": _azure_blob,
}
