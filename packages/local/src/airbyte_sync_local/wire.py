"""
How the platform's rows look as JSON, and nothing more.

The shapes were written from Airbyte's own sources and its public OpenAPI file, and share no code
with this project's client: a mistake on one side must meet a different mind on the other.
Fields without a value are left out, never sent as null.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from airbyte_sync_local import statuses

if TYPE_CHECKING:
    from airbyte_sync_local.model import (
        Actor,
        Attempt,
        Connection,
        Failure,
        Job,
        Json,
        Workspace,
    )


def timestamp(instant: datetime) -> str:
    """
    Write an instant as Java's ``OffsetDateTime.toString`` does.

    Whole seconds, always ``Z``, and the seconds are dropped when they are :00.
    """
    utc = instant.astimezone(timezone.utc)
    return utc.strftime("%Y-%m-%dT%H:%M:%SZ" if utc.second else "%Y-%m-%dT%H:%MZ")


def iso_duration(length: timedelta) -> str:
    """Write a duration as Java's ``Duration.toString`` does: hours are the largest unit."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    return "PT" + ("".join(f"{count}{unit}" for count, unit in parts if count) or "0S")


def _epoch(instant: datetime) -> int:
    return int(instant.timestamp())


def job(row: Job, *, with_stats: bool) -> Json:
    """
    Write a ``JobResponse``.

    Args:
        row: The job.
        with_stats: Whether rows and bytes are told. GET and the list do; POST and DELETE do not.
    """
    body: dict[str, Json] = {
        "jobId": row.job_id,
        "status": row.status,
        "jobType": row.job_type,
        "startTime": timestamp(row.created_at),
        "connectionId": row.connection_id,
    }
    if row.is_terminal:
        body["lastUpdatedAt"] = timestamp(row.updated_at)
    if row.status != statuses.PENDING:
        body["duration"] = iso_duration(row.duration)
    if with_stats:
        body |= {"bytesSynced": row.bytes, "rowsSynced": row.rows}
    return body


def connection(row: Connection) -> Json:
    """Write a ``ConnectionResponse``."""
    schedule = {"scheduleType": "manual"}
    if row.cron_expression is not None:
        schedule = {"scheduleType": "cron", "cronExpression": row.cron_expression}
    body: dict[str, Json] = {
        "connectionId": row.connection_id,
        "name": row.name,
        "sourceId": row.source_id,
        "destinationId": row.destination_id,
        "workspaceId": row.workspace_id,
        "status": row.status,
        "schedule": schedule,
        "nonBreakingSchemaUpdatesBehavior": "ignore",
        "namespaceDefinition": row.namespace_definition,
        "prefix": row.prefix,
        "configurations": {"streams": [_stream(row, name) for name in row.streams]},
        "createdAt": _epoch(row.created_at),
        "tags": [],
    }
    if row.namespace_format is not None:
        body["namespaceFormat"] = row.namespace_format
    return body


def _stream(row: Connection, name: str) -> Json:
    body = {"name": name, "syncMode": "full_refresh_overwrite"}
    if row.stream_namespace is not None:
        body["namespace"] = row.stream_namespace
    return body


def source(row: Connection) -> Json:
    """Write the ``SourceResponse`` of a connection's source."""
    ids = {"sourceId": row.source_id, "sourceType": row.source.type}
    return ids | _actor(row, row.source, f"source-{row.source.type}")


def destination(row: Connection) -> Json:
    """Write the ``DestinationResponse`` of a connection's destination."""
    ids = {"destinationId": row.destination_id, "destinationType": row.destination.type}
    return ids | _actor(row, row.destination, f"destination-{row.destination.type}")


def _actor(row: Connection, actor: Actor, connector: str) -> dict[str, Json]:
    return {
        "name": actor.name or actor.type,
        "definitionId": str(uuid5(NAMESPACE_URL, connector)),
        "workspaceId": row.workspace_id,
        "configuration": dict(actor.configuration),
        "createdAt": _epoch(row.created_at),
    }


def workspace(row: Workspace) -> Json:
    """Write a ``WorkspaceResponse``."""
    return {
        "workspaceId": row.workspace_id,
        "name": row.name,
        "dataResidency": "auto",
        "notifications": {},
    }


def page(rows: list[Json], *, next_link: str, previous_link: str) -> Json:
    """Write one page of a list. A link that leads nowhere is ``""``, not null."""
    return {"previous": previous_link, "next": next_link, "data": rows}


# --- Config API -----------------------------------------------------------------------------------


def job_info(row: Job) -> Json:
    """Write the Config API's ``JobInfoRead``: the job with its attempts, without logs."""
    return {
        "job": {
            "id": row.job_id,
            "configType": "sync" if row.job_type == "sync" else "reset_connection",
            "configId": row.connection_id,
            "status": row.status,
            "createdAt": _epoch(row.created_at),
            "updatedAt": _epoch(row.updated_at),
        },
        "attempts": [{"attempt": _attempt(row.job_id, attempt)} for attempt in row.attempts],
    }


def _attempt(job_id: int, row: Attempt) -> Json:
    body: dict[str, Json] = {
        "id": row.number,
        "jobId": job_id,
        "status": row.status,
        "createdAt": _epoch(row.created_at),
        "updatedAt": _epoch(row.updated_at),
        "bytesSynced": row.bytes,
        "recordsSynced": row.rows,
        "totalStats": {
            "recordsEmitted": row.rows,
            "bytesEmitted": row.bytes,
            "recordsCommitted": row.rows,
        },
        "streamStats": [],
    }
    if row.ended_at is not None:
        body["endedAt"] = _epoch(row.ended_at)
    if row.failure is not None:
        at = row.ended_at or row.updated_at
        body["failureSummary"] = {
            "failures": [_failure(row.failure, at=at)],
            "partialSuccess": row.rows > 0,
        }
    return body


def _failure(row: Failure, *, at: datetime) -> Json:
    body: dict[str, Json] = {
        "failureOrigin": row.origin,
        "failureType": row.type,
        "externalMessage": row.reason,
        "timestamp": _epoch(at) * 1000,
    }
    if row.internal_message is not None:
        body["internalMessage"] = row.internal_message
    if row.retryable is not None:
        body["retryable"] = row.retryable
    return body
