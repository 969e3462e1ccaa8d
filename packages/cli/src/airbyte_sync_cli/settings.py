"""
Settings from options, the environment and a TOML file, in this order.

One name in three spellings: ``--queue-timeout``, ``AIRBYTE_SYNC_QUEUE_TIMEOUT``, and ``queue_timeout`` in the
table of the file that it belongs to: ``[server]``, ``[policy]`` or ``[run]``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airbyte_sync import InvalidInput, SyncPolicy
from airbyte_sync_http.config import SettingsSource, read_toml_table, settings_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airbyte_sync_http import ServerSettings

PREFIX = "AIRBYTE_SYNC_"
RUN_KEYS = ("state", "on_interrupt", "at_once", "workspace", "transport")
SERVER_KEYS = ("url", "client_id", "client_secret_file", "username", "password_file", "token_file")
"""The keys of ``[server]`` that have an option."""


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
        flags = self._given(SERVER_KEYS)
        sources = [
            SettingsSource(values=flags.values, names=flags.names),
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
        for layer in reversed(self._layers("policy", SyncPolicy.CONFIG_KEYS)):
            # A wrong value is refused, even one that another goes before.
            SyncPolicy.from_config(layer.values, called=layer.names.__getitem__)
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

    def _given(self, keys: tuple[str, ...]) -> _Layer:
        """Return what options of the command line set."""
        values = {key: self._flags[key] for key in keys if key in self._flags}
        return _Layer(values, {key: f"--{key.replace('_', '-')}" for key in keys})

    def _layers(self, table: str, keys: tuple[str, ...]) -> list[_Layer]:
        variables = {key: f"{PREFIX}{key.upper()}" for key in keys}
        found = {
            key: self._environ[name] for key, name in variables.items() if self._environ.get(name)
        }
        layers = [self._given(keys), _Layer(found, variables)]
        if self.file is not None:
            try:
                values = read_toml_table(self.file, table)
            except InvalidInput as error:
                raise InvalidInput(f"settings file {self.file}: {error}") from error
            names = {key: f"{key} in [{table}] of {self.file}" for key in (*keys, *values)}
            for key in values:
                if key not in keys:
                    raise InvalidInput(
                        f"{names[key]} is not a setting: there are {', '.join(keys)}"
                    )
            layers.append(_Layer(values, names))
        return layers
