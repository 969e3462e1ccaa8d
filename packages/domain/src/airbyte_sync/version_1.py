"""Checkpoints of version 1, as the release before wrote them: one flat document for all phases.

Tasks that were deferred then go on from here. What a phase does not need any more is read, and dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from airbyte_sync.events import Origin
from airbyte_sync.jobs import JobType
from airbyte_sync.phases import (
    Asked,
    Cancelling,
    ConnectionBusy,
    EarlierJobs,
    Failures,
    FindingJob,
    Submissions,
    Submitting,
    Watching,
)
from airbyte_sync.stored import count, exactly, moment, plain, status

if TYPE_CHECKING:
    from airbyte_sync.phases import Phase

Values: TypeAlias = Mapping[str, Any]


def read(document: Mapping[str, object]) -> dict[str, Any]:
    """
    Return the fields of a checkpoint.

    Args:
        document: What was stored, without its version.

    Raises:
        KeyError: Something is missing, or is not known.
        TypeError: Something is of another type.
        ValueError: Something cannot be right.
    """
    values: dict[str, Any] = {name: _READERS[name](value) for name, value in document.items()}
    return {
        "phase": _PHASES[values["phase"]](values),
        "asked_at": values["asked_at"],
        "job_type": values.get("job_type", JobType.SYNC),
        "deadline": values.get("deadline"),
        "deadline_name": values.get("limit"),
        "queue_deadline": values.get("queue_deadline"),
        "wake_at": values.get("wake_at"),
        "failures": _series(values, "failing_since", "failures"),
        "polls": values.get("looks", 0),
        "has_met_airbyte": values.get("has_met_airbyte", False),
        "strange_since": values.get("strange_since"),
    }


def write(common: Mapping[str, Any], watching: Watching) -> dict[str, Any]:
    """
    Return the document of a request that has its job, for a worker of the release before.

    Args:
        common: The fields of the checkpoint, as JSON types, without those that have their default.
        watching: Its phase.
    """
    values = {**common, **plain(watching)}
    for series, (since, how_many) in _SERIES.items():
        if series in values:
            group = values.pop(series)
            values |= {since: group["since"], how_many: group["count"]}
    for before, now in _RENAMED.items():
        if now in values:
            values[before] = values.pop(now)
    return {"version": 1, **values, "phase": "watch"}


_SERIES = {
    "failures": ("failing_since", "failures"),
    "missing": ("missing_since", "missing_polls"),
}
_RENAMED = {"limit": "deadline_name", "looks": "polls"}


def _submit(values: Values) -> Phase:
    if "connection_id" not in values:
        return Asked()
    return Submitting(
        connection_id=values["connection_id"],
        after_job_id=values.get("blocked_by"),
        submissions=_submissions(values),
        submit_failures=_series(values, "submit_failing_since", "submit_failures"),
    )


def _look(values: Values) -> Phase:
    return FindingJob(
        connection_id=values["connection_id"],
        after_job_id=values.get("blocked_by"),
        submissions=_submissions(values),
        submit_failures=_series(values, "submit_failing_since", "submit_failures"),
        earlier=_earlier(values),
        search_until=values.get("settle_until"),
        nothing_came=values.get("nothing_came", False),
    )


def _queue(values: Values) -> Phase:
    return ConnectionBusy(
        connection_id=values["connection_id"],
        after_job_id=values["blocked_by"],
        submissions=_submissions(values),
        earlier=_earlier(values),
        search_until=values.get("settle_until"),
    )


def _watch(values: Values) -> Phase:
    return Watching(
        job_id=values["job_id"],
        origin=values["origin"],
        connection_id=values.get("connection_id"),
        status=values.get("status"),
        newer_ended=values.get("newer_ended"),
        missing=_series(values, "missing_since", "missing_polls"),
    )


def _cancel(values: Values) -> Phase:
    return Cancelling(
        job_id=values["job_id"],
        cancel_until=values.get("cancel_until", values["asked_at"]),
        origin=values.get("origin"),
        connection_id=values.get("connection_id"),
        status=values.get("status"),
        cancel_sent=values.get("cancel_sent", False),
        queued_too_long=values.get("queued_too_long", False),
    )


def _submissions(values: Values) -> Submissions:
    return Submissions(
        in_doubt=values.get("in_doubt", False),
        lost=values.get("lost_submissions", 0),
        lost_status=values.get("lost_status"),
    )


def _earlier(values: Values) -> EarlierJobs | None:
    if "answered_since" not in values:
        return None
    return EarlierJobs(
        answered_since=values["answered_since"], tries=values.get("earlier_tries", 0)
    )


def _series(values: Values, since: str, how_many: str) -> Failures | None:
    if since not in values:
        return None
    return Failures(since=values[since], count=values.get(how_many, 0))


_PHASES: dict[str, Callable[[Values], Phase]] = {
    "submit": _submit,
    "look": _look,
    "queue": _queue,
    "watch": _watch,
    "cancel": _cancel,
}

_READERS: dict[str, Callable[[object], object]] = {
    "phase": exactly(str),
    "connection_id": exactly(str),
    "job_type": JobType,
    "asked_at": moment,
    "deadline": moment,
    "limit": exactly(str),
    "queue_deadline": moment,
    "answered_since": moment,
    "earlier_tries": count,
    "job_id": count,
    "origin": Origin,
    "status": status,
    "blocked_by": count,
    "in_doubt": exactly(bool),
    "settle_until": moment,
    "cancel_until": moment,
    "cancel_sent": exactly(bool),
    "queued_too_long": exactly(bool),
    "wake_at": moment,
    "failing_since": moment,
    "failures": count,
    "looks": count,
    "submit_failing_since": moment,
    "submit_failures": count,
    "lost_submissions": count,
    "lost_status": count,
    "nothing_came": exactly(bool),
    "newer_ended": count,
    "missing_since": moment,
    "missing_polls": count,
    "has_met_airbyte": exactly(bool),
    "strange_since": moment,
}
