"""What the hook returns answers to the names of the official hook's replies."""

import copy
import pickle
from enum import Enum

import pytest

from airbyte_sync_airflow.compat.official_replies import HookJob
from airbyte_sync_airflow.hooks import AirbyteHook


class JobStatusEnum(str, Enum):
    """As in ``models/jobstatusenum.py`` of airbyte-api 1.0.1."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"


@pytest.fixture
def job(connection):
    """The reply to a sync that has succeeded."""
    hook = AirbyteHook()
    started = hook.submit_sync_connection(connection.connection_id)
    hook.wait_for_job(started.job_id)
    return hook.get_job_details(started.job_id)


def test_a_status_compares_as_the_official_one(job):
    """With its word, with the official enum, in sets and dicts, and by ``value``."""
    assert "succeeded" == job.status
    assert JobStatusEnum.SUCCEEDED == job.status
    assert job.status != JobStatusEnum.RUNNING
    assert job.status in (JobStatusEnum.RUNNING, JobStatusEnum.SUCCEEDED)
    assert 1 == {JobStatusEnum.SUCCEEDED: 1}[job.status]
    assert ("succeeded", "SUCCEEDED") == (job.status.value, job.status.name)
    assert job.status.is_final


def test_a_status_by_itself_compares_as_the_official_one(job):
    """``get_job_status`` gives a text."""
    status = AirbyteHook().get_job_status(job.job_id)
    assert JobStatusEnum.SUCCEEDED == status == "succeeded"
    assert ("succeeded", "SUCCEEDED") == (status.value, status.name)


def test_a_reply_has_the_names_of_the_official_one(job, connection):
    """``JobResponse`` of airbyte-api 1.0.1; ``duration`` alone differs: it is a ``timedelta``."""
    assert (1, "sync", "sync") == (job.job_id, job.job_type, job.job_type.value)
    assert connection.connection_id == job.connection_id
    assert job.created_at.isoformat() == job.start_time
    assert job.ended_at.isoformat() == job.last_updated_at
    assert (job.rows, job.bytes) == (job.rows_synced, job.bytes_synced)


def test_every_method_gives_such_a_reply(connection):
    """Also those that start and cancel."""
    hook = AirbyteHook()
    started = hook.submit_sync_connection(connection.connection_id)
    replies = [
        started,
        hook.cancel_job(started.job_id),
        hook.submit_reset_connection(connection.connection_id),
    ]
    assert ["pending", "cancelled", "pending"] == [reply.status.value for reply in replies]


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("model_dump", r"use to_json\(\)"),
        ("dict", r"use to_json\(\)"),
        ("rowsSynced", "use rows"),
        ("startTime", "use created_at"),
        ("nonsense", "'nonsense'$"),
    ],
)
def test_what_a_reply_does_not_offer_raises_with_the_name_to_use(job, name, instead):
    """Nothing is silently something else."""
    with pytest.raises(AttributeError, match=instead):
        getattr(job, name)
    assert not hasattr(job, name)


def test_a_status_is_no_text_and_says_so(job):
    """The official one is."""
    with pytest.raises(AttributeError, match=r"use job\.status\.word\.startswith"):
        job.status.startswith("s")


@pytest.mark.parametrize("name", ["airbyte_api", "create_api_session", "conn", "get_conn_params"])
def test_what_the_hook_does_not_offer_raises_with_the_name_to_use(connection, name):
    """The official hook hands out its SDK."""
    with pytest.raises(AttributeError, match=r"use .*get_conn\(\)"):
        getattr(AirbyteHook(), name)


def test_a_reply_survives_copies(job):
    """As any value."""
    pickled = pickle.loads(pickle.dumps(job))  # noqa: S301 - our own
    for twin in (copy.copy(job), copy.deepcopy(job), pickled):
        assert isinstance(twin, HookJob)
        assert job == twin
        assert "succeeded" == twin.status.value
    assert job.to_json() == HookJob.of(job).to_json()
