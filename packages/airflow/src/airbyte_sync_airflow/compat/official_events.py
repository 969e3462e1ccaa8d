"""Events that the official provider's trigger has left for a task that now runs on our classes.

A trigger of apache-airflow-providers-airbyte fires ``{"status", "message", "job_id"}``. When Airflow has
stored such an event before the drop-in was installed, it meets our ``execute_complete``.

Such an event proves little: ``error`` is also what the official trigger says after one failed poll and
when its ``end_time`` has passed, while the job goes on. So the job itself is looked up and judged.

Source: ``triggers/airbyte.py`` and ``operators/airbyte.py`` of the releases 4.0.0 to 6.2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_IS_LATE = "timeout"
"""What the official trigger says when ``execution_timeout`` has passed: its operator then cancels."""


@dataclass(frozen=True, slots=True)
class OfficialEvent:
    """What an event of the official trigger is good for."""

    job_id: int
    """The job that it is about."""
    is_out_of_time: bool
    """Whether the task's ``execution_timeout`` had passed."""


def official_event(event: Any) -> OfficialEvent | None:
    """
    Read an event of the official trigger.

    Args:
        event: What some trigger has sent.

    Returns:
        ``None`` where it is not one of the official trigger.
    """
    match event:
        case {"status": str(status), "message": _, "job_id": int() | str() as job_id, **others}:
            text = str(job_id).strip()  # the official sensor passes on what its template gave
            if not others and text.isascii() and text.isdecimal():
                return OfficialEvent(int(text), status == _IS_LATE)
    return None
