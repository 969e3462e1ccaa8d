"""
What every request passes on its way in: the log, the door, the threads, the faults, the handler.

::

    request ─> log ─> fault? ─> is it the API? ─> credentials ─> one of 5 threads ─> fault? ─> handler
                        │             │                │                                │
                        └─ a gateway  └─ web app, 404  └─ 401                           └─ drop, stall

Faults of the server come last, so that a request that is kept waiting holds a thread, as it does in
Airbyte. Those of a gateway in front come first.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from aiohttp import web

from airbyte_sync_local.api import answers, operations
from airbyte_sync_local.api.answers import ErrorAnswer
from airbyte_sync_local.api.local_only import check_that_it_is_local
from airbyte_sync_local.api.messages import (
    JOB_APPEARS_AFTER,
    DrippingResponse,
    answer_of,
    drop,
    response,
    stall,
)
from airbyte_sync_local.platform.quirks import Edition, Quirks, UnauthorizedBody
from airbyte_sync_local.platform.refusals import Refusal
from airbyte_sync_local.request_log import (
    RequestLog,
    RequestRecord,
    recordable_body,
    recordable_headers,
    recordable_query,
)
from airbyte_sync_local.scenarios.faults import Fault, FaultPlan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airbyte_sync_local.api.answers import Answer
    from airbyte_sync_local.api.messages import Handler
    from airbyte_sync_local.auth import AuthRequirement
    from airbyte_sync_local.clock import TimeSource

    CarryOut = Callable[[], Awaitable[web.StreamResponse | None]]


_MAX_PATH: Final = 2000
"""Characters of a path that are kept on record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Threads:
    """How much the server can do at a time."""

    count: int = 5
    """The public API of a self-managed server has five in all."""
    latency: timedelta = timedelta(0)
    """Real time that every request holds its thread for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """The way in, for every request."""

    auth: AuthRequirement
    clock: TimeSource
    quirks: Quirks = field(default_factory=Quirks)
    threads: Threads = field(default_factory=Threads)
    log: RequestLog = field(default_factory=RequestLog)
    faults: FaultPlan = field(default_factory=FaultPlan)
    recorded_headers: frozenset[str] = frozenset()
    """More headers, in lower case, whose values are no secret and are kept on record."""
    _free: asyncio.Semaphore = field(init=False)
    _meanwhile: set[asyncio.Task[object]] = field(init=False, default_factory=set)
    """Requests that are carried out although their clients have been answered."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_free", asyncio.Semaphore(self.threads.count))

    async def lead_through(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lead one request through, and note it."""
        if request.path.startswith(operations.LOCAL_PREFIX + "/"):
            check_that_it_is_local(request)
            return await handler(request)
        operation = _operation(request)
        ids = _ids(request, await request.read())
        ticket = self.log.received(await self._record(request, operation))
        reply: web.StreamResponse | None = None
        try:
            reply = await self._in_front(request, handler, operation, ids)
            await self._send_slowly(request, reply)
        finally:
            self.log.served(ticket, status=None if reply is None else reply.status)
        # Where there is no reply, the client is gone. A reply is a mapping, empty and so false.
        return web.Response() if reply is None else reply

    def stop(self) -> None:
        """Give up the requests whose clients have been answered already."""
        for task in self._meanwhile:
            task.cancel()

    async def set_date(self, _request: web.Request, reply: web.StreamResponse) -> None:
        """Date the answer by the injected clock, since clients take the server's time from it."""
        reply.headers["Date"] = format_datetime(self.clock(), usegmt=True)

    async def _in_front(
        self,
        request: web.Request,
        handler: Handler,
        operation: str | None,
        ids: frozenset[str],
    ) -> web.StreamResponse | None:
        """Pass the gateway: its faults apply to every request, whatever it asks for."""

        async def inside() -> web.StreamResponse | None:
            return await self._serve(request, handler, operation, ids)

        place = operation or f"{request.method} {request.path}"
        fault = self.faults.match(place, ids=ids, now=self.clock(), in_front=True)
        return await (inside() if fault is None else self._apply_fault(fault, request, inside))

    async def _serve(
        self,
        request: web.Request,
        handler: Handler,
        operation: str | None,
        ids: frozenset[str],
    ) -> web.StreamResponse | None:
        if operation is None:
            return response(_outside_the_api(request))
        is_anonymous = operation in operations.ANONYMOUS
        if not is_anonymous and not self._admits(request):
            return response(self._unauthorized(request))
        async with AsyncExitStack() as stack:
            if operation not in operations.HEALTH_CHECKS:
                await stack.enter_async_context(self._free)
                await asyncio.sleep(self.threads.latency.total_seconds())
            fault = self.faults.match(operation, ids=ids, now=self.clock())
            if fault is None:
                return await self._carry_out(request, handler)
            return await self._apply_fault(
                fault, request, lambda: self._carry_out(request, handler)
            )

    async def _apply_fault(
        self, fault: Fault, request: web.Request, carry_out: CarryOut
    ) -> web.StreamResponse | None:
        """Do to a request what the fault says. None means that the client gets no answer."""
        await asyncio.sleep(fault.wait.total_seconds())
        if fault.do == "drop_meanwhile":
            drop(request)
        reply = None
        outer, own = JOB_APPEARS_AFTER.get(), fault.job_appears_after
        before = JOB_APPEARS_AFTER.set(outer if own is None else own)
        try:
            if fault.do == "answer_meanwhile":
                await self._go_on_with(carry_out)
            elif fault.takes_effect:
                reply = await carry_out()
        finally:
            JOB_APPEARS_AFTER.reset(before)
        if fault.answer is not None:
            return _changed(fault, fault.answer)
        if fault.do in {"delay", "alter"}:
            return None if reply is None else _changed(fault, answer_of(reply))
        if fault.do.startswith("stall"):
            await stall(request)
        drop(request)
        return None

    async def _carry_out(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Carry out a request; a refusal is an answer too."""
        try:
            return await handler(request)
        except ErrorAnswer as error:
            return response(error.answer)
        except Refusal as refusal:
            return response(answers.of_refusal(refusal, self.quirks.caller))

    async def _go_on_with(self, carry_out: CarryOut) -> None:
        """Carry a request out whose client is answered at once."""
        task: asyncio.Task[object] = asyncio.ensure_future(carry_out())
        self._meanwhile.add(task)
        task.add_done_callback(self._meanwhile.discard)
        await asyncio.sleep(
            0
        )  # it has begun, and reached the server, before the client is answered

    async def _send_slowly(self, request: web.Request, reply: web.StreamResponse | None) -> None:
        """Send an answer that drips. The threads are free by then."""
        if isinstance(reply, DrippingResponse):
            await self.set_date(request, reply)
            await reply.send(request)

    def _admits(self, request: web.Request) -> bool:
        return self.auth.admits(request.headers.get("Authorization"), now=self.clock())

    def _unauthorized(self, request: web.Request) -> Answer:
        body = self.quirks.unauthorized
        if body is UnauthorizedBody.EMPTY:
            return answers.unauthorized_empty()
        is_problem = body is UnauthorizedBody.PROBLEM
        if is_problem or (
            body is UnauthorizedBody.BY_EDITION and self.quirks.edition is Edition.CLOUD
        ):
            return answers.unauthorized_problem()
        return answers.micronaut(401, "Unauthorized", path=request.path)

    async def _record(self, request: web.Request, operation: str | None) -> RequestRecord:
        return RequestRecord(
            method=request.method,
            path=request.path[:_MAX_PATH],
            query=recordable_query(request.query.items()),
            headers=recordable_headers(request.headers, harmless=self.recorded_headers),
            body=recordable_body(await request.read(), request.content_type),
            received_at=self.clock(),
            operation=operation,
        )


def _changed(fault: Fault, answer: Answer) -> web.Response:
    """Make the response of an answer, changed and dripping as the fault says."""
    changed = answer if fault.change is None else fault.change(answer)
    return response(changed) if fault.drip is None else DrippingResponse(changed, fault.drip)


def _operation(request: web.Request) -> str | None:
    """Name the operation that a request asks for; None where the API has no such thing."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    path = resource.canonical.rstrip("/")
    for prefix in operations.PUBLIC_PREFIXES:
        path = path.removeprefix(prefix)
    return f"{request.method} {path}"


def _outside_the_api(request: web.Request) -> Answer:
    api = (*operations.PUBLIC_PREFIXES, operations.CONFIG_PREFIX)
    if not request.path.startswith(tuple(f"{prefix}/" for prefix in api)):
        return answers.webapp_page()
    problem = request.match_info.http_exception
    if problem is not None and problem.status == web.HTTPMethodNotAllowed.status_code:
        return answers.micronaut(405, "Method Not Allowed", path=request.path)
    return answers.micronaut(404, "Not Found", path=request.path, error="Page Not Found")


def _ids(request: web.Request, body: bytes) -> frozenset[str]:
    """Collect what may be an id of a connection or a job, in lower case."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    in_body = fields.values() if isinstance(fields, dict) else ()
    found = (*request.match_info.values(), *request.query.values(), *in_body)
    return frozenset(str(value).lower() for value in found if isinstance(value, str | int))
