"""What handlers share of HTTP: reading a body, sending an `Answer`, and giving no answer at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from airbyte_sync_local.api import answers
from airbyte_sync_local.api.answers import Answer, ErrorAnswer

if TYPE_CHECKING:
    from datetime import timedelta

    from airbyte_sync_local.platform.model import Json
    from airbyte_sync_local.scenarios.changes import Drip

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JOB_APPEARS_AFTER: Final[ContextVar[timedelta | None]] = ContextVar(
    "job_appears_after", default=None
)
"""While a submission is carried out: how late its job appears, where a fault says so."""

_FRAMING: Final = frozenset({"Content-Length", "Content-Type", "Date", "Server"})
"""Headers that are made for every response."""

_POLL_EVERY: Final = 0.02
"""Seconds between two polls whether a client that is kept waiting has gone."""


async def json_object(request: web.Request) -> Mapping[str, Json]:
    """
    Read a body that must be a JSON object.

    Raises:
        ErrorAnswer: It is not.
    """
    try:
        # From bytes: JSON says its own encoding, and a charset that is unknown changes nothing.
        body = json.loads(await request.read())
    except (ValueError, RecursionError) as not_json:
        raise ErrorAnswer(answers.error_id(422)) from not_json
    if not isinstance(body, dict):
        raise ErrorAnswer(answers.error_id(422))
    return body


def response(answer: Answer) -> web.Response:
    """Make a response of an answer."""
    return web.Response(**_parts(answer))


class DrippingResponse(web.Response):
    """
    A response that is sent a little at a time.

    Args:
        answer: What is sent.
        drip: How.
    """

    def __init__(self, answer: Answer, drip: Drip) -> None:
        super().__init__(**_parts(answer))
        self._drip = drip

    async def send(self, request: web.Request) -> None:
        """Send it, then close the connection; stop when the client leaves."""
        drip = self._drip
        body = self.body if isinstance(self.body, bytes) else b""
        headers = {**self.headers, "Content-Length": str(len(body)), "Connection": "close"}
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        for part, drips in ((head, drip.header), (body, drip.body)):
            size = drip.size if drips else max(1, len(part))
            for start in range(0, len(part), size):
                if drips:
                    await _wait(request, drip.every.total_seconds())
                if _has_left(request) or request.transport is None:
                    return
                request.transport.write(part[start : start + size])
        if request.transport is not None:
            request.transport.close()


def _parts(answer: Answer) -> dict[str, Any]:
    headers = dict(answer.headers)
    if answer.body is None:
        return {"status": answer.status, "headers": headers}
    headers.setdefault("Content-Type", _content_type(answer))
    return {"status": answer.status, "body": _encoded(answer.body), "headers": headers}


def answer_of(reply: web.StreamResponse) -> Answer:
    """Read a response back into the answer that it was made of, so that it can be changed."""
    headers = {name: value for name, value in reply.headers.items() if name not in _FRAMING}
    body: Json = reply.body if isinstance(reply, web.Response) else None
    if isinstance(body, bytes):
        with suppress(ValueError):
            body = body.decode()
            body = json.loads(body)
    return Answer(status=reply.status, body=body, content_type=reply.content_type, headers=headers)


def _content_type(answer: Answer) -> str:
    says_charset = isinstance(answer.body, bytes) or ";" in answer.content_type
    return answer.content_type if says_charset else f"{answer.content_type}; charset=utf-8"


def _encoded(body: Json) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def drop(request: web.Request) -> None:
    """Close the connection to the client without a word."""
    if request.transport is not None:
        request.transport.abort()


async def stall(request: web.Request) -> None:
    """Say nothing until the client gives up."""
    # aiohttp tells a handler nothing of a client that left, unless it cancels the handler.
    while not _has_left(request):  # noqa: ASYNC110
        await asyncio.sleep(_POLL_EVERY)


async def _wait(request: web.Request, seconds: float) -> None:
    """Wait, but no longer than the client does."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0 and not _has_left(request):  # noqa: ASYNC110
        await asyncio.sleep(min(left, _POLL_EVERY))


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
