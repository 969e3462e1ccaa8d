"""
Lines in columns, no wider than the terminal.

Where the room does not suffice, the columns that may be shortened are shortened, then the least important
are left out. Without a terminal nothing is: programs read every column, whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import OverflowMethod

GAP = 2
_LEAST = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a table."""

    heading: str
    cells: Sequence[Text] = field(default_factory=list)
    is_number: bool = False
    """Whether it is aligned to the right."""
    drop: int | None = None
    """When it is left out: 1 is the first to go. ``None``: never."""
    shortest: int | None = None
    """To which width it may be shortened before a column is left out. ``None``: not at all."""

    @property
    def width(self) -> int:
        """How wide it is when nothing is shortened."""
        return max(len(self.heading), *(cell.cell_len for cell in self.cells), 0)


def table(
    columns: Sequence[Column], width: int | None = None, overflow: OverflowMethod = "ellipsis"
) -> list[Text]:
    """
    Return a heading and the lines.

    Args:
        columns: All columns.
        width: The room; ``None``: as much as is needed.
        overflow: How a text that is shortened ends.
    """
    fitted = _fit(columns, width)
    headings = [Text(column.heading, "dim") for column, _ in fitted]
    rows = zip(*(column.cells for column, _ in fitted), strict=True)
    return [_line(cells, fitted, overflow) for cells in (headings, *rows)]


def _fit(columns: Sequence[Column], room: int | None) -> list[tuple[Column, int]]:
    kept = [column for column in columns if any(cell.plain for cell in column.cells)]
    order = sorted((column for column in kept if column.drop is not None), key=_drop)
    while True:
        widths = {id(column): column.width for column in kept}
        if room is None:
            break
        too_much = sum(widths.values()) + GAP * (len(kept) - 1) - room
        is_last = not order
        for column in kept:
            if too_much > 0 and column.shortest is not None:
                least = _LEAST if is_last else min(column.shortest, column.width)
                cut = max(0, min(too_much, widths[id(column)] - least))
                widths[id(column)] -= cut
                too_much -= cut
        if too_much <= 0 or is_last:
            break
        dropped = order.pop(0)
        kept = [column for column in kept if column is not dropped]
    return [(column, widths[id(column)]) for column in kept]


def _drop(column: Column) -> int:
    return column.drop or 0


def _line(
    cells: Sequence[Text], fitted: Sequence[tuple[Column, int]], overflow: OverflowMethod
) -> Text:
    line = Text(no_wrap=True, overflow=overflow)
    for given, (column, width) in zip(cells, fitted, strict=True):
        cell = given.copy()
        cell.truncate(width, overflow=overflow)
        missing = " " * (width - cell.cell_len)
        if line.plain or column is not fitted[0][0]:
            line.append(" " * GAP)
        if column.is_number:
            line.append(missing)
        line.append_text(cell)
        if not column.is_number:
            line.append(missing)
    line.rstrip()
    return line
