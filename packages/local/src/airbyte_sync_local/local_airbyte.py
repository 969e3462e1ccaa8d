"""
The handle for tests and scripts: an Airbyte that runs as long as a ``with`` block.

``with LocalAirbyte() as airbyte`` runs the server on an event loop in a thread of its own;
``async with LocalAirbyte() as airbyte`` runs it on the caller's loop. Every method may be called
from any thread: it is carried to the server's loop, where alone the server's state is touched.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread, get_ident
from typing import TYPE_CHECKING, TypeVar, final

from airbyte_sync_local.api import operations
from airbyte_sync_local.auth import RequireNothing
from airbyte_sync_local.clock import utc_now
from airbyte_sync_local.engines.scripted import ScriptedEngine
from airbyte_sync_local.pipeline import Threads
from airbyte_sync_local.platform.model import ServerConnection
from airbyte_sync_local.platform.quirks import Quirks
from airbyte_sync_local.request_log import DEFAULT_RECORDS
from airbyte_sync_local.scenarios.scenario import ConnectionScenario
from airbyte_sync_local.server import Server, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from airbyte_sync_local.auth import AuthRequirement
    from airbyte_sync_local.clock import TimeSource
    from airbyte_sync_local.platform.engine import Engine
    from airbyte_sync_local.platform.model import ServerJob
    from airbyte_sync_local.request_log import RequestRecord
    from airbyte_sync_local.scenarios.faults import Fault
    from airbyte_sync_local.scenarios.job_scripts import JobScript
    from airbyte_sync_local.scenarios.scenario import Scenario

T = TypeVar("T")


@final
class LocalAirbyte:
    """
    An Airbyte on a free port of 127.0.0.1. Use it once, as a context manager.

    Args:
        scenario: What it starts with; its quirks and auth hold unless others are given.
        engine: What plays the jobs; a scripted engine by default.
        clock: What time it is for the server. Give a `ManualClock` for virtual time.
        auth: What requests must carry; nothing by default.
        quirks: Which kind of server to be.
        threads: How much it can do at a time.
        port: Where to listen; 0 for any free port.
        recorded_requests: How many requests are kept on record, the newest ones.
        recorded_headers: More headers whose values are no secret and are kept on record.

    Attributes:
        base_url: ``http://127.0.0.1:PORT``; empty until the server listens.
    """

    def __init__(
        self,
        *,
        scenario: Scenario | None = None,
        engine: Engine | None = None,
        clock: TimeSource = utc_now,
        auth: AuthRequirement | None = None,
        quirks: Quirks | None = None,
        threads: Threads | None = None,
        port: int = 0,
        recorded_requests: int = DEFAULT_RECORDS,
        recorded_headers: Sequence[str] = (),
    ) -> None:
        default_script = scenario.default_script if scenario else None
        default_quirks = scenario.quirks if scenario else Quirks()
        default_auth = scenario.auth if scenario else None
        self._server = Server(
            Settings(
                port=port,
                engine=engine or ScriptedEngine(default=default_script),
                clock=clock,
                auth=auth or default_auth or RequireNothing(),
                quirks=quirks or default_quirks,
                threads=threads or Threads(),
                recorded_requests=recorded_requests,
                recorded_headers=tuple(recorded_headers),
            )
        )
        if scenario is not None:
            self._server.world.apply(scenario)
        self.base_url = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._thread: Thread | None = None
        self._asked_to_stop = asyncio.Event()

    # --- start and stop ---------------------------------------------------------------------------------

    def __enter__(self) -> LocalAirbyte:
        """Start the server in a thread of its own, and wait until it listens."""
        listens: Future[None] = Future()
        self._thread = Thread(
            target=lambda: asyncio.run(self._live(listens)), name="airbyte-sync-local", daemon=True
        )
        self._thread.start()
        listens.result()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop the server and wait until its thread has ended."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._asked_to_stop.set)
        if self._thread is not None:
            self._thread.join()
        self._loop = None

    async def __aenter__(self) -> LocalAirbyte:
        """Start the server on the running loop."""
        await self._start()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop the server."""
        await self._server.stop()
        self._loop = None

    # --- looking ----------------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """The public API's address as on a self-managed server, which is what clients ask for."""
        return self.base_url + operations.PUBLIC_PREFIXES[0]

    @property
    def requests(self) -> Sequence[RequestRecord]:
        """The newest requests received so far, without secrets."""
        return self._carry(self._server.world.log.records)

    @property
    def max_concurrency(self) -> int:
        """The largest number of requests that were served at the same time."""
        return self._carry(lambda: self._server.world.log.max_concurrency)

    @property
    def jobs(self) -> Sequence[ServerJob]:
        """Every job as it is now, oldest first."""
        return self._carry(self._server.world.platform.jobs)

    # --- doing ------------------------------------------------------------------------------------

    def add_connection(
        self, connection: ServerConnection | None = None, *, job_scripts: Sequence[JobScript] = ()
    ) -> ServerConnection:
        """
        Add a connection, or replace the one with its id.

        Args:
            connection: The connection; one with a fresh id by default.
            job_scripts: For its syncs, one each; the last one repeats.

        Returns:
            The connection.

        Raises:
            WrongEngine: Job scripts were given, and the engine plays none.
        """
        added = connection or ServerConnection()
        entry = ConnectionScenario(connection=added, job_scripts=tuple(job_scripts))
        self._carry(lambda: self._server.world.add(entry))
        return added

    def start_external_job(self, connection_id: str, script: JobScript | None = None) -> ServerJob:
        """
        Start a sync as the schedule or a user of the UI would.

        Args:
            connection_id: The connection.
            script: What becomes of it, if not what is planned for the connection.

        Raises:
            WrongEngine: A script was given, and the engine plays none.
            Refusal: The connection has an active job, or is unknown.
        """
        return self._carry(lambda: self._server.world.start_external_job(connection_id, script))

    def inject(self, fault: Fault) -> None:
        """Make something go wrong."""
        self._carry(lambda: self._server.world.faults.inject(fault))

    def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        self._carry(self._server.world.faults.clear)

    def clear_requests(self) -> None:
        """Forget the requests received so far."""
        self._carry(self._server.world.log.clear)

    # --- the loop ---------------------------------------------------------------------------------

    async def _start(self) -> None:
        self.base_url = await self._server.start()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = get_ident()

    async def _live(self, listens: Future[None]) -> None:
        try:
            await self._start()
        except BaseException as problem:
            await self._server.stop()
            listens.set_exception(problem)  # it is raised in the thread that waits
            return
        listens.set_result(None)
        await self._asked_to_stop.wait()
        await self._server.stop()

    def _carry(self, action: Callable[[], T]) -> T:
        """Do something where the server's state may be touched."""
        if self._loop is None or self._loop_thread == get_ident():
            return action()

        async def on_the_loop() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(on_the_loop(), self._loop).result()
