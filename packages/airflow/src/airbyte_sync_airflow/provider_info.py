"""What Airflow asks a provider about itself: light, because every Airflow process calls it."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, see Airflow's ``provider_info.schema.json``."""
    from airbyte_sync_airflow.coexistence import warn_if_files_are_overwritten

    warn_if_files_are_overwritten()
    return {
        "package-name": "airbyte-sync-airflow",
        "name": "Airbyte Sync",
        "description": "One request for a sync gives one sync, seen through to its end.",
        "integrations": [
            {
                "integration-name": "Airbyte Sync",
                "external-doc-url": "https://docs.airbyte.com/",
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": "Airbyte Sync",
                "python-modules": ["airbyte_sync_airflow.operators"],
            }
        ],
        "sensors": [
            {
                "integration-name": "Airbyte Sync",
                "python-modules": ["airbyte_sync_airflow.sensors"],
            }
        ],
        "triggers": [
            {
                "integration-name": "Airbyte Sync",
                "python-modules": ["airbyte_sync_airflow.triggers"],
            }
        ],
        "hooks": [
            {
                "integration-name": "Airbyte Sync",
                "python-modules": ["airbyte_sync_airflow.hooks"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "airbyte",
                "hook-class-name": "airbyte_sync_airflow.hooks.AirbyteHook",
                "hook-name": "Airbyte",
                "ui-field-behaviour": {
                    "hidden-fields": ["port"],
                    "relabeling": {
                        "host": "Server URL",
                        "login": "Client ID",
                        "password": "Client secret",
                        "schema": "Token URL",
                    },
                    "placeholders": {
                        "host": "https://api.airbyte.com",
                        "schema": "v1/applications/token",
                        "extra": '{"proxies": {"https": "http://proxy:8080"}}',
                    },
                },
            }
        ],
    }
