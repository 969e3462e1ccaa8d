"""How a flow's end becomes Airflow's: as an exception here, or as an event from a trigger.

A trigger lives in another process than the task, so its end travels as JSON and is judged in the
task: the same error becomes the same exception in every mode.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airbyte_sync import errors
from airbyte_sync_airflow.compat import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_RETRY_CAN_MEND = (
    errors.InvalidInput,
    errors.ConnectionUnavailable,
    errors.BadRequest,
    errors.Unauthorized,
    errors.Forbidden,
    errors.NotFound,
    errors.Unprocessable,
)


@contextmanager
def airflow_exceptions() -> Iterator[None]:
    """Raise what Airflow understands in the place of a domain error."""
    try:
        yield
    except errors.AirbyteSyncError as error:
        raise _exception(type(error), str(error)) from error


def success(job_id: int) -> dict[str, Any]:
    """Return the event of a trigger whose sync succeeded."""
    return {"job_id": job_id}


def failure(error: errors.AirbyteSyncError) -> dict[str, Any]:
    """Return the event of a trigger whose flow raised ``error``."""
    return {"error": type(error).__name__, "message": str(error)}


def job_id_of(event: Any, when_late: type[AirflowException] = AirflowException) -> int:
    """
    Return the job id that a trigger's event brings.

    Args:
        event: What the trigger sent.
        when_late: What to raise when the sync did not end in time.

    Raises:
        AirflowException: The event tells of a failure, or it is not an event of ours: what cannot
            be read is never taken for a success.
    """
    match event:
        case {"error": str(name), "message": str(message), **others} if not others:
            raise _exception(_error_named(name), message, when_late)
        case {"job_id": int(job_id), **others} if not others and not isinstance(job_id, bool):
            return job_id
    raise AirflowException(
        f"the trigger ended with an event that is not ours: {event!r}. Look at the connection's "
        "timeline in Airbyte to see what became of the sync."
    )


def _error_named(name: str) -> type[Exception]:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.AirbyteSyncError):
        return kind
    return errors.AirbyteSyncError


def _exception(
    kind: type[Exception], message: str, when_late: type[AirflowException] = AirflowException
) -> AirflowException:
    if issubclass(kind, errors.SyncTimedOut):
        return when_late(message)
    if issubclass(kind, errors.SyncSkipped):
        return AirflowSkipException(message)
    if issubclass(kind, _NO_RETRY_CAN_MEND):
        return AirflowFailException(message)
    return AirflowException(message)
