"""The same request, asked again by a retry, goes on with what it started before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    Forbidden,
    JobGone,
    NotFound,
    OnConflict,
    Origin,
    Pause,
    PortInterpreter,
    RefusedOnTheWay,
    ResponseNotReceived,
    ServerUnreachable,
    SyncCancelled,
    SyncFailed,
    SyncPolicy,
    SyncRequest,
    SyncTimedOut,
    run,
    step,
    submit,
    sync,
)
from airbyte_sync.events import JobObtained, JobRecalled
from airbyte_sync.ports import CheckpointStore
from airbyte_sync_testkit.memory import CallFault, InMemoryStore

POLICY = SyncPolicy()
FOR_EVER = (0, "running")


@pytest.fixture
def store():
    return InMemoryStore()


@pytest.fixture
def task(world, store):
    """A process that makes the request, with the store that outlives it."""
    return PortInterpreter(world.airbyte, world.clock, world.events.append, store)


def die_at_the_first_pause(world, task):
    assert isinstance(step(sync(world.request, POLICY), task), Pause)


def test_the_store_in_memory_is_what_the_port_asks_for(store):
    """It stands in for a scheduler's own."""
    assert isinstance(store, CheckpointStore)
    assert store.load() is None


def test_an_active_job_is_followed(world, task):
    """The process died while it waited: the next one starts nothing."""
    die_at_the_first_pause(world, task)
    assert 1 == run(sync(world.request, POLICY), task).job.job_id
    assert 1 == world.airbyte.count("submit")


def test_its_own_success_is_the_result(world, task):
    """The job ended unseen: it is not run again."""
    die_at_the_first_pause(world, task)
    world.pass_time(3600)
    assert 1 == run(sync(world.request, POLICY), task).job.job_id
    assert 1 == world.airbyte.count("submit")


@pytest.mark.parametrize(("end", "error"), [("failed", SyncFailed), ("cancelled", SyncCancelled)])
def test_after_its_failure_it_starts_anew(world, task, end, error):
    """What did not succeed is what a retry is for; the old job is not taken for the new one."""
    world.life(FOR_EVER, (10, end))
    with pytest.raises(error):
        run(sync(world.request, POLICY), task)
    assert 2 == run(sync(world.request, POLICY), task).job.job_id


def test_a_process_that_died_while_submitting_doubles_nothing(world, task):
    """The request left and the process died: the next one finds the job and follows it."""
    world.airbyte.fail("submit", CallFault(error=ResponseNotReceived("lost"), carried_out=True))
    with pytest.raises(KeyboardInterrupt):
        run(_dying(sync(world.request, POLICY)), task)
    assert 1 == run(sync(world.request, POLICY), task).job.job_id
    assert 1 == world.airbyte.count("submit")


def _dying(flow):
    """Run a flow until its submission has failed, and die there."""
    answer = None
    while True:
        command = flow.send(answer)
        try:
            answer = yield command
        except ResponseNotReceived:
            raise KeyboardInterrupt from None


def test_a_job_that_appears_late_is_still_found(world, task, store):
    """Airbyte may create the job up to a minute after the process died: the retry waits for it."""
    world.airbyte.fail("submit", CallFault(error=ResponseNotReceived("lost")))
    with pytest.raises(KeyboardInterrupt):
        run(_dying(sync(world.request, POLICY)), task)
    world.later(50, lambda: world.foreign(FOR_EVER, (100, "succeeded")))
    assert 1 == run(sync(world.request, POLICY), task).job.job_id
    assert 1 == world.airbyte.count("submit")


def test_what_another_request_left_is_not_ours(world, task):
    """A store whose record names another connection, as of a re-expanded mapped task, is passed over."""
    die_at_the_first_pause(world, task)
    other = world.airbyte.add_connection("5d1c3f9e-0f7e-4d8a-9a55-7b8c1d7e1099")
    request = SyncRequest(connection_id=other.connection_id)
    assert run(sync(request, POLICY), task).job.connection_id == other.connection_id


def test_a_job_that_airbyte_forgot_is_started_anew_by_the_try_after(world, task):
    """A restored server does not know the job: one try says so, and the next one starts another."""
    die_at_the_first_pause(world, task)
    world.pass_time(3600)
    world.airbyte.forget(1)
    with pytest.raises(JobGone, match=r"job 1 .* is gone"):
        run(sync(world.request, POLICY), task)
    assert 1 == world.airbyte.count("submit")
    assert 2 == run(sync(world.request, POLICY), task).job.job_id


@pytest.mark.parametrize("error", [NotFound("404"), RefusedOnTheWay("404")], ids=repr)
def test_a_job_that_is_missing_at_the_first_poll_of_a_retry_is_not_started_again(
    world, task, error
):
    """A gateway that reloads its routes, or one odd answer, does not double a sync."""
    die_at_the_first_pause(world, task)
    world.airbyte.fail("fetch_job", CallFault(error=error), CallFault(error=error))
    assert 1 == run(sync(world.request, POLICY), task).job.job_id
    assert 1 == world.airbyte.count("submit")


