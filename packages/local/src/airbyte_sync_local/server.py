"""
The server: everything put together, and bound to a loopback address.

It refuses any other address. It checks no rights beyond credentials that are no secret, and its
admin endpoints let every program of this machine in, but no page from elsewhere.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from airbyte_sync_local.api import operations
from airbyte_sync_local.api.admin_api import AdminApi
from airbyte_sync_local.api.config_api import ConfigApi
from airbyte_sync_local.api.public_api import PublicApi
from airbyte_sync_local.api.token_route import TokenRoute
from airbyte_sync_local.auth import AuthRequirement, RequireClientCredentials, RequireNothing
from airbyte_sync_local.clock import TimeSource, utc_now
from airbyte_sync_local.engines.scripted import ScriptedEngine
from airbyte_sync_local.pipeline import Pipeline, Threads
from airbyte_sync_local.platform.quirks import Quirks
from airbyte_sync_local.request_log import DEFAULT_RECORDS
from airbyte_sync_local.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airbyte_sync_local.api.messages import Handler
    from airbyte_sync_local.platform.engine import Engine


class NotLoopback(ValueError):
    """The server was asked to listen where others than this machine could reach it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """
    How a server is set up.

    Raises:
        NotLoopback: `host` is not an address of this machine alone.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 for any free one."""
    engine: Engine = field(default_factory=ScriptedEngine)
    clock: TimeSource = utc_now
    auth: AuthRequirement = field(default_factory=RequireNothing)
    quirks: Quirks = field(default_factory=Quirks)
    threads: Threads = field(default_factory=Threads)
    recorded_requests: int = DEFAULT_RECORDS
    """How many requests are kept on record, the newest ones."""
    recorded_headers: tuple[str, ...] = ()
    """More headers whose values are no secret and are kept on record."""

    def __post_init__(self) -> None:
        try:
            is_loopback = ip_address(self.host).is_loopback
        except ValueError:
            is_loopback = False  # a name may mean one thing today and another tomorrow
        if not is_loopback:
            raise NotLoopback(
                f"refusing to listen on {self.host!r}: this server is for one machine only; "
                "use 127.0.0.1"
            )


class Server:
    """
    An Airbyte on the running event loop. Its methods are for that loop's thread only.

    Args:
        settings: How it is set up.

    Attributes:
        world: What it serves.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.world = World(
            engine=settings.engine,
            clock=settings.clock,
            quirks=settings.quirks,
            recorded_requests=settings.recorded_requests,
        )
        self._pipeline = Pipeline(
            auth=settings.auth,
            clock=settings.clock,
            quirks=settings.quirks,
            threads=settings.threads,
            log=self.world.log,
            faults=self.world.faults,
            recorded_headers=frozenset(map(str.lower, settings.recorded_headers)),
        )
        self._runner = web.AppRunner(
            self._app(), access_log=None, logger=_logger(), shutdown_timeout=0.1
        )

    async def start(self) -> str:
        """Listen, and return the URL without any path: ``http://127.0.0.1:41234``."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        await site.start()
        host, port, *_ = self._runner.addresses[0]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self) -> None:
        """Close every connection and end every job's process."""
        self._pipeline.stop()
        await self._runner.cleanup()
        await self._settings.engine.close()

    def _app(self) -> web.Application:
        @web.middleware
        async def way_in(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._pipeline.lead_through(request, handler)

        app = web.Application(middlewares=[way_in])
        app.on_response_prepare.append(self._pipeline.set_date)
        app.router.add_routes(self._routes())
        return app

    def _routes(self) -> Iterator[web.RouteDef]:
        settings = self._settings
        public = dict(PublicApi(platform=self.world.platform).handlers())
        if isinstance(settings.auth, RequireClientCredentials):
            route = TokenRoute(
                issuer=settings.auth, edition=settings.quirks.edition, clock=settings.clock
            )
            public |= route.handlers()
        for prefix in operations.PUBLIC_PREFIXES:
            yield from _under(prefix, public)
        yield from _under("", ConfigApi(platform=self.world.platform).handlers())
        yield from _under("", AdminApi(world=self.world).handlers())


def _logger() -> logging.Logger:
    """Return the log of what goes wrong with connections."""
    logger = logging.getLogger(__name__)
    logger.addFilter(_without_quotations)
    return logger


def _without_quotations(record: logging.LogRecord) -> bool:
    """Leave out the error about a request that cannot be read: it quotes it, secrets and all."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
    return True


def _under(prefix: str, handlers: Mapping[str, Handler]) -> Iterator[web.RouteDef]:
    for operation, handler in handlers.items():
        method, path = operation.split(" ")
        yield web.route(method, prefix + path, handler)
        yield web.route(method, prefix + path + "/", handler)  # as Airbyte's framework does
