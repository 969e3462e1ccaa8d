"""The same request, made again by a caller that could keep nothing: the server's job list remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    Checkpoint,
    ConnectionStatus,
    ConnectionUnavailable,
    EarlierTries,
    Forbidden,
    InvalidInput,
    JobType,
    OnConflict,
    Origin,
    PortInterpreter,
    QueueTimedOut,
    RequestNotSent,
    ResponseNotReceived,
    SubmitInDoubt,
    SyncAlreadyRunning,
    SyncFailed,
    SyncPolicy,
    SyncSkipped,
    resume,
    run,
    submit,
    sync,
)
from airbyte_sync.events import EarlierTryLookedFor, JobObtained, WaitingForOther
from airbyte_sync.phases import FindingJob, Watching
from airbyte_sync_testkit.memory import CallFault, InMemoryAirbyte, InMemoryStore

POLICY = SyncPolicy()
LOST = ResponseNotReceived("the connection was reset")
FOR_EVER = (0, "running")
LONG_AFTER = 400
"""Longer than any job of a try that died may take to appear."""


@pytest.fixture
def again(world):
    """Make the request as a second try does, whose first began when the test did."""
    began = world.clock.now()

    def request(
        *, since=began, over_at=None, tries=1, succeeded_after=None, after_job=None, **rest
    ):
        earlier = EarlierTries(
            since=since,
            over_at=over_at or world.clock.now(),
            tries=tries,
            succeeded_after=succeeded_after,
            after_job=after_job,
        )
        return replace(world.request, earlier=earlier, **rest)

    return request


def die_at_the_first_pause(world, policy=POLICY, request=None):
    """Start the sync and forget it."""
    world.first_pause(sync(request or world.request, policy))


def moments(world, name):
    """Return the seconds since the test began at which a command was given."""
    began = world.trace[0][0]
    return [
        (at - began).total_seconds()
        for at, command in world.trace
        if type(command).__name__ == name
    ]


@pytest.mark.parametrize("seconds", [0, 10, LONG_AFTER])
def test_an_active_job_is_adopted(world, again, seconds):
    """The process died while it waited: the next one follows its job and starts nothing."""
    world.life(FOR_EVER, (900, "succeeded"))
    die_at_the_first_pause(world)
    world.pass_time(seconds)
    result = world.run(sync(again(), POLICY))
    assert (1, Origin.ADOPTED) == (result.job.job_id, result.origin)
    assert 1 == world.airbyte.count("submit")


@pytest.mark.parametrize("seconds", [40, LONG_AFTER])
def test_its_success_is_the_result(world, again, seconds):
    """The job ended unseen: it is not run again."""
    die_at_the_first_pause(world)
    world.pass_time(seconds)
    result = world.run(sync(again(), POLICY))
    assert (1, "succeeded") == (result.job.job_id, result.job.status.word)
    assert 1 == world.airbyte.count("submit")
    assert world.seconds() == seconds


def saved_before_submitting(world):
    """Return the phase that was remembered while the last submission was under way."""
    return world.saved()[-2].phase


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_after_its_failure_it_starts_anew(world, again, end):
    """What did not succeed is what a retry is for: at once, and the old job is passed over."""
    world.life(FOR_EVER, (10, end))
    die_at_the_first_pause(world)
    over_at = world.clock.now()
    world.pass_time(LONG_AFTER)
    submission = world.run(submit(again(over_at=over_at), POLICY))
    assert (2, Origin.STARTED) == (submission.job_id, submission.origin)
    assert 1 == saved_before_submitting(world).after_job_id
    assert submission.checkpoint.asked_at == world.clock.now()
    assert LONG_AFTER == world.seconds()
    assert 2 == world.run(resume(submission.checkpoint, POLICY)).job.job_id


def test_a_new_job_is_looked_at_as_often_as_any_new_one(world, again):
    """The poll interval grows with the time since the request: that of the failed try does not count."""
    world.life(FOR_EVER, (3600, "failed"))
    die_at_the_first_pause(world)
    world.pass_time(4000)
    pause = world.first_pause(sync(again(), POLICY))
    assert pause.until - world.clock.now() == POLICY.poll.floor


def test_a_new_job_in_doubt_is_not_mistaken_for_the_failed_one(world, again):
    """The answer to the second submission is lost: its own job is found, not the one before it."""
    world.life(FOR_EVER, (10, "failed"))
    die_at_the_first_pause(world)
    world.pass_time(LONG_AFTER)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    result = world.run(sync(again(), POLICY))
    assert (2, Origin.ADOPTED) == (result.job.job_id, result.origin)
    assert 2 == len(world.airbyte.jobs())


def test_the_failure_of_a_new_job_is_the_end(world, again):
    """A second try fails with its own job; a third one is the scheduler's business."""
    for _ in range(2):
        world.life(FOR_EVER, (10, "failed"))
    die_at_the_first_pause(world)
    world.pass_time(LONG_AFTER)
    with pytest.raises(SyncFailed) as caught:
        world.run(sync(again(), POLICY))
    assert 2 == caught.value.job.job_id


