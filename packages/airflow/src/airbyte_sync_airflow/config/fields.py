"""Every field of an Airflow connection beside Airflow's own columns: one table.

The connection form of each Airflow release, the reading of the extra and the check of the package's README
derive from it, so that a new field is one entry. Fields of the policy can be set in airflow.cfg, too:
:mod:`airbyte_sync_airflow.config.policy_options`. Importing this module costs nothing, because every Airflow
process does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Kind: TypeAlias = (
    Literal["text", "seconds", "flag", "proxies", "headers", "flag or path", "paths"]
    | tuple[str, ...]
)
"""What a field's value is; a tuple holds the words to choose from."""

_OR_UNSET = "null"

_SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": ["string", _OR_UNSET]},
    "seconds": {"type": ["number", _OR_UNSET], "minimum": 0},
    "flag": {"type": ["string", _OR_UNSET], "enum": ["true", "false"]},
    "proxies": {"type": ["object", "string", _OR_UNSET]},
    "headers": {"type": ["string", _OR_UNSET], "format": "password"},
    "flag or path": {"type": ["string", "boolean", _OR_UNSET]},
    "paths": {"type": ["string", "array", _OR_UNSET]},
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerField(ConnectionField):
    """One field that belongs to the server: the argument of its name is made of it."""

    of: Literal["settings", "network", "server"] = "settings"
    """Whose argument: of ``ServerSettings``, its ``TransportOptions`` or
    :class:`~airbyte_sync_airflow.config.connection.AirbyteServer`."""

    def read(self, what: str, value: object) -> Any:
        """
        Return what a JSON value or a typed text means.

        Args:
            what: How an error begins.
            value: What was given. A word to choose is returned as it is: what it means, and whether there is
                such a word, depends on other fields.

        Raises:
            InvalidInput: It means nothing.
        """
        from airbyte_sync_http import config_values

        readers: Mapping[object, Callable[[str, object], Any]] = {
            "text": config_values.read_text,
            "seconds": config_values.read_seconds,
            "flag": config_values.read_flag,
            "proxies": config_values.read_proxies,
            "headers": config_values.read_headers,
            "flag or path": config_values.read_verify,
            "paths": config_values.read_client_cert,
        }
        return value if isinstance(self.kind, tuple) else readers[self.kind](what, value)

    def secrets_in(self, value: Any) -> Iterator[str]:
        """Yield what of a value that was read may stand in no log."""
        from airbyte_sync_http.auth.hiding import header_secrets, url_secrets

        if self.kind == "headers":
            for name, text in value.items():
                yield from header_secrets(name, text)
        if self.kind == "proxies":
            for url in value.values():
                yield from url_secrets(url)


SERVER_FIELDS = (
    ServerField(
        name="auth",
        kind=("client_credentials", "basic", "bearer", "none"),
        label="Authentication",
        description="client_credentials (fetches tokens with client id and secret), basic (login and "
        "password), bearer (the token is the password) or none. Default: client_credentials where there "
        "is a client id, else none.",
    ),
    ServerField(
        name="proxies",
        kind="proxies",
        of="network",
        label="Proxies",
        description='JSON: {"http": "http://proxy:8080", "https": "http://proxy:8080"}; or one URL '
        "for both; HTTP proxies only. Default: HTTPS_PROXY, ALL_PROXY and NO_PROXY of the environment.",
    ),
    ServerField(
        name="verify",
        kind="flag or path",
        of="network",
        label="Verify TLS",
        description="true, false, or the path of a CA bundle (PEM) on the machines that run tasks.",
    ),
    ServerField(
        name="client_cert",
        kind="paths",
        of="network",
        label="Client certificate",
        description="Path of a PEM file with certificate and key; or two paths: certificate,key.",
    ),
    ServerField(
        name="headers",
        kind="headers",
        label="Headers",
        description="Sent with every request, as an identity-aware proxy may want. One header: "
        'Name: value. Several, as JSON on one line: {"CF-Access-Client-Id": "...", '
        '"CF-Access-Client-Secret": "..."}. The header Authorization only with auth = none.',
    ),
    ServerField(
        name="connect_timeout",
        kind="seconds",
        label="Connect timeout (seconds)",
        description="How long to try to connect, proxy and TLS included. Default: 10 s.",
    ),
    ServerField(
        name="read_timeout",
        kind="seconds",
        label="Read timeout (seconds)",
        description="How long to wait for the whole answer. Default: 30 s.",
    ),
    ServerField(
        name="submit_timeout",
        kind="seconds",
        label="Submit timeout (seconds)",
        description="The same for the start of a sync, for which Airbyte may take 60 s. Default: 90 s.",
    ),
    ServerField(
        name="transport",
        kind="text",
        of="server",
        label="HTTP library of workers",
        description="The name of a registered transport. Default: requests.",
    ),
    ServerField(
        name="async_transport",
        kind="text",
        of="server",
        label="HTTP library of the triggerer",
        description="The name of a registered async transport. Default: aiohttp.",
    ),
    ServerField(
        name="ui_url",
        kind="text",
        label="Web application URL",
        description="Where people open Airbyte, for links; set it where it is not at the server URL.",
    ),
)
"""What belongs to the server, and is put together in :mod:`airbyte_sync_airflow.config.connection`."""

TIMEOUTS = tuple(field.name for field in SERVER_FIELDS if field.kind == "seconds")
"""The timeouts of single requests."""
