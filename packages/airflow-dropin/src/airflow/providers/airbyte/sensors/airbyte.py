"""Re-exports :class:`airbyte_sync_airflow.sensors.AirbyteJobSensor`."""

from airbyte_sync_airflow.sensors import AirbyteJobSensor

__all__ = ["AirbyteJobSensor"]