def test_a_third_try_starts_a_third_job(world, again):
    """Of several jobs that were left behind the newest counts."""
    for _ in range(2):
        world.life(FOR_EVER, (10, "failed"))
        die_at_the_first_pause(world)
        world.pass_time(60)
    assert 3 == world.run(sync(again(), POLICY)).job.job_id


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_success_is_not_hidden_by_a_failure_of_others(world, again, end):
    """Ours succeeded after its process had died; what another client ran and lost since changes nothing."""
    die_at_the_first_pause(world)
    world.pass_time(60)
    world.foreign(FOR_EVER, (10, end))
    world.pass_time(300)
    assert 1 == world.run(sync(again(), POLICY)).job.job_id
    assert 1 == world.airbyte.count("submit")


@pytest.mark.parametrize(("tries", "seconds"), [(1, 65), (2, 210)])
def test_a_failure_ends_the_search_only_where_no_try_is_missing(world, again, tries, seconds):
    """One job for two tries: the second may have died while it submitted, and is waited for."""
    world.life(FOR_EVER, (10, "failed"))
    die_at_the_first_pause(world)
    world.pass_time(60)
    over_at = world.clock.now()
    world.pass_time(5)
    submission = world.run(submit(again(over_at=over_at, tries=tries), POLICY))
    assert (2, Origin.STARTED) == (submission.job_id, submission.origin)
    assert 1 == saved_before_submitting(world).after_job_id
    assert world.seconds() == seconds


def test_a_missing_try_is_found_behind_a_failed_one(world, again):
    """It died while it submitted, and its job comes late: it is followed, not doubled."""
    world.life(FOR_EVER, (10, "failed"))
    die_at_the_first_pause(world)
    world.pass_time(60)
    world.later(50, lambda: world.foreign(FOR_EVER, (100, "succeeded")))
    result = world.run(sync(again(tries=2), POLICY))
    assert (2, Origin.ADOPTED) == (result.job.job_id, result.origin)
    assert 1 == world.airbyte.count("submit")


@pytest.mark.parametrize("end", [(900, "succeeded"), (60, "succeeded"), (60, "failed")])
def test_a_job_of_an_earlier_request_is_none_of_its(world, again, end):
    """Where the moments are not exact, a job that is known to be another request's is passed over."""
    other = world.foreign(FOR_EVER, end)
    since = world.clock.now()
    world.pass_time(LONG_AFTER)
    submission = world.run(
        submit(again(since=since, over_at=since, after_job=other.job_id), POLICY)
    )
    assert (submission.job_id, submission.origin) == (other.job_id + 1, Origin.STARTED)


