"""Test flows, adapters and DAGs without an Airbyte."""

from airbyte_sync_testkit.clock import AsyncVirtualClock, VirtualClock
from airbyte_sync_testkit.loop import VirtualLoop, run_virtually
from airbyte_sync_testkit.memory import (
    SUCCESS,
    AsyncInMemoryAirbyte,
    CallFault,
    InMemoryAirbyte,
)

__all__ = [
    "SUCCESS",
    "AsyncInMemoryAirbyte",
    "AsyncVirtualClock",
    "CallFault",
    "InMemoryAirbyte",
    "VirtualClock",
    "VirtualLoop",
    "run_virtually",
]
