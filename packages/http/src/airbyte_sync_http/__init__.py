"""Airbyte's public API over the HTTP library of your choice, blocking and async."""

from airbyte_sync_http.addresses import (
    config_api_url,
    job_url,
    normalise_base_url,
    token_url,
    ui_url,
)
from airbyte_sync_http.auth.tokens import TokenCache
from airbyte_sync_http.config import SettingsSource, settings_from
from airbyte_sync_http.connect import open_async_gateway, open_gateway
from airbyte_sync_http.gateway import AirbyteGateway, AsyncAirbyteGateway
from airbyte_sync_http.settings import (
    Auth,
    BasicAuth,
    BearerToken,
    ClientCredentials,
    NoAuth,
    ServerSettings,
)
from airbyte_sync_http.transports.base import (
    AsyncTransport,
    HttpRequest,
    HttpResponse,
    Transport,
    TransportOptions,
    not_received,
    not_sent,
)
from airbyte_sync_http.transports.registry import (
    MissingLibrary,
    UnknownTransport,
    open_async_transport,
    open_transport,
)
from airbyte_sync_http.version import __version__

__all__ = [
    "AirbyteGateway",
    "AsyncAirbyteGateway",
    "AsyncTransport",
    "Auth",
    "BasicAuth",
    "BearerToken",
    "ClientCredentials",
    "HttpRequest",
    "HttpResponse",
    "MissingLibrary",
    "NoAuth",
    "ServerSettings",
    "SettingsSource",
    "TokenCache",
    "Transport",
    "TransportOptions",
    "UnknownTransport",
    "__version__",
    "config_api_url",
    "job_url",
    "normalise_base_url",
    "not_received",
    "not_sent",
    "open_async_gateway",
    "open_async_transport",
    "open_gateway",
    "open_transport",
    "settings_from",
    "token_url",
    "ui_url",
]
