"""Lines for logs: how a sync ended, and how many came to which end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airbyte_sync.event_texts import readable_bytes
from airbyte_sync_cli.amounts import duration_text, rows_text
from airbyte_sync_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airbyte_sync import SyncResult
    from airbyte_sync_cli.display.view import SyncView

MOST_STREAMS = 20
"""How many streams are told by name to a person."""


def ended_line(view: SyncView) -> str:
    """Return how a sync ended: ``succeeded: job 12, 1,000 rows, 65.5 kB, 1m 02s`` or ``failed: ...``."""
    outcome = "" if view.outcome is None else view.outcome.word
    if view.text is not None:
        where = "" if view.url is None or view.url in view.text else f" ({view.url})"
        return f"{outcome}: {view.text}{where}"
    if view.job is None:
        return outcome
    parts = [f"job {view.job.job_id}"]
    if view.job.rows is not None:
        parts += [rows_text(view.job.rows), readable_bytes(view.job.bytes or 0)]
    took = None if view.ended_at is None else view.elapsed(view.ended_at)
    if took is not None:
        parts.append(duration_text(took))
    return f"{outcome}: {', '.join(parts)}"


def stream_lines(result: SyncResult | None) -> list[str]:
    """Return a line for each stream of a sync, those with the most rows first; the rest is counted."""
    streams = None if result is None else result.streams
    if streams is None:
        return []
    told = [
        f"{each.name if each.namespace is None else f'{each.namespace}.{each.name}'}"
        f"{_amounts(each.rows, each.bytes)}"
        for each in streams.streams[:MOST_STREAMS]
    ]
    hidden = streams.count - len(told)
    return told if hidden == 0 else [*told, f"and {hidden} more: --json tells of the first 100"]


def _amounts(rows: int | None, size: int | None) -> str:
    known = [
        *([] if rows is None else [rows_text(rows)]),
        *([] if size is None else [readable_bytes(size)]),
    ]
    return f": {', '.join(known)}" if known else ""


def closing_line(views: Sequence[SyncView]) -> str:
    """Return how many came to which end: ``3 syncs: 2 succeeded, 1 failed``."""
    counts = Counter(view.outcome for view in views)
    parts = [f"{counts[code]} {code.word}" for code in ExitCode if counts[code]]
    return f"{len(views)} syncs: {', '.join(parts)}"
