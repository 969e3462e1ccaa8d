"""From an Airflow connection of type ``airbyte`` to the settings of an Airbyte server.

==============  =====================================================================================
field           meaning
==============  =====================================================================================
host            the server's address, with ``http://`` or ``https://``
port            used where the address itself names none
login           client id; empty means that the server asks for no credentials
password        client secret
schema          the token URL; empty or ``v1/applications/token`` for Airbyte's own route
extra           JSON, in which the other fields of the connection form are kept under their own names
==============  =====================================================================================

A field may be filled by a form, which gives texts, or by hand, in JSON types: both are understood here, and
an empty one is not set. The fields are listed in :mod:`airbyte_sync_airflow.config.fields`,
those of the policy in :mod:`airbyte_sync_airflow.config.policy_options`. One name has no field: ``timeout``,
with which connections for the official provider set all three timeouts.

No error repeats a value that may hold a secret.
"""

from __future__ import annotations

import json
import logging
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from socket import gethostname
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airbyte_sync import AirbyteSyncError, InvalidInput
from airbyte_sync.config import is_set, require_known
from airbyte_sync_airflow.compat.airflow import AirflowNotFoundException, BaseHook, conf
from airbyte_sync_airflow.compat.supervisor import ask_in_turn
from airbyte_sync_airflow.config.fields import SERVER_FIELDS
from airbyte_sync_airflow.config.policy_options import (
    COMPOSITION,
    POLICY_OPTIONS,
    SECTION,
    policy_defaults,
)
from airbyte_sync_http import (
    BasicAuth,
    BearerToken,
    ClientCredentials,
    NoAuth,
    ServerSettings,
    TransportOptions,
)
from airbyte_sync_http.addresses import normalise_base_url
from airbyte_sync_http.auth.hiding import SHORTEST
from airbyte_sync_http.protocol.cleaning import is_clean, shown
from airbyte_sync_http.transports.registry import ASYNC_TRANSPORTS, TRANSPORTS, require_registered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airbyte_sync_http.settings import Auth

_log = logging.getLogger(__name__)
_SCHEMES = frozenset({"http", "https"})
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?")
_KNOWN = (*(each.name for each in (*SERVER_FIELDS, *POLICY_OPTIONS)), "timeout")
"""The names of an extra that mean something here."""
_SIMILAR = 0.8
"""Of ``difflib``: high enough that ``client_id`` is not taken for ``client_cert``."""
_LONGEST_WAIT_FOR_MASKING = 1.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class AirbyteServer:
    """Where to send requests, through what, and what holds for all tasks that do."""

    settings: ServerSettings
    transport: str = "requests"
    async_transport: str = "aiohttp"
    policy: Mapping[str, object] = field(default_factory=dict)
    """See :func:`~airbyte_sync_airflow.config.policy_options.policy_defaults`."""

    def __post_init__(self) -> None:
        # A task may only find out in the triggerer that a name is wrong, after the sync has begun.
        for option, name, group in (
            ("transport", self.transport, TRANSPORTS),
            ("async_transport", self.async_transport, ASYNC_TRANSPORTS),
        ):
            require_registered(group, name, f"the extra {option!r} is {shown(name)}")

    def is_reached_like(self, other: AirbyteServer) -> bool:
        """Whether the two can share a session of workers; policies may differ."""
        return (self.settings, self.transport) == (other.settings, other.transport)


class ConnectionNotThere(AirbyteSyncError):
    """Airflow does not know the connection, or cannot say."""


