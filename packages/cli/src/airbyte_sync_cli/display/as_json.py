"""Events, jobs and outcomes as JSON documents, for programs that read the output."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

from airbyte_sync import AirbyteSyncError, Job, JobStatus, SyncFailed, describe

if TYPE_CHECKING:
    from airbyte_sync import Event
    from airbyte_sync_cli.display.board import Entry
    from airbyte_sync_cli.exit_codes import ExitCode


def document(value: object, *, is_line: bool = False) -> str:
    """Return JSON: indented for one document, or one line of a stream."""
    return json.dumps(value, ensure_ascii=False, indent=None if is_line else 2)


def moment(at: datetime) -> str:
    """Return a moment as ISO 8601 in UTC."""
    return at.astimezone(timezone.utc).isoformat()


def event_as_json(event: Event, entry: Entry, now: datetime) -> dict[str, Any]:
    """
    Return an event of a sync: what happened, in words too.

    Args:
        event: What was reported.
        entry: The sync.
        now: When.
    """
    return {
        "event": _snake(type(event).__name__),
        "at": moment(now),
        "target": entry.target,
        "connection_id": entry.connection_id,
        "connection_name": entry.connection_name,
        "text": describe(event).text,
        **{
            each.name: _plain(getattr(event, each.name))
            for each in fields(event)
            if each.name != "at"
        },
    }


def outcome_as_json(entry: Entry) -> dict[str, Any]:
    """Return what became of a sync."""
    view, result = entry.view, entry.result
    return {
        "target": entry.target,
        "connection_id": entry.connection_id,
        "connection_name": entry.connection_name,
        "outcome": None if view.outcome is None else view.outcome.word,
        "exit_code": None if view.outcome is None else int(view.outcome),
        "job": None if view.job is None else view.job.to_json(),
        "origin": None if view.origin is None else view.origin.value,
        "url": view.url,
        "error": None if entry.error is None else error_as_json(entry.error),
        "streams": None if result is None or result.streams is None else result.streams.to_json(),
        "attempts": [] if result is None else [each.to_json() for each in result.attempts],
    }


def outcomes_as_json(entries: list[Entry], exit_code: ExitCode) -> dict[str, Any]:
    """Return the one document about all syncs of a command."""
    return {
        "outcome": exit_code.word,
        "exit_code": int(exit_code),
        "syncs": [outcome_as_json(entry) for entry in entries],
    }


def error_as_json(error: AirbyteSyncError) -> dict[str, Any]:
    """Return what a program can know of an error."""
    reason = error.reason if isinstance(error, SyncFailed) else None
    return {
        "type": type(error).__name__,
        "message": str(error),
        "retry_safe": error.retry_safe,
        "retry_may_help": error.retry_may_help,
        "reason": None
        if reason is None
        else {"message": reason.message, "origin": reason.origin, "kind": reason.kind},
    }


def _plain(value: object) -> Any:
    match value:
        case Job():
            return value.to_json()
        case JobStatus():
            return value.word
        case AirbyteSyncError():
            return error_as_json(value)
        case datetime():
            return moment(value)
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.value
    return value


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip(
        "_"
    )
