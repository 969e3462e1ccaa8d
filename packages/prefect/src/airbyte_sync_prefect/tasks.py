"""The tasks: run a sync of a connection to its end, blocking or async."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from anyio import CancelScope
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import Abort, TerminationSignal

import airbyte_sync as core
from airbyte_sync_http import open_async_gateway, open_gateway
from airbyte_sync_prefect.block import AirbyteServer
from airbyte_sync_prefect.flow_run import FlowRunStore
from airbyte_sync_prefect.report import Report
from airbyte_sync_runner import AsyncStoreInThreads, OnInterrupt, run_sync, run_sync_async

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLICE, _SIGNAL_COMES_WITHIN = timedelta(seconds=1), timedelta(seconds=2)
_CANCELLED = "The flow run was cancelled, and its sync with it"


def _may_help(_task: Any, _run: Any, state: Any) -> bool:
    return bool(getattr(state.data, "retry_may_help", True))


@task(task_run_name="sync {connection_id}", cache_policy=NO_CACHE, retry_condition_fn=_may_help)
def sync_connection(
    connection_id: str, server: AirbyteServer | str, *, job_type: str = "sync", **options: object
) -> core.SyncResult:
    """
    Run a sync of an Airbyte connection to its end, in a flow; blocking.

    Another try of the task or of the flow run goes on with the sync that runs, and takes the result of one
    that has succeeded; a new flow run starts a new one. When the flow run is cancelled, the sync is, too.

    Args:
        connection_id: The connection's UUID.
        server: The block, or the name under which it was saved.
        job_type: ``sync``, ``reset`` or ``clear``.
        options: How to see it through: the keys of :meth:`airbyte_sync.SyncPolicy.from_config`, as in
            ``timeout=7200, on_conflict="attach"``.

    Raises:
        AirbyteSyncError: What became of it; the text says what to do.
    """
    block = AirbyteServer.load(server) if isinstance(server, str) else server
    client = get_client(sync_client=True)  # the flow's own
    call = _Call(client, block, options, connection_id=connection_id, job_type=job_type)
    with closing(call.report), call.told(), open_gateway(call.settings) as gateway:
        ports = core.PortInterpreter(gateway, core.SystemClock())
        call.report.connection = core.run(core.describe_connection(connection_id), ports)
        clock = _Clock(call.store)
        call.result = run_sync(gateway, store=call.store, clock=clock, **call.arguments)
    return call.result


@task(task_run_name="sync {connection_id}", cache_policy=NO_CACHE, retry_condition_fn=_may_help)
async def sync_connection_async(
    connection_id: str, server: AirbyteServer | str, *, job_type: str = "sync", **options: object
) -> core.SyncResult:
    """Run a sync on the event loop of an async flow: as :func:`sync_connection`."""
    block = await AirbyteServer.aload(server) if isinstance(server, str) else server
    with get_client(sync_client=True) as client:
        call = _Call(client, block, options, connection_id=connection_id, job_type=job_type)
        store, clock = AsyncStoreInThreads(call.store), _AsyncClock(call.store)
        try:
            async with open_async_gateway(call.settings) as gateway:
                with call.told():
                    ports = core.AsyncPortInterpreter(gateway, clock)
                    flow = core.describe_connection(connection_id)
                    call.report.connection = await core.arun(flow, ports)
                    sync = run_sync_async(gateway, store=store, clock=clock, **call.arguments)
                    call.result = await _beyond_scopes(asyncio.create_task(sync))
        finally:
            await asyncio.to_thread(call.report.close)
    return call.result


async def _beyond_scopes(running: asyncio.Task[core.SyncResult]) -> core.SyncResult:
    """Await a sync: a scope of anyio, as of ``timeout_seconds``, would cancel its cancellation, too."""
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if not running.cancelling():  # type: ignore[attr-defined] # Python 3.11, as Prefect
            running.cancel()  # a loop that ends has cancelled it already
        with CancelScope(shield=True):
            await asyncio.wait([running])
        return await running


class _Call:
    """One call of a task: what both styles share."""

    result: core.SyncResult

    def __init__(
        self, client: SyncPrefectClient, block: Any, options: dict[str, object], **asked: object
    ) -> None:
        this, flow = TaskRunContext.get(), FlowRunContext.get()
        if this is None or flow is None or flow.flow_run is None:
            raise core.InvalidInput("a sync is remembered with its flow run: call it in a flow")
        run, task_run_id = flow.flow_run, this.task_run.id
        self.settings = block.settings()
        self.store = FlowRunStore(client, run, task_run_id)
        ids = {"flow_run_id": run.id, "task_run_id": task_run_id}
        self.report = Report(client, get_run_logger(), self.settings.ui_url, **ids)
        deadline = _deadline(
            (this.task.timeout_seconds, datetime.now(timezone.utc)),
            (flow.flow and flow.flow.timeout_seconds, run.state and run.state.timestamp),
        )
        request = core.SyncRequest.from_config(asked)
        self.arguments: dict[str, Any] = {
            "request": replace(request, deadline=deadline, deadline_name="timeout_seconds"),
            "policy": core.SyncPolicy.from_config({"streams": True, **options}),
            "on_event": self.report,
            "on_interrupt": self._on_interrupt,
        }

    def _on_interrupt(self) -> OnInterrupt:
        """A SIGTERM cancels where Prefect says so; Ctrl-C, ``timeout_seconds`` and a cancelled task do."""
        cause = sys.exc_info()[1]
        while cause is not None and not isinstance(cause, TerminationSignal):
            cause = cause.__context__
        is_unwanted = cause is None or self.store.is_cancelled(now=True)
        return OnInterrupt.CANCEL if is_unwanted else OnInterrupt.LEAVE_RUNNING

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell how it ends."""
        try:
            yield
            self.report.end(self.result)
        except Abort as ended:
            self.store.confirm_cancelled()
            self.report.end(ended)
            raise
        except core.AirbyteSyncError as error:
            self.report.end(error)
            raise error.with_traceback(None) from None  # the text says all, for a person


def _deadline(*limits: tuple[Any, Any]) -> datetime | None:
    """Return a moment a little before Prefect's own timeout: the sync is cancelled with a text of its own."""
    ends = [at + timedelta(seconds=limit - min(limit / 10, 30)) for limit, at in limits if limit]
    return min(ends, default=None)


@dataclass
class _Clock(core.SystemClock):
    """Asks whether the flow run was cancelled: a thread, and a flow without a runner, hear of no signal."""

    store: FlowRunStore

    def sleep(self, duration: timedelta) -> None:
        super().sleep(min(duration, _SLICE))
        if self.store.is_cancelled():
            super().sleep(_SIGNAL_COMES_WITHIN)
            raise Abort(_CANCELLED)


@dataclass
class _AsyncClock(core.AsyncSystemClock):
    """The same on an event loop."""

    store: FlowRunStore

    async def sleep(self, duration: timedelta) -> None:
        await super().sleep(min(duration, _SLICE))
        if await asyncio.to_thread(self.store.is_cancelled):
            await super().sleep(_SIGNAL_COMES_WITHIN)
            raise Abort(_CANCELLED)
