"""What operator and sensor raise: one class for each way in which a sync can end badly.

All are ``AirflowException``, so that Airflow's own rules hold: a plain one may be retried, a
:class:`AirflowFailException` fails the task at once because no retry can fix it, and an
:class:`AirflowSkipException` skips it. Name them in ``retry_policy`` (Airflow 3.3) or in a callback::

    RetryRule(exception="airbyte_sync_airflow.exceptions.AirbyteSyncFailed", action=RetryAction.FAIL)
"""

from __future__ import annotations

from airbyte_sync_airflow.compat.airflow import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)


class AirbyteError(Exception):
    """What all exceptions of this package have in common: ``except AirbyteError`` catches each of them."""


# --- another try may help ----------------------------------------------------------------------------


class AirbyteSyncFailed(AirbyteError, AirflowException):
    """Airbyte made all its attempts, and the job failed; the next try starts a new one."""


class AirbyteSyncCancelled(AirbyteError, AirflowException):
    """A person, or Airbyte itself, cancelled the job; the next try starts a new one."""


class AirbyteSyncTimedOut(AirbyteError, AirflowException):
    """
    ``timeout`` or ``execution_timeout`` has passed; a job of this task was cancelled.

    Of a sensor only ``execution_timeout``; its job was left running.
    """


class AirbyteQueueTimedOut(AirbyteError, AirflowException):
    """The sync did not begin within ``queue_timeout``, which is as long as ``timeout`` by default."""


class AirbyteConnectionBusy(AirbyteError, AirflowException):
    """Another sync of the connection runs, and ``on_conflict`` is ``fail``."""


class AirbyteServerUnreachable(AirbyteError, AirflowException):
    """The job could not be seen for too long. It may well be running: the next try follows it."""


class AirbyteWrongAddress(AirbyteServerUnreachable):
    """What answers at the server's address has never answered as Airbyte does."""


class AirbyteJobGone(AirbyteError, AirflowException):
    """Airbyte had the job and has it no more: it was deleted. The next try starts a new one."""


class AirbyteSubmitInDoubt(AirbyteError, AirflowException):
    """It is not known whether a sync was started; the next try looks for it first."""


class AirbyteTaskKilled(AirbyteError, AirflowException):
    """The task was killed while it waited in a worker."""


class AirbyteTransientError(AirbyteError, AirflowException):
    """Anything else that another try may fix."""


# --- no retry can fix it -----------------------------------------------------------------------------


class AirbyteInputInvalid(AirbyteError, AirflowFailException):
    """An argument, or a field of the Airflow connection, cannot be right. Nothing was started."""


class AirbyteConnectionUnavailable(AirbyteError, AirflowFailException):
    """The connection is inactive, locked, deleted or unknown in Airbyte."""


class AirbyteRefused(AirbyteError, AirflowFailException):
    """Airbyte understood the request and said no: wrong credentials, no permission, no such job."""


# --- not a failure -----------------------------------------------------------------------------------


class AirbyteSyncSkipped(AirbyteError, AirflowSkipException):
    """Another sync of the connection runs, and ``on_conflict`` is ``skip``."""


class AirbyteSensorTimedOut(AirbyteError, AirflowSensorTimeout):
    """The job did not end within the sensor's ``timeout``; it was left running."""
