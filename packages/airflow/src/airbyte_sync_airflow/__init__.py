"""Run Airbyte syncs from Airflow: see the modules ``operators``, ``sensors``, ``triggers``, ``hooks``."""

from airbyte_sync_airflow.version import __version__

__all__ = ["__version__"]
