"""
Settings from options, the environment and a TOML file, in this order.

One name in three spellings: ``--queue-timeout``, ``AIRBYTE_SYNC_QUEUE_TIMEOUT``, and ``queue_timeout`` in the
table of the file that it belongs to: ``[server]``, ``[policy]`` or ``[run]``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airbyte_sync import InvalidInput, SyncPolicy
from airbyte_sync_http.config import SettingsSource, read_toml_table, settings_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airbyte_sync_http import ServerSettings

PREFIX = "AIRBYTE_SYNC_"
POLICY_KEYS = (
    "timeout",
    "queue_timeout",
    "on_conflict",
    "unreachable_timeout",
    "adopt_window",
    "cancel_timeout",
    "cancel_on_timeout",
    "explain",
    "streams",
    "poll_interval",
)
RUN_KEYS = ("state", "on_interrupt", "at_once", "workspace", "transport")
SERVER_FLAGS = {
    "url": "--url",
    "client_id": "--client-id",
    "client_secret_file": "--client-secret-file",
    "username": "--username",
    "password_file": "--password-file",
    "token_file": "--token-file",
}


def default_config_file() -> Path:
    """Return the settings file that is read where none is named: that of the user."""
    return Path(click.get_app_dir("airbyte-sync")) / "config.toml"


@dataclass(frozen=True, slots=True)
class _Layer:
    values: Mapping[str, Any]
    names: Mapping[str, str]


class CliSettings:
    """
    Everything that was set, wherever that was.

    Args:
        flags: The options of the command line, under their keys; ``None`` where one was not given.
        environ: The variables; ``None``: those of this process.

    Raises:
        InvalidInput: The settings file cannot be read, or has a table or key that is not known.
    """

    def __init__(self, flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
        self._flags = {key: value for key, value in flags.items() if value is not None}
        self._environ = os.environ if environ is None else environ
        self.file = self._config_file()

    def _config_file(self) -> Path | None:
        named = self._flags.get("config") or self._environ.get(f"{PREFIX}CONFIG")
        if named:
            return Path(named).expanduser()
        usual = default_config_file()
        return usual if usual.is_file() else None

    def server(self) -> ServerSettings:
        """
        Return where Airbyte is, and who we are there.

        Raises:
            InvalidInput: The address is missing, or a setting cannot be right.
        """
        flags = {key: self._flags[key] for key in SERVER_FLAGS if key in self._flags}
        sources = [
            SettingsSource(values=flags, names=SERVER_FLAGS),
            SettingsSource.environment(self._environ, PREFIX),
        ]
        if self.file is not None:
            sources.append(SettingsSource.toml(self.file, "server"))
        return settings_from(*sources)

    def policy(self) -> SyncPolicy:
        """
        Return how syncs are seen through.

        Raises:
            InvalidInput: A value cannot be meant; the text names it as it was written.
        """
        values: dict[str, Any] = {}
        for layer in reversed(self._layers("policy", POLICY_KEYS)):
            for key, value in layer.values.items():
                with _naming(layer.names[key]):
                    SyncPolicy.from_config({key: value})
            values.update(layer.values)
        return SyncPolicy.from_config(values)

    def get(self, key: str) -> Any:
        """Return what one of the keys of ``[run]`` is set to; ``None`` where it is not."""
        return self.find(key)[0]

    def find(self, key: str) -> tuple[Any, str]:
        """Return the same with what it is called where it was set, for error texts."""
        for layer in self._layers("run", RUN_KEYS):
            if key in layer.values:
                return layer.values[key], layer.names[key]
        return None, key

    def _layers(self, table: str, keys: tuple[str, ...]) -> list[_Layer]:
        flags = {key: f"--{key.replace('_', '-')}" for key in keys}
        variables = {key: f"{PREFIX}{key.upper()}" for key in keys}
        layers = [
            _Layer({key: self._flags[key] for key in keys if key in self._flags}, flags),
            _Layer(
                {
                    key: self._environ[name]
                    for key, name in variables.items()
                    if self._environ.get(name)
                },
                variables,
            ),
        ]
        if self.file is not None:
            with _naming(f"settings file {self.file}"):
                values = read_toml_table(self.file, table)
            names = {key: f"{key} in [{table}] of {self.file}" for key in (*keys, *values)}
            for key in values:
                if key not in keys:
                    raise InvalidInput(f"{names[key]} is no setting: known are {', '.join(keys)}")
            layers.append(_Layer(values, names))
        return layers


@contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from error
