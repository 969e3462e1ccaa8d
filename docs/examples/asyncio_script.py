"""Run any number of Airbyte syncs at once, on one event loop; cancel all of them when it is interrupted.

    pip install 'airbyte-sync-http[aiohttp]'
    AIRBYTE_URL=https://api.airbyte.com AIRBYTE_CLIENT_ID=... AIRBYTE_CLIENT_SECRET=... \
        python asyncio_script.py <connection id> [<connection id> ...]

A server without authentication needs AIRBYTE_URL alone.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from functools import partial

from airbyte_sync import (
    AirbyteSyncError,
    AsyncPortInterpreter,
    AsyncSystemClock,
    Checkpoint,
    Event,
    SyncPolicy,
    SyncRequest,
    abandon,
    arun,
    sync,
)
from airbyte_sync.events import JobObtained
from airbyte_sync_http import (
    AsyncAirbyteGateway,
    ClientCredentials,
    NoAuth,
    ServerSettings,
    open_async_gateway,
)
from airbyte_sync_http.feed.feed import JobFeed

CLIENT_ID = os.environ.get("AIRBYTE_CLIENT_ID", "")
CLIENT_SECRET = os.environ.get("AIRBYTE_CLIENT_SECRET", "")
SETTINGS = ServerSettings(
    base_url=os.environ["AIRBYTE_URL"],
    auth=ClientCredentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    if CLIENT_ID or CLIENT_SECRET
    else NoAuth(),
)
POLICY = SyncPolicy()


class Progress:
    """Keeps how far one request has come: an interruption finds its job there."""

    checkpoint: Checkpoint | None = None

    async def load(self) -> Checkpoint | None:
        """Return what was saved last."""
        return self.checkpoint

    async def save(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint in the place of the one before."""
        self.checkpoint = checkpoint


def tell(connection_id: str, event: Event) -> None:
    """Say which job a connection has."""
    if isinstance(event, JobObtained):
        print(f"{connection_id}: job {event.job.job_id} {event.origin.value}", flush=True)


async def sync_one(connection_id: str, gateway: AsyncAirbyteGateway, feed: JobFeed) -> bool:
    """Sync a connection, say what came of it, and return whether it succeeded."""
    progress = Progress()
    interpreter = AsyncPortInterpreter(
        gateway, AsyncSystemClock(), partial(tell, connection_id), store=progress, feed=feed
    )
    try:
        request = SyncRequest(connection_id=connection_id)
        job = (await arun(sync(request, POLICY), interpreter)).job
    except AirbyteSyncError as error:
        print(f"{connection_id}: {type(error).__name__}: {error}")
        return False
    except asyncio.CancelledError:
        if progress.checkpoint is not None:
            await cancel_job(connection_id, progress.checkpoint, interpreter)
        raise
    print(f"{connection_id}: job {job.job_id} {job.status}, {job.rows} rows")
    return True


async def cancel_job(
    connection_id: str, checkpoint: Checkpoint, interpreter: AsyncPortInterpreter
) -> None:
    """Cancel what a request has started, until Airbyte says that it has ended."""
    try:
        job = await arun(abandon(checkpoint, POLICY), interpreter)
    except AirbyteSyncError as error:
        print(f"{connection_id}: {type(error).__name__}: {error}")
    else:
        if job is not None:
            print(f"{connection_id}: interrupted, job {job.job_id} {job.status}")


def cancel_when_interrupted(task: asyncio.Task[bool]) -> None:
    """Cancel a task when this process is to stop."""
    with suppress(NotImplementedError):  # Windows has no such handlers: Ctrl+C alone works there
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def sync_all(connection_ids: list[str]) -> bool:
    """Sync every connection, and return whether all succeeded."""
    task = asyncio.current_task()
    if task is not None:
        cancel_when_interrupted(task)
    async with (
        open_async_gateway(SETTINGS) as gateway,
        JobFeed(gateway, AsyncSystemClock()) as feed,
    ):
        # With return_exceptions, gather waits for the last of them, also when it is cancelled. Without, it
        # ends with the first, and gateway and feed are closed over all others.
        syncs = (sync_one(connection_id, gateway, feed) for connection_id in connection_ids)
        outcomes = await asyncio.gather(*syncs, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return all(outcomes)


try:
    succeeded = asyncio.run(sync_all(sys.argv[1:]))
except (asyncio.CancelledError, KeyboardInterrupt):
    sys.exit("interrupted")
sys.exit(0 if succeeded else 1)
