"""One sync, blocking: what comes of it, and what the next run of the same request finds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airbyte_sync import (
    Forbidden,
    InvalidInput,
    OnConflict,
    Origin,
    ServerUnreachable,
    SyncFailed,
    SyncPolicy,
    SyncTimedOut,
)
from airbyte_sync.errors import RequestNotSent
from airbyte_sync.events import JobRecalled
from airbyte_sync_local import JobScript
from airbyte_sync_runner import FileStore, RequestLocked, StoreFailed, run_sync
from airbyte_sync_testkit.memory import CallFault

KEY = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11 sync"
NEVER_ENDS = JobScript.of((0, "running"))
FAILS = JobScript.of((0, "running"), (30, "failed"))
LASTS_AN_HOUR = JobScript.of((0, "running"), (3600, "succeeded"))
AWAY = CallFault(error=RequestNotSent("no route to host"))
PATIENT = SyncPolicy(timeout=None)


class Died(Exception):
    """Stands for the end of a process: nothing of it goes on."""


def die():
    raise Died


@pytest.fixture
def run(airbyte, clock, request_):
    """Run the request, as a process of its own would."""

    def run(store=None, policy=SyncPolicy(), **options):  # noqa: B008 - it is frozen
        return run_sync(airbyte, request_, policy, store=store, clock=clock, **options)

    return run


def test_a_sync_runs_to_its_end(run):
    """The result tells the job, and how we came to it."""
    result = run()
    assert ("succeeded", Origin.STARTED) == (result.job.status, result.origin)


def test_yesterdays_success_answers_no_request_of_today(run, new_store, airbyte):
    """An outcome that was delivered is forgotten."""
    jobs = [run(new_store()).job.job_id for _ in range(2)]
    assert [1, 2] == jobs
    assert 2 == len(airbyte.jobs())


def test_a_failure_is_delivered_once(run, new_store, airbyte):
    """The next run starts anew."""
    airbyte.job_scripts.append(FAILS)
    with pytest.raises(SyncFailed):
        run(new_store())
    assert 2 == run(new_store()).job.job_id


def test_a_cancelled_timeout_is_delivered_once(run, new_store, airbyte):
    """The job has ended, so that nothing is left to go on with."""
    airbyte.job_scripts.append(NEVER_ENDS)
    with pytest.raises(SyncTimedOut):
        run(new_store())
    assert 2 == run(new_store()).job.job_id


def test_a_sync_that_may_run_is_not_forgotten(run, new_store, airbyte, later):
    """A server that cannot be seen says nothing: the next run goes on with the job."""
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    later(60, lambda: airbyte.fail("fetch_job", *[AWAY] * 1000))
    with pytest.raises(ServerUnreachable):
        run(new_store())
    airbyte.recover()
    events = []
    assert 1 == run(new_store(), on_event=events.append).job.job_id
    assert 1 == len(airbyte.jobs())
    assert any(isinstance(event, JobRecalled) for event in events)


def test_what_was_refused_is_forgotten(run, new_store, airbyte):
    """Nothing was started."""
    airbyte.fail("submit", CallFault(error=Forbidden("no", status=403)))
    with pytest.raises(Forbidden):
        run(new_store())
    with new_store().open(KEY) as request:
        assert request.load() is None


def test_another_run_id_is_another_request(run, new_store, airbyte, later):
    """The one of yesterday, which died, is resumed only under its own id."""
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    later(60, die)
    with pytest.raises(Died):
        run(new_store(), run_id="monday")
    assert 2 == run(new_store(), run_id="tuesday", policy=PATIENT).job.job_id
    assert 1 == run(new_store(), run_id="monday").job.job_id
    assert 2 == len(airbyte.jobs())


@pytest.mark.parametrize("seconds", [0.001, 1, 5, 60])
def test_a_run_that_died_is_resumed(run, new_store, airbyte, later, seconds):
    """By the next one: the same job, and no second submission."""
    later(seconds, die)
    airbyte.job_scripts.append(LASTS_AN_HOUR)
    with pytest.raises(Died):
        run(new_store())
    assert 1 == run(new_store(), policy=PATIENT).job.job_id
    assert 1 == len(airbyte.jobs())


def test_a_run_that_died_after_the_end_has_its_outcome_delivered(run, new_store, airbyte, later):
    """It was not delivered yet; and then it is, once."""
    later(20, die)
    with pytest.raises(Died):
        run(new_store())
    later(100, lambda: None)
    assert [1, 2] == [run(new_store()).job.job_id for _ in range(2)]


def test_what_has_expired_is_a_new_request(run, new_store, airbyte, clock, later):
    """Twelve hours after the last sign of life."""
    later(20, die)
    with pytest.raises(Died):
        run(new_store())
    clock.advance(timedelta(hours=13))
    assert 2 == run(new_store()).job.job_id


def test_a_run_that_is_alive_does_not_expire(run, new_store, airbyte, clock, later):
    """Its record is renewed while it waits: a sync of two days is resumed after a kill."""
    airbyte.job_scripts.append(JobScript.of((0, "running"), (2 * 86400, "succeeded")))
    later(86400, die)
    with pytest.raises(Died):
        run(new_store(), policy=PATIENT)
    clock.advance(timedelta(hours=11))
    assert 1 == run(new_store(), policy=PATIENT).job.job_id
    assert 1 == len(airbyte.jobs())


def test_a_second_run_at_the_same_time_starts_nothing(run, new_store, airbyte):
    """It names the process that follows the request."""
    with (
        new_store().open(KEY),
        pytest.raises(RequestLocked, match=r"process \d+ on .*nothing was") as caught,
    ):
        run(new_store())
    assert KEY == caught.value.key
    assert [] == airbyte.calls


def test_a_store_that_cannot_be_written_starts_nothing(airbyte, clock, request_, tmp_path):
    """The next run could not find the sync again."""
    (tmp_path / "state").write_text("a file in the place of the folder")
    with pytest.raises(StoreFailed, match="nothing was sent"):
        run_sync(airbyte, request_, store=FileStore(tmp_path / "state"), clock=clock)
    assert [] == airbyte.calls


@pytest.mark.parametrize("value", ["cancel", True])
def test_what_to_do_is_chosen_by_a_member(run, value):
    """A text is refused before anything is sent."""
    with pytest.raises(InvalidInput, match=r"give OnInterrupt\.CANCEL"):
        run(on_interrupt=value)


def test_a_wait_for_another_clients_sync_is_forgotten(run, new_store, airbyte, request_):
    """It is not ours: what the next run does is up to on_conflict again."""
    airbyte.start_external_job(
        request_.connection_id, JobScript.of((0, "running"), (9000, "failed"))
    )
    with pytest.raises(SyncTimedOut):
        run(new_store(), policy=SyncPolicy(on_conflict=OnConflict.ATTACH))
    assert 2 == run(new_store(), policy=PATIENT).job.job_id