def read_server(conn_id: str, api_version: str) -> AirbyteServer:
    """
    Return the server that an Airflow connection leads to. Blocks: it asks Airflow for the connection.

    Args:
        conn_id: The Airflow connection.
        api_version: The version in the API's address.

    Raises:
        InvalidInput: The connection, or airflow.cfg, cannot be right; the text names it and the field.
        ConnectionNotThere: Airflow has no such connection, or could not find it.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        # Airflow says so, too, when it could not ask for it: another try may find it.
        # Workers and triggerers may see different ones, where environments or secrets backends differ.
        raise ConnectionNotThere(
            f"{_what_is_wrong_with(conn_id)} (asked for on host {gethostname()!r})"
        ) from error
    return server_from(connection, api_version)


def _what_is_wrong_with(conn_id: str) -> str:
    """Say what to do: Airflow calls a connection unknown, too, whose variable it cannot read."""
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if variable in os.environ:
        return (
            f"Airflow cannot read the connection {conn_id!r} from the environment variable {variable}: write "
            'it as a JSON object, {"conn_type": "airbyte", "host": "https://...", ...}, or as a URI'
        )
    return (
        f"there is no Airflow connection {conn_id!r}: create it, of type airbyte. If a secrets backend of "
        "Airflow holds it, that may have failed: Airflow tells why in its log only, Airflow 3 at level DEBUG"
    )


def server_from(connection: Any, api_version: str) -> AirbyteServer:
    """Return the server that an Airflow ``Connection`` object describes; see :func:`read_server`."""
    _warn_of_unknown_options()
    with _naming(connection):
        extra = _extra(connection)
    policy = policy_defaults(connection.conn_id, extra)
    with _naming(connection):
        base_url = normalise_base_url(_address(connection), api_version)
        read = _read_fields(extra)
        read["settings"]["auth"] = _auth(connection, read["settings"].get("auth"))
        return AirbyteServer(
            settings=ServerSettings(
                base_url=base_url,
                transport=TransportOptions(**read["network"]),
                **read["settings"],
            ),
            policy=policy,
            **read["server"],
        )


def _read_fields(extra: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Read the fields that are set, each for what it is an argument of."""
    read: dict[str, dict[str, Any]] = {"settings": {}, "network": {}, "server": {}}
    for each in SERVER_FIELDS:
        name = each.name
        if each.kind == "seconds" and name not in extra:
            name = "timeout"
        if name in extra:
            value = each.read(f"the extra {name!r}", extra[name])
            for secret in each.secrets_in(value):
                mask(secret)
            read[each.of][each.name] = value
    return read


@contextmanager
def _naming(connection: Any) -> Iterator[None]:
    """Say in an error which Airflow connection it is about."""
    try:
        yield
    except InvalidInput as error:
        raise type(error)(f"Airflow connection {connection.conn_id!r}: {error}") from error