def test_a_server_that_cannot_be_seen_is_waited_for(world, task):
    """Trouble at the first look of a retry is trouble as at any other."""
    die_at_the_first_pause(world, task)
    world.airbyte.fail("fetch_job", CallFault(error=ResponseNotReceived("lost")))
    assert 1 == run(sync(world.request, POLICY), task).job.job_id


def test_a_server_that_refuses_the_look_is_not_asked_for_another_sync(world, task):
    """What became of the job may not be seen: nothing is started on top of it."""
    die_at_the_first_pause(world, task)
    refusal = Forbidden("no", status=403)
    world.airbyte.fail("fetch_job", *[CallFault(error=refusal)] * 99)
    with pytest.raises(ServerUnreachable) as caught:
        run(sync(world.request, POLICY), task)
    assert caught.value.__cause__ is refusal
    assert 1 == world.airbyte.count("submit")


def test_each_try_has_its_own_time_out(world, task):
    """The scheduler asked again, so the wait begins again."""
    die_at_the_first_pause(world, task)
    world.pass_time(POLICY.timeout.total_seconds() * 2)
    submission = run(submit(world.request, POLICY), task)
    assert submission.checkpoint.deadline == world.clock.now() + POLICY.timeout


@pytest.mark.parametrize(("seconds", "word"), [(10, "running"), (3600, "succeeded")])
def test_what_is_gone_on_with_is_told(world, task, seconds, word):
    """A log says which job it is, how it stands and how the request came to it: once, not as obtained."""
    die_at_the_first_pause(world, task)
    world.pass_time(seconds)
    world.events.clear()
    run(submit(world.request, POLICY), task)
    recalled = world.event(JobRecalled)
    assert (1, Origin.STARTED) == (recalled.job.job_id, recalled.origin)
    assert recalled.job.status.word == word
    assert not any(isinstance(event, JobObtained) for event in world.events)


def test_a_job_that_was_attached_to_is_recalled_as_such(world, task):
    """A retry has no more right to cancel it than the first try."""
    world.foreign(FOR_EVER, (900, "succeeded"))
    world.pass_time(60)
    policy = replace(POLICY, on_conflict=OnConflict.ATTACH)
    run(submit(world.request, policy), task)
    run(submit(world.request, policy), task)
    assert world.event(JobRecalled).origin is Origin.ATTACHED


@pytest.mark.parametrize(
    "fault",
    [NotFound("no such job", status=404), ResponseNotReceived("lost")],
    ids=lambda error: type(error).__name__,
)
def test_what_cannot_be_seen_is_not_told(world, task, fault):
    """It is not known yet whether the job is still there."""
    die_at_the_first_pause(world, task)
    world.airbyte.fail("fetch_job", CallFault(error=fault))
    run(submit(world.request, POLICY), task)
    assert not any(isinstance(event, JobRecalled) for event in world.events)


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_what_came_to_nothing_is_not_gone_on_with(world, task, end):
    """It starts anew, and says only that."""
    world.life(FOR_EVER, (10, end))
    die_at_the_first_pause(world, task)
    world.pass_time(60)
    world.events.clear()
    run(submit(world.request, POLICY), task)
    assert [type(event) for event in world.events] == [JobObtained]


def test_each_try_has_the_time_of_its_own_caller(world, task):
    """The scheduler gives a retry its own time: its deadline is the new one."""
    deadline = world.clock.now() + timedelta(seconds=60)
    run(submit(replace(world.request, deadline=deadline), POLICY), task)
    again = replace(world.request, deadline=deadline + timedelta(minutes=10))
    assert run(submit(again, POLICY), task).checkpoint.deadline == again.deadline


@pytest.mark.parametrize("first_ends_early", [True, False])
def test_each_try_ends_in_its_own_words(world, task, first_ends_early):
    """Whose time is over is a matter of this try: the words of the one before are not repeated."""
    world.life(FOR_EVER)
    early = replace(world.request, deadline=world.clock.now() + timedelta(minutes=5))
    first, second = (early, world.request) if first_ends_early else (world.request, early)
    run(submit(first, POLICY), task)
    words = r"within 3600 s \(timeout\)" if first_ends_early else r"by 09:05:00 UTC \(deadline\)"
    with pytest.raises(SyncTimedOut, match=words):
        run(sync(second, POLICY), task)


def test_without_a_store_every_request_is_the_first(world):
    """No store remembers, and none is asked."""
    world.run(sync(world.request, POLICY))
    world.run(sync(world.request, replace(POLICY, timeout=timedelta(hours=2))))
    assert 2 == world.airbyte.count("submit")


def test_a_refused_submission_leaves_no_doubt_behind(world, task):
    """Hours later the request is a new one, and other people's jobs are not its answer."""
    world.airbyte.fail("submit", CallFault(error=Forbidden("403")))
    with pytest.raises(Forbidden):
        run(sync(world.request, POLICY), task)
    world.pass_time(3600)
    world.foreign((0, "running"), (60, "failed"))
    world.pass_time(3600)
    assert run(sync(world.request, POLICY), task).origin is Origin.STARTED
