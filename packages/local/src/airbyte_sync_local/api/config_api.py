"""
The pieces of the internal Config API that clients use: why a job failed, what a connection syncs.

It is a different API: every request is a POST with the id in its body, and errors have a shape of
their own. dagster-airbyte reads connections here, PyAirbyte attempts and states, and prefect-airbyte
does everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from airbyte_sync_local.api import answers, operations, representations
from airbyte_sync_local.api.answers import ErrorAnswer
from airbyte_sync_local.api.listing import number
from airbyte_sync_local.api.messages import json_object
from airbyte_sync_local.platform.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airbyte_sync_local.api.messages import Handler
    from airbyte_sync_local.platform.model import Json, ServerConnection, ServerJob
    from airbyte_sync_local.platform.rules import Platform


class ConfigApi:
    """
    The handlers of the Config API.

    Args:
        platform: Knows the jobs and the connections.
    """

    def __init__(self, *, platform: Platform) -> None:
        self._platform = platform

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each operation."""
        return {
            operations.CONFIG_HEALTH: self.health,
            operations.CONFIG_GET_CONNECTION: self.get_connection,
            operations.CONFIG_SYNC: self.sync,
            operations.CONFIG_GET_STATE: self.get_state,
            operations.JOB_INFO: self.job_info,
            operations.JOB_INFO_WITH_LOGS: self.job_info_with_logs,
        }

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Answer that the server is there."""
        return web.json_response({"available": True})

    async def get_connection(self, request: web.Request) -> web.StreamResponse:
        """Answer a connection with the catalog of its streams."""
        return web.json_response(representations.config_connection(await self._connection(request)))

    async def sync(self, request: web.Request) -> web.StreamResponse:
        """Ask for a sync, and answer its job with its attempts."""
        connection = await self._connection(request)
        try:
            job = await self._platform.submit(connection.connection_id, "sync")
        except Refusal as refusal:
            raise ErrorAnswer(_known_error(self._answer(refusal))) from refusal
        return web.json_response(self._info(job, with_logs=True))

    async def get_state(self, request: web.Request) -> web.StreamResponse:
        """Answer how far the streams of a connection have come."""
        return web.json_response(representations.connection_state(await self._connection(request)))

    async def job_info(self, request: web.Request) -> web.StreamResponse:
        """Answer a job with its attempts and their failures."""
        return web.json_response(self._info(await self._job(request), with_logs=False))

    async def job_info_with_logs(self, request: web.Request) -> web.StreamResponse:
        """Answer a job with its attempts, their failures and their logs."""
        return web.json_response(self._info(await self._job(request), with_logs=True))

    def _info(self, job: ServerJob, *, with_logs: bool) -> Json:
        connection = self._platform.connection(job.connection_id)
        return representations.job_info(job, connection, with_logs=with_logs)

    async def _connection(self, request: web.Request) -> ServerConnection:
        connection_id = (await json_object(request)).get("connectionId")
        if not isinstance(connection_id, str):
            raise ErrorAnswer(answers.error_id(422))
        try:
            return self._platform.connection(connection_id)
        except Refusal as unknown:
            raise ErrorAnswer(_not_found(self._answer(unknown))) from unknown

    async def _job(self, request: web.Request) -> ServerJob:
        given = (await json_object(request)).get("id")
        if isinstance(given, bool) or not isinstance(given, int | str):
            raise ErrorAnswer(answers.error_id(422))
        try:
            job_id = number(str(given), bits=64)
        except ErrorAnswer as no_number:
            raise ErrorAnswer(answers.error_id(422)) from no_number
        try:
            return self._platform.job(job_id)
        except Refusal as unknown:
            raise ErrorAnswer(_not_found(self._answer(unknown))) from unknown

    def _answer(self, refusal: Refusal) -> answers.Answer:
        return answers.of_refusal(refusal, self._platform.quirks.caller)


def _not_found(answer: answers.Answer) -> answers.Answer:
    """Answer 404, which this API knows for a job, too, save where the caller may not know."""
    is_unknown = answer.status in {web.HTTPNotFound.status_code, web.HTTPConflict.status_code}
    return answers.error_id(web.HTTPNotFound.status_code) if is_unknown else answer


def _known_error(answer: answers.Answer) -> answers.Answer:
    """Write a conflict in this API's own shape."""
    if answer.status != web.HTTPConflict.status_code:
        return answer
    message = answer.body["data"]["message"]
    return answers.known_error(answer.status, message, "ValueConflictKnownException")