def test_a_job_after_that_of_an_earlier_request_is_its_own(world, again):
    """Only what is not newer than the known one is passed over."""
    other = world.foreign(FOR_EVER, (10, "succeeded"))
    world.pass_time(20)
    die_at_the_first_pause(world)
    world.pass_time(LONG_AFTER)
    assert 2 == world.run(sync(again(after_job=other.job_id), POLICY)).job.job_id
    assert 1 == world.airbyte.count("submit")


def test_an_active_job_after_a_failed_one_is_adopted(world, again):
    """The first try failed and the second died: the third follows what the second started."""
    world.life(FOR_EVER, (10, "failed"))
    die_at_the_first_pause(world)
    world.pass_time(60)
    world.life(FOR_EVER, (900, "succeeded"))
    die_at_the_first_pause(world)
    assert 2 == world.run(sync(again(), POLICY)).job.job_id
    assert 2 == world.airbyte.count("submit")


@pytest.mark.parametrize(("minutes", "job_id"), [(6, 1), (3, 2)])
def test_a_success_may_be_too_old_to_be_the_answer(world, again, minutes, job_id):
    """Where the first try is known roughly, a job that succeeded long before the last ended is another's."""
    die_at_the_first_pause(world)
    over_at = world.clock.now()
    world.pass_time(300)
    succeeded_after = world.clock.now() - timedelta(minutes=minutes)
    result = world.run(sync(again(over_at=over_at, succeeded_after=succeeded_after), POLICY))
    assert result.job.job_id == job_id
    assert world.airbyte.count("submit") == job_id
    assert world.seconds() < 400


def test_an_active_job_is_never_too_old(world, again):
    """What still runs will succeed after any moment."""
    world.life(FOR_EVER, (900, "succeeded"))
    die_at_the_first_pause(world)
    world.pass_time(LONG_AFTER)
    request = again(succeeded_after=world.clock.now())
    assert 1 == world.run(sync(request, POLICY)).job.job_id
    assert 1 == world.airbyte.count("submit")


@pytest.mark.parametrize("word", ["succeeded", "failed"])
def test_a_job_from_before_the_first_try_is_none_of_its(world, word):
    """Yesterday's sync answers nothing, and its failure does not hurry a search."""
    world.foreign((0, "running"), (10, word))
    world.pass_time(86_400)
    now = world.clock.now()
    earlier = EarlierTries(since=now, over_at=now)
    assert 2 == world.run(sync(replace(world.request, earlier=earlier), POLICY)).job.job_id
    assert [150] == moments(world, "SubmitSync")


def test_what_may_still_appear_is_waited_for(world, again):
    """The try before died while it submitted, and no job came of it: one is started when none can come."""
    world.pass_time(10)
    over_at = world.clock.now()
    world.pass_time(20)
    result = world.run(sync(again(over_at=over_at), POLICY))
    assert (1, Origin.STARTED) == (result.job.job_id, result.origin)
    assert [130] == moments(world, "SubmitSync")
    assert len(moments(world, "FindJobs")) == pytest.approx(130 / POLICY.poll.floor.seconds, abs=2)


@pytest.mark.parametrize("delay", [1, 30, 60, 130, 149])
def test_what_appears_late_is_adopted(world, again, delay):
    """Airbyte may create the job minutes after the process died."""
    world.later(delay, lambda: world.foreign(FOR_EVER, (200, "succeeded")))
    result = world.run(sync(again(), POLICY))
    assert (1, Origin.ADOPTED) == (result.job.job_id, result.origin)
    assert 0 == world.airbyte.count("submit")


@pytest.mark.parametrize("seconds", [150, 151, 86_400])
def test_where_nothing_can_appear_any_more_it_starts_at_once(world, again, seconds):
    """The try before ended long ago: one look, one submission."""
    over_at = world.clock.now()
    world.pass_time(seconds)
    submission = world.run(submit(again(over_at=over_at), POLICY))
    assert submission.origin is Origin.STARTED
    assert submission.checkpoint.asked_at == world.clock.now()
    assert world.seconds() == seconds
    assert ["find_jobs", "submit"] == [method for method, _ in world.airbyte.calls]


