"""From an operator's or a sensor's arguments to the domain's request and policy."""

from __future__ import annotations

from datetime import timedelta

from airbyte_sync import InvalidInput, OnConflict, PollSchedule, SyncPolicy

LONGEST_DEFERRED_INTERVAL = timedelta(seconds=60)


def sync_policy(
    *, wait_seconds: float, timeout: float, on_conflict: str, deferred: bool
) -> SyncPolicy:
    """
    Return the policy of a sync.

    Args:
        wait_seconds: The fixed poll interval of a blocking task, and the shortest one of a deferred.
        timeout: The longest total time, in seconds.
        on_conflict: A value of :class:`~airbyte_sync.OnConflict`.
        deferred: Whether a trigger waits, which looks less often the longer a sync takes.

    Raises:
        InvalidInput: One of them cannot be right.
    """
    try:
        conflict = OnConflict(on_conflict)
    except ValueError as error:
        known = ", ".join(repr(each.value) for each in OnConflict)
        raise InvalidInput(f"on_conflict is {on_conflict!r}: use one of {known}") from error
    return SyncPolicy(
        poll=_schedule(_seconds("wait_seconds", wait_seconds), deferred=deferred),
        timeout=_seconds("timeout", timeout),
        on_conflict=conflict,
    )


def watch_policy(
    *, interval: float, interval_name: str, timeout: float | None, deferred: bool
) -> SyncPolicy:
    """
    Return the policy of following somebody else's job; see :func:`sync_policy`.

    ``timeout`` is ``None`` where nothing ends the wait, or something else does.
    """
    return SyncPolicy(
        poll=_schedule(_seconds(interval_name, interval), deferred=deferred),
        timeout=None if timeout is None else _seconds("timeout", timeout),
    )


def job_id_from(value: object) -> int:
    """
    Return the job id that was given as a number or as a rendered template.

    Raises:
        InvalidInput: It is not a job id.
    """
    text = str(value).strip()
    if not (text.isascii() and text.isdecimal()):
        raise InvalidInput(
            f"airbyte_job_id is {value!r}: expected the number of an Airbyte job. Pass the result of "
            "an asynchronous AirbyteTriggerSyncOperator, as .output or as a template with xcom_pull."
        )
    return int(text)


def _schedule(interval: timedelta, *, deferred: bool) -> PollSchedule:
    if not deferred:
        return PollSchedule.fixed(interval)
    return PollSchedule(floor=interval, cap=max(interval, LONGEST_DEFERRED_INTERVAL))


def _seconds(name: str, value: float | timedelta) -> timedelta:
    try:
        duration = value if isinstance(value, timedelta) else timedelta(seconds=float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{name} is {value!r}: give a number of seconds above zero") from error
    if duration <= timedelta(0):
        raise InvalidInput(f"{name} is {value!r}: give a number of seconds above zero")
    return duration
