"""Transports by name.

A package adds a transport with one line in its manifest: an entry point in the group
``airbyte_sync.transports`` (blocking) or ``airbyte_sync.async_transports``, whose value is a callable that
takes :class:`~airbyte_sync_http.transports.base.TransportOptions` and returns the transport. ``requests`` and
``aiohttp`` of this package are registered in the same way. A library is imported when its transport is
opened, and not before.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import TYPE_CHECKING, Any

from airbyte_sync.errors import InvalidInput

if TYPE_CHECKING:
    from airbyte_sync_http.transports.base import AsyncTransport, Transport, TransportOptions

TRANSPORTS = "airbyte_sync.transports"
ASYNC_TRANSPORTS = "airbyte_sync.async_transports"

_OURS = "airbyte-sync-http"
_KINDS = {
    TRANSPORTS: (
        "blocking",
        ASYNC_TRANSPORTS,
        "an async transport, for open_async_gateway and the setting async_transport",
    ),
    ASYNC_TRANSPORTS: (
        "async",
        TRANSPORTS,
        "a blocking transport, for open_gateway and the setting transport",
    ),
}


class UnknownTransport(InvalidInput):
    """No installed package registers a transport of this name."""


class MissingLibrary(InvalidInput):
    """A transport is registered, but the library that it is made of cannot be imported."""


def open_transport(name: str, options: TransportOptions) -> Transport:
    """
    Open a blocking transport.

    Args:
        name: Its name in the group :data:`TRANSPORTS`.
        options: What it has to know about the network.

    Returns:
        The transport; who opens it closes it.

    Raises:
        UnknownTransport: No installed package registers this name.
        MissingLibrary: Its library is not installed.
    """
    transport: Transport = _load(TRANSPORTS, name)(options)
    return transport


def open_async_transport(name: str, options: TransportOptions) -> AsyncTransport:
    """Open an async transport from the group :data:`ASYNC_TRANSPORTS`; see :func:`open_transport`."""
    transport: AsyncTransport = _load(ASYNC_TRANSPORTS, name)(options)
    return transport


def registered(group: str) -> tuple[str, ...]:
    """Return the names of a group, in alphabetical order."""
    return tuple(sorted(_entries(group, tuple(sys.path)).names))


def require_registered(group: str, name: str, said: str = "") -> None:
    """
    Refuse a name that no installed package registers, without importing anything.

    Args:
        group: :data:`TRANSPORTS` or :data:`ASYNC_TRANSPORTS`.
        name: The name of a transport.
        said: How the error begins, where the caller knows which setting holds the name.

    Raises:
        UnknownTransport: No installed package registers it, or it is one of the other kind.
    """
    known = registered(group)
    if name not in known:
        here, other, its = _KINDS[group]
        if name in registered(other):
            raise UnknownTransport(
                f"{said or f'no {here} transport is called {name!r}'}: that is {its}. Known {here} ones "
                f"are: {', '.join(known) or 'none'}."
            )
        raise UnknownTransport(
            f"{said or f'no transport is called {name!r}'}; known are: {', '.join(known) or 'none'}. "
            "Install the package that brings it, or register your own as an entry point in the group "
            f"{group}."
        )


@lru_cache(maxsize=8)
def _entries(group: str, path: tuple[str, ...]) -> EntryPoints:
    """Read the manifests of all that is installed on a path: once, as there are hundreds beside Airflow."""
    del path
    return entry_points(group=group)


def _load(group: str, name: str) -> Any:
    require_registered(group, name)
    found = [entry for entry in _entries(group, tuple(sys.path)) if entry.name == name]
    try:
        return found[0].load()
    except ImportError as error:
        raise MissingLibrary(
            f"the transport {name!r} cannot be loaded ({error}). Install what it needs: "
            f"pip install {_requirement(found[0])}"
        ) from error


def _requirement(entry: EntryPoint) -> str:
    if entry.dist is None or entry.dist.name == _OURS:
        return f"'{_OURS}[{entry.name}]'"
    return f"'{entry.dist.name}'"