def test_once_nothing_can_appear_there_is_no_doubt_left(world, again):
    """The new submission surely does not arrive in time: nothing runs, and the error says that."""
    over_at = world.clock.now()
    world.pass_time(LONG_AFTER)
    world.airbyte.fail("submit", *[CallFault(error=RequestNotSent("no route"))] * 99)
    with pytest.raises(QueueTimedOut, match="none is running for this request"):
        world.run(sync(again(over_at=over_at), replace(POLICY, timeout=timedelta(minutes=5))))


def test_the_search_is_announced(world, again):
    """The log tells why nothing is started yet."""
    over_at = world.clock.now()
    world.pass_time(30)
    world.run(submit(again(over_at=over_at), POLICY))
    assert world.event(EarlierTryLookedFor) == EarlierTryLookedFor(
        since=over_at, look_until=over_at + timedelta(seconds=150)
    )
    assert world.event(JobObtained).origin is Origin.STARTED


def test_a_first_try_looks_for_nothing(world):
    """Only a request that was made before costs a look."""
    world.run(sync(world.request, POLICY))
    assert 0 == world.airbyte.count("find_jobs")
    assert not any(isinstance(event, EarlierTryLookedFor) for event in world.events)


def test_what_a_store_remembers_needs_no_search(world, again):
    """The store knows the job's id, which is better than any search."""
    store = InMemoryStore()
    task = PortInterpreter(world.airbyte, world.clock, world.events.append, store)
    run(submit(world.request, POLICY), task)
    world.airbyte.calls.clear()
    result = run(sync(again(), POLICY), task)
    assert (1, Origin.STARTED) == (result.job.job_id, result.origin)
    assert 1 == world.airbyte.count("find_jobs")  # it is no leftover


def test_an_empty_store_does_not_end_the_search(world, again):
    """A store that lives only as long as its process remembers nothing, and keeps what is found."""
    die_at_the_first_pause(world)
    store = InMemoryStore()
    task = PortInterpreter(world.airbyte, world.clock, world.events.append, store)
    assert 1 == run(submit(again(), POLICY), task).job_id
    kept = store.load()
    assert isinstance(kept.phase, Watching)
    assert (1, Origin.ADOPTED) == (kept.job_id, kept.origin)


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("ended_after", [100, 300])
def test_a_server_clock_that_goes_wrong_does_not_fool_the_search(
    world, again, minutes, ended_after
):
    """Job times are the server's: what is too old, and what is from before the first try, stays so."""
    world.skew_server(minutes)
    world.foreign(FOR_EVER, (10, "succeeded"))
    world.pass_time(60)
    since = world.clock.now()
    world.life(FOR_EVER, (ended_after, "succeeded"))
    die_at_the_first_pause(world)
    world.pass_time(LONG_AFTER)
    request = again(since=since, succeeded_after=since + timedelta(seconds=200))
    expected = 2 if ended_after > 200 else 3
    assert world.run(sync(request, POLICY)).job.job_id == expected


def test_a_server_that_tells_no_time_is_trusted_to_have_ours(world, again):
    """Without the server's clock, job times are compared with our own and a small margin."""

    class Timeless(InMemoryAirbyte):
        def find_jobs(self, query):
            return replace(super().find_jobs(query), server_time=None)

    world.airbyte.__class__ = Timeless
    die_at_the_first_pause(world)
    world.pass_time(300)
    too_old = again(succeeded_after=world.clock.now() - timedelta(minutes=3))
    assert 1 == world.run(submit(again(), POLICY)).job_id
    assert 2 == world.run(submit(too_old, POLICY)).job_id


def test_a_list_that_cannot_be_read_is_waited_for(world, again):
    """Airbyte restarts while the second try begins: nothing is started before the list was read."""
    world.life(FOR_EVER, (900, "succeeded"))
    die_at_the_first_pause(world)
    world.pass_time(LONG_AFTER)
    world.airbyte.fail("find_jobs", *[CallFault(error=RequestNotSent("refused"))] * 8)
    result = world.run(sync(again(), POLICY))
    assert (1, Origin.ADOPTED) == (result.job.job_id, result.origin)
    assert 1 == world.airbyte.count("submit")


