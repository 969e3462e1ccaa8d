"""Run Airbyte syncs from Airflow: see the modules ``operators``, ``sensors``, ``triggers``, ``hooks``."""

__version__ = "0.1.0"

__all__ = ["__version__"]
