"""Write ``docs/benchmarks.md`` and its plots from ``docs/benchmarks.json``: standard library only.

python3 tools/bench/page.py
"""

from __future__ import annotations

import json
from math import log10
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULTS = DOCS / "benchmarks.json"
PAGE = DOCS / "benchmarks.md"
PLOTS = DOCS / "benchmarks"

OURS, OFFICIAL = "#2563eb", "#c2410c"


def write() -> None:
    """Write the page and the plots."""
    PLOTS.mkdir(exist_ok=True)
    for name, text in render(json.loads(RESULTS.read_text())).items():
        (DOCS / name).write_text(text)


def render(found: dict[str, Any]) -> dict[str, str]:
    """Return every file, by its name below ``docs``."""
    return {
        "benchmarks.md": _page(found),
        "benchmarks/side-by-side.svg": _side_by_side(found),
        "benchmarks/growth.svg": _growth(found),
    }


# --------------------------------------------------------------------------------------------------
# The page


def _page(found: dict[str, Any]) -> str:
    machine = found["machine"]
    ours = [case for case in found["side_by_side"] if case["who"] == "ours"][-1]
    most, blocking = found["growth"][-1], found["blocking"][0]
    return f"""# What waiting costs

Measured by `python3 tools/dev.py bench` on {found["measured_on"]}; this page and its plots are written by
`tools/bench/page.py` from the output, [benchmarks.json](benchmarks.json). Each case ran in a process of its
own, ours and the official provider's by turns, against the same local Airbyte with its five threads and
20 ms for each request.

The machine: {machine["cores"]} cores ({machine["cpu"]}), {machine["memory_gb"]} GB, Python
{machine["python"]}, Airflow {machine["airflow"]}, apache-airflow-providers-airbyte {machine["official"]},
airbyte-sync-airflow {machine["ours"]}. It may have had other work (load {machine["load_before"]} at the
start): compare what was measured side by side, not with other machines.

## Deferred syncs, side by side

Syncs of 5 s that all begin together, and as many triggers on one event loop in one process, as a triggerer
holds them.

![Time, stalls, memory and requests, ours and the official provider's](benchmarks/side-by-side.svg)

{_table(found["side_by_side"], _FIGURES)}

| target at 1,000 | ours | met |
|---|---|---|
{_target("worst stall < 50 ms", ours["stall_ms"], 50, " ms")}
{_target("wall <= 8 s", ours["wall_seconds"], 8, " s")}
{_target("memory <= 250 MB", ours["memory_peak_mb"], 250, " MB")}
{_target("GETs <= 50", ours["gets"], 50, "")}

A *stall* is how long a task that wants to run every 5 ms was kept from it. *Computing* is the most that the
loop's own thread had a processor meanwhile; *without the collector* leaves out Python's garbage collector,
which stops the whole process. *Noticed* is from a sync's end to its trigger's event. The official trigger
polls by a blocking call in the event loop, one trigger after the other.

## From one to ten thousand, ours

Syncs of {most["sync_seconds"]:g} s that all begin together. *Once all wait* is from 40 % to 95 % of it.

![Growth with the number of waiting syncs](benchmarks/growth.svg)

{_table(found["growth"], _GROWTH)}

| target at {most["number"]:,} | ours | met |
|---|---|---|
{_target("worst stall < 50 ms", most["stall_ms"], 50, " ms")}
{_target("worst stall < 50 ms once all wait", most["settled_stall_ms"], 50, " ms")}
{_target("memory <= 500 MB", most["memory_peak_mb"], 500, " MB")}
{_flat(found["growth"])}

### Where the stalls at the start come from

While thousands of triggers are made, the process grows by {_objects_each(found["growth"])} objects for each
of them, and Python's collector goes through the whole heap whenever it has grown by a quarter:
{most["gc_full"]} times at {most["number"]:,}, and for {most["gc_longest_ms"]:g} ms at most. Airflow's own
heap alone takes it {most["gc_before_ms"]:g} ms here, before there is any trigger. Without the collector the
worst stall at {most["number"]:,} is {most["stall_without_gc_ms"]:g} ms. Once all wait, nothing is made any
more, and nothing is collected.

## A blocking task

A sync of {blocking["sync_seconds"]:g} s, polled every 3 s, in a fresh process; the medians of three runs.

{_table(found["blocking"], _BLOCKING)}

## How late the end is noticed

In virtual time, deferred, alone (a GET at its own pace) and among a hundred (the feed). The official trigger
polls every `wait_seconds`, 3 s, as long as its loop is free.

{_table(found["delay"], _DELAY)}
{_triggerer(found.get("triggerer"))}"""


