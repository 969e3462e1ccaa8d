"""Every error of the domain becomes a class that Airflow treats rightly."""

from importlib import import_module
from typing import get_args

import pytest

from airbyte_sync import JobType, OnConflict, errors
from airbyte_sync_airflow import exceptions
from airbyte_sync_airflow.compat.airflow import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airbyte_sync_airflow.config.arguments import JobTypeName, OnConflictName
from airbyte_sync_airflow.config.policy_options import POLICY_OPTIONS
from airbyte_sync_airflow.exceptions_from_errors import airflow_exceptions
from airbyte_sync_airflow.report.job_summary import JobSummary
from airbyte_sync_airflow.triggerer.event import failure, outcome_of

DOCUMENTED = {
    "AirbyteSyncError": "AirbyteTransientError",
    "ConnectionNotThere": "AirbyteTransientError",  # Airflow may only have failed to find it
    "InvalidInput": "AirbyteInputInvalid",
    "InvalidCheckpoint": "AirbyteTransientError",
    "UnknownTransport": "AirbyteInputInvalid",  # these two are not the domain's but airbyte_sync_http's
    "MissingLibrary": "AirbyteInputInvalid",
    "AlreadyClosed": "AirbyteTransientError",
    "CallFailed": "AirbyteTransientError",
    "RequestNotSent": "AirbyteTransientError",
    "AnswerTooLarge": "AirbyteTransientError",
    "ResponseNotReceived": "AirbyteTransientError",
    "ServerTrouble": "AirbyteTransientError",
    "UnreadableId": "AirbyteTransientError",
    "Throttled": "AirbyteTransientError",
    "UnexpectedReply": "AirbyteTransientError",
    "RefusedOnTheWay": "AirbyteTransientError",
    "Refused": "AirbyteRefused",
    "BadRequest": "AirbyteRefused",
    "Unauthorized": "AirbyteRefused",
    "Forbidden": "AirbyteRefused",
    "NotFound": "AirbyteRefused",
    "Unprocessable": "AirbyteRefused",
    "SyncAlreadyRunning": "AirbyteConnectionBusy",
    "JobNotRunning": "AirbyteRefused",
    "StateConflict": "AirbyteTransientError",
    "ConnectionUnavailable": "AirbyteConnectionUnavailable",
    "ConnectionNotFound": "AirbyteConnectionUnavailable",
    "ConnectionAmbiguous": "AirbyteInputInvalid",
    "SyncNotDone": "AirbyteTransientError",
    "SyncFailed": "AirbyteSyncFailed",
    "SyncCancelled": "AirbyteSyncCancelled",
    "SyncTimedOut": "AirbyteSyncTimedOut",
    "DeadlinePassed": "AirbyteSyncTimedOut",
    "QueueTimedOut": "AirbyteQueueTimedOut",
    "SyncSkipped": "AirbyteSyncSkipped",
    "SubmitInDoubt": "AirbyteSubmitInDoubt",
    "JobGone": "AirbyteJobGone",
    "ServerUnreachable": "AirbyteServerUnreachable",
    "WrongAddress": "AirbyteWrongAddress",
    "CancelUnconfirmed": "AirbyteTransientError",
}
FAIL_AT_ONCE = {"AirbyteInputInvalid", "AirbyteConnectionUnavailable", "AirbyteRefused"}
SKIP = {"AirbyteSyncSkipped"}
SENSOR_TIME_OUT = {"AirbyteSensorTimedOut"}

OURS = {
    name: kind
    for name, kind in vars(exceptions).items()
    if isinstance(kind, type) and kind.__module__ == exceptions.__name__ and name != "AirbyteError"
}


def tree(kind):
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


import_module("airbyte_sync_http.transports.registry")
import_module("airbyte_sync_airflow.config.connection")
ERRORS = {
    kind.__name__: kind
    for kind in tree(errors.AirbyteSyncError)
    if not kind.__module__.startswith(
        "airbyte_sync_runner."
    )  # the testkit loads it, and no task does
}


