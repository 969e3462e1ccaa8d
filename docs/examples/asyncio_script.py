"""Run any number of Airbyte syncs at once, on one event loop.

    pip install 'airbyte-sync-http[aiohttp]'
    AIRBYTE_URL=https://api.airbyte.com AIRBYTE_CLIENT_ID=... AIRBYTE_CLIENT_SECRET=... \
        python asyncio_script.py <connection id> [<connection id> ...]
"""

import asyncio
import os
import sys

from airbyte_sync import (
    AirbyteSyncError,
    AsyncPortInterpreter,
    AsyncSystemClock,
    SyncPolicy,
    SyncRequest,
    arun,
    sync,
)
from airbyte_sync_http import ClientCredentials, ServerSettings, open_async_gateway

SETTINGS = ServerSettings(
    base_url=os.environ["AIRBYTE_URL"],
    auth=ClientCredentials(
        client_id=os.environ["AIRBYTE_CLIENT_ID"],
        client_secret=os.environ["AIRBYTE_CLIENT_SECRET"],
    ),
)


async def sync_all(connection_ids: list[str]) -> bool:
    """Sync every connection, say what came of each, and return whether all succeeded."""
    async with open_async_gateway(SETTINGS) as gateway:
        interpreter = AsyncPortInterpreter(gateway, AsyncSystemClock())

        async def sync_one(connection_id: str) -> bool:
            request = SyncRequest(connection_id=connection_id)
            try:
                job = (await arun(sync(request, SyncPolicy()), interpreter)).job
            except AirbyteSyncError as error:
                print(f"{connection_id}: {type(error).__name__}: {error}")
                return False
            print(f"{connection_id}: job {job.job_id} {job.status}, {job.rows} rows")
            return True

        return all(await asyncio.gather(*map(sync_one, connection_ids)))


sys.exit(0 if asyncio.run(sync_all(sys.argv[1:])) else 1)
