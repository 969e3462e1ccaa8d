"""What a job did: the streams and attempts in the Config API's report of a job.

Nothing in it is promised, so whatever is missing or unreadable is simply not said. The job itself tells what
it committed of each stream, over all its attempts. Where it does not, the only attempt of a job does; of
several attempts, what each has moved does not add up to that, because a full refresh begins anew.

Source: ``JobInfoRead``, ``JobRead`` and ``AttemptRead`` of the Config API's OpenAPI file, and
``StatsAggregationHelper.kt`` and ``JobHistoryHandler.kt`` of airbyte-platform.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airbyte_sync.job_details import (
    MOST_ATTEMPTS,
    Attempt,
    JobDetails,
    JobStreams,
    StreamTotals,
)
from airbyte_sync_http.protocol.failure_reasons import first_reason
from airbyte_sync_http.protocol.json_node import FIRST_MOMENT, if_readable, is_plausible

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airbyte_sync_http.protocol.json_node import JsonNode

Value = TypeVar("Value")

_LONGEST_STATUS = 60


def job_details(document: JsonNode) -> JobDetails:
    """
    Read what a job did.

    Args:
        document: The report of a job.

    Returns:
        Its streams, where it tells any, and its last attempts.
    """
    reports = document.items_at("attempts")
    streams = _read_all(_stream_of_job, document.items_at("job", "streamAggregatedStats"))
    if not streams and reports:
        read = _stream_of_only_attempt if len(reports) == 1 else _name_of_stream
        streams = _read_all(read, reports[-1].items_at("attempt", "streamStats"))
    return JobDetails(
        streams=JobStreams.of(streams) if streams else None,
        attempts=tuple(_read_all(_attempt, reports[-MOST_ATTEMPTS:])),
    )


def _read_all(read: Callable[[JsonNode], Value], nodes: list[JsonNode]) -> list[Value]:
    """Read what can be read, and leave out the rest."""
    values = (if_readable(partial(read, node)) for node in nodes)
    return [value for value in values if value is not None]


def _name_of_stream(node: JsonNode) -> StreamTotals:
    return StreamTotals(
        name=node["streamName"].label(), namespace=if_readable(node["streamNamespace"].label)
    )


def _stream_of_job(node: JsonNode) -> StreamTotals:
    return replace(
        _name_of_stream(node),
        rows=_count(node, "recordsCommitted"),
        bytes=_count(node, "bytesCommitted"),
    )


def _stream_of_only_attempt(node: JsonNode) -> StreamTotals:
    return replace(
        _name_of_stream(node),
        rows=_count(node, "stats", "recordsCommitted"),
        bytes=_count(node, "stats", "bytesCommitted"),
    )


def _attempt(report: JsonNode) -> Attempt:
    node = report["attempt"]
    status = node["status"].label(_LONGEST_STATUS)
    rows, size = _count(node, "totalStats", "recordsCommitted"), _count(node, "bytesSynced")
    return Attempt(
        number=node["id"].count(),
        status=status,
        started_at=if_readable(lambda: _moment(node["createdAt"])),
        ended_at=if_readable(lambda: _moment(node["endedAt"])),
        rows=_count(node, "recordsSynced") if rows is None else rows,
        bytes=_count(node, "totalStats", "bytesCommitted") if size is None else size,
        failure=first_reason(report) if status == "failed" else None,
    )


def _count(node: JsonNode, *names: str) -> int | None:
    return if_readable(lambda: node.at(*names).count())


def _moment(node: JsonNode) -> datetime | None:
    """Read a moment that is told in seconds since 1970."""
    try:
        moment = FIRST_MOMENT + timedelta(seconds=node.count())
    except OverflowError:
        return None
    return moment if is_plausible(moment) else None
