"""Every field of an Airflow connection beside Airflow's own columns: one table.

The connection form of each Airflow release, the reading of the extra and the check of the package's README
derive from it. Fields of the policy can be set in airflow.cfg, too:
:mod:`airbyte_sync_airflow.config.policy_options`. Importing this module costs nothing, because every Airflow
process does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = (
    Literal["text", "secret", "seconds", "flag", "object", "flag or text", "text or list"]
    | tuple[str, ...]
)
"""What a field's value is; a tuple holds the words to choose from."""

_OR_UNSET = "null"

_SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": ["string", _OR_UNSET]},
    "secret": {"type": ["string", _OR_UNSET], "format": "password"},
    "seconds": {"type": ["number", _OR_UNSET], "minimum": 0},
    "flag": {"type": ["string", _OR_UNSET], "enum": ["true", "false"]},
    "object": {"type": ["object", "string", _OR_UNSET]},
    "flag or text": {"type": ["string", "boolean", _OR_UNSET]},
    "text or list": {"type": ["string", "array", _OR_UNSET]},
}
"""What Airflow 3.2 makes a field of. A type that begins with "object" or names several gets a box that shows
JSON as JSON; a boolean gets no switch, because a switch cannot be left unset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionField:
    """One field, as people fill it."""

    name: str
    """The same everywhere: in the form, in the extra and, of the policy, in airflow.cfg and in a task."""
    kind: Kind
    label: str
    description: str

    def to_form(self) -> dict[str, Any]:
        """Return the field of the connection form, as Airflow 3.2 reads it."""
        schema = (
            {"type": ["string", _OR_UNSET], "enum": list(self.kind)}
            if isinstance(self.kind, tuple)
            else _SCHEMAS[self.kind]
        )
        return {"label": self.label, "description": self.description, "schema": schema}


SERVER_FIELDS = (
    ConnectionField(
        name="auth",
        kind=("client_credentials", "basic", "bearer", "none"),
        label="Authentication",
        description="client_credentials (fetches tokens with client id and secret), basic (login and "
        "password), bearer (the token is the password) or none. Default: client_credentials where there "
        "is a client id, else none.",
    ),
    ConnectionField(
        name="proxies",
        kind="object",
        label="Proxies",
        description='JSON: {"http": "http://proxy:8080", "https": "http://proxy:8080"}; or one URL '
        "for both; HTTP proxies only. Default: HTTPS_PROXY, ALL_PROXY and NO_PROXY of the environment.",
    ),
    ConnectionField(
        name="verify",
        kind="flag or text",
        label="Verify TLS",
        description="true, false, or the path of a CA bundle (PEM) on the machines that run tasks.",
    ),
    ConnectionField(
        name="client_cert",
        kind="text or list",
        label="Client certificate",
        description="Path of a PEM file with certificate and key; or two paths: certificate,key.",
    ),
    ConnectionField(
        name="headers",
        kind="secret",
        label="Headers",
        description="Sent with every request, as an identity-aware proxy may want. One header: "
        'Name: value. Several, as JSON on one line: {"CF-Access-Client-Id": "...", '
        '"CF-Access-Client-Secret": "..."}. The header Authorization only with auth = none.',
    ),
    ConnectionField(
        name="connect_timeout",
        kind="seconds",
        label="Connect timeout (seconds)",
        description="How long to try to connect, proxy and TLS included. Default: 10 s.",
    ),
    ConnectionField(
        name="read_timeout",
        kind="seconds",
        label="Read timeout (seconds)",
        description="How long to wait for the whole answer. Default: 30 s.",
    ),
    ConnectionField(
        name="submit_timeout",
        kind="seconds",
        label="Submit timeout (seconds)",
        description="The same for the start of a sync, for which Airbyte may take 60 s. Default: 90 s.",
    ),
    ConnectionField(
        name="transport",
        kind="text",
        label="HTTP library of workers",
        description="The name of a registered transport. Default: requests.",
    ),
    ConnectionField(
        name="async_transport",
        kind="text",
        label="HTTP library of the triggerer",
        description="The name of a registered async transport. Default: aiohttp.",
    ),
    ConnectionField(
        name="ui_url",
        kind="text",
        label="Web application URL",
        description="Where people open Airbyte, for links; set it where it is not at the server URL.",
    ),
)
"""What belongs to the server; each is read in :mod:`airbyte_sync_airflow.config.connection`."""

TIMEOUTS = tuple(field.name for field in SERVER_FIELDS if field.kind == "seconds")
"""The timeouts of single requests."""