def make(kind):
    attributes = {
        errors.ConnectionUnavailable: {"connection": None},
        errors.ConnectionAmbiguous: {"connections": ()},
    }
    return kind("what to do next", **attributes.get(kind, {}))


def test_no_error_of_this_project_is_forgotten():
    """A new one has to be given its class here, and in the list of exceptions."""
    assert sorted(DOCUMENTED) == sorted(ERRORS)


@pytest.mark.parametrize(("error", "expected"), DOCUMENTED.items())
def test_an_error_becomes_its_documented_class_in_a_worker(error, expected):
    """The text stays, and so does the cause."""
    with pytest.raises(AirflowException) as raised, airflow_exceptions():
        raise make(ERRORS[error])
    assert expected == type(raised.value).__name__
    assert "what to do next" == str(raised.value)
    assert isinstance(raised.value.__cause__, ERRORS[error])


@pytest.mark.parametrize(("error", "expected"), DOCUMENTED.items())
def test_an_error_becomes_the_same_class_when_it_comes_from_a_trigger(error, expected):
    """The event carries its name, its text and the job."""
    outcome = outcome_of(failure(make(ERRORS[error]), JobSummary(job_id=7)))
    assert expected == type(outcome.error).__name__
    order = " upgrade the triggerers first" if error == "InvalidCheckpoint" else ""
    assert str(outcome.error).startswith("what to do next")
    assert order in str(outcome.error)
    assert (order == "") == (str(outcome.error) == "what to do next")
    assert 7 == outcome.job.job_id


@pytest.mark.parametrize(("error", "expected"), DOCUMENTED.items())
def test_a_task_fails_at_once_where_another_try_cannot_help(error, expected):
    """Airflow's retries and the facts of the domain agree."""
    assert ERRORS[error].retry_may_help is (expected not in FAIL_AT_ONCE)


def test_an_error_of_another_release_is_a_failure():
    """A triggerer may be newer than the worker."""
    outcome = outcome_of({"error": "NotInventedYet", "message": "text"})
    assert exceptions.AirbyteTransientError is type(outcome.error)


@pytest.mark.parametrize("name", ["SyncStatus", "annotations", "Exception", "ValueError"])
def test_a_name_that_is_no_error_of_ours_is_a_plain_failure(name):
    """An event names an error, and never anything else that the module holds."""
    outcome = outcome_of({"error": name, "message": "text"})
    assert exceptions.AirbyteTransientError is type(outcome.error)


@pytest.mark.parametrize("name", OURS)
def test_airflow_treats_a_class_as_its_section_says(name):
    """Fail at once, skip, or let the task's own retries decide."""
    kind = OURS[name]
    assert issubclass(kind, exceptions.AirbyteError)
    assert issubclass(kind, AirflowException)
    assert (name in FAIL_AT_ONCE) is issubclass(kind, AirflowFailException)
    assert (name in SKIP) is issubclass(kind, AirflowSkipException)
    assert (name in SENSOR_TIME_OUT) is issubclass(kind, AirflowSensorTimeout)


def test_every_class_is_raised_by_something():
    """Two come from no error of the domain: a killed task, and a sensor that waited too long."""
    assert set(OURS) == {*DOCUMENTED.values(), "AirbyteTaskKilled", "AirbyteSensorTimedOut"}


def test_a_sensor_that_waits_too_long_has_airflows_own_class_for_it():
    """Airflow's ``soft_fail`` looks for it."""
    late = failure(errors.SyncTimedOut("late"), None)
    ours = exceptions.AirbyteSensorTimedOut
    assert ours is type(outcome_of(late, when_late=ours).error)


def test_the_words_of_on_conflict_are_the_domains():
    """In the signature, and in the connection form."""
    words = tuple(choice.value for choice in OnConflict)
    (option,) = [option for option in POLICY_OPTIONS if option.name == "on_conflict"]
    assert words == get_args(OnConflictName)
    assert words == option.kind


def test_the_words_of_job_type_are_the_domains():
    """In the signature, but for a refresh: Airbyte's public API starts none."""
    offered = set(JobType) - {JobType.REFRESH}
    assert {kind.value for kind in offered} == set(get_args(JobTypeName))