def test_a_list_that_was_away_does_not_double_what_it_then_shows(world, again):
    """The moment to submit passes while the list is away: the first look that succeeds decides."""
    die_at_the_first_pause(world)
    world.airbyte.fail("find_jobs", *[CallFault(error=LOST)] * 8)
    assert 1 == world.run(sync(again(), POLICY)).job.job_id
    assert world.seconds() > 90
    assert 1 == world.airbyte.count("submit")


def test_a_list_that_stays_away_leaves_a_doubt(world, again):
    """The list cannot be read for unreachable_timeout: a sync may be running, and the error says so."""
    world.airbyte.fail("find_jobs", *[CallFault(error=LOST)] * 99)
    with pytest.raises(SubmitInDoubt, match=r"may be running.*connection was reset"):
        world.run(sync(again(), POLICY))
    assert 900 <= world.seconds() < 1000
    assert 0 == world.airbyte.count("submit")


def test_failed_looks_are_no_series_of_doubts(world, again):
    """Two looks fail, the process is put away for an hour, and then there is nothing: submit."""
    policy = replace(POLICY, timeout=None)
    over_at = world.clock.now()
    world.pass_time(LONG_AFTER)
    world.airbyte.fail("find_jobs", CallFault(error=LOST), CallFault(error=LOST))
    pause = world.first_pause(sync(again(over_at=over_at), policy))
    world.clock.advance_to(pause.until)
    pause = world.first_pause(resume(pause.checkpoint, policy))
    world.pass_time(3600)
    assert world.run(resume(pause.checkpoint, policy)).origin is Origin.STARTED


def test_what_failed_in_the_search_does_not_count_against_the_new_job(world, again):
    """The list is away for minutes; then one lost answer is one doubt, not the last of a series."""
    over_at = world.clock.now()
    world.airbyte.fail("find_jobs", *[CallFault(error=LOST)] * 17)
    world.airbyte.fail("submit", CallFault(error=LOST))
    request = again(over_at=over_at)
    assert world.run(submit(request, replace(POLICY, timeout=None))).origin is Origin.STARTED
    assert world.seconds() > 800


def test_a_list_that_is_refused_leaves_a_doubt(world, again):
    """We may not look for what we may have started: nothing is started on top of it."""
    refusal = Forbidden("no", status=403)
    world.airbyte.fail("find_jobs", *[CallFault(error=refusal)] * 99)
    with pytest.raises(SubmitInDoubt, match=r"before you start it again. The last error: no") as e:
        world.run(sync(again(), POLICY))
    assert e.value.__cause__ is refusal
    assert 0 == world.airbyte.count("submit")


def test_the_deadline_of_the_new_try_ends_the_search(world, again):
    """The timeout is the caller's last word, and it counts from the new try."""
    world.pass_time(3600)
    policy = replace(POLICY, timeout=timedelta(seconds=30))
    with pytest.raises(SubmitInDoubt):
        world.run(sync(again(), policy))
    assert 3630 == world.seconds()
    assert 0 == world.airbyte.count("submit")


def test_an_id_that_is_no_uuid_is_asked_about_before_the_search(world, again):
    """A connection's name in the place of its id is refused before anything else is asked."""
    with pytest.raises(InvalidInput, match="not a UUID"):
        world.run(sync(again(connection_id="faker to duckdb"), POLICY))
    assert [("fetch_connection", "faker to duckdb")] == world.airbyte.calls


def test_a_connection_that_takes_no_jobs_is_explained_to_a_retry_too(world, again):
    """After the search the submission is as any other."""
    world.airbyte.add_connection(world.connection_id, status=ConnectionStatus.INACTIVE)
    over_at = world.clock.now()
    world.pass_time(LONG_AFTER)
    with pytest.raises(ConnectionUnavailable, match="switched off"):
        world.run(sync(again(over_at=over_at), POLICY))


