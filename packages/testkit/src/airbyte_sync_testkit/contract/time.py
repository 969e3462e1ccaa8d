"""One time for a server and its client; it moves when a test says so, or when a caller sleeps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airbyte_sync_local import ManualClock

START = datetime(2026, 8, 21, 10, 15, 7, tzinfo=timezone.utc)


class ServerTime:
    """A server's clock as a client's blocking :class:`~airbyte_sync.ports.Clock`."""

    def __init__(self) -> None:
        self.hands = ManualClock(START)
        """The server's clock."""

    def now(self) -> datetime:
        """Return the server's moment."""
        return self.hands()

    def sleep(self, duration: timedelta) -> None:
        """Move the time on at once."""
        self.advance(duration)

    def advance(self, duration: timedelta) -> None:
        """Let time pass."""
        self.hands.advance(duration)


class AsyncServerTime:
    """The async counterpart of a :class:`ServerTime`."""

    def __init__(self, time: ServerTime) -> None:
        self.time = time

    def now(self) -> datetime:
        """Return the server's moment."""
        return self.time.now()

    async def sleep(self, duration: timedelta) -> None:
        """Move the time on at once."""
        self.time.advance(duration)
