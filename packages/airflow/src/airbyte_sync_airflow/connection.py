"""From an Airflow connection of type ``airbyte`` to the settings of an Airbyte server.

==============  =====================================================================================
field           meaning
==============  =====================================================================================
host            the server's address, with ``http://`` or ``https://``
port            used where the address itself names none
login           client id; empty means that the server asks for no credentials
password        client secret
schema          where tokens are bought; empty or ``v1/applications/token`` for Airbyte's own route
extra           JSON: ``proxies``, ``auth`` (``basic``, ``bearer``), ``transport``, ``async_transport``,
                ``verify``, ``client_cert``, ``headers``
==============  =====================================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airbyte_sync import InvalidInput
from airbyte_sync_airflow.compat import AirflowNotFoundException, BaseHook
from airbyte_sync_http import (
    BasicAuth,
    BearerToken,
    ClientCredentials,
    NoAuth,
    ServerSettings,
    TransportOptions,
)
from airbyte_sync_http.addresses import normalise_base_url
from airbyte_sync_http.registry import ASYNC_TRANSPORTS, TRANSPORTS, require_registered

if TYPE_CHECKING:
    from airbyte_sync_http.settings import Auth

_NOT_PATHS = {"", "true", "false"}


@dataclass(frozen=True, kw_only=True, slots=True)
class AirbyteServer:
    """Where to send requests, and through what."""

    settings: ServerSettings
    transport: str = "requests"
    async_transport: str = "aiohttp"

    def __post_init__(self) -> None:
        # A task may only find out in the triggerer that a name is wrong, after the sync has begun.
        for option, name, group in (
            ("transport", self.transport, TRANSPORTS),
            ("async_transport", self.async_transport, ASYNC_TRANSPORTS),
        ):
            require_registered(group, name, f"the extra {option!r} is {name!r}")


def read_server(conn_id: str, api_version: str) -> AirbyteServer:
    """
    Return the server that an Airflow connection leads to. Blocks: it asks Airflow for the connection.

    Args:
        conn_id: The Airflow connection.
        api_version: The version in the API's address.

    Raises:
        InvalidInput: The connection cannot be right; the text names it and the field.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise InvalidInput(
            f"there is no Airflow connection {conn_id!r}: create it, of type airbyte"
        ) from error
    try:
        return server_from(connection, api_version)
    except InvalidInput as error:
        raise type(error)(f"Airflow connection {conn_id!r}: {error}") from error


def server_from(connection: Any, api_version: str) -> AirbyteServer:
    """Return the server that an Airflow ``Connection`` object describes; see :func:`read_server`."""
    extra = _extra(connection)
    return AirbyteServer(
        settings=ServerSettings(
            base_url=normalise_base_url(_address(connection), api_version),
            auth=_auth(connection, extra),
            headers=_mapping(extra, "headers"),
            transport=TransportOptions(
                proxies=_mapping(extra, "proxies"),
                verify=_verify(extra),
                client_cert=_client_cert(extra),
            ),
        ),
        transport=str(extra.get("transport") or "requests"),
        async_transport=str(extra.get("async_transport") or "aiohttp"),
    )


def _extra(connection: Any) -> dict[str, Any]:
    """Return the extra, and refuse what Airflow itself would take for an empty one."""
    try:
        document = json.loads(connection.extra or "{}") or {}
    except ValueError as error:
        raise InvalidInput("extra is not JSON: check its quotes and brackets") from error
    if not isinstance(document, dict):
        raise InvalidInput("extra is not a JSON object: write it as {...}, or leave it empty")
    extra: dict[str, Any] = connection.extra_dejson  # it masks the secrets in logs
    return extra


def _address(connection: Any) -> str:
    """Return the host, with the port field where the host itself names none."""
    host = str(connection.host or "").strip()
    try:
        parts = urlsplit(host)
        wants_port = bool(connection.port and parts.netloc and parts.port is None)
    except ValueError:
        return host  # it is refused, with the reason, where addresses are read
    if not wants_port:
        return host
    return parts._replace(netloc=f"{parts.netloc}:{connection.port}").geturl()


def _auth(connection: Any, extra: dict[str, Any]) -> Auth:
    login, password = connection.login or "", connection.password or ""
    match extra.get("auth"):
        case None if not login and not password:
            return NoAuth()
        case None | "client_credentials":
            return ClientCredentials(
                client_id=login, client_secret=password, token_url=connection.schema or ""
            )
        case "basic":
            return BasicAuth(username=login, password=password)
        case "bearer":
            return BearerToken(token=password)
        case "none":
            return NoAuth()
    raise InvalidInput(
        "the extra 'auth' is not known: use 'client_credentials', 'basic', 'bearer' (the token is the "
        "password) or 'none'"
    )


def _mapping(extra: dict[str, Any], name: str) -> dict[str, str]:
    value = extra.get(name) or {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise InvalidInput(
            f'the extra {name!r} is not a JSON object of texts: write {{"...": "..."}}'
        )
    return value


def _verify(extra: dict[str, Any]) -> bool | str:
    value = extra.get("verify")
    if value is None:
        return True
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() not in _NOT_PATHS):
        return value
    raise InvalidInput(
        "the extra 'verify' is neither true nor false without quotes, nor the path of a CA bundle"
    )


def _client_cert(extra: dict[str, Any]) -> str | tuple[str, str] | None:
    match extra.get("client_cert"):
        case None | "":
            return None
        case str(path):
            return path
        case [str(certificate), str(key)]:
            return certificate, key
    raise InvalidInput(
        "the extra 'client_cert' is neither a path nor a list of two: [certificate, key]"
    )
