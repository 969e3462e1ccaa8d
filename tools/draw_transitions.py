"""Draw how a request goes from phase to phase, from the table that the flows use.

``python3 tools/draw_transitions.py`` writes the figure into ``docs/architecture.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if not any("airbyte_sync" in path for path in sys.path):
    sys.path.append(str(ROOT / "packages" / "domain" / "src"))

from airbyte_sync.flows.transitions import TRANSITIONS  # noqa: E402 - from this tree, unless installed

PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- drawn by tools/draw_transitions.py -->\n", "<!-- end of the figure -->\n"


def figure() -> str:
    """Return the table as a diagram in Mermaid, with one arrow between two phases."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for phase, lines in TRANSITIONS.items():
        for happened, following in lines.items():
            ends = phase.__name__, following.__name__
            arrows.setdefault(ends, []).append(happened.value)
    drawn = "".join(
        f"    {before} --> {after}: {' / '.join(words)}\n"
        for (before, after), words in arrows.items()
    )
    return f"```mermaid\nstateDiagram-v2\n    [*] --> Asked\n{drawn}```\n"


def drawn_into(page: str) -> str:
    """Return a page with the figure as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + BEGIN + figure() + end + after


if __name__ == "__main__":
    PAGE.write_text(drawn_into(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
