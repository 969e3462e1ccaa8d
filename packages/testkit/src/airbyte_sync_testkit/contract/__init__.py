"""What an adapter has to prove: subclass a suite and provide its one fixture."""

from airbyte_sync_testkit.contract.gateway import (
    AsyncGatewayContract,
    GatewayContract,
    GatewayFacts,
)
from airbyte_sync_testkit.contract.store import AsyncStoreContract, StoreContract, StoreFacts
from airbyte_sync_testkit.contract.time import AsyncServerTime, ServerTime
from airbyte_sync_testkit.contract.transport import (
    AsyncTransportContract,
    TransportContract,
    TransportFacts,
)

__all__ = [
    "AsyncGatewayContract",
    "AsyncServerTime",
    "AsyncStoreContract",
    "AsyncTransportContract",
    "GatewayContract",
    "GatewayFacts",
    "ServerTime",
    "StoreContract",
    "StoreFacts",
    "TransportContract",
    "TransportFacts",
]
