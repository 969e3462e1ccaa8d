"""Airbyte syncs in Dagster: a resource, an asset for each stream, and an op."""

from airbyte_sync_dagster.assets import airbyte_assets
from airbyte_sync_dagster.ops import AirbyteSyncConfig, airbyte_sync_op
from airbyte_sync_dagster.resource import Airbyte, Ended
from airbyte_sync_dagster.version import __version__

__all__ = [
    "Airbyte",
    "AirbyteSyncConfig",
    "Ended",
    "__version__",
    "airbyte_assets",
    "airbyte_sync_op",
]
