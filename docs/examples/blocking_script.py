"""Run one Airbyte sync from a plain script, with no scheduler and no Airflow.

    pip install airbyte-sync-runner 'airbyte-sync-http[requests]'
    AIRBYTE_SYNC_URL=https://api.airbyte.com AIRBYTE_SYNC_CLIENT_ID=... AIRBYTE_SYNC_CLIENT_SECRET=... \
        python blocking_script.py <connection id>

A server without authentication needs AIRBYTE_SYNC_URL alone. Killed and run again, it follows the same sync.
"""

import logging
import os
import sys

from airbyte_sync import AirbyteSyncError, SyncRequest
from airbyte_sync_http import ServerSettings, open_gateway
from airbyte_sync_runner import FileStore, LogEvents, run_sync

logging.basicConfig(level=logging.INFO, format="%(message)s")
transport = os.environ.get("AIRBYTE_SYNC_TRANSPORT", "requests")
request = SyncRequest(connection_id=sys.argv[1])
try:
    with open_gateway(ServerSettings.from_env(), transport) as gateway:
        job = run_sync(gateway, request, store=FileStore("state"), on_event=LogEvents()).job
except AirbyteSyncError as error:
    sys.exit(f"{type(error).__name__}: {error}")
except KeyboardInterrupt:
    sys.exit("interrupted")
print(f"job {job.job_id} {job.status}: {job.rows} rows, {job.bytes} bytes")
