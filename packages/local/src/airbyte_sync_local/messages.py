"""What handlers share of HTTP: reading a body, sending an `Answer`, and giving no answer at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from aiohttp import web

from airbyte_sync_local import answers
from airbyte_sync_local.answers import Refused

if TYPE_CHECKING:
    from airbyte_sync_local.answers import Answer
    from airbyte_sync_local.model import Json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOK_EVERY: Final = 0.02
"""Seconds between two looks whether a client that is kept waiting has gone."""


async def json_object(request: web.Request) -> Mapping[str, Json]:
    """
    Read a body that must be a JSON object.

    Raises:
        Refused: It is not.
    """
    try:
        body = await request.json()
    except ValueError as not_json:
        raise Refused(answers.error_id(422)) from not_json
    if not isinstance(body, dict):
        raise Refused(answers.error_id(422))
    return body


def response(answer: Answer) -> web.Response:
    """Make a response of an answer."""
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    is_text = isinstance(answer.body, str)
    return web.Response(
        status=answer.status,
        text=answer.body if is_text else json.dumps(answer.body),
        content_type=answer.content_type,
        headers=answer.headers,
    )


def drop(request: web.Request) -> None:
    """Close the connection to the client without a word."""
    if request.transport is not None:
        request.transport.abort()


async def stall(request: web.Request) -> None:
    """Say nothing until the client gives up."""
    # aiohttp tells a handler nothing of a client that left, unless it cancels the handler.
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_EVERY)
