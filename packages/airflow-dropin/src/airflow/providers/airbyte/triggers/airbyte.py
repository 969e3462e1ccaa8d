"""Re-exports :class:`airbyte_sync_airflow.triggers.AirbyteSyncTrigger`."""

from airbyte_sync_airflow.triggers import AirbyteSyncTrigger

__all__ = ["AirbyteSyncTrigger"]