@pytest.mark.parametrize("job_type", [JobType.RESET, JobType.CLEAR])
@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_reset_that_failed_is_not_started_anew_on_top_of_a_sync(world, again, job_type, end):
    """Airbyte cancels the running sync for a reset: so the new one looks first, and queues."""
    request = replace(world.request, job_type=job_type)
    world.life(FOR_EVER, (10, end))
    die_at_the_first_pause(world, request=request)
    world.pass_time(LONG_AFTER)
    foreign = []
    answer = world.airbyte.find_jobs

    def busy_by_now(query):
        page = answer(query)
        if not foreign:
            foreign.append(world.foreign(FOR_EVER, (100, "succeeded")))
        return page

    world.airbyte.find_jobs = busy_by_now
    result = world.run(sync(again(job_type=job_type), POLICY))
    assert (3, "reset") == (result.job.job_id, result.job.job_type)
    assert [job.status.word for job in world.airbyte.jobs()] == [end, "succeeded", "succeeded"]
    assert world.event(WaitingForOther).job.job_id == foreign[0].job_id


def test_a_reset_is_looked_for_before_it_is_made_again(world, again):
    """Nothing is left of the try before: two looks, one for it and one for others, then one reset."""
    world.pass_time(LONG_AFTER)
    over_at = world.clock.now() - timedelta(seconds=LONG_AFTER)
    result = world.run(submit(again(job_type=JobType.RESET, over_at=over_at), POLICY))
    assert result.origin is Origin.STARTED
    calls = [method for method, _ in world.airbyte.calls]
    assert ["find_jobs", "find_jobs", "submit"] == calls


def test_a_reset_that_runs_is_adopted(world, again):
    """A second reset would cancel the first: there is none."""
    world.life(FOR_EVER, (900, "succeeded"))
    die_at_the_first_pause(world, request=replace(world.request, job_type=JobType.RESET))
    world.pass_time(LONG_AFTER)
    result = world.run(sync(again(job_type=JobType.RESET), POLICY))
    assert (1, Origin.ADOPTED) == (result.job.job_id, result.origin)
    assert 1 == len(world.airbyte.jobs())


@pytest.fixture
def in_the_way(world):
    """A sync of another client that began a minute before the first try, which began thirty seconds ago."""
    foreign = world.foreign(FOR_EVER, (300, "succeeded"))
    world.pass_time(60)
    since = world.clock.now()
    world.pass_time(30)
    return foreign, since


def policy(on_conflict):
    return replace(POLICY, on_conflict=OnConflict(on_conflict))


def test_queue_waits_for_an_older_job_at_once(world, again, in_the_way):
    """While the other runs ours cannot appear, and afterwards it is looked for again: nothing is lost."""
    foreign, since = in_the_way
    result = world.run(sync(again(since=since), policy("queue")))
    assert (result.job.job_id, result.origin) == (foreign.job_id + 1, Origin.STARTED)
    assert world.event(WaitingForOther).job.job_id == foreign.job_id
    assert 1 == world.airbyte.count("submit")
    assert 0 == world.airbyte.count("cancel")


def test_what_was_queued_behind_is_never_taken_for_ours(world, again, in_the_way):
    """The new submission knows that the job before it is another client's, however vague the clocks are."""
    foreign, since = in_the_way
    submission = world.run(submit(again(since=since), policy("queue")))
    assert saved_before_submitting(world).after_job_id == foreign.job_id
    assert submission.checkpoint.asked_at == world.clock.now()


def test_queue_finds_what_the_try_before_had_queued(world, again):
    """Its lost submission comes to life when the other job ends: it is adopted."""
    world.foreign(FOR_EVER, (130, "cancelled"))
    world.pass_time(60)
    since = world.clock.now()
    world.later(75, lambda: world.foreign(FOR_EVER, (50, "succeeded")))
    result = world.run(sync(again(since=since), policy("queue")))
    assert (2, Origin.ADOPTED) == (result.job.job_id, result.origin)
    assert 0 == world.airbyte.count("submit")


