"""What Airflow asks a provider about itself: light, because every Airflow process calls it.

The connection form is described here once. Airflow 3.2 reads it as it stands; for older releases the hook
makes the same fields of it.
"""

from __future__ import annotations

from typing import Any

from airbyte_sync_airflow.config.policy_options import (
    COMPOSITION,
    POLICY_OPTIONS,
    SECTION,
    PolicyOption,
)

_TEXT = ["string", "null"]
_SECONDS = ["number", "null"]
_FLAG = ["true", "false"]

# A type that begins with "object" or names several gets a box that shows JSON as JSON; a boolean gets no
# switch, because a switch cannot be left unset.
_CONN_FIELDS: dict[str, dict[str, Any]] = {
    "auth": {
        "label": "Authentication",
        "description": "client_credentials (fetches tokens with client id and secret), basic (login and "
        "password), bearer (the token is the password) or none. Default: client_credentials where there "
        "is a client id, else none.",
        "schema": {"type": _TEXT, "enum": ["client_credentials", "basic", "bearer", "none"]},
    },
    "proxies": {
        "label": "Proxies",
        "description": 'JSON: {"http": "http://proxy:8080", "https": "http://proxy:8080"}; or one URL '
        "for both; HTTP proxies only. Default: HTTPS_PROXY, ALL_PROXY and NO_PROXY of the environment.",
        "schema": {"type": ["object", "string", "null"]},
    },
    "verify": {
        "label": "Verify TLS",
        "description": "true, false, or the path of a CA bundle (PEM) on the machines that run tasks.",
        "schema": {"type": ["string", "boolean", "null"]},
    },
    "client_cert": {
        "label": "Client certificate",
        "description": "Path of a PEM file with certificate and key; or two paths: certificate,key.",
        "schema": {"type": ["string", "array", "null"]},
    },
    "headers": {
        "label": "Headers",
        "description": "Sent with every request, as an identity-aware proxy may want. One header: "
        'Name: value. Several, as JSON on one line: {"CF-Access-Client-Id": "...", '
        '"CF-Access-Client-Secret": "..."}. The header Authorization only with auth = none.',
        "schema": {"type": _TEXT, "format": "password"},
    },
    "connect_timeout": {
        "label": "Connect timeout (seconds)",
        "description": "How long to try to connect, proxy and TLS included. Default: 10 s.",
        "schema": {"type": _SECONDS, "minimum": 0},
    },
    "read_timeout": {
        "label": "Read timeout (seconds)",
        "description": "How long to wait for the whole answer. Default: 30 s.",
        "schema": {"type": _SECONDS, "minimum": 0},
    },
    "submit_timeout": {
        "label": "Submit timeout (seconds)",
        "description": "The same for the start of a sync, for which Airbyte may take 60 s. Default: 90 s.",
        "schema": {"type": _SECONDS, "minimum": 0},
    },
    "transport": {
        "label": "HTTP library of workers",
        "description": "The name of a registered transport. Default: requests.",
        "schema": {"type": _TEXT},
    },
    "async_transport": {
        "label": "HTTP library of the triggerer",
        "description": "The name of a registered async transport. Default: aiohttp.",
        "schema": {"type": _TEXT},
    },
    "ui_url": {
        "label": "Web application URL",
        "description": "Where people open Airbyte, for links; set it where it is not at the server URL.",
        "schema": {"type": _TEXT},
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, see Airflow's ``provider_info.schema.json``."""
    from airbyte_sync_airflow.compat.official_provider import what_is_wrong

    problem = what_is_wrong()
    description = "One request for a sync gives one sync, seen through to its end."
    return {
        "package-name": "airbyte-sync-airflow",
        "name": "Airbyte Sync",
        "description": description if problem is None else f"ATTENTION: {problem}",
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
                    **_CONN_FIELDS,
                    **{option.name: _conn_field(option) for option in POLICY_OPTIONS},
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


def _conn_field(option: PolicyOption) -> dict[str, Any]:
    match option.kind:
        case "seconds":
            schema: dict[str, Any] = {"type": _SECONDS, "minimum": 0}
        case "flag":
            schema = {"type": _TEXT, "enum": _FLAG}
        case words:
            schema = {"type": _TEXT, "enum": list(words)}
    return {"label": option.label, "description": option.description, "schema": schema}


def _config_option(option: PolicyOption) -> dict[str, Any]:
    kinds: dict[object, str] = {"seconds": "float", "flag": "boolean"}
    return {
        "description": option.description,
        "version_added": "0.1.0",
        "type": kinds.get(option.kind, "string"),
        "example": option.example,
        "default": None,
    }
