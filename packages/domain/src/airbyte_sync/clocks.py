"""The real clocks: what programs pass to an interpreter. Tests pass a virtual one."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone


class SystemClock:
    """The machine's clock; sleeping blocks the thread."""

    def now(self) -> datetime:
        """Return the current moment in UTC."""
        return datetime.now(timezone.utc)

    def sleep(self, duration: timedelta) -> None:
        """Block for ``duration``."""
        time.sleep(duration.total_seconds())


class AsyncSystemClock:
    """The machine's clock; sleeping suspends the task."""

    def now(self) -> datetime:
        """Return the current moment in UTC."""
        return datetime.now(timezone.utc)

    async def sleep(self, duration: timedelta) -> None:
        """Suspend for ``duration``."""
        import asyncio  # noqa: PLC0415 - blocking users never load it

        await asyncio.sleep(duration.total_seconds())
