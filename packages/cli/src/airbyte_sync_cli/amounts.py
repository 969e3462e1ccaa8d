"""Numbers as a person reads them on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


def duration_text(duration: timedelta) -> str:
    """Return a duration in at most two units: ``2h 05m``, ``1m 02s``, ``12s``."""
    seconds = max(0, int(duration.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {seconds:02}s" if minutes else f"{seconds}s"


def rows_text(amount: int) -> str:
    """Return a number of rows: ``1 row``, ``1,000 rows``."""
    return f"{amount:,} row" if amount == 1 else f"{amount:,} rows"
