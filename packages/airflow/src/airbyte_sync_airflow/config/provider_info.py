"""What Airflow asks a provider about itself: light, because every Airflow process calls it.

The connection form is described here once. Airflow 3.2 reads it as it stands; for older releases the hook
makes the same fields of it.
"""

from __future__ import annotations

from typing import Any

from airbyte_sync_airflow.config.fields import SERVER_FIELDS
from airbyte_sync_airflow.config.policy_options import (
    COMPOSITION,
    POLICY_OPTIONS,
    SECTION,
    PolicyOption,
)


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, see Airflow's ``provider_info.schema.json``."""
    from airbyte_sync_airflow.compat.official_provider import what_is_wrong

    problem = what_is_wrong()
    integration = {"integration-name": "Airbyte Sync"}
    description = "One request for a sync gives one sync, seen through to its end."
    return {
        "package-name": "airbyte-sync-airflow",
        "name": "Airbyte Sync",
        "description": description if problem is None else f"ATTENTION: {problem}",
        "integrations": [
            {**integration, "external-doc-url": "https://docs.airbyte.com/", "tags": ["service"]}
        ],
        **{
            kind: [{**integration, "python-modules": [f"airbyte_sync_airflow.{kind}"]}]
            for kind in ("operators", "sensors", "triggers", "hooks")
        },
        "extra-links": ["airbyte_sync_airflow.links.AirbyteJobLink"],
        "connection-types": [
            {
                "connection-type": "airbyte",
                "hook-class-name": "airbyte_sync_airflow.hooks.AirbyteHook",
                "hook-name": "Airbyte",
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": {
                        "host": "Server URL",
                        "port": "Port, if the URL has none",
                        "login": "Client ID",
                        "password": "Client secret",
                        "schema": "Token URL",
                    },
                    "placeholders": {
                        "host": "https://api.airbyte.com/v1",
                        "schema": "v1/applications/token",
                    },
                },
                "conn-fields": {
                    field.name: field.to_form() for field in (*SERVER_FIELDS, *POLICY_OPTIONS)
                },
            }
        ],
        "config": {
            SECTION: {
                "description": "Defaults for all tasks of airbyte-sync-airflow. The extra of an Airflow "
                "connection wins over them, and an argument of a task over both.",
                "options": {
                    **{option.name: _config_option(option) for option in POLICY_OPTIONS},
                    COMPOSITION: {
                        "description": "A function that replaces parts of this package, such as the HTTP "
                        "transport or the clock, in every worker and triggerer: module:function.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "my_company.airbyte:configure",
                        "default": None,
                    },
                },
            }
        },
    }


def _config_option(option: PolicyOption) -> dict[str, Any]:
    kinds: dict[object, str] = {"seconds": "float", "flag": "boolean"}
    return {
        "description": option.description,
        "version_added": "0.1.0",
        "type": kinds.get(option.kind, "string"),
        "example": option.example,
        "default": None,
    }
