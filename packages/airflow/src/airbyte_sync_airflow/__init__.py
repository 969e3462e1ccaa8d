"""Run Airbyte syncs from Airflow: see the modules ``operators``, ``sensors``, ``triggers``, ``hooks``."""
