"""
The endpoints under ``/_local/``: what a test looks at, and what it changes.

They are no part of Airbyte. They ask for no credentials, are not logged, and no fault applies to them.
Pages from elsewhere are kept out by `local_only`.
"""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from airbyte_sync_local.api import answers, representations
from airbyte_sync_local.api.answers import ErrorAnswer
from airbyte_sync_local.api.messages import json_object, response
from airbyte_sync_local.platform.refusals import Refusal
from airbyte_sync_local.scenarios.reading import Table, text
from airbyte_sync_local.scenarios.scenario import read_connection, read_fault, read_job_script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airbyte_sync_local.api.messages import Handler
    from airbyte_sync_local.platform.model import Json
    from airbyte_sync_local.request_log import RequestRecord
    from airbyte_sync_local.scenarios.job_scripts import JobScript
    from airbyte_sync_local.world import World

T = TypeVar("T")


class AdminApi:
    """
    The handlers of the local admin API.

    Args:
        world: What they show and change.
    """

    def __init__(self, *, world: World) -> None:
        self._world = world

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each operation."""
        return {
            "GET /_local/requests": self.list_requests,
            "DELETE /_local/requests": self.clear_requests,
            "GET /_local/jobs": self.list_jobs,
            "POST /_local/jobs": self.start_job,
            "POST /_local/faults": self.inject_fault,
            "DELETE /_local/faults": self.clear_faults,
            "PUT /_local/connections": self.put_connection,
        }

    async def list_requests(self, _request: web.Request) -> web.StreamResponse:
        """Answer the newest requests, how many are forgotten, and how many were served at once."""
        log = self._world.log
        body = {
            "max_concurrency": log.max_concurrency,
            "forgotten": log.forgotten,
            "data": [_record(row) for row in log.records()],
        }
        return web.json_response(body)

    async def clear_requests(self, _request: web.Request) -> web.StreamResponse:
        """Forget the requests."""
        self._world.log.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def list_jobs(self, _request: web.Request) -> web.StreamResponse:
        """Answer every job with its statistics, oldest first."""
        jobs = self._world.platform.jobs()
        return web.json_response(
            {"data": [representations.job(job, with_stats=True) for job in jobs]}
        )

    async def start_job(self, request: web.Request) -> web.StreamResponse:
        """Start an external job: ``{"connection_id": ..., "script": ...}``."""
        connection_id, script = await _read(request, _read_external_job)
        try:
            job = self._world.start_external_job(connection_id, script)
        except Refusal as refusal:
            return self._refuse(refusal)
        return web.json_response(representations.job(job, with_stats=False))

    async def inject_fault(self, request: web.Request) -> web.StreamResponse:
        """Add a fault, written as in a scenario file."""
        self._world.faults.inject(await _read(request, read_fault))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def clear_faults(self, _request: web.Request) -> web.StreamResponse:
        """Take back every fault."""
        self._world.faults.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def put_connection(self, request: web.Request) -> web.StreamResponse:
        """Add or replace a connection, written as in a scenario file."""
        entry = await _read(request, read_connection)
        try:
            self._world.add(entry)
        except Refusal as refusal:  # an external job was to start beside another
            return self._refuse(refusal)
        return web.json_response(representations.connection(entry.connection))

    def _refuse(self, refusal: Refusal) -> web.StreamResponse:
        return response(answers.of_refusal(refusal, self._world.platform.quirks.caller))


async def _read(request: web.Request, reader: Callable[[Json], T]) -> T:
    try:
        return reader(await json_object(request))
    except ErrorAnswer as not_json:
        raise web.HTTPBadRequest(text="send a JSON object") from not_json
    except ValueError as problem:
        raise web.HTTPBadRequest(text=str(problem)) from problem


def _read_external_job(value: Json) -> tuple[str, JobScript | None]:
    with Table(value) as table:
        return table.need("connection_id", text), table.take("script", read_job_script, None)


def _record(row: RequestRecord) -> Json:
    return {
        **asdict(row),
        "headers": dict(row.headers),
        "received_at": row.received_at.isoformat(),
    }
