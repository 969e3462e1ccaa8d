"""Policies and requests from plain words and seconds, as TOML, the environment and flags have them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airbyte_sync import InvalidInput, JobType, OnConflict, PollSchedule, SyncPolicy, SyncRequest

ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("key", "values", "meant"),
    [
        ("timeout", [60, 60.0, "60", " 60.0 ", MINUTE], MINUTE),
        ("timeout", ["none", " None "], None),
        ("queue_timeout", [0.5, "0.5", "5e-1"], timedelta(milliseconds=500)),
        ("on_conflict", ["skip", " Skip ", OnConflict.SKIP], OnConflict.SKIP),
        ("unreachable_timeout", [60, "60"], MINUTE),
        ("adopt_window", [0, "0", 0.0, timedelta(0)], timedelta(0)),
        ("cancel_timeout", [60, "60"], MINUTE),
        ("cancel_on_timeout", [False, "false", "False", " f ", 0, "0"], False),
        ("explain", [False, "false"], False),
        ("streams", [True, "true"], True),
    ],
)
def test_plain_values_of_a_policy(key, values, meant):
    """A type of TOML, and the text of it from the environment or a flag, mean the same."""
    for value in values:
        assert SyncPolicy(**{key: meant}) == SyncPolicy.from_config({key: value}), value


def test_a_poll_interval_is_fixed():
    """So many seconds between two polls, and no jitter."""
    expected = SyncPolicy(poll=PollSchedule.fixed(timedelta(seconds=5)))
    assert expected == SyncPolicy.from_config({"poll_interval": "5"})


@pytest.mark.parametrize("key", SyncPolicy.CONFIG_KEYS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_empty_is_not_set(key, value):
    """A variable that is there and empty, or a flag that was not given."""
    assert SyncPolicy() == SyncPolicy.from_config({key: value})


def test_nothing_set_is_the_default():
    """No key is needed."""
    assert SyncPolicy() == SyncPolicy.from_config({})


def test_every_field_of_a_policy_has_a_key():
    """The schedule of polls has one number for people."""
    names = {field.name for field in fields(SyncPolicy)} - {"poll"}
    assert set(SyncPolicy.CONFIG_KEYS) == names | {"poll_interval"}


BAD = [
    (
        "timeout",
        "soon",
        'give a number of seconds above zero, and at most ten years, or "none" for no',
    ),
    ("timeout", 0, "timeout is 0: give a number of seconds above zero"),
    ("timeout", True, "timeout is True: give a number"),
    ("timeout", "nan", "give a number"),
    ("timeout", 1e-9, "give a number of seconds above zero"),
    ("timeout", "9" * 5000, "give a number"),
    ("timeout", 10**400, "give a number"),
    ("timeout", [60], "give a number"),
    ("queue_timeout", "none", "queue_timeout is 'none': give a number of seconds above zero"),
    ("on_conflict", "fight", "'fight': use one of 'queue', 'attach', 'skip', 'fail'$"),
    ("on_conflict", 7, "on_conflict is 7: use one of"),
    ("adopt_window", -1, "give a number of seconds from zero on"),
    ("cancel_on_timeout", "maybe", "cancel_on_timeout is 'maybe': write true or false$"),
    ("explain", 2, "explain is 2: write true or false"),
    ("poll_interval", "0", "poll_interval is '0': give a number of seconds above zero"),
]


@pytest.mark.parametrize(("key", "value", "text"), BAD)
def test_a_value_that_cannot_be_right_is_refused(key, value, text):
    """The text names the key and the value, and says what to write."""
    with pytest.raises(InvalidInput, match=text):
        SyncPolicy.from_config({key: value})


def test_a_key_is_called_what_it_was_called_where_it_was_written():
    """A person searches for it there."""

    def called(key):
        return f"--{key.replace('_', '-')}"

    with pytest.raises(InvalidInput, match=r"^--queue-timeout is 'soon': give a number of seconds"):
        SyncPolicy.from_config({"queue_timeout": "soon"}, called=called)
    with pytest.raises(InvalidInput, match=r"^--job-type is 'full': use one of 'sync', 'reset'"):
        SyncRequest.from_config({"connection_id": ID, "job_type": "full"}, called=called)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (
            "time_out",
            r"^time_out is not known \(did you mean timeout\?\): there are timeout, queue_",
        ),
        ("colour", "^colour is not known: there are timeout, queue_timeout, on_conflict,"),
        (7, "^7 is not known: there are"),
    ],
)
def test_an_unknown_key_is_refused(key, text):
    """A setting with a slip in its name is not passed over in silence."""
    with pytest.raises(InvalidInput, match=text):
        SyncPolicy.from_config({key: 7})


@pytest.mark.parametrize("config", [None, "timeout=60", ["timeout"], [("timeout", 60)]])
def test_what_is_no_mapping_is_refused(config):
    """The text says what to give."""
    with pytest.raises(InvalidInput, match="give a mapping of names to values"):
        SyncPolicy.from_config(config)


@pytest.mark.parametrize(
    ("config", "request_"),
    [
        ({"connection_id": ID}, SyncRequest(connection_id=ID)),
        ({"connection_id": f" {ID} ", "job_type": ""}, SyncRequest(connection_id=ID)),
        ({"connection_id": UUID(ID), "job_type": None}, SyncRequest(connection_id=ID)),
        (
            {"connection_id": ID, "job_type": "Clear"},
            SyncRequest(connection_id=ID, job_type=JobType.CLEAR),
        ),
    ],
)
def test_plain_values_of_a_request(config, request_):
    """Of the environment as of a file."""
    assert request_ == SyncRequest.from_config(config)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, "connection_id is not set: give the UUID of an Airbyte connection"),
        ({"connection_id": " "}, "connection_id is not set"),
        ({"connection_id": 7}, "connection_id is 7: expected the UUID"),
        ({"connection": ID}, r"connection is not known \(did you mean connection_id\?\)"),
    ],
)
def test_a_request_that_cannot_be_right_is_refused(config, text):
    """The text says what to write."""
    with pytest.raises(InvalidInput, match=text):
        SyncRequest.from_config(config)


VALUES = some.none() | some.booleans() | some.integers() | some.floats() | some.text()


@given(some.dictionaries(some.sampled_from(SyncPolicy.CONFIG_KEYS), VALUES))
def test_any_plain_value_is_read_or_refused(config):
    """Nothing else happens, whatever was written."""
    with suppress(InvalidInput):
        assert isinstance(SyncPolicy.from_config(config), SyncPolicy)
