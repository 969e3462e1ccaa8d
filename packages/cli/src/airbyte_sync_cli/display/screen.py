"""
The screen of running syncs, drawn from views: a pure function of views, a moment and the terminal's size.

One sync has a few lines with everything about it, several have a line each. What a narrow terminal has no
room for is left out, the least important column first; nothing is ever broken into two lines but error texts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from airbyte_sync import Origin
from airbyte_sync.event_texts import readable_bytes
from airbyte_sync_cli.amounts import duration_text, rows_text
from airbyte_sync_cli.display.columns import Column, table
from airbyte_sync_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from rich.console import OverflowMethod, RenderableType

    from airbyte_sync_cli.display.view import SyncView

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_FRAMES = "|/-\\"
_FRAMES_A_SECOND = 5
_SHORTEST_TITLE = 12
_SHORTEST_STATUS = 18
_LEAST_TITLE = 4
_STYLES = {
    ExitCode.SUCCEEDED: "green",
    ExitCode.BUSY: "yellow",
    ExitCode.CANCELLED: "yellow",
    ExitCode.INTERRUPTED: "yellow",
    ExitCode.TERMINATED: "yellow",
}
_INTERRUPTIONS = frozenset({ExitCode.INTERRUPTED, ExitCode.TERMINATED})
_WARNING = "yellow"
_BAD = "red"
_ACTIVE = "cyan"
_QUIET = "dim"


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The terminal."""

    width: int
    height: int
    is_ascii: bool = False
    """Whether it can show nothing but ASCII."""

    @property
    def overflow(self) -> OverflowMethod:
        """How a text ends that had to be shortened."""
        return "crop" if self.is_ascii else "ellipsis"


def screen(
    views: Sequence[SyncView], now: datetime, size: Size, message: str | None = None
) -> RenderableType:
    """
    Return what to show while syncs run.

    Args:
        views: The syncs, in the order in which they were asked for.
        now: The moment, from which elapsed times and the spinner follow.
        size: The terminal. Where there are more syncs than lines, those that run or went wrong go first.
        message: What is said below them.
    """
    said = [] if message is None else _folded(message, _WARNING, size)
    if len(views) == 1:
        return _lines([*_one(views[0], now, size), *said], size)
    rows = _chosen(views, size.height - 3 - len(said))
    lines = _table(rows, now, size, with_notes=len(rows) * 2 + 3 <= size.height)
    hidden = len(views) - len(rows)
    return _lines([*lines, _summary(views, now, size, hidden), *said], size)


def final_screen(views: Sequence[SyncView], now: datetime, size: Size) -> RenderableType:
    """Return what stays on the terminal after the end: every sync, however many there are."""
    if len(views) == 1:
        return _lines(_one(views[0], now, size), size)
    lines = _table(views, now, size, with_notes=False)
    return _lines([*lines, _summary(views, now, size, 0)], size)


def explanations(
    views: Sequence[SyncView], size: Size, streams: Sequence[Sequence[str]] = ()
) -> list[Text]:
    """
    Return what is written below the final screen: why each sync did not succeed, and where to read more.

    The lines are as long as they are, so that an address can be copied in one piece.

    Args:
        views: All syncs.
        size: The terminal.
        streams: Lines about the streams of each, where they were asked for.
    """
    told: list[Text] = []
    for view, lines in zip(views, streams or [()] * len(views), strict=True):
        if len(views) > 1 and view.outcome in _INTERRUPTIONS:
            headline = Text.assemble(_mark(view, view.ended_at, size), " ", (view.title, "bold"))
            told.append(headline.append(f": {view.text}" if view.text is not None else ""))
            continue
        has_more = view.text is not None or bool(lines)
        if len(views) > 1 and has_more:
            told += [
                Text(),
                Text.assemble(_mark(view, view.ended_at, size), " ", (view.title, "bold")),
            ]
            told += _folded(view.text or "", _style(view), size)
        told += [Text(f"  {line}") for line in lines]
        if view.url is not None and (len(views) == 1 or has_more):
            told.append(Text.assemble("  ", (view.url, f"{_QUIET} link {view.url}")))
    return told


# --- one sync -----------------------------------------------------------------------------------------


def _one(view: SyncView, now: datetime, size: Size) -> list[Text]:
    headline = Text(": ")
    if view.job is not None:
        link = "" if view.url is None else f"link {view.url}"
        headline.append(f"job {view.job.job_id}", link).append(" ")
    headline.append(view.status, _style(view))
    if view.origin is Origin.ATTACHED and view.outcome is None:
        headline.append(" (started elsewhere)", _QUIET)
    took = view.elapsed(now)
    if took is not None:
        between = {None: "  ", ExitCode.SUCCEEDED: " in "}.get(view.outcome, " after ")
        headline.append(f"{between}{duration_text(took)}")
    title = Text(view.title, "bold")
    room = size.width - len("x ") - headline.cell_len
    title.truncate(max(room, _LEAST_TITLE), overflow=size.overflow)
    lines = [Text.assemble(_mark(view, now, size), " ", title, headline)]
    amounts = _amounts(view)
    if amounts:
        lines.append(Text("  " + (" - " if size.is_ascii else " · ").join(amounts)))
    if view.note is not None:
        lines += _folded(view.note, _WARNING if view.is_warning else _QUIET, size)
    if view.text is not None:
        lines += _folded(view.text, _style(view), size)
    return lines


