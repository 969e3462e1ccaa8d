"""Re-exports :class:`airbyte_sync_airflow.operators.AirbyteTriggerSyncOperator`."""

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator

__all__ = ["AirbyteTriggerSyncOperator"]
