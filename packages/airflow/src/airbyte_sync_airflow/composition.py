"""The composition root: which parts a task or a trigger is made of.

It is made and resolved when a task runs, never when a DAG is parsed. It is composed of the providers of
dependency-injector, in a plain class: that library's own container class loads FastAPI where it is
installed, as it is with Airflow 3, and a fifth of a second is much to ask of every task for nothing.

Tests, and platforms that want other parts, override a provider of the class:
``Container.clock.override(...)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dependency_injector import providers

from airbyte_sync import AsyncPortInterpreter, AsyncSystemClock, PortInterpreter, SystemClock
from airbyte_sync_airflow.compat.task_states import ask_aside
from airbyte_sync_airflow.config.connection import mask_aside
from airbyte_sync_airflow.standstill import PatientClock, StandstillWatch
from airbyte_sync_airflow.worker.clock import StoppableClock
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway, TokenCache
from airbyte_sync_http.transports.registry import open_async_transport, open_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync import AsyncClock, AsyncInterpreter
    from airbyte_sync.events import Event
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.triggerer.lane import Lane
    from airbyte_sync_http.feed.feed import JobFeed


def _open_feed(gateway: AsyncAirbyteGateway, clock: AsyncClock) -> JobFeed:
    from airbyte_sync_http.feed.feed import JobFeed  # with asyncio, which a worker needs not load

    return JobFeed(gateway, clock)


def _open_lane() -> Lane:
    from airbyte_sync_airflow.triggerer.lane import Lane

    return Lane()


def _open_canceller(
    lane: Lane,
    gateway: AsyncAirbyteGateway,
    clock: AsyncClock,
    on_event: Callable[[Event], None],
) -> AsyncInterpreter:
    return lane.over(AsyncPortInterpreter(gateway, clock, on_event))


class Container:
    """
    The parts for one server, in both colours; only what is asked for is made.

    Who asks for an interpreter gives it a listener and a store, one for each task.

    Args:
        server: Where to send requests, and through what.
        is_stopped: Tells a blocking task whether to wait no longer.
    """

    clock = providers.Singleton(SystemClock)
    async_clock = providers.Singleton(AsyncSystemClock)
    tokens = providers.Singleton(TokenCache)
    """One for the process: the pokes of a sensor, and the triggers of a triggerer, share their tokens."""
    open_transport = providers.Factory(open_transport)
    open_async_transport = providers.Factory(open_async_transport)
    open_feed = providers.Factory(_open_feed)
    """Override it with ``providers.Object(None)`` and every trigger looks for itself."""
    open_watch = providers.Factory(StandstillWatch, async_clock)
    """One for each event loop; ``providers.Object(None)`` watches nothing."""
    ask_for_states = providers.Object(ask_aside)
    """How a trigger that was stopped hears what became of its task."""

    def __init__(self, server: AirbyteServer, is_stopped: Callable[[], bool] | None = None) -> None:
        settings = server.settings
        self.transport = providers.Singleton(
            self.open_transport, server.transport, settings.transport
        )
        # A worker's process ends with its task, so that Airflow's masker may learn every token there.
        self.gateway = providers.Singleton(
            AirbyteGateway, self.transport, settings, self.tokens, on_token=mask_aside
        )
        self.patient_clock = providers.Singleton(PatientClock, self.clock)
        self.stoppable_clock = providers.Factory(StoppableClock, self.patient_clock, is_stopped)
        self.interpreter = providers.Factory(PortInterpreter, self.gateway, self.stoppable_clock)
        self.async_transport = providers.Singleton(
            self.open_async_transport, server.async_transport, settings.transport
        )
        self.async_gateway = providers.Singleton(
            AsyncAirbyteGateway, self.async_transport, settings, self.tokens
        )
        self.feed = providers.Singleton(self.open_feed, self.async_gateway, self.async_clock)
        self.async_interpreter = providers.Factory(
            AsyncPortInterpreter, self.async_gateway, self.async_clock, feed=self.feed
        )
        self.async_canceller = providers.Factory(
            _open_canceller, providers.Singleton(_open_lane), self.async_gateway, self.async_clock
        )
        """For cancellations: it reads and cancels straight at the gateway, a few calls at a time."""