def _amounts(view: SyncView) -> list[str]:
    job = view.job
    if job is None or not (job.rows or job.bytes):
        return []
    amounts = [rows_text(job.rows or 0), readable_bytes(job.bytes or 0)]
    return amounts if view.rate is None else [*amounts, _rate_text(view.rate)]


def _rate_text(rate: float) -> str:
    return f"{readable_bytes(int(rate))}/s"


# --- several syncs ------------------------------------------------------------------------------------


def _table(views: Sequence[SyncView], now: datetime, size: Size, *, with_notes: bool) -> list[Text]:
    """Return a heading and a line for each sync, no wider than the terminal."""

    def numbers(heading: str, cells: Iterable[str], drop: int | None = None) -> Column:
        return Column(heading=heading, cells=list(map(Text, cells)), is_number=True, drop=drop)

    heading, *lines = table(
        [
            Column(
                heading="CONNECTION",
                cells=[Text(view.title) for view in views],
                shortest=_SHORTEST_TITLE,
            ),
            numbers("JOB", map(_job_id, views), drop=2),
            Column(
                heading="STATUS",
                cells=[Text(view.status, _style(view)) for view in views],
                shortest=_SHORTEST_STATUS,
            ),
            numbers("TIME", (_time(view.elapsed(now)) for view in views)),
            numbers("ROWS", map(_count, views), drop=4),
            numbers("BYTES", map(_bytes, views), drop=3),
            numbers("RATE", map(_rate, views), drop=1),
        ],
        size.width - len("x "),
        size.overflow,
    )
    told = [Text("  ").append_text(heading)]
    for view, line in zip(views, lines, strict=True):
        told.append(Text.assemble(_mark(view, now, size), " ").append_text(line))
        note = view.note or view.text
        if with_notes and note is not None:
            is_quiet = view.outcome is None and not view.is_warning
            told.append(Text(f"    {note}", _QUIET if is_quiet else _style(view)))
    return told


def _job_id(view: SyncView) -> str:
    return "" if view.job is None else str(view.job.job_id)


def _time(elapsed: timedelta | None) -> str:
    return "" if elapsed is None else duration_text(elapsed)


def _count(view: SyncView) -> str:
    return "" if view.job is None or not view.job.rows else f"{view.job.rows:,}"


def _bytes(view: SyncView) -> str:
    return "" if view.job is None or not view.job.bytes else readable_bytes(view.job.bytes)


def _rate(view: SyncView) -> str:
    return "" if view.rate is None else _rate_text(view.rate)


def _chosen(views: Sequence[SyncView], room: int) -> list[SyncView]:
    """Return as many as there is room for, in their own order: first what runs, then what went wrong."""
    room = max(1, room)
    if len(views) <= room:
        return list(views)
    urgent = sorted(range(len(views)), key=lambda number: _urgency(views[number]))[:room]
    return [views[number] for number in sorted(urgent)]


def _urgency(view: SyncView) -> int:
    if view.is_active:
        return 0 if view.is_warning else 1
    if view.outcome is None:
        return 3
    return 4 if view.outcome is ExitCode.SUCCEEDED else 2


def _summary(views: Sequence[SyncView], now: datetime, size: Size, hidden: int) -> Text:
    """Return one line about all of them: how many stand where, and for how long this takes."""
    counts = Counter(_group(view) for view in views)
    order = ["running", "starting", "waiting", *(code.word for code in ExitCode)]
    parts = [f"{counts[name]} {name}" for name in order if counts[name]]
    if hidden:
        parts.append(f"{hidden} not shown")
    begun = [view.since for view in views if view.since is not None]
    ended = [view.ended_at for view in views if view.ended_at is not None]
    if begun:
        is_over = len(ended) == len(views)
        parts.append(duration_text((max(ended) if is_over else now) - min(begun)))
    return Text("  " + (" - " if size.is_ascii else " · ").join(parts), "bold")


def _group(view: SyncView) -> str:
    if view.outcome is not None:
        return view.outcome.word
    if view.job is not None:
        return "running"
    return "starting" if view.since is not None and view.doing is None else "waiting"


# --- parts --------------------------------------------------------------------------------------------


def _mark(view: SyncView, now: datetime | None, size: Size) -> tuple[str, str]:
    if view.outcome is ExitCode.SUCCEEDED:
        return "+" if size.is_ascii else "✓", "green"
    if view.outcome is not None:
        return "x" if size.is_ascii else "✗", _style(view)
    if view.since is None or now is None:
        return "." if size.is_ascii else "·", _QUIET
    frames = _ASCII_FRAMES if size.is_ascii else _FRAMES
    return frames[int(now.timestamp() * _FRAMES_A_SECOND) % len(frames)], _style(view)


def _style(view: SyncView) -> str:
    if view.outcome is not None:
        return _STYLES.get(view.outcome, _BAD)
    if view.is_cancelling or view.is_warning:
        return _WARNING
    return _ACTIVE if view.since is not None else _QUIET


def _lines(lines: Iterable[Text], size: Size) -> RenderableType:
    """Return lines of which each stays one, however narrow the terminal is."""
    lines = list(lines)
    for line in lines:
        line.no_wrap = True
        line.overflow = size.overflow
    return Group(*lines)


def _folded(text: str, style: str, size: Size) -> list[Text]:
    """Return a text as indented lines, with room for the ^C that a terminal adds to the last of them."""
    width = max(size.width - 6, 10)
    return [Text(f"  {line}", style) for line in wrap(text, width)]
