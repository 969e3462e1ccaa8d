"""How an outcome is told: for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def counted(told: Iterable[str]) -> list[str]:
    """Write down how often a text, or a pair of texts, comes in a row."""
    texts = list(told)
    rows = []
    while texts:
        width, times = max(((width, _times(texts, width)) for width in (2, 1)), key=_length)
        row = ", ".join(texts[:width])
        rows.append(row if times == 1 else f"{times} x {row}")
        del texts[: width * times]
    return rows


def _times(texts: list[str], width: int) -> int:
    """Return how often the beginning of a list is repeated, at least once."""
    times = 1
    while texts[:width] == texts[times * width : (times + 1) * width]:
        times += 1
    return times if times > 1 or width == 1 else 0


def _length(found: tuple[int, int]) -> int:
    width, times = found
    return width * times - width
