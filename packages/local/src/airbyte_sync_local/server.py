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
from airbyte_sync_local.auth import Auth, ClientCredentials, NoAuth
from airbyte_sync_local.clock import Clock, utc_now
from airbyte_sync_local.engines.connectors import ConnectorsEngine
from airbyte_sync_local.engines.scripted import ScriptedEngine
from airbyte_sync_local.pipeline import Pipeline, Threads
from airbyte_sync_local.platform.rules import Platform
from airbyte_sync_local.request_log import DEFAULT_RECORDS, RequestLog
from airbyte_sync_local.scenarios.quirks import Quirks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airbyte_sync_local.engines.engine import Engine
    from airbyte_sync_local.engines.messages import Handler
    from airbyte_sync_local.platform.model import Job
    from airbyte_sync_local.scenarios.job_scripts import JobScript
    from airbyte_sync_local.scenarios.scenario import ConnectionScenario, Scenario


class NotLoopback(ValueError):
    """The server was asked to listen where others than this machine could reach it."""


class WrongEngine(ValueError):
    """A life needs the scripted engine, and a connector the one that runs connectors."""


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
    clock: Clock = utc_now
    auth: Auth = field(default_factory=NoAuth)
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
        platform: Its rules and its memory.
        pipeline: Its way in, with the request log and the faults.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.platform = Platform(
            engine=settings.engine, clock=settings.clock, quirks=settings.quirks
        )
        self.pipeline = Pipeline(
            auth=settings.auth,
            clock=settings.clock,
            quirks=settings.quirks,
            threads=settings.threads,
            log=RequestLog(keeps=settings.recorded_requests),
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
        self.pipeline.stop()
        await self._runner.cleanup()
        await self._settings.engine.close()

    def apply(self, scenario: Scenario) -> None:
        """
        Add the connections and faults of a scenario. Its quirks are a matter of `Settings`.

        Raises:
            WrongEngine: It holds lives or connectors that the engine has no use for.
        """
        for entry in scenario.connections:
            self.add(entry)
        for fault in scenario.faults:
            self.pipeline.faults.inject(fault)

    def add(self, entry: ConnectionScenario) -> None:
        """
        Add a connection, or replace the one with its id.

        Args:
            entry: The connection. Without lives or a connector, those it had stay.

        Raises:
            WrongEngine: It has lives or a connector, and the engine has no use for them.
        """
        if entry.job_scripts:
            self._scripts().plan(entry.connection.connection_id, entry.job_scripts)
        if entry.connector is not None:
            self._connectors().connect(entry.connection.connection_id, entry.connector)
        self.platform.put_connection(entry.connection)
        if entry.already_running is not None:
            self.start_external_job(entry.connection.connection_id, entry.already_running)

    def start_external_job(self, connection_id: str, life: JobScript | None = None) -> Job:
        """
        Start a sync as the schedule or somebody in the UI would.

        Args:
            connection_id: The connection.
            life: What becomes of it, if not what is planned for the connection.

        Raises:
            WrongEngine: A life was given, and the engine plays none.
            Refused: The connection has an active job, or nobody knows it.
        """
        connection_id = self.platform.connection(connection_id).connection_id
        if life is None:
            return self.platform.start_foreign(connection_id)
        with self._scripts().overruled(connection_id, life):
            return self.platform.start_foreign(connection_id)

    def _scripts(self) -> ScriptedEngine:
        engine = self._settings.engine
        if not isinstance(engine, ScriptedEngine):
            raise WrongEngine("lives are for the scripted engine; choose it, or leave them out")
        return engine

    def _connectors(self) -> ConnectorsEngine:
        engine = self._settings.engine
        if not isinstance(engine, ConnectorsEngine):
            raise WrongEngine(
                "a connector is for the engine that runs connectors; choose it, or leave it out"
            )
        return engine

    def _app(self) -> web.Application:
        @web.middleware
        async def way_in(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self.pipeline.lead_through(request, handler)

        app = web.Application(middlewares=[way_in])
        app.on_response_prepare.append(self.pipeline.set_date)
        app.router.add_routes(self._routes())
        return app

    def _routes(self) -> Iterator[web.RouteDef]:
        settings = self._settings
        public = dict(PublicApi(platform=self.platform).handlers())
        if isinstance(settings.auth, ClientCredentials):
            route = TokenRoute(
                issuer=settings.auth, edition=settings.quirks.edition, clock=settings.clock
            )
            public |= route.handlers()
        for prefix in operations.PUBLIC_PREFIXES:
            yield from _under(prefix, public)
        yield from _under("", ConfigApi(platform=self.platform).handlers())
        yield from _under("", AdminApi(server=self).handlers())


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
