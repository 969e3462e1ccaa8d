"""The composition root: which parts a task or a trigger is made of.

Hook, lineage, worker and triggerer get their gateway, feed, clock, interpreter and transport from here and
nowhere else. The parts are made when a task runs, never when a DAG is parsed. They are composed of the
providers of dependency-injector, in a plain class: that library's own container class loads FastAPI where it
is installed, as it is with Airflow 3, and a fifth of a second is much to ask of every task for nothing.

A platform that wants other parts names a function in airflow.cfg, which workers and triggerers both read::

    [airbyte_sync]
    composition = my_company.airbyte:configure

It is called once in each process, before the first part is made, and overrides providers of
:class:`Container`. ``docs/own-parts.md`` shows how.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from dependency_injector import providers

from airbyte_sync import (
    AsyncPortInterpreter,
    AsyncSystemClock,
    InvalidInput,
    PortInterpreter,
    SystemClock,
)
from airbyte_sync_airflow.compat.airflow import conf
from airbyte_sync_airflow.compat.task_states import ask_aside
from airbyte_sync_airflow.config.connection import mask_aside
from airbyte_sync_airflow.config.policy_options import COMPOSITION, SECTION
from airbyte_sync_airflow.standstill import CautiousInterpreter, PatientClock, StandstillWatch
from airbyte_sync_airflow.worker.gateway_keeper import GatewayKeeper
from airbyte_sync_airflow.worker.stopping import StoppableClock, StoppableInterpreter
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway, TokenCache
from airbyte_sync_http.protocol.cleaning import shown, told
from airbyte_sync_http.transports.registry import open_async_transport, open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from airbyte_sync import AsyncClock, AsyncInterpreter, CheckpointStore, Clock, Interpreter
    from airbyte_sync.events import Event
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.triggerer.lane import Lane
    from airbyte_sync_http.feed.feed import JobFeed


def _open_feed(gateway: AsyncAirbyteGateway, clock: AsyncClock) -> JobFeed:
    from airbyte_sync_http.feed.feed import JobFeed  # with asyncio, which a worker does not load

    return JobFeed(gateway, clock)


def _open_lane() -> Lane:
    from airbyte_sync_airflow.triggerer.lane import Lane

    return Lane()


def _open_canceller(
    lane: Lane,
    make_interpreter: Callable[[Callable[[Event], None]], AsyncInterpreter],
    on_event: Callable[[Event], None],
) -> AsyncInterpreter:
    return lane.over(make_interpreter(on_event))


class Container:
    """
    The parts for one server, blocking and async; only what is asked for is made.

    The providers of the class are the parts that can be overridden. Every caller that asks for an
    interpreter gives it a listener and a store, one for each task.

    Args:
        server: Where to send requests, and through what.
        is_stopped: Tells a blocking task whether to wait no longer.

    Raises:
        InvalidInput: The function that airflow.cfg names cannot be called.
    """

    clock = providers.Singleton(SystemClock)
    async_clock = providers.Singleton(AsyncSystemClock)
    tokens = providers.Singleton(TokenCache)
    """One for the process: the pokes of a sensor, and the triggers of a triggerer, share their tokens."""
    gateway_keeper = providers.Singleton(GatewayKeeper)
    """One for the process: the pokes of a sensor share their connection, too."""
    open_transport = providers.Factory(open_transport)
    open_async_transport = providers.Factory(open_async_transport)
    open_gateway = providers.Factory(AirbyteGateway)
    open_async_gateway = providers.Factory(AsyncAirbyteGateway)
    make_interpreter = providers.Factory(PortInterpreter)
    make_async_interpreter = providers.Factory(AsyncPortInterpreter)
    open_feed = providers.Factory(_open_feed)
    """Override it with ``providers.Object(None)`` and every trigger polls for itself."""
    open_watch = providers.Factory(StandstillWatch, async_clock)
    """One for each event loop; ``providers.Object(None)`` watches nothing."""
    ask_for_states = providers.Object(ask_aside)
    """How a trigger that was stopped learns what became of its task."""

    def __init__(self, server: AirbyteServer, is_stopped: Callable[[], bool] | None = None) -> None:
        parts = shared_parts()
        settings = server.settings
        self.transport = providers.Singleton(
            parts.open_transport, server.transport, settings.transport
        )
        # A worker's process ends with its task, so that Airflow's masker may learn every token there.
        self.gateway = providers.Singleton(
            parts.open_gateway, self.transport, settings, parts.tokens, on_token=mask_aside
        )
        # A webserver's process does not end, and a test of credentials has to ask for a token.
        self.trial_gateway = providers.Factory(parts.open_gateway, self.transport, settings)
        self.patient_clock = providers.Singleton(PatientClock, parts.clock)
        self.stoppable_clock = providers.Factory(StoppableClock, self.patient_clock, is_stopped)
        self.interpreter = providers.Factory(
            parts.make_interpreter, self.gateway, self.stoppable_clock
        )
        self.async_transport = providers.Singleton(
            parts.open_async_transport, server.async_transport, settings.transport
        )
        self.async_gateway = providers.Singleton(
            parts.open_async_gateway, self.async_transport, settings, parts.tokens
        )
        self.feed = providers.Singleton(parts.open_feed, self.async_gateway, parts.async_clock)
        self.async_interpreter = providers.Factory(
            parts.make_async_interpreter, self.async_gateway, parts.async_clock, feed=self.feed
        )
        without_feed = providers.Factory(
            parts.make_async_interpreter, self.async_gateway, parts.async_clock
        )
        self.async_canceller = providers.Factory(
            _open_canceller, providers.Singleton(_open_lane), without_feed.provider
        )
        """For cancellations: it reads and cancels straight at the gateway, a few calls at a time."""


@contextmanager
def open_interpreter(
    server: AirbyteServer,
    on_event: Callable[[Event], None],
    store: CheckpointStore | None = None,
    *,
    is_stopped: Callable[[], bool] | None = None,
    await_charge: Callable[[Clock], None] | None = None,
    idle_for: Callable[[], timedelta | None] | None = None,
) -> Iterator[Interpreter]:
    """
    Open what a blocking flow is driven with, and close it at the end, or keep it for the next one.

    Args:
        server: Where to send requests: :func:`~airbyte_sync_airflow.config.connection.read_server`.
        on_event: Is told what the flow reports.
        store: Remembers how far the request has come.
        is_stopped: Tells whether the process was told to stop: it waits no longer, and submits nothing.
        await_charge: Returns once Airflow has said that this process is in charge; it is called before
            a process that stood still changes anything.
        idle_for: Tells, when all went well, in how long this process needs the server again; ``None``: not
            at all.

    Yields:
        An interpreter for :func:`airbyte_sync.run` and :func:`airbyte_sync.step`.
    """
    container = Container(server, is_stopped)
    keeper = container.gateway_keeper()
    kept = keeper.take(server)
    if kept is not None:
        container.gateway.override(kept)
    with ExitStack() as to_close:
        gateway = to_close.enter_context(container.gateway())
        with gateway.secrets.in_force():
            interpreter: Interpreter = container.interpreter(on_event, store)
            if await_charge is not None:
                clock = container.stoppable_clock()
                interpreter = CautiousInterpreter(
                    interpreter, container.patient_clock(), lambda: await_charge(clock)
                )
            if is_stopped is not None:
                interpreter = StoppableInterpreter(interpreter, is_stopped)
            yield interpreter
        pause = None if idle_for is None else idle_for()
        if pause is not None:
            to_close.pop_all()
            keeper.keep(gateway, server, pause)


# --- the parts of a platform ------------------------------------------------------------------------


_configured: str | None = None
"""What was called in this process; empty where airflow.cfg names nothing."""


def shared_parts() -> type[Container]:
    """
    Return the parts that do not depend on a server, as this platform wants them.

    Raises:
        InvalidInput: The function that airflow.cfg names cannot be called.
    """
    global _configured  # noqa: PLW0603 - once for each process
    if _configured is None:
        path = (conf.get(SECTION, COMPOSITION, fallback=None) or "").strip()
        if path:
            _configure(path)
        _configured = path
    return Container


def _configure(path: str) -> None:
    where = f"{COMPOSITION} in the section [{SECTION}] of airflow.cfg is {shown(path)}"
    module, _, name = path.partition(":")
    if not module or not name:
        raise InvalidInput(f"{where}: write it like my_company.airbyte:configure")
    try:
        configure = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(
            f"{where}, which cannot be imported: {told(error)}. Install the module for workers and "
            "triggerers."
        ) from error
    try:
        configure(Container)
    except Exception as error:
        raise InvalidInput(f"{where}, and it failed: {told(error)}") from error
