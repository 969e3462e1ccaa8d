"""
The statuses of a job: which there are, which end it, and which may follow which.

The table is that of ``JobStatus.kt`` in airbyte-platform. A word outside the table stands for one
that Airbyte has not invented yet: it never ends a job, and anything may come before and after it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

PENDING: Final = "pending"
QUEUED: Final = "queued"
RUNNING: Final = "running"
INCOMPLETE: Final = "incomplete"
FAILED: Final = "failed"
SUCCEEDED: Final = "succeeded"
CANCELLED: Final = "cancelled"

TERMINAL: Final = frozenset({SUCCEEDED, FAILED, CANCELLED})
"""The words that end a job; nothing changes it afterwards."""

_FOLLOWERS: Final = MappingProxyType(
    {
        PENDING: frozenset({QUEUED, RUNNING, FAILED, CANCELLED, INCOMPLETE}),
        QUEUED: frozenset({PENDING, RUNNING, CANCELLED, FAILED}),
        RUNNING: frozenset({INCOMPLETE, SUCCEEDED, FAILED, CANCELLED}),
        INCOMPLETE: frozenset({PENDING, RUNNING, FAILED, CANCELLED, INCOMPLETE, SUCCEEDED}),
        FAILED: frozenset[str](),
        SUCCEEDED: frozenset[str](),
        CANCELLED: frozenset[str](),
    }
)

KNOWN: Final = frozenset(_FOLLOWERS)
"""Every word of the public API's ``JobStatusEnum``."""


def may_follow(before: str, after: str) -> bool:
    """Tell whether a job that is `before` can become `after`; to stay as it is needs no leave."""
    if before in TERMINAL:
        return False
    if before == after or before not in KNOWN or after not in KNOWN:
        return True
    return after in _FOLLOWERS[before]
