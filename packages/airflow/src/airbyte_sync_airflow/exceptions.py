"""What operator and sensor raise: one class for each way in which a sync can end badly.

All are ``AirflowException``, so that Airflow's own rules hold: a plain one may be retried, a
:class:`AirflowFailException` fails the task at once because no retry can mend it, and an
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

# --- another try may help ----------------------------------------------------------------------------


class AirbyteSyncFailed(AirflowException):
    """Airbyte made all its attempts, and the job failed; the next try starts a new one."""


class AirbyteSyncCancelled(AirflowException):
    """Somebody, or Airbyte itself, cancelled the job; the next try starts a new one."""


class AirbyteSyncTimedOut(AirflowException):
    """
    ``timeout`` or ``execution_timeout`` has passed; a job of this task was cancelled.

    Of a sensor only ``execution_timeout``; its job was left running.
    """


class AirbyteQueueTimedOut(AirflowException):
    """The sync did not begin within ``queue_timeout``, which is as long as ``timeout`` by default."""


class AirbyteConnectionBusy(AirflowException):
    """Another sync of the connection runs, and ``on_conflict`` is ``fail``."""


class AirbyteServerUnreachable(AirflowException):
    """The job could not be seen for too long. It may well be running: the next try follows it."""


class AirbyteWrongAddress(AirbyteServerUnreachable):
    """What answers at the server's address has never answered as Airbyte does."""


class AirbyteJobGone(AirflowException):
    """Airbyte had the job and has it no more: it was deleted. The next try starts a new one."""


class AirbyteSubmitInDoubt(AirflowException):
    """Nobody can say whether a sync was started; the next try looks for it first."""


class AirbyteTaskKilled(AirflowException):
    """The task was killed while it waited in a worker."""


class AirbyteTransientError(AirflowException):
    """Anything else that another try may mend."""


# --- no retry can mend it ----------------------------------------------------------------------------


class AirbyteInputInvalid(AirflowFailException):
    """An argument, or a field of the Airflow connection, cannot be right. Nothing was started."""


class AirbyteConnectionUnavailable(AirflowFailException):
    """The connection is inactive, locked, deleted or unknown in Airbyte."""


class AirbyteRefused(AirflowFailException):
    """Airbyte understood the request and said no: wrong credentials, no permission, no such job."""


# --- not a failure -----------------------------------------------------------------------------------


class AirbyteSyncSkipped(AirflowSkipException):
    """Another sync of the connection runs, and ``on_conflict`` is ``skip``."""


class AirbyteSensorTimedOut(AirflowSensorTimeout):
    """The job did not end within the sensor's ``timeout``; it was left running."""
