"""Connections: found by name, described, and asked why they take no jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync.base_errors import InvalidInput
from airbyte_sync.checkpoint import Checkpoint
from airbyte_sync.commands import FetchConnection, FindConnections, Flow, Now
from airbyte_sync.errors import (
    CallFailed,
    ConnectionAmbiguous,
    ConnectionNotFound,
    Unauthorized,
    UnreadableId,
)
from airbyte_sync.flows.polling import on_poll_failure, pause_until_due
from airbyte_sync.jobs import Connection, ConnectionStatus, is_same_name
from airbyte_sync.phases import Submitting
from airbyte_sync.requests import WHERE_TO_FIND_THE_ID
from airbyte_sync.texts import shown

if TYPE_CHECKING:
    from airbyte_sync.policy import SyncPolicy

MOST_NEAR_MISSES = 3
"""How many names are told that are nearly the one asked for."""


def find_connection(
    name: str, workspace_id: str | None = None, policy: SyncPolicy | None = None
) -> Flow[Connection]:
    """
    Find the one connection of a name.

    Letters may be composed otherwise, and blanks around a name do not count. A name that is the same letter
    by letter goes before one that is not.

    Args:
        name: The name as the Airbyte UI shows it.
        workspace_id: Where to look; ``None`` means everywhere these credentials can see.
        policy: For how long to ask again where the server is in trouble; ``None``: not at all. It has
            nothing to resume: a flow that is put away at a pause is called again.

    Returns:
        The connection.

    Raises:
        ConnectionNotFound: None has the name.
        ConnectionAmbiguous: Several have it.
        ServerUnreachable: The server could not be asked for too long.
        CallFailed: The server refused, or could not be asked and there is no policy.
    """
    similar = yield from _find_connections(FindConnections(name, workspace_id), policy)
    same = tuple(connection for connection in similar if is_same_name(connection.name, name))
    found = tuple(connection for connection in same if connection.name == name) or same
    place = "" if workspace_id is None else f" in workspace {workspace_id}"
    if not found:
        raise ConnectionNotFound(
            f"no connection is called {name!r}{place}{_near_misses(similar)}. Upper and lower case and "
            "blanks within a name count. Check the name, and that these credentials may see the workspace."
        )
    if len(found) > 1:
        ids = ", ".join(connection.connection_id for connection in found)
        raise ConnectionAmbiguous(
            f"{len(found)} connections are called {name!r}{place}: {ids}. Name the workspace, or give "
            "the id.",
            connections=found,
        )
    return found[0]


def _near_misses(similar: tuple[Connection, ...]) -> str:
    names = sorted({connection.name for connection in similar})
    if not names:
        return ""
    more = "" if len(names) <= MOST_NEAR_MISSES else f" and {len(names) - MOST_NEAR_MISSES} more"
    return f", but {' and '.join(map(shown, names[:MOST_NEAR_MISSES]))}{more}"


def _find_connections(
    command: FindConnections, policy: SyncPolicy | None
) -> Flow[tuple[Connection, ...]]:
    now = yield from Now()
    checkpoint = Checkpoint(phase=Submitting(connection_id=repr(command.name)), asked_at=now)
    while True:
        now = yield from pause_until_due(checkpoint)
        try:
            return (yield from command)
        except CallFailed as error:
            if policy is None:
                raise
            checkpoint = yield from on_poll_failure(checkpoint, policy, error, now)


def describe_connection(connection_id: str) -> Flow[Connection | None]:
    """
    Ask what a connection is called and where it is: for people, so it takes seconds at most, and a failure
    does not matter.

    Args:
        connection_id: The connection.

    Returns:
        The connection, or ``None`` where the server does not say, or not so soon.
    """
    try:
        return (yield from FetchConnection(connection_id, quickly=True))
    except CallFailed:
        return None


def require_known_id(connection_id: str) -> Flow[None]:
    """Refuse an id that is not a UUID, unless the server really has such a connection."""
    try:
        yield from FetchConnection(connection_id)
    except Unauthorized:
        raise
    except CallFailed as error:
        if error.retry_may_help and not isinstance(error, UnreadableId):
            raise
        raise InvalidInput(
            f"connection_id {connection_id!r} is not a UUID, and Airbyte knows no such connection "
            f"(it answered: {error}). {WHERE_TO_FIND_THE_ID}"
        ) from error


def why_it_takes_no_jobs(connection: Connection) -> str | None:
    """Say why a connection takes no jobs now, and what to do about it; ``None`` where it takes them."""
    reasons = {
        ConnectionStatus.INACTIVE: "is switched off (by a person, by a breaking schema change, or by "
        "Airbyte after many failures). Switch it on in Airbyte, then run this again",
        ConnectionStatus.LOCKED: "is locked by Airbyte (billing or plan). Unlock it in Airbyte, then "
        "run this again",
        ConnectionStatus.DEPRECATED: "was deleted. Use the id of the connection that replaces it",
    }
    reason = reasons.get(connection.status)
    return reason and f"connection {connection.name!r} ({connection.connection_id}) {reason}."
