"""The streams of an Airbyte connection as Dagster assets, synced every morning.

pip install airbyte-sync-dagster
"""

import dagster as dg

from airbyte_sync_dagster import Airbyte, airbyte_assets

airbyte = Airbyte(
    url="https://api.airbyte.com",
    client_id=dg.EnvVar("AIRBYTE_CLIENT_ID"),
    client_secret=dg.EnvVar("AIRBYTE_CLIENT_SECRET"),
)
shop = airbyte_assets("shop", {"6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10": ["users", "orders"]})
job = dg.define_asset_job("sync_shop", selection=[shop], tags={"dagster/max_retries": "3"})
daily = dg.ScheduleDefinition(job=job, cron_schedule="0 6 * * *")
defs = dg.Definitions(assets=[shop], schedules=[daily], resources={"airbyte": airbyte})
