"""The composition root: which parts a task or a trigger is made of.

A container is made and resolved when a task runs, never when a DAG is parsed: importing this module
loads dependency-injector and the gateways. Tests, and platforms that want other parts, override a
provider of the class: ``Container.clock.override(...)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from airbyte_sync import AsyncPortInterpreter, AsyncSystemClock, PortInterpreter, SystemClock
from airbyte_sync_airflow.clocks import StoppableClock
from airbyte_sync_airflow.connection import AirbyteServer
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway, TokenCache
from airbyte_sync_http.registry import open_async_transport, open_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync import AsyncClock, AsyncFeedPort


_TOKENS = TokenCache()
"""One for the process: the pokes of a sensor, and the triggers of a triggerer, share their tokens."""


def _open_feed(gateway: AsyncAirbyteGateway, clock: AsyncClock) -> AsyncFeedPort:
    from airbyte_sync_http.job_feed import JobFeed  # with asyncio, which a worker needs not load

    return JobFeed(gateway, clock)


class Container(containers.DeclarativeContainer):
    """
    The parts for one server, in both colours; only what is asked for is made.

    Who asks for an interpreter gives it a listener and a store, one for each task.
    """

    server = providers.Dependency(instance_of=AirbyteServer)

    is_stopped: providers.Provider[Callable[[], bool] | None] = providers.Object(None)

    clock = providers.Singleton(SystemClock)
    transport = providers.Singleton(
        open_transport, server.provided.transport, server.provided.settings.transport
    )
    tokens = providers.Callable(lambda: _TOKENS)
    gateway = providers.Singleton(AirbyteGateway, transport, server.provided.settings, tokens)
    interpreter = providers.Factory(
        PortInterpreter, gateway, providers.Factory(StoppableClock, clock, is_stopped)
    )

    async_clock = providers.Singleton(AsyncSystemClock)
    async_transport = providers.Singleton(
        open_async_transport, server.provided.async_transport, server.provided.settings.transport
    )
    async_gateway = providers.Singleton(
        AsyncAirbyteGateway, async_transport, server.provided.settings, tokens
    )
    feed = providers.Singleton(_open_feed, async_gateway, async_clock)
    async_interpreter = providers.Factory(
        AsyncPortInterpreter, async_gateway, async_clock, feed=feed
    )
