"""Re-exports :class:`airbyte_sync_airflow.hooks.AirbyteHook`."""

from airbyte_sync_airflow.hooks import AirbyteHook

__all__ = ["AirbyteHook"]
