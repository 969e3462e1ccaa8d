"""The import paths of the official Airbyte provider, served by ``airbyte-sync-airflow``."""

from airbyte_sync_airflow import __version__

__all__ = ["__version__"]
