"""
Settings of a server from plain words: the environment, a TOML file, a mapping, or several of them in order.

Every setting has one key. It is written as it is in TOML and in mappings, and in capital letters behind a
prefix in the environment: ``client_id`` and ``AIRBYTE_SYNC_CLIENT_ID``. What is secret may stand in a file of
its own, which ``client_secret_file`` and ``AIRBYTE_SYNC_CLIENT_SECRET_FILE`` name.

==================  =================================================================================
key                 meaning
==================  =================================================================================
url                 the address of the Airbyte, in any spelling
client_id           an application's id, for which a server issues tokens
client_secret       its secret
token_url           where to fetch tokens, where that is not Airbyte's own route
username, password  for a proxy in front of Airbyte, or a server before 1.0
token               a token that was got elsewhere
headers             sent with every request: an object, or lines such as ``Name: value``
proxies             one URL, or an object by scheme
verify              true, false or the path of a CA bundle
client_cert         the path of a client certificate with its key, or the two paths
trust_env           whether HTTPS_PROXY, NO_PROXY and their like hold: true or false
connect_timeout     seconds, as are read_timeout, submit_timeout and explain_timeout
ui_url              where people open Airbyte, where that is not beside its API
==================  =================================================================================

``client_secret``, ``password``, ``token``, ``headers`` and ``proxies`` may hold secrets: each has its
``_file``. An error names the key, or the variable, and never shows a secret or the name of such a file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync.checks import require_text, require_type
from airbyte_sync.config import is_set, require_known
from airbyte_sync.errors import InvalidInput
from airbyte_sync_http.config_values import (
    read_client_cert,
    read_flag,
    read_headers,
    read_proxies,
    read_seconds,
    read_secret,
    read_text,
    read_verify,
)
from airbyte_sync_http.settings import (
    BasicAuth,
    BearerToken,
    ClientCredentials,
    ServerSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airbyte_sync_http.settings import Auth
    from airbyte_sync_http.transports.base import TransportOptions

Target = TypeVar("Target", "ServerSettings", "TransportOptions")

ENVIRONMENT_PREFIX = "AIRBYTE_SYNC_"
"""What the variables begin with, unless a caller says otherwise."""

SECRETS = ("client_secret", "password", "token", "headers", "proxies")
"""Keys whose value may be, or hold, a secret: each may be given as a file."""

_CREDENTIALS = (
    ("client_id", "client_secret", "token_url"),
    ("username", "password"),
    ("token",),
)
_TIMEOUTS = ("connect_timeout", "read_timeout", "submit_timeout", "explain_timeout")
_PATHS = ("verify", "client_cert")
_OTHERS = ("headers", "proxies", "verify", "client_cert", "trust_env", *_TIMEOUTS, "ui_url")

KEYS = tuple(
    name
    for key in ("url", *(key for group in _CREDENTIALS for key in group), *_OTHERS)
    for name in ((key, f"{key}_file") if key in SECRETS else (key,))
)
"""Every key."""

_LARGEST_SECRET = 64 * 1024
_WHERE_IN_TOML = re.compile(r"\(at ((?:line \d+, column \d+)|(?:end of document))\)")


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingsSource:
    """
    One place where settings may have been written.

    Raises:
        InvalidInput: It has a key that no setting has.
    """

    values: Mapping[str, object] = field(repr=False)
    """What is set there, by key."""
    names: Mapping[str, str] = field(default_factory=lambda: {key: key for key in KEYS})
    """What a key is called there, for error texts; a key without a name cannot be set there."""
    folder: Path | None = None
    """What paths are relative to; ``None``: the working directory."""

    def __post_init__(self) -> None:
        expected = 'a dict, as in {"url": "http://localhost:8000"}'
        require_type("values", self.values, Mapping, expected, is_secret=True)
        require_known(self.values, KEYS)

    @classmethod
    def environment(
        cls, environ: Mapping[str, str] | None = None, prefix: str = ENVIRONMENT_PREFIX
    ) -> SettingsSource:
        """
        Return what the environment says. Variables of other names are others' business.

        Args:
            environ: The variables; ``None``: those of this process.
            prefix: What their names begin with.
        """
        require_text("prefix", prefix)
        given = os.environ if environ is None else environ
        names = {key: f"{prefix}{key.upper()}" for key in KEYS}
        values = {key: given[name] for key, name in names.items() if name in given}
        return cls(values=values, names=names)

    @classmethod
    def toml(cls, path: str | os.PathLike[str], table: str = "server") -> SettingsSource:
        """
        Return what a table of a TOML file says; nothing, where the file has no such table.

        Args:
            path: The file. Paths in it are relative to its folder.
            table: The name of the table, with dots where it is in another one.

        Raises:
            InvalidInput: The file cannot be read or is not TOML, or the table has a key that no setting has.
        """
        file = Path(path)
        names = {key: f"{key} in [{table}] of {file}" for key in KEYS}
        try:
            return cls(values=read_toml_table(file, table), names=names, folder=file.parent)
        except InvalidInput as error:
            raise InvalidInput(f"settings file {file}: {error}") from error

    def has(self, key: str) -> bool:
        """Whether a key, or its file, is set here."""
        return any(is_set(self.values.get(name)) for name in (key, f"{key}_file"))


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """
    Return what a TOML file says.

    Raises:
        InvalidInput: It cannot be read, or is not TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - most programs have no such file
    else:
        import tomli as tomllib  # noqa: PLC0415

    try:
        return tomllib.loads(Path(path).read_bytes().decode())
    except OSError as error:
        raise InvalidInput(f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidInput("it is not TOML: it is not encoded in UTF-8") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # not TOMLDecodeError alone: a number may be too long
        place = _WHERE_IN_TOML.search(str(error))  # the rest may quote a secret
        raise InvalidInput(
            f"it is not TOML{f', see {place[1]}' if place else ''}: check its quotes and brackets"
        ) from None


def read_toml_table(path: str | os.PathLike[str], table: str) -> dict[str, Any]:
    """
    Return a table of a TOML file; an empty one, where the file has no such table.

    Args:
        path: The file.
        table: The name of the table, with dots where it is in another one.

    Raises:
        InvalidInput: The file cannot be read or is not TOML, or the name is that of something else.
    """
    return toml_table(read_toml(path), table)


def toml_table(document: Mapping[str, Any], table: str) -> dict[str, Any]:
    """
    Return a table of a TOML document that was read; an empty one, where it has no such table.

    Args:
        document: From :func:`read_toml`.
        table: The name of the table, with dots where it is in another one.

    Raises:
        InvalidInput: The name is that of something else.
    """
    found: Any = document
    for name in table.split("."):
        found = found.get(name, {})
        if not isinstance(found, dict):
            raise InvalidInput(f"{name} is no table: write [{table}] on a line of its own")
    return dict(found)


def settings_from(*sources: SettingsSource) -> ServerSettings:
    """
    Return the settings that one or several sources say: of each key, the first that has it holds.

    The first source that has any credentials decides of which kind they are.

    Args:
        sources: Where to look, in order.

    Raises:
        InvalidInput: The address is missing, or a setting cannot be right; the text names the key as its
            source does.
    """
    return _Reader(sources).settings()


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is set for a key, and where: the name of the key there, with which errors begin."""

    name: str
    value: object
    folder: Path | None

    def path(self, value: str) -> str:
        """Return a path as it is meant in its source."""
        try:
            path = Path(value).expanduser()
        except RuntimeError:  # the machine knows no such user
            path = Path(value)
        return str(path if self.folder is None else self.folder / path)

    def paths(self, value: Any) -> Any:
        """Return one path or two; see :meth:`path`. What is no path is returned as it is."""
        match value:
            case str(path):
                return self.path(path)
            case (certificate, key):
                return self.path(certificate), self.path(key)
        return value


class _Reader:
    def __init__(self, sources: tuple[SettingsSource, ...]) -> None:
        self._sources = sources

    def settings(self) -> ServerSettings:
        """Set one after the other, so that each error can be told with its key."""
        url = self._find("url")
        if url is None:
            raise InvalidInput(
                f"no setting says where Airbyte is: set {self._names('url')} to its address, such as "
                "http://localhost:8000, or https://api.airbyte.com for Airbyte Cloud"
            )
        with _naming(url.name):
            settings = ServerSettings(base_url=read_text("the address", url.value))
        settings = self._with_credentials(settings)
        for key in _TIMEOUTS:
            settings = self._with(settings, key, read_seconds)
        settings = self._with(settings, "headers", read_headers)
        settings = self._with(settings, "ui_url", read_text)
        options = self._with(settings.transport, "proxies", read_proxies)
        options = self._with(options, "verify", read_verify)
        options = self._with(options, "client_cert", read_client_cert)
        options = self._with(options, "trust_env", read_flag)
        return replace(settings, transport=options)

    def _with(self, target: Target, key: str, read: Callable[[str, object], Any]) -> Target:
        """Return settings, or options, with what is set for a key; an error names where it is set."""
        found = self._find(key)
        if found is None:
            return target
        value = read(found.name, found.value)
        if key in _PATHS:
            value = found.paths(value)
        with _naming(found.name):
            return replace(target, **{key: value})

    def _with_credentials(self, settings: ServerSettings) -> ServerSettings:
        for source in self._sources:
            given = [keys for keys in _CREDENTIALS if any(map(source.has, keys))]
            if len(given) > 1:
                names = [source.names[key] for keys in given for key in keys if source.has(key)]
                raise InvalidInput(
                    f"there are credentials of {len(given)} kinds, and a request can carry one of them "
                    f"only: keep one of {' and '.join(names)}"
                )
            if given:
                auth, names_of_auth = self._credentials(*given)
                with _naming(names_of_auth):
                    return replace(settings, auth=auth)
        return settings

    def _credentials(self, keys: tuple[str, ...]) -> tuple[Auth, str]:
        found = {key: self._find(key) for key in keys}
        names = " and ".join(setting.name for setting in found.values() if setting is not None)
        texts: dict[str, str] = {}
        for key, setting in found.items():
            if setting is not None:
                read = read_secret if key in SECRETS else read_text
                texts[key] = read(setting.name, setting.value)
            elif key != "token_url":
                raise InvalidInput(
                    f"{names} is set and {self._names(key)} is not: set both, or neither"
                )
        kinds: dict[str, type[ClientCredentials | BasicAuth | BearerToken]] = {
            "client_id": ClientCredentials,
            "username": BasicAuth,
            "token": BearerToken,
        }
        with _naming(names):
            auth: Auth = kinds[keys[0]](**texts)
        return auth, names

    def _find(self, key: str) -> _Setting | None:
        """Return what the first source says that has a key, or the content of the file that it names."""
        for source in self._sources:
            own = _set_in(source, key)
            file = _set_in(source, f"{key}_file")
            if own is not None and file is not None:
                raise InvalidInput(f"{own.name} and {file.name} are both set: keep one of them")
            if own is not None:
                return own
            if file is not None:
                return replace(file, value=_content(file))
        return None

    def _names(self, key: str) -> str:
        """Return what a key that is missing could be written as."""
        names = [
            source.names[name]
            for source in self._sources
            for name in (key, f"{key}_file")
            if name in source.names
        ]
        return " or ".join(names) or key


def _set_in(source: SettingsSource, key: str) -> _Setting | None:
    value = source.values.get(key)
    if not is_set(value):
        return None
    return _Setting(source.names.get(key, key), value, source.folder)


def _content(file: _Setting) -> str:
    """Return what is in a file, without the line breaks at its end."""
    advice = "give the path of a file that holds the secret and nothing else"
    if not isinstance(file.value, str):
        raise InvalidInput(f"{file.name} is of type {type(file.value).__name__}: {advice}")
    try:
        with Path(file.path(file.value.strip())).open("rb") as opened:
            content = opened.read(_LARGEST_SECRET + 1)
        text = content.decode().rstrip("\r\n")
    except OSError as error:
        raise InvalidInput(
            f"{file.name}: the file cannot be read ({error.strerror}): {advice}"
        ) from None  # the path may be a secret that was written in the wrong place
    except ValueError:
        raise InvalidInput(f"{file.name}: the file is not a text in UTF-8: {advice}") from None
    if len(content) > _LARGEST_SECRET or not text.strip():
        size = "empty" if not text.strip() else f"larger than {_LARGEST_SECRET // 1024} KB"
        raise InvalidInput(f"{file.name}: the file is {size}: {advice}")
    return text


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Say in an error which setting it is about."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from error
