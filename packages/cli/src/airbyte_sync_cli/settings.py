"""
Settings from options, the environment and a TOML file, in this order.

One name in three spellings: ``--queue-timeout``, ``AIRBYTE_SYNC_QUEUE_TIMEOUT``, and ``queue_timeout`` in the
table of the file that it belongs to: ``[server]``, ``[policy]`` or ``[run]``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airbyte_sync import InvalidInput, SyncPolicy
from airbyte_sync.config import require_known
from airbyte_sync.texts import shown
from airbyte_sync_http.config import SettingsSource, read_toml, settings_from, toml_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airbyte_sync_http import ServerSettings

PREFIX = "AIRBYTE_SYNC_"
TABLES = ("server", "policy", "run")
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
    folder: Path | None = None
    """What paths are relative to; ``None``: the working directory."""


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
            return _home_expanded(named)
        usual = default_config_file()
        try:
            return usual if usual.is_file() else None
        except PermissionError:  # the home of another user, as sudo leaves it
            return None

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

    def text(self, key: str) -> str | None:
        """
        Return the text that one of the keys of ``[run]`` is set to; ``None`` where it is not.

        Raises:
            InvalidInput: It is something else, or empty.
        """
        value, name = self.find(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise InvalidInput(f"{name} is {shown(value)}: write a text, or leave it out")
        return value

    def path(self, key: str) -> Path | None:
        """Return the same for a path: ``~`` is a home, and one in the file is relative to its folder."""
        text, layer = self.text(key), self._layer(key)
        if text is None or layer is None:
            return None
        return (layer.folder or Path()) / _home_expanded(text)

    def find(self, key: str) -> tuple[Any, str]:
        """Return what a key of ``[run]`` is set to, and what it is called there, for error texts."""
        layer = self._layer(key)
        return (None, key) if layer is None else (layer.values[key], layer.names[key])

    def _layer(self, key: str) -> _Layer | None:
        return next((each for each in self._layers("run", RUN_KEYS) if key in each.values), None)

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
            with _naming(f"settings file {self.file}"):
                values = toml_table(self._document, table)
            with _naming(f"settings file {self.file}, [{table}]"):
                require_known(values, keys)
            names = {key: f"{key} in [{table}] of {self.file}" for key in keys}
            layers.append(_Layer(values, names, self.file.parent))
        return layers

    @cached_property
    def _document(self) -> Mapping[str, Any]:
        """What the settings file says."""
        if self.file is None:
            return {}
        found = read_toml(self.file)
        _require_known_tables(found)
        return found


def _home_expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # the machine knows no such user
        return Path(path)


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Say in an error where a person wrote what is wrong."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{place}: {error}") from error


def _require_known_tables(found: Mapping[str, object]) -> None:
    known = ", ".join(f"[{table}]" for table in TABLES)
    for name, value in found.items():
        if name in TABLES:
            continue
        if isinstance(value, dict):
            raise InvalidInput(f"[{name}] is not a table of settings: there are {known}")
        raise InvalidInput(f"{name} is in no table: write it below one of {known}")
