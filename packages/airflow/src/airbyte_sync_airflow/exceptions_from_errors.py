"""Which of our exceptions an error of the domain becomes, in worker and triggerer.

It stands beside :mod:`airbyte_sync_airflow.exceptions` and not in it: every parse of a DAG file loads that,
and this loads the domain.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airbyte_sync import errors
from airbyte_sync_airflow import exceptions
from airbyte_sync_http.protocol.cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airbyte_sync_airflow.compat.airflow import AirflowException

_EXCEPTIONS: tuple[tuple[type[errors.AirbyteSyncError], type[AirflowException]], ...] = (
    (errors.InvalidCheckpoint, exceptions.AirbyteTransientError),
    (errors.InvalidInput, exceptions.AirbyteInputInvalid),
    (errors.ConnectionUnavailable, exceptions.AirbyteConnectionUnavailable),
    (errors.ConnectionNotFound, exceptions.AirbyteConnectionUnavailable),
    (errors.ConnectionAmbiguous, exceptions.AirbyteInputInvalid),
    (errors.SyncAlreadyRunning, exceptions.AirbyteConnectionBusy),
    (errors.StateConflict, exceptions.AirbyteTransientError),
    (errors.Refused, exceptions.AirbyteRefused),
    (errors.SyncFailed, exceptions.AirbyteSyncFailed),
    (errors.SyncCancelled, exceptions.AirbyteSyncCancelled),
    (errors.SyncTimedOut, exceptions.AirbyteSyncTimedOut),
    (errors.QueueTimedOut, exceptions.AirbyteQueueTimedOut),
    (errors.SyncSkipped, exceptions.AirbyteSyncSkipped),
    (errors.SubmitInDoubt, exceptions.AirbyteSubmitInDoubt),
    (errors.JobGone, exceptions.AirbyteJobGone),
    (errors.WrongAddress, exceptions.AirbyteWrongAddress),
    (errors.ServerUnreachable, exceptions.AirbyteServerUnreachable),
    (errors.AirbyteSyncError, exceptions.AirbyteTransientError),
)
"""The first that fits counts."""


@contextmanager
def airflow_exceptions(
    when_late: type[AirflowException] = exceptions.AirbyteSyncTimedOut,
) -> Iterator[None]:
    """Raise what Airflow understands in the place of a domain error; see :func:`exception_for`."""
    try:
        yield
    except errors.AirbyteSyncError as error:
        raise exception_for(type(error), clean(str(error)), when_late) from error


def exception_for(
    kind: type[errors.AirbyteSyncError], message: str, when_late: type[AirflowException]
) -> AirflowException:
    """
    Return the exception that an error becomes.

    Args:
        kind: The error's class.
        message: Its text.
        when_late: What becomes of a job that did not end within ``timeout``.
    """
    # ``execution_timeout``, the caller's own deadline, means the same for every task of Airflow.
    if issubclass(kind, errors.SyncTimedOut) and not issubclass(kind, errors.DeadlinePassed):
        return when_late(message)
    return next(ours for theirs, ours in _EXCEPTIONS if issubclass(kind, theirs))(message)
