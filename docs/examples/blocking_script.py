"""Run one Airbyte sync from a plain script, with no scheduler and no Airflow.

    pip install 'airbyte-sync-http[requests]'
    AIRBYTE_URL=https://api.airbyte.com AIRBYTE_CLIENT_ID=... AIRBYTE_CLIENT_SECRET=... \
        python blocking_script.py <connection id>

A server without authentication needs AIRBYTE_URL alone.
"""

import os
import sys

from airbyte_sync import (
    AirbyteSyncError,
    PortInterpreter,
    SyncPolicy,
    SyncRequest,
    SystemClock,
    run,
    sync,
)
from airbyte_sync_http import ClientCredentials, NoAuth, ServerSettings, open_gateway

client_id = os.environ.get("AIRBYTE_CLIENT_ID", "")
client_secret = os.environ.get("AIRBYTE_CLIENT_SECRET", "")
settings = ServerSettings(
    base_url=os.environ["AIRBYTE_URL"],
    auth=ClientCredentials(client_id=client_id, client_secret=client_secret)
    if client_id or client_secret
    else NoAuth(),
)
request = SyncRequest(connection_id=sys.argv[1])

with open_gateway(settings, os.environ.get("AIRBYTE_TRANSPORT", "requests")) as gateway:
    interpreter = PortInterpreter(gateway, SystemClock(), on_event=print)
    try:
        job = run(sync(request, SyncPolicy()), interpreter).job
    except AirbyteSyncError as error:
        sys.exit(f"{type(error).__name__}: {error}")

print(f"job {job.job_id} {job.status}: {job.rows} rows, {job.bytes} bytes")