def _extra(connection: Any) -> dict[str, Any]:
    """Return what is set in the extra, and refuse what Airflow itself would take for an empty one."""
    try:
        document = json.loads(connection.extra or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInput("extra is not JSON: check its quotes and brackets") from error
    if document is None or document == []:  # Airflow itself falls over them
        return {}
    if not isinstance(document, dict):
        raise InvalidInput("extra is not a JSON object: write it as {...}, or leave it empty")
    for name in document:
        _warn_where_misspelled(connection.conn_id, name)
    masked: dict[str, Any] = connection.extra_dejson  # it masks the secrets in logs
    return {name: value for name, value in masked.items() if is_set(value)}


@lru_cache(maxsize=1024)
def _warn_where_misspelled(conn_id: str, name: str) -> None:
    """Warn of a name that looks like one of ours, once in a process; other names are not our business."""
    if name in _KNOWN:
        return
    from difflib import get_close_matches

    spelled = name.strip().lower().replace("-", "_").replace(" ", "_")
    similar = get_close_matches(spelled, _KNOWN, n=1, cutoff=_SIMILAR)
    if similar:
        _log.warning(
            "Airflow connection %r: the extra %s is not known and does nothing. Do you mean %r?",
            conn_id,
            shown(name),
            similar[0],
        )


def _warn_of_unknown_options() -> None:
    """Warn of what is set in our section of airflow.cfg, once in a process, where no option has that name."""
    known = (*(each.name for each in POLICY_OPTIONS), COMPOSITION)
    try:
        names = tuple(conf.getsection(SECTION) or ())
    except Exception:  # one value that Airflow cannot read, of an option that it may not even need
        return
    for name in names:
        if name not in known and not name.endswith("_secret"):  # how Airflow names where a value is
            _warn_of_unknown_option(name, known)


@lru_cache(maxsize=1024)
def _warn_of_unknown_option(name: str, known: tuple[str, ...]) -> None:
    try:
        require_known((name,), known)
    except InvalidInput as error:
        _log.warning("The section [%s] of airflow.cfg: %s", SECTION, error)


def _address(connection: Any) -> str:
    """Return the host, with the port field where the host itself names none."""
    host = str(connection.host or "").strip()
    if not is_clean(host):
        return host  # urlsplit would pass over a tab within it
    _require_scheme(connection, host)
    try:
        parts = urlsplit(host)
        wants_port = bool(connection.port and parts.netloc and parts.port is None)
    except ValueError:
        return host  # it is refused, with the reason, where addresses are read
    if not wants_port:
        return host
    return parts._replace(netloc=f"{parts.netloc}:{connection.port}").geturl()


def _require_scheme(connection: Any, host: str) -> None:
    """
    Refuse a host without a scheme, and show the whole address and the URI to write.

    Old connections have the scheme in ``schema``, and those that are written as ``http://host:8001`` have
    it as their type: Airflow takes a URI apart like that.
    """
    if not _HOST_AND_PORT.fullmatch(host):
        return  # what else may be wrong with it is told where addresses are read
    told = [
        str(part or "").strip().lower()
        for part in (getattr(connection, "conn_type", ""), connection.schema)
    ]
    usual = "https" if "airbyte.com" in host else "http"
    scheme = next((part for part in told if part in _SCHEMES), usual)
    port = f":{connection.port}" if connection.port and ":" not in host else ""
    address = f"{scheme}://{host}{port}"
    is_old = told[1] in _SCHEMES
    hint = ", and leave the schema empty, because it is the token URL" if is_old else ""
    raise InvalidInput(
        f"the Airbyte address {host!r} has no scheme: write {address} as the host{hint}. As a URI the "
        f"Airflow connection is airbyte://{address}, or with credentials "
        f"airbyte://{scheme}://CLIENT_ID:CLIENT_SECRET@{host}{port}"
    )


def _token_url(connection: Any) -> str:
    """Return the schema; the scheme of an address, as in old connections, is no token URL."""
    schema = str(connection.schema or "").strip()
    return "" if schema.lower() in _SCHEMES else schema


def _auth(connection: Any, mode: object) -> Auth:
    login, password = connection.login or "", connection.password or ""
    match mode.strip().lower() if isinstance(mode, str) else mode:
        case None if not login and not password:
            return NoAuth()
        case None | "client_credentials":
            return ClientCredentials(
                client_id=login, client_secret=password, token_url=_token_url(connection)
            )
        case "basic":
            return BasicAuth(username=login, password=password)
        case "bearer":
            return BearerToken(token=password)
        case "none":
            return NoAuth()
    raise InvalidInput(
        "the extra 'auth' is not known: use 'client_credentials', 'basic', 'bearer' (the token is the "
        "password) or 'none'"
    )


def mask(secret: str) -> None:
    """
    Keep a secret out of Airflow's logs, for as long as this process lives: Airflow never forgets one.

    Args:
        secret: Passed over where it is too short to be hidden wherever it occurs.
    """
    if len(secret) < SHORTEST:
        return
    try:
        from airflow.sdk.log import mask_secret
    except ImportError:
        try:  # Airflow 3.0, which would hide it only when the supervisor has answered
            from airflow.sdk.execution_time.secrets_masker import (  # type: ignore[no-redef]
                _secrets_masker,
                mask_secret,
            )

            _secrets_masker().add_mask(secret)
        except ImportError:  # Airflow 2
            from airflow.utils.log.secrets_masker import (  # type: ignore[import-not-found, no-redef]
                mask_secret,
            )
    mask_secret(secret)


def mask_aside(secret: str) -> None:
    """
    Mask a secret that came up in the middle of a sync, without waiting for Airflow for longer than a second.

    Airflow 3 tells a task's supervisor of each secret and waits for its answer. While Airflow is silent that
    answer does not come. Neither a poll nor the cancelling of a sync may wait for it: a task that is killed
    meanwhile has five seconds.

    Args:
        secret: As :func:`mask` takes it. This process hides it at once, its supervisor when it answers.
    """

    def tell() -> None:
        with suppress(Exception):  # a supervisor that is gone writes no log either
            mask(secret)

    ask_in_turn()
    masking = Thread(target=tell, name="mask a token", daemon=True)
    masking.start()
    masking.join(_LONGEST_WAIT_FOR_MASKING)
