"""How a sample is written: for people to read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WIDTH = 100


def write(path: Path, content: Any) -> None:
    """Write a sample."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(as_text(content) + "\n", encoding="utf-8")


def as_text(content: Any, depth: int = 0) -> str:
    """Return JSON with each value on one line where it fits."""
    text = json.dumps(content)
    if (depth and len(text) + 2 * depth <= WIDTH) or not isinstance(content, (dict, list)):
        return text
    inner = "\n" + "  " * (depth + 1)
    if isinstance(content, list):
        rows = [as_text(each, depth + 1) for each in content]
        return f"[{inner}{(',' + inner).join(rows)}\n{'  ' * depth}]"
    rows = [f"{json.dumps(key)}: {as_text(each, depth + 1)}" for key, each in content.items()]
    return f"{{{inner}{(',' + inner).join(rows)}\n{'  ' * depth}}}"


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
