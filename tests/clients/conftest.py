"""Homes of their own for what is tested, and no calls home, before anything imports a client."""

import os
import tempfile

os.environ.update(
    {
        "AIRFLOW_HOME": tempfile.mkdtemp(prefix="airbyte-sync-clients-"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "SCARF_ANALYTICS": "false",
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "DO_NOT_TRACK": "1",  # PyAirbyte, Prefect
        "PREFECT_HOME": tempfile.mkdtemp(prefix="airbyte-sync-clients-"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
)
