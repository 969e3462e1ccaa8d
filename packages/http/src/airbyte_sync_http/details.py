"""What is worth seconds only: what a job did, why it failed, and what its connection is called."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync.errors import CallFailed
from airbyte_sync.job_details import JobDetails, JobStreams, StreamTotals
from airbyte_sync_http.protocol import messages

if TYPE_CHECKING:
    from airbyte_sync.commands import Flow
    from airbyte_sync.jobs import Connection, FailureReason
    from airbyte_sync_http.auth.tokens import Authenticator


def explain_failure(auth: Authenticator, job_id: int) -> Flow[FailureReason | None]:
    """Say why a job failed: :meth:`airbyte_sync.ports.ReasonPort.explain_failure`."""
    auth = auth.with_short_timeouts()
    return auth.flow(messages.explain_failure(auth.settings, job_id))


def fetch_connection_quickly(auth: Authenticator, connection_id: str) -> Flow[Connection]:
    """Read a connection for display: :meth:`airbyte_sync.ports.ConnectionPort.fetch_connection`."""
    auth = auth.with_short_timeouts()
    return auth.flow(messages.fetch_connection(auth.settings, connection_id))


def fetch_details(auth: Authenticator, job_id: int, connection_id: str) -> Flow[JobDetails]:
    """
    Say what a job did: :meth:`airbyte_sync.ports.DetailPort.fetch_details`.

    The Config API knows, or else the streams of its connection are told without amounts.

    Raises:
        CallFailed: None of the sources could be read; it is the error of the second one.
    """
    auth = auth.with_short_timeouts()
    details = None
    try:
        details = yield from auth.flow(messages.fetch_details(auth.settings, job_id))
        if details.streams is not None:
            return details
    except CallFailed:
        pass  # not every server has that API, and not every caller may use it
    try:
        route = yield from auth.flow(messages.fetch_route(auth.settings, connection_id))
    except CallFailed:
        if details is None:
            raise
        return details
    streams = [
        StreamTotals(name=stream.name, namespace=stream.namespace) for stream in route.streams
    ]
    return replace(details or JobDetails(), streams=JobStreams.of(streams) if streams else None)
