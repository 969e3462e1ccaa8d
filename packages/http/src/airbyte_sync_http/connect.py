"""From settings to a gateway in one step: what most programs call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync.checks import require_type
from airbyte_sync_http.gateway import AirbyteGateway, AsyncAirbyteGateway
from airbyte_sync_http.settings import ServerSettings
from airbyte_sync_http.transports.registry import open_async_transport, open_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync_http.auth.tokens import TokenCache


def open_gateway(
    settings: ServerSettings,
    transport: str = "requests",
    *,
    tokens: TokenCache | None = None,
    on_token: Callable[[str], None] | None = None,
) -> AirbyteGateway:
    """
    Open a blocking gateway: ``with open_gateway(settings) as gateway: ...``.

    Args:
        settings: The server.
        transport: The name of a registered transport.
        tokens: Where to keep access tokens; give the same one to gateways that should share them.
        on_token: Is told each new token, so that the caller can keep it out of logs of its own.

    Returns:
        A gateway that closes its transport when it is closed.

    Raises:
        InvalidInput: ``settings`` are no :class:`~airbyte_sync_http.settings.ServerSettings`.
        UnknownTransport: No installed package registers the transport, or it is an async one.
        MissingLibrary: Its library is not installed.
    """
    _require_settings(settings)
    opened = open_transport(transport, settings.transport)
    return AirbyteGateway(opened, settings, tokens, on_token=on_token)


def open_async_gateway(
    settings: ServerSettings,
    transport: str = "aiohttp",
    *,
    tokens: TokenCache | None = None,
    on_token: Callable[[str], None] | None = None,
) -> AsyncAirbyteGateway:
    """Open an async gateway: ``async with open_async_gateway(settings) as gateway``; as above."""
    _require_settings(settings)
    opened = open_async_transport(transport, settings.transport)
    return AsyncAirbyteGateway(opened, settings, tokens, on_token=on_token)


def _require_settings(settings: object) -> None:
    expected = 'ServerSettings, as in ServerSettings(base_url="http://localhost:8000")'
    require_type("settings", settings, ServerSettings, expected, is_secret=True)
