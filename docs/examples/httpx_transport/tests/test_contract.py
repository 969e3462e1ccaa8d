"""Both transports keep the contract: every fact of it, on real sockets of this machine."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from airbyte_httpx_transport import AsyncHttpxTransport, HttpxTransport
from airbyte_sync.errors import AlreadyClosed
from airbyte_sync_http import HttpRequest
from airbyte_sync_testkit.contract import AsyncTransportContract, TransportContract

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync_http import AsyncTransport, Transport, TransportOptions
    from airbyte_sync_local import LocalAirbyte


class TestHttpxTransport(TransportContract):
    @pytest.fixture
    def new_transport(self) -> Callable[[TransportOptions], Transport]:
        return HttpxTransport


class TestAsyncHttpxTransport(AsyncTransportContract):
    @pytest.fixture
    def new_transport(self) -> Callable[[TransportOptions], AsyncTransport]:
        return AsyncHttpxTransport


def health(airbyte: LocalAirbyte) -> HttpRequest:
    seconds = timedelta(seconds=5)
    url = f"{airbyte.base_url}/api/public/v1/health"
    return HttpRequest(
        method="GET", url=url, headers={}, connect_timeout=seconds, read_timeout=seconds
    )


def test_what_is_closed_sends_nothing(local_airbyte: LocalAirbyte) -> None:
    """A request after the end is refused, and opens nothing anew."""
    transport = HttpxTransport()
    transport.send(health(local_airbyte))
    transport.close()
    transport.close()
    with pytest.raises(AlreadyClosed):
        transport.send(health(local_airbyte))
    assert 1 == len(local_airbyte.requests)


def test_what_is_closed_sends_nothing_async(local_airbyte: LocalAirbyte) -> None:
    """The async one, too."""

    async def send_after_the_end() -> None:
        transport = AsyncHttpxTransport()
        await transport.send(health(local_airbyte))
        await transport.close()
        await transport.close()
        with pytest.raises(AlreadyClosed):
            await transport.send(health(local_airbyte))

    asyncio.run(send_after_the_end())
    assert 1 == len(local_airbyte.requests)
