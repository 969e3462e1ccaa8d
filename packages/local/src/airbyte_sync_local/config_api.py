"""The one piece of the internal Config API that clients use: why a job failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from airbyte_sync_local import answers, operations, wire
from airbyte_sync_local.answers import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airbyte_sync_local.messages import Handler
    from airbyte_sync_local.platform_rules import Platform


class ConfigApi:
    """
    The handlers of the Config API.

    Args:
        platform: Knows the jobs.
    """

    def __init__(self, *, platform: Platform) -> None:
        self._platform = platform

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each operation."""
        return {operations.JOB_INFO: self.job_info}

    async def job_info(self, request: web.Request) -> web.StreamResponse:
        """Answer a job with its attempts and their failures; the id comes in the body."""
        try:
            job_id = int((await request.json())["id"])
        except (KeyError, TypeError, ValueError) as unreadable:
            raise Refused(answers.error_id(422)) from unreadable
        try:
            job = self._platform.job(job_id)
        except Refused as unknown:
            # This API knows 404 for a job, which the public one never says.
            is_hidden = unknown.answer.status == web.HTTPForbidden.status_code
            raise Refused(unknown.answer if is_hidden else answers.error_id(404)) from unknown
        return web.json_response(wire.job_info(job))
