"""The code location of the scenes: a connection for each, with an asset job of its name."""

import json
import os

import dagster as dg

from airbyte_sync_dagster import Airbyte, airbyte_assets

CONNECTIONS = json.loads(os.environ["SHOP_CONNECTIONS"])
airbyte = Airbyte(
    url=dg.EnvVar("SHOP_AIRBYTE"),
    client_id="me",
    client_secret=dg.EnvVar("SHOP_SECRET"),
    policy={"poll_interval": 0.5, "timeout": "none"},
)
assets = {
    name: airbyte_assets(name, [connection], airbyte=airbyte, key_prefix=[name])
    for name, connection in CONNECTIONS.items()
}
defs = dg.Definitions(
    assets=list(assets.values()),
    jobs=[
        dg.define_asset_job(f"sync_{name}", selection=[each], tags={"dagster/max_retries": "3"})
        for name, each in assets.items()
    ],
    resources={"airbyte": airbyte},
)
