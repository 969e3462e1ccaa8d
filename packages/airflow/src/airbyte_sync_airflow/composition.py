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
from airbyte_sync_airflow.clocks import StoppableClock
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway, TokenCache
from airbyte_sync_http.registry import open_async_transport, open_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync import AsyncClock
    from airbyte_sync_airflow.connection import AirbyteServer
    from airbyte_sync_http.job_feed import JobFeed


def _open_feed(gateway: AsyncAirbyteGateway, clock: AsyncClock) -> JobFeed:
    from airbyte_sync_http.job_feed import JobFeed  # with asyncio, which a worker needs not load

    return JobFeed(gateway, clock)


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

    def __init__(self, server: AirbyteServer, is_stopped: Callable[[], bool] | None = None) -> None:
        settings = server.settings
        self.transport = providers.Singleton(
            self.open_transport, server.transport, settings.transport
        )
        self.gateway = providers.Singleton(AirbyteGateway, self.transport, settings, self.tokens)
        self.interpreter = providers.Factory(
            PortInterpreter,
            self.gateway,
            providers.Factory(StoppableClock, self.clock, is_stopped),
        )
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
