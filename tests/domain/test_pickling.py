"""Every public value and error can be pickled and copied: process pools and queues do so."""

from __future__ import annotations

import copy
import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta, timezone
from multiprocessing import get_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import airbyte_sync
from airbyte_sync import (
    Attempt,
    Checkpoint,
    Connection,
    ConnectionAmbiguous,
    ConnectionStatus,
    ConnectionUnavailable,
    EarlierTries,
    FailureReason,
    Job,
    JobPage,
    JobQuery,
    JobStatus,
    JobStreams,
    JobType,
    OnConflict,
    Origin,
    PollSchedule,
    ResponseNotReceived,
    StreamTotals,
    SyncPolicy,
    SyncRequest,
    commands,
    errors,
    events,
    results,
)
from airbyte_sync.drivers import Done
from airbyte_sync.phases import Asked, Cancelling, ConnectionBusy, FindingJob, Submitting, Watching


def pickled(value, protocol=None):
    """Return a value as another process gets it."""
    return pickle.loads(pickle.dumps(value, protocol))  # noqa: S301 - our own bytes


COPIES = [
    pickled,
    lambda value: pickled(value, protocol=2),
    copy.copy,
    copy.deepcopy,
]

texts = some.text(max_size=20)
counts = some.integers(0, 2**40)
moments = some.integers(10**9, 4 * 10**9).map(
    lambda seconds: datetime.fromtimestamp(seconds, timezone.utc)
)
durations = some.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=30))
statuses = some.builds(JobStatus, texts) | some.just(JobStatus.RUNNING)
jobs = some.builds(
    Job,
    job_id=counts,
    status=statuses,
    job_type=texts,
    connection_id=texts,
    created_at=moments,
    ended_at=some.none() | moments,
    duration=some.none() | durations,
    rows=some.none() | counts,
    bytes=some.none() | counts,
)
connections = some.builds(
    Connection,
    connection_id=texts,
    name=texts,
    status=some.sampled_from(ConnectionStatus),
    workspace_id=texts,
    source_id=texts,
    destination_id=texts,
)
reasons = some.builds(FailureReason, message=texts, origin=texts, kind=texts)
origins = some.sampled_from(Origin)
types = some.sampled_from(JobType)
checkpoints = some.builds(
    Checkpoint,
    phase=some.one_of(
        some.just(Asked()),
        some.builds(Submitting, connection_id=texts, after_job_id=some.none() | counts),
        some.builds(FindingJob, connection_id=texts, search_until=some.none() | moments),
        some.builds(ConnectionBusy, connection_id=texts, after_job_id=counts),
        some.builds(Watching, job_id=counts, origin=origins, connection_id=some.none() | texts),
        some.builds(Cancelling, job_id=counts, origin=origins, cancel_until=moments),
    ),
    asked_at=moments,
    deadline=some.none() | moments,
)
queries = some.builds(
    JobQuery, connection_id=some.none() | texts, job_type=some.none() | types, limit=counts
)
pages = some.builds(
    JobPage, jobs=some.lists(jobs, max_size=2).map(tuple), server_time=some.none() | moments
)
failures = some.builds(
    ResponseNotReceived,
    texts,
    status=some.none() | some.integers(100, 599),
    retry_after=some.none() | durations,
)
amounts = some.none() | counts
totals = some.builds(
    StreamTotals, name=texts, namespace=some.none() | texts, rows=amounts, bytes=amounts
)
streams = some.lists(totals, max_size=3).map(JobStreams.of)
attempts = some.builds(
    Attempt,
    number=counts,
    status=texts,
    started_at=some.none() | moments,
    rows=amounts,
    failure=some.none() | reasons,
)
lists_of_attempts = some.lists(attempts, max_size=2).map(tuple)
tries = some.builds(EarlierTries, since=moments, over_at=moments, tries=counts)

