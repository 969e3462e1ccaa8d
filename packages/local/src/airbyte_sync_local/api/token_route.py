"""The route that issues tokens for an application's credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import web

from airbyte_sync_local.api import answers, operations
from airbyte_sync_local.api.answers import ErrorAnswer
from airbyte_sync_local.api.messages import json_object
from airbyte_sync_local.platform.quirks import Edition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airbyte_sync_local.api.messages import Handler
    from airbyte_sync_local.auth import RequireClientCredentials
    from airbyte_sync_local.clock import TimeSource
    from airbyte_sync_local.platform.model import Json


class TokenRoute:
    """
    The handler of the token route.

    Args:
        issuer: Knows the application and signs tokens.
        edition: Decides how bad credentials are answered.
        clock: When tokens are issued.
    """

    def __init__(
        self, *, issuer: RequireClientCredentials, edition: Edition, clock: TimeSource
    ) -> None:
        self._issuer = issuer
        self._edition = edition
        self._clock = clock

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each operation."""
        return {operations.TOKEN: self.issue_token}

    async def issue_token(self, request: web.Request) -> web.StreamResponse:
        """Issue a token; the credentials come as JSON or as a form, and the grant type is ignored."""
        fields = await _fields(request)
        given = str(fields.get("client_id")), str(fields.get("client_secret"))
        if self._issuer.accepts(*given):
            return web.json_response(self._issuer.issue(now=self._clock()))
        if self._edition is Edition.CLOUD:
            raise ErrorAnswer(answers.error_id(401))
        raise ErrorAnswer(answers.bad_client_credentials(request.path))


async def _fields(request: web.Request) -> Mapping[str, Json]:
    if request.content_type == "application/x-www-form-urlencoded":
        try:
            # As UTF-8, whatever charset is named: an unknown one changes nothing.
            return dict(parse_qsl((await request.read()).decode()))
        except ValueError as unreadable:
            raise ErrorAnswer(answers.error_id(400)) from unreadable
    return await json_object(request)
