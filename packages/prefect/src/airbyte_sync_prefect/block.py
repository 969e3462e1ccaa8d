"""The block: one Airbyte server, and how to sign in. Prefect keeps its secrets encrypted."""

from __future__ import annotations

from typing import Any

from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import Field, SecretStr

from airbyte_sync_http import ServerSettings

_URL = "Where Airbyte is, such as https://api.airbyte.com or http://airbyte.internal:8000."
_NONE = SecretStr("")
_MORE = (
    "Such as verify, proxies, connect_timeout or ui_url: the keys of ServerSettings.from_config."
)


class AirbyteServer(Block):
    """
    An Airbyte server, Cloud or self-managed, and how to sign in there.

    Raises:
        InvalidInput: A setting cannot be right; the text names it, and never shows a secret.
    """

    _block_type_name = "Airbyte server"
    _block_type_slug = "airbyte-sync-server"

    url: str = Field(title="URL", description=_URL)
    client_id: str = Field("", title="Client ID", description="Of an application in Airbyte.")
    client_secret: SecretStr = Field(_NONE, description="Of the same application.")
    token: SecretStr = Field(_NONE, description="A token that was got elsewhere.")
    username: str = Field("", description="For a proxy, or a server before 1.0.")
    password: SecretStr = Field(_NONE, description="Of that user.")
    headers: SecretDict = Field(SecretDict({}), description="Sent with every request.")
    more: dict[str, Any] = Field({}, title="More settings", description=_MORE)

    def block_initialization(self) -> None:
        """Refuse what cannot be right before it is saved."""
        self.settings()

    def settings(self) -> ServerSettings:
        """Return the settings with which :func:`airbyte_sync_http.open_gateway` reaches the server."""
        own = set(type(self).model_fields)
        given = self.model_dump(context={"include_secrets": True}, include=own)
        return ServerSettings.from_config(given.pop("more") | given)
