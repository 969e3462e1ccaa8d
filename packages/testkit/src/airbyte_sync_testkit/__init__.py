"""Test flows, adapters and DAGs without an Airbyte."""

from airbyte_sync_testkit.clock import AsyncVirtualClock, VirtualClock
from airbyte_sync_testkit.loop import VirtualLoop, run_virtually
from airbyte_sync_testkit.memory import (
    SUCCESS,
    AsyncInMemoryAirbyte,
    CallFault,
    InMemoryAirbyte,
)
from airbyte_sync_testkit.version import __version__

__all__ = [
    "SUCCESS",
    "AsyncInMemoryAirbyte",
    "AsyncVirtualClock",
    "CallFault",
    "InMemoryAirbyte",
    "VirtualClock",
    "VirtualLoop",
    "__version__",
    "run_virtually",
]
