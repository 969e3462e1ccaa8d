"""From settings to a gateway in one step: what most programs call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync.checks import require_type
from airbyte_sync_http.gateway import AirbyteGateway, AsyncAirbyteGateway
from airbyte_sync_http.registry import open_async_transport, open_transport
from airbyte_sync_http.settings import ServerSettings

if TYPE_CHECKING:
    from airbyte_sync_http.auth import TokenCache


def open_gateway(
    settings: ServerSettings, transport: str = "requests", *, tokens: TokenCache | None = None
) -> AirbyteGateway:
    """
    Open a blocking gateway: ``with open_gateway(settings) as gateway: ...``.

    Args:
        settings: The server.
        transport: The name of a registered transport.
        tokens: Where to keep access tokens; give the same one to gateways that should share them.

    Returns:
        A gateway that closes its transport when it is closed.

    Raises:
        InvalidInput: ``settings`` are no :class:`~airbyte_sync_http.settings.ServerSettings`.
        UnknownTransport: No installed package registers the transport, or it is an async one.
        MissingLibrary: Its library is not installed.
    """
    _require_settings(settings)
    return AirbyteGateway(open_transport(transport, settings.transport), settings, tokens)


def open_async_gateway(
    settings: ServerSettings, transport: str = "aiohttp", *, tokens: TokenCache | None = None
) -> AsyncAirbyteGateway:
    """Open an async gateway: ``async with open_async_gateway(settings) as gateway``; as above."""
    _require_settings(settings)
    return AsyncAirbyteGateway(
        open_async_transport(transport, settings.transport), settings, tokens
    )


def _require_settings(settings: object) -> None:
    expected = 'ServerSettings, as in ServerSettings(base_url="http://localhost:8000")'
    require_type("settings", settings, ServerSettings, expected, is_secret=True)
