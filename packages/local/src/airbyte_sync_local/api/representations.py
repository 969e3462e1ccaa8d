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

from airbyte_sync_local.platform import statuses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airbyte_sync_local.platform.model import (
        Actor,
        Attempt,
        Failure,
        Json,
        ServerConnection,
        ServerJob,
        Tag,
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


def _present(**fields: Json) -> dict[str, Json]:
    """Leave out the fields that have no value."""
    return {name: value for name, value in fields.items() if value is not None}


def job(row: ServerJob, *, with_stats: bool) -> Json:
    """
    Write a ``JobResponse``.

    Args:
        row: The job.
        with_stats: Whether rows and bytes are told. GET and the list do; POST and DELETE do not.
    """
    return _present(
        jobId=row.job_id,
        status=row.status,
        jobType=row.job_type,
        startTime=timestamp(row.created_at),
        connectionId=row.connection_id,
        lastUpdatedAt=timestamp(row.updated_at) if row.is_terminal else None,
        duration=None if row.status == statuses.PENDING else iso_duration(row.duration),
        bytesSynced=row.bytes if with_stats else None,
        rowsSynced=row.rows if with_stats else None,
    )


def connection(row: ServerConnection) -> Json:
    """Write a ``ConnectionResponse``."""
    schedule = {"scheduleType": "manual"}
    if row.cron_expression is not None:
        schedule = {"scheduleType": "cron", "cronExpression": row.cron_expression}
    streams = [
        {**_descriptor(row, name), "syncMode": "full_refresh_overwrite"} for name in row.streams
    ]
    return _present(
        connectionId=row.connection_id,
        name=row.name,
        sourceId=row.source_id,
        destinationId=row.destination_id,
        workspaceId=row.workspace_id,
        status=row.status,
        schedule=schedule,
        nonBreakingSchemaUpdatesBehavior="ignore",
        namespaceDefinition=row.namespace_definition,
        namespaceFormat=row.namespace_format,
        prefix=row.prefix,
        configurations={"streams": streams},
        createdAt=_epoch(row.created_at),
        tags=[_tag(row, tag) for tag in row.tags],
    )


def _descriptor(row: ServerConnection, name: str) -> dict[str, Json]:
    return _present(name=name, namespace=row.stream_namespace)


def _tag(row: ServerConnection, tag: Tag) -> Json:
    return {
        "tagId": tag.tag_id,
        "workspaceId": row.workspace_id,
        "name": tag.name,
        "color": tag.color,
    }


def source(row: ServerConnection) -> Json:
    """Write the ``SourceResponse`` of a connection's source."""
    ids = {"sourceId": row.source_id, "sourceType": row.source.type}
    return ids | _actor(row, row.source, f"source-{row.source.type}")


def destination(row: ServerConnection) -> Json:
    """Write the ``DestinationResponse`` of a connection's destination."""
    ids = {"destinationId": row.destination_id, "destinationType": row.destination.type}
    return ids | _actor(row, row.destination, f"destination-{row.destination.type}")


def _actor(row: ServerConnection, actor: Actor, connector: str) -> dict[str, Json]:
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


def config_connection(row: ServerConnection) -> Json:
    """Write the Config API's ``ConnectionRead``: the connection with the catalog of its streams."""
    schedule = None
    if row.cron_expression is not None:
        expression, _, zone = row.cron_expression.rpartition(" ")
        schedule = {"cron": {"cronExpression": expression, "cronTimeZone": zone}}
    return _present(
        connectionId=row.connection_id,
        name=row.name,
        namespaceDefinition=row.namespace_definition.replace("_", ""),
        namespaceFormat=row.namespace_format,
        prefix=row.prefix,
        sourceId=row.source_id,
        destinationId=row.destination_id,
        operationIds=[],
        syncCatalog={"streams": [_catalog_entry(row, name) for name in row.streams]},
        scheduleType="manual" if schedule is None else "cron",
        scheduleData=schedule,
        status=row.status,
        breakingChange=False,
        createdAt=_epoch(row.created_at),
        tags=[_tag(row, tag) for tag in row.tags],
    )


def _catalog_entry(row: ServerConnection, name: str) -> Json:
    stream = {
        **_descriptor(row, name),
        "jsonSchema": {"type": "object", "properties": {}},
        "supportedSyncModes": ["full_refresh"],
    }
    config = {
        "syncMode": "full_refresh",
        "destinationSyncMode": "overwrite",
        "cursorField": [],
        "primaryKey": [],
        "aliasName": name,
        "selected": True,
    }
    return {"stream": stream, "config": config}


def connection_state(row: ServerConnection) -> Json:
    """Write the Config API's ``ConnectionState``."""
    if not row.state:
        return {"stateType": "not_set", "connectionId": row.connection_id}
    streams = [
        {"streamDescriptor": _descriptor(row, name), "streamState": state}
        for name, state in row.state.items()
    ]
    return {"stateType": "stream", "connectionId": row.connection_id, "streamState": streams}


def job_info(row: ServerJob, connection: ServerConnection, *, with_logs: bool) -> Json:
    """
    Write the Config API's ``JobInfoRead``: the job with its attempts.

    What the job has committed of each stream is told only without logs (``JobHistoryHandler.kt``).
    """
    job: dict[str, Json] = {
        "id": row.job_id,
        "configType": "sync" if row.job_type == "sync" else "reset_connection",
        "configId": row.connection_id,
        "status": row.status,
        "createdAt": _epoch(row.created_at),
        "updatedAt": _epoch(row.updated_at),
    }
    if row.attempts and not with_logs:
        job["aggregatedStats"] = _stats(row.rows, row.bytes)
        job["streamAggregatedStats"] = [
            {**stream, **stats} for stream, stats in _shares(connection, row.rows, row.bytes)
        ]
    attempts = []
    for each in row.attempts:
        attempt: dict[str, Json] = {"attempt": _attempt(row.job_id, each, connection)}
        if with_logs:
            attempt |= {"logType": "formatted", "logs": {"logLines": _log_lines(each)}}
        attempts.append(attempt)
    return {"job": job, "attempts": attempts}


def _log_lines(row: Attempt) -> list[str]:
    """Write what is known of an attempt as lines of a log."""
    lines = [f"{timestamp(row.created_at)} platform > attempt {row.number} started"]
    lines.append(f"{timestamp(row.updated_at)} platform > {row.rows} records, {row.bytes} bytes")
    if row.failure is not None:
        lines.append(f"{timestamp(row.updated_at)} {row.failure.origin} > {row.failure.reason}")
    if row.ended_at is not None:
        lines.append(f"{timestamp(row.ended_at)} platform > attempt {row.number} {row.status}")
    return lines


def _attempt(job_id: int, row: Attempt, connection: ServerConnection) -> Json:
    failures = None
    if row.failure is not None:
        failures = {
            "failures": [_failure(row.failure, at=row.ended_at or row.updated_at)],
            "partialSuccess": row.rows > 0,
        }
    return _present(
        id=row.number,
        jobId=job_id,
        status=row.status,
        createdAt=_epoch(row.created_at),
        updatedAt=_epoch(row.updated_at),
        endedAt=None if row.ended_at is None else _epoch(row.ended_at),
        bytesSynced=row.bytes,
        recordsSynced=row.rows,
        totalStats=_stats(row.rows, row.bytes),
        streamStats=[
            {**stream, "stats": stats} for stream, stats in _shares(connection, row.rows, row.bytes)
        ],
        failureSummary=failures,
    )


def _shares(connection: ServerConnection, rows: int, size: int) -> Iterator[tuple[Json, Json]]:
    """Divide what was moved among the streams: an equal part each, and the first one the remainder."""
    streams = connection.streams
    for index, name in enumerate(streams):
        share_of_rows, share_of_size = (
            total // len(streams) + (total % len(streams) if index == 0 else 0)
            for total in (rows, size)
        )
        stream = _present(streamName=name, streamNamespace=connection.stream_namespace)
        yield stream, _stats(share_of_rows, share_of_size)


def _stats(rows: int, size: int) -> Json:
    return {
        "recordsEmitted": rows,
        "bytesEmitted": size,
        "recordsCommitted": rows,
        "bytesCommitted": size,
    }


def _failure(row: Failure, *, at: datetime) -> Json:
    return _present(
        failureOrigin=row.origin,
        failureType=row.type,
        externalMessage=row.reason,
        internalMessage=row.internal_message,
        retryable=row.retryable,
        timestamp=_epoch(at) * 1000,
    )