_FIGURES = (
    ("", "who"),
    ("syncs", "number"),
    ("wall, s", "wall_seconds"),
    ("worst stall, ms", "stall_ms"),
    ("computing, ms", "stall_cpu_ms"),
    ("without the collector, ms", "stall_without_gc_ms"),
    ("peak memory, MB", "memory_peak_mb"),
    ("GETs", "gets"),
    ("token requests", "requests:POST /applications/token"),
    ("CPU, s", "cpu_seconds"),
    ("noticed, mean s", "notice_mean_seconds"),
    ("noticed, worst s", "notice_worst_seconds"),
)
_GROWTH = (
    ("syncs", "number"),
    ("wall, s", "wall_seconds"),
    ("worst stall, ms", "stall_ms"),
    ("without the collector, ms", "stall_without_gc_ms"),
    ("worst stall once all wait, ms", "settled_stall_ms"),
    ("requests a minute once all wait", "settled_requests_per_minute"),
    ("CPU once all wait, %", "settled_cpu_percent"),
    ("peak memory, MB", "memory_peak_mb"),
    ("memory each, kB", "memory_kb_each"),
    ("GETs of lists", "requests:GET /jobs"),
    ("GETs of jobs", "requests:GET /jobs/{jobId}"),
    ("log lines", "log_lines"),
)
_BLOCKING = (
    ("", "who"),
    ("import of the operator, ms", "import_ms"),
    ("modules", "imported_modules"),
    ("`execute` to first byte, ms", "first_byte_ms"),
    ("longer than the sync, s", "overhead_seconds"),
    ("connections opened", "connections_opened"),
    ("token", "requests:POST /applications/token"),
    ("submit", "requests:POST /jobs"),
    ("polls", "requests:GET /jobs/{jobId}"),
    ("the connection's name", "requests:GET /connections/{connectionId}"),
)
_DELAY = (
    ("sync, s", "sync_seconds"),
    ("followed together", "followed"),
    ("mean, s", "mean_seconds"),
    ("worst, s", "worst_seconds"),
)


