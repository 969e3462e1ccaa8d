"""Sync any number of Airbyte connections at once: python asyncio_script.py <connection id> ..."""

import asyncio
import logging
import sys

from airbyte_sync import SyncRequest
from airbyte_sync_http import ServerSettings, open_async_gateway
from airbyte_sync_runner import AsyncFileStore, LogEvents, Outcome, run_many


async def sync_all(ids: list[str]) -> list[Outcome]:
    requests = [SyncRequest(connection_id=each) for each in ids]
    async with open_async_gateway(ServerSettings.from_env()) as gateway:
        store = AsyncFileStore("state")
        return await run_many(gateway, requests, store=store, on_event=LogEvents())


logging.basicConfig(level=logging.INFO, format="%(message)s")
try:
    outcomes = asyncio.run(sync_all(sys.argv[1:]))
except KeyboardInterrupt:
    sys.exit("interrupted")
for outcome in outcomes:
    print(outcome)
sys.exit(not all(outcome.succeeded for outcome in outcomes))
