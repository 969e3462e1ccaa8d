"""Why a job failed: the few words in the Config API's report that help a person.

The report of a job lists its attempts, and each failed attempt lists what went wrong, with a text for
users, a text for developers and a stack trace. Nothing in it is promised, so whatever is missing or
unreadable is simply not said.

Source: ``AttemptRead`` and ``FailureReason`` of the Config API's OpenAPI file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airbyte_sync.jobs import FailureReason
from airbyte_sync_http.auth.hiding import hide, hide_unknown
from airbyte_sync_http.protocol.errors_from_responses import one_line
from airbyte_sync_http.protocol.json_node import InvalidField, if_readable

if TYPE_CHECKING:
    from airbyte_sync_http.protocol.json_node import JsonNode

LONGEST_MESSAGE = 500
"""Characters of a message that are kept: enough to act on, and fit for a log line."""

_LONGEST_WORD = 60
_LONGEST_READ = 4000
"""Characters of a message that are looked at: a message, then a stack trace that may have megabytes."""
_STACK_TRACE = re.compile(
    r"^[ \t]*at [\w.$/<>]+\(|^[ \t]*File \"|stack ?trace:|traceback \(most recent call last\)",
    re.IGNORECASE | re.MULTILINE,
)


def failure_reason(document: JsonNode) -> FailureReason | None:
    """
    Read why the last failed attempt of a job failed.

    What went wrong first is the cause, and the rest mostly its consequences. A failure without a text
    for users counts only where none has one.

    Args:
        document: The report of a job.

    Returns:
        The reason, without stack traces and credentials, or ``None`` where there is none.
    """
    for attempt in reversed(document.items_at("attempts")):
        if _text(attempt, "attempt", "status") == "failed":
            return first_reason(attempt)
    return None


def first_reason(attempt: JsonNode) -> FailureReason | None:
    """Read why one attempt failed, from its report; see :func:`failure_reason`."""
    failures = attempt.items_at("attempt", "failureSummary", "failures")
    failures.sort(key=_moment)
    for field in ("externalMessage", "internalMessage"):
        for failure in failures:
            message = readable_message(_text(failure, field))
            if message:
                return FailureReason(
                    message=message,
                    origin=_word(failure, "failureOrigin"),
                    kind=_word(failure, "failureType"),
                )
    return None


def _moment(failure: JsonNode) -> float:
    try:
        return failure["timestamp"].count()
    except InvalidField:
        return float("inf")


def readable_message(text: str) -> str:
    """Return a message for people on one line, with neither stack trace nor credentials."""
    text = hide(text)  # what is cut is not known as a credential any more
    if (
        len(text) > _LONGEST_READ
    ):  # half a word could be half a credential, which is not known as one
        text = text[:_LONGEST_READ]
        text = text[: max(text.rfind(" "), text.rfind("\n")) + 1]
    trace = _STACK_TRACE.search(text)
    message = text[: trace.start()] if trace else text
    return one_line(hide_unknown(message), LONGEST_MESSAGE)


def _word(failure: JsonNode, name: str) -> str:
    return one_line(hide(_text(failure, name)), _LONGEST_WORD) or "unknown"


def _text(node: JsonNode, *names: str) -> str:
    """Return a text deep inside, or an empty one where there is none."""
    return if_readable(lambda: node.at(*names).text()) or ""