FIELDS = {
    "at": moments,
    "attempts": lists_of_attempts,
    "latest": some.none() | moments,
    "checkpoint": checkpoints,
    "connection_id": texts,
    "error": failures,
    "event": some.builds(events.JobEnded, job=jobs),
    "failing_since": moments,
    "is_warning": some.booleans(),
    "job": jobs,
    "job_id": counts,
    "job_type": types,
    "look_until": moments,
    "name": texts,
    "newer": jobs,
    "next_poll": moments,
    "next_try": moments,
    "origin": origins,
    "previous": some.none() | statuses,
    "query": queries,
    "quickly": some.booleans(),
    "recent": some.booleans(),
    "result": jobs,
    "since": moments,
    "streams": some.none() | streams,
    "text": texts,
    "until": moments,
    "workspace_id": some.none() | texts,
}
VALUES = {
    Attempt: attempts,
    Checkpoint: checkpoints,
    Connection: connections,
    EarlierTries: tries,
    FailureReason: reasons,
    Job: jobs,
    JobPage: pages,
    JobQuery: queries,
    JobStatus: statuses,
    JobStreams: streams,
    PollSchedule: some.builds(PollSchedule, floor=durations, cap=some.just(timedelta(days=31))),
    StreamTotals: totals,
    SyncPolicy: some.builds(
        SyncPolicy, timeout=some.none() | durations, on_conflict=some.sampled_from(OnConflict)
    ),
    SyncRequest: some.builds(
        SyncRequest,
        connection_id=some.uuids().map(str),
        job_type=types,
        deadline=some.none() | moments,
        earlier=some.none() | tries,
    ),
}
PUBLIC = {
    kind
    for module in (airbyte_sync, commands, events, results)
    for kind in vars(module).values()
    if inspect.isclass(kind) and is_dataclass(kind)
} | {Done}
ERRORS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, errors.AirbyteSyncError)
]
ATTRIBUTES = {
    "status": some.none() | some.integers(100, 599),
    "retry_after": some.none() | durations,
    "retry_safe": some.none() | some.booleans(),
    "connection": connections,
    "connections": some.lists(connections, max_size=2).map(tuple),
    "job": some.none() | jobs,
    "reason": some.none() | reasons,
}


def values_of(kind):
    """Return a strategy for a public dataclass: its own, or one that fills its fields by their names."""
    if kind in VALUES:
        return VALUES[kind]
    return some.builds(kind, **{field.name: FIELDS[field.name] for field in fields(kind)})


def errors_of(kind):
    """Return a strategy for an error: a message, and the keyword arguments of its constructor."""
    names = [
        name
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    return some.builds(kind, texts, **{name: ATTRIBUTES[name] for name in names})


@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("kind", sorted(PUBLIC, key=lambda kind: kind.__name__))
@given(data=some.data())
def test_a_value_survives(kind, data):
    """What comes back is equal, and of the same class."""
    value = data.draw(values_of(kind))
    for copied in COPIES:
        again = copied(value)
        assert type(value) is type(again)
        if not has_an_error(kind):  # exceptions are compared by identity
            assert value == again
        else:
            assert repr(value) == repr(again)


def has_an_error(kind):
    return any(field.name == "error" for field in fields(kind))


@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("kind", ERRORS)
@given(data=some.data())
def test_an_error_survives(kind, data):
    """Its text and all its attributes come back; none of its subclasses needs code of its own."""
    error = data.draw(errors_of(kind))
    for copied in COPIES:
        again = copied(error)
        assert kind is type(again)
        assert error.args == again.args
        assert vars(error) == vars(again)


def test_a_note_survives():
    """What Python itself and callers add to an error stays with it."""
    error = errors.SyncFailed("failed")
    error.__notes__ = ["seen by a test"]
    assert ["seen by a test"] == pickled(error).__notes__


def fail(kind):
    """Raise what could not be unpickled before."""
    connection = Connection(
        connection_id="id",
        name="Orders",
        status=ConnectionStatus.INACTIVE,
        workspace_id="w",
        source_id="s",
        destination_id="d",
    )
    if kind == "unavailable":
        raise ConnectionUnavailable("switched off", connection=connection)
    raise ConnectionAmbiguous("two have this name", connections=(connection, connection))


def test_a_process_pool_hands_errors_on():
    """The caller gets the error with its attributes, and the pool goes on working."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(ConnectionUnavailable, match="switched off") as unavailable:
            pool.submit(fail, "unavailable").result(timeout=60)
        with pytest.raises(ConnectionAmbiguous) as ambiguous:
            pool.submit(fail, "ambiguous").result(timeout=60)
    assert "Orders" == unavailable.value.connection.name
    assert 2 == len(ambiguous.value.connections)
