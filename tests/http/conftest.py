"""A scripted transport, and packages that seem to be installed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync_http import HttpRequest, HttpResponse

PYPROJECT = Path(__file__).parents[2] / "packages" / "http" / "pyproject.toml"


@dataclass
class ScriptedTransport:
    """Answers as a function says, and remembers what it was sent."""

    script: Callable[[HttpRequest], HttpResponse]
    sent: list[HttpRequest] = field(default_factory=list)
    closed: int = 0

    def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        return self.script(request)

    def close(self) -> None:
        self.closed += 1


@dataclass
class HandClock:
    """A clock that is set by hand."""

    time: datetime = datetime(2026, 8, 21, 10, 15, tzinfo=timezone.utc)

    def now(self) -> datetime:
        return self.time

    def sleep(self, duration: timedelta) -> None:
        self.time += duration


@pytest.fixture
def scripted():
    """Make a transport that answers as a function says."""
    return ScriptedTransport


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make a package with entry points look installed: ``install(name, {group: {name: value}})``."""

    def install(name: str, groups: dict[str, dict[str, str]]) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [
            line
            for group, entries in groups.items()
            for line in (f"[{group}]", *(f"{entry} = {value}" for entry, value in entries.items()))
        ]
        (folder / "entry_points.txt").write_text("\n".join(lines))
        monkeypatch.syspath_prepend(tmp_path)

    return install


@pytest.fixture
def our_entry_points() -> dict[str, dict[str, str]]:
    """The entry points in the manifest of this package."""
    tables = re.findall(
        r'^\[project\.entry-points\."(.+?)"\]\n((?:.+\n)*)',
        PYPROJECT.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return {
        group: dict(re.findall(r'^(\S+) = "(.+)"$', lines, re.MULTILINE)) for group, lines in tables
    }