def test_what_fails_behind_the_queue_was_an_earlier_try(world, again):
    """It came and failed before anybody looked: a retry starts anew instead of failing with it."""
    world.foreign(FOR_EVER, (100, "cancelled"))
    world.pass_time(60)
    since = world.clock.now()
    world.later(41, lambda: world.foreign(FOR_EVER, (1, "failed")))
    settings = replace(policy("queue"), poll=POLICY.poll.fixed(timedelta(seconds=50)))
    result = world.run(sync(again(since=since), settings))
    assert (3, Origin.STARTED) == (result.job.job_id, result.origin)


def test_attach_follows_an_older_job_once_ours_cannot_come(world, again, in_the_way):
    """The running sync will do, and is not ours to cancel."""
    foreign, since = in_the_way
    result = world.run(sync(again(since=since), policy("attach")))
    assert (result.job.job_id, result.origin) == (foreign.job_id, Origin.ATTACHED)
    obtained = [at for at, command in world.trace if "JobObtained" in repr(command)]
    assert obtained == [since + timedelta(seconds=180)]
    assert 0 == world.airbyte.count("submit")


@pytest.mark.parametrize(
    ("on_conflict", "error"), [("skip", SyncSkipped), ("fail", SyncAlreadyRunning)]
)
@pytest.mark.parametrize("over_since", [0, LONG_AFTER])
def test_a_conflict_is_decided_once_ours_cannot_come(world, again, on_conflict, error, over_since):
    """Nothing is said about an older job as long as our own may still appear behind it."""
    world.foreign(FOR_EVER)
    world.pass_time(60)
    since = world.clock.now()
    world.pass_time(over_since)
    with pytest.raises(error, match="busy with job 1"):
        world.run(sync(again(since=since, over_at=since), policy(on_conflict)))
    assert world.seconds() == 60 + max(150, over_since)
    assert 0 == world.airbyte.count("submit")


@pytest.mark.parametrize("on_conflict", OnConflict)
def test_a_running_job_of_its_own_is_no_conflict(world, again, on_conflict):
    """The request has started it, so it is not another client's, whatever on_conflict says."""
    world.life(FOR_EVER, (900, "succeeded"))
    die_at_the_first_pause(world)
    world.pass_time(30)
    result = world.run(sync(again(), policy(on_conflict)))
    assert (1, Origin.ADOPTED) == (result.job.job_id, result.origin)


def test_the_search_survives_its_process(world, again):
    """Every pause of it may be the last: the checkpoint remembers what counts as an answer."""
    world.later(50, lambda: world.foreign(FOR_EVER, (5, "failed")))
    succeeded_after = world.clock.now() + timedelta(seconds=20)
    pause = world.first_pause(sync(again(succeeded_after=succeeded_after), POLICY))
    assert (type(pause.checkpoint.phase), pause.checkpoint.in_doubt) == (FindingJob, True)
    assert pause.checkpoint.phase.earlier.answered_since == succeeded_after
    restored = Checkpoint.from_json(json.loads(json.dumps(pause.checkpoint.to_json())))
    assert restored == pause.checkpoint
    world.pass_time(300)
    result = world.run(resume(restored, POLICY))
    assert (2, Origin.STARTED) == (result.job.job_id, result.origin)


def test_once_a_job_is_found_the_search_is_over(world, again):
    """The job that is followed may fail like any other: it is not started a third time."""
    world.life(FOR_EVER, (200, "failed"))
    die_at_the_first_pause(world)
    submission = world.run(submit(again(), POLICY))
    assert isinstance(submission.checkpoint.phase, Watching)
    with pytest.raises(SyncFailed):
        world.run(resume(submission.checkpoint, POLICY))
    assert 1 == world.airbyte.count("submit")
