"""The trigger, at the import path of the official provider: it also takes over what that has deferred."""

from airbyte_sync_airflow.triggerer.official import AirbyteSyncTrigger

__all__ = ["AirbyteSyncTrigger"]
