"""The import paths of the official Airbyte provider, served by ``airbyte-sync-airflow``."""
