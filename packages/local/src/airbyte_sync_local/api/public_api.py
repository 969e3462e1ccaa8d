"""The public API's handlers: HTTP in, the platform asked, JSON out. No rule is decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from airbyte_sync_local.api import answers, operations, representations
from airbyte_sync_local.api.answers import ErrorAnswer
from airbyte_sync_local.api.listing import ListQuery, Page, is_true, number, split
from airbyte_sync_local.api.messages import JOB_APPEARS_AFTER, json_object
from airbyte_sync_local.platform.model import JOB_TYPES, Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airbyte_sync_local.api.messages import Handler
    from airbyte_sync_local.platform.model import ServerConnection
    from airbyte_sync_local.platform.rules import Platform

_CONNECTIONS_PATH: Final = "/v1/connections"
_KEPT_IN_LINKS: Final = ("workspaceIds", "tagIds", "includeDeleted")
_JOBS_PATH: Final = "/v1/jobs"


class PublicApi:
    """
    The handlers of the public API.

    Args:
        platform: Decides.
    """

    def __init__(self, *, platform: Platform) -> None:
        self._platform = platform

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each operation."""
        return {
            operations.HEALTH: self.health,
            operations.LIST_WORKSPACES: self.list_workspaces,
            operations.GET_WORKSPACE: self.get_workspace,
            operations.LIST_CONNECTIONS: self.list_connections,
            operations.GET_CONNECTION: self.get_connection,
            operations.LIST_SOURCES: self.list_sources,
            operations.GET_SOURCE: self.get_source,
            operations.LIST_DESTINATIONS: self.list_destinations,
            operations.GET_DESTINATION: self.get_destination,
            operations.CREATE_JOB: self.create_job,
            operations.LIST_JOBS: self.list_jobs,
            operations.GET_JOB: self.get_job,
            operations.CANCEL_JOB: self.cancel_job,
        }

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Answer a bare text under a content type that promises JSON, as Airbyte does."""
        return web.Response(text="Successful operation", content_type="application/json")

    async def list_workspaces(self, request: web.Request) -> web.StreamResponse:
        """List the workspaces."""
        rows = [representations.workspace(row) for row in self._platform.workspaces()]
        return web.json_response(self._page(request, "/v1/workspaces", rows))

    async def get_workspace(self, request: web.Request) -> web.StreamResponse:
        """Answer one workspace."""
        row = self._platform.workspace(request.match_info["workspaceId"])
        return web.json_response(representations.workspace(row))

    async def list_connections(self, request: web.Request) -> web.StreamResponse:
        """List the connections, those with any of the tags asked for; deleted ones only on request."""
        tags = {tag_id.lower() for tag_id in split(request.query.getall("tagIds", []))}
        with_deleted = is_true(request.query.get("includeDeleted"))
        rows = [
            representations.connection(row)
            for row in self._in_workspaces(request)
            if (with_deleted or row.status != "deprecated")
            and (not tags or tags & {tag.tag_id.lower() for tag in row.tags})
        ]
        return web.json_response(self._page(request, _CONNECTIONS_PATH, rows))

    async def get_connection(self, request: web.Request) -> web.StreamResponse:
        """Answer one connection."""
        row = self._platform.connection(request.match_info["connectionId"])
        return web.json_response(representations.connection(row))

    async def list_sources(self, request: web.Request) -> web.StreamResponse:
        """List the sources; several connections may share one."""
        rows = {row.source_id: representations.source(row) for row in self._in_workspaces(request)}
        return web.json_response(self._page(request, "/v1/sources", list(rows.values())))

    async def list_destinations(self, request: web.Request) -> web.StreamResponse:
        """List the destinations; several connections may share one."""
        rows = {
            row.destination_id: representations.destination(row)
            for row in self._in_workspaces(request)
        }
        return web.json_response(self._page(request, "/v1/destinations", list(rows.values())))

    async def get_source(self, request: web.Request) -> web.StreamResponse:
        """Answer the source of a connection."""
        row = self._platform.connection_of_source(request.match_info["sourceId"])
        return web.json_response(representations.source(row))

    async def get_destination(self, request: web.Request) -> web.StreamResponse:
        """Answer the destination of a connection."""
        row = self._platform.connection_of_destination(request.match_info["destinationId"])
        return web.json_response(representations.destination(row))

    async def create_job(self, request: web.Request) -> web.StreamResponse:
        """Ask the platform for a job."""
        fields = await json_object(request)
        connection_id, job_type = fields.get("connectionId"), fields.get("jobType")
        if not isinstance(connection_id, str) or job_type not in JOB_TYPES:
            raise ErrorAnswer(answers.error_id(422))
        job = await self._platform.submit(
            connection_id, job_type, appears_after=JOB_APPEARS_AFTER.get()
        )
        return web.json_response(representations.job(job, with_stats=False))

    async def list_jobs(self, request: web.Request) -> web.StreamResponse:
        """List jobs."""
        query = ListQuery.from_params(request.query, _workspace_ids(request))
        if query.connection_id is not None:
            self._platform.connection(query.connection_id)
        else:
            self._platform.check_workspaces(query.workspace_ids)
        quirks = self._platform.quirks
        rows = query.select(
            self._platform.jobs(),
            self._platform.connections(),
            hides_refreshes=quirks.list_hides_refreshes,
        )
        following, preceding = query.page.links(
            quirks.advertised_url + _JOBS_PATH, query.kept_in_links(), rows_on_page=len(rows)
        )
        bodies = [representations.job(row, with_stats=quirks.list_has_stats) for row in rows]
        return web.json_response(
            representations.page(bodies, next_link=following, previous_link=preceding)
        )

    async def get_job(self, request: web.Request) -> web.StreamResponse:
        """Answer one job."""
        job = self._platform.job(_job_id(request))
        return web.json_response(representations.job(job, with_stats=True))

    async def cancel_job(self, request: web.Request) -> web.StreamResponse:
        """Cancel what runs on the connection of a job."""
        job = await self._platform.cancel(_job_id(request))
        return web.json_response(representations.job(job, with_stats=False))

    def _in_workspaces(self, request: web.Request) -> Sequence[ServerConnection]:
        """Return the connections of the workspaces asked for; of all, where none is."""
        wanted = _workspace_ids(request)
        self._platform.check_workspaces(wanted)
        ids = {workspace_id.lower() for workspace_id in wanted}
        rows = self._platform.connections()
        return [row for row in rows if not ids or row.workspace_id.lower() in ids]

    def _page(self, request: web.Request, path: str, rows: Sequence[Json]) -> Json:
        kept = {
            name: ",".join(values)
            for name in _KEPT_IN_LINKS
            if (values := split(request.query.getall(name, [])))
        }
        page = Page.from_params(request.query)
        part = list(rows[page.offset : page.offset + page.limit])
        url = self._platform.quirks.advertised_url + path
        following, preceding = page.links(url, kept, rows_on_page=len(part))
        return representations.page(part, next_link=following, previous_link=preceding)


def _job_id(request: web.Request) -> int:
    return number(request.match_info["jobId"], bits=64)


def _workspace_ids(request: web.Request) -> tuple[str, ...]:
    return split(request.query.getall("workspaceIds", []))