def _table(cases: list[dict[str, Any]], columns: tuple[tuple[str, str], ...]) -> str:
    rows = [
        [title for title, _ in columns],
        ["---" for _ in columns],
        *([_cell(case, name) for _, name in columns] for case in cases),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(case: dict[str, Any], name: str) -> str:
    group, _, kind = name.partition(":")
    value = case[group].get(kind, 0) if kind else case[group]
    return value if isinstance(value, str) else f"{value:,g}" if value < 1e6 else f"{value:,.0f}"  # noqa: PLR2004


def _target(text: str, value: float, limit: float, unit: str) -> str:
    is_met = value < limit if "< " in text and "<=" not in text else value <= limit
    return f"| {text} | {value:,g}{unit} | {'yes' if is_met else '**no**'} |"


def _flat(cases: list[dict[str, Any]]) -> str:
    many = {case["number"]: case["settled_requests_per_minute"] for case in cases}
    few, most = many[10], many[max(many)]
    is_met = most <= 1.5 * few
    return (
        f"| requests a minute flat once all wait | {few:g} at 10, {most:g} at {max(many):,} | "
        f"{'yes' if is_met else '**no**'} |"
    )


def _objects_each(cases: list[dict[str, Any]]) -> int:
    """Return how many objects one more trigger is; what all share is in both cases."""
    some, most = cases[-2:]
    more = most["objects_more"] - some["objects_more"]
    each: float = more / (most["number"] - some["number"])
    return round(each)


def _triggerer(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    rows = "\n".join(f"| {name} | {value} |" for name, value in found["figures"].items())
    return f"""
## In a real triggerer

{found["what"]} When all waited,
all syncs were let end at the same moment. Measured on {found["measured_on"]}, by
`python3 tools/dev.py bench_triggerer`.

| | |
|---|---|
{rows}

A line of log goes from the loop to another process of the triggerer, Airflow's own lines as well as ours.
While that process stores a crowd of events it takes no lines, and a loop that writes one waits.
"""


# --------------------------------------------------------------------------------------------------
# The plots


def _svg(width: int, height: int, title: str, shapes: list[str]) -> str:
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" role="img">\n'
        f"<title>{title}</title>\n"
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#1f2937">{text}</text>'


def _side_by_side(found: dict[str, Any]) -> str:
    """Draw a pair of bars for each figure at the largest number, on a logarithmic scale."""
    number = max(case["number"] for case in found["side_by_side"])
    cases = {case["who"]: case for case in found["side_by_side"] if case["number"] == number}
    shapes = [_text(16, 24, f"{number:,} deferred syncs of 5 s (logarithmic scale)")]
    y = 44
    for label, name in (
        ("wall time, s", "wall_seconds"),
        ("worst stall, ms", "stall_ms"),
        ("peak memory, MB", "memory_peak_mb"),
        ("GETs", "gets"),
        ("CPU, s", "cpu_seconds"),
    ):
        shapes.append(_text(16, y + 20, label))
        for offset, (who, color) in enumerate((("ours", OURS), ("official", OFFICIAL))):
            value = float(cases[who][name])
            width = 80 * log10(max(value, 1) * 1.2)
            top = y + 17 * offset
            shapes.append(
                f'<rect x="150" y="{top}" width="{width:.1f}" height="14" fill="{color}"/>'
            )
            shapes.append(_text(156 + width, top + 11, f"{value:,g} {who}"))
        y += 46
    return _svg(640, y + 6, f"{number} deferred syncs, ours and the official provider's", shapes)


def _growth(found: dict[str, Any]) -> str:
    """Draw a small plot for each figure over the number of syncs, logarithmic to the right."""
    shapes: list[str] = []
    panels = (
        ("requests a minute, once all wait", "settled_requests_per_minute"),
        ("worst stall once all wait, ms", "settled_stall_ms"),
        ("peak memory, MB", "memory_peak_mb"),
        ("CPU once all wait, %", "settled_cpu_percent"),
    )
    cases = found["growth"]
    for index, (label, name) in enumerate(panels):
        left, top = 60 + 320 * (index % 2), 40 + 190 * (index // 2)
        largest = max(float(case[name]) for case in cases) or 1.0
        points = [
            (left + 60 * log10(case["number"]), top + 120 - 110 * float(case[name]) / largest)
            for case in cases
        ]
        shapes.append(_text(left, top - 14, label))
        shapes.append(
            f'<path d="M{left} {top}V{top + 120}H{left + 245}" fill="none" stroke="#9ca3af"/>'
        )
        shapes.append(_text(left - 6, top + 14, f"{largest:,g}", "end"))
        shapes.append(_text(left - 6, top + 124, "0", "end"))
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        shapes.append(f'<polyline points="{line}" fill="none" stroke="{OURS}" stroke-width="2"/>')
        for case, (x, y) in zip(cases, points, strict=True):
            shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{OURS}"/>')
            shapes.append(_text(x, top + 138, f"{case['number']:,}", "middle"))
    return _svg(680, 400, "Growth with the number of waiting syncs", shapes)


if __name__ == "__main__":
    write()
