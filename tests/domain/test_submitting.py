"""Coming to a job: submitted once, and looked for whenever the answer is in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    Checkpoint,
    Connection,
    ConnectionStatus,
    ConnectionUnavailable,
    Forbidden,
    InvalidInput,
    JobType,
    NotFound,
    Origin,
    QueueTimedOut,
    RefusedOnTheWay,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    ServerUnreachable,
    StateConflict,
    SubmitInDoubt,
    SyncFailed,
    SyncPolicy,
    SyncRequest,
    Throttled,
    Unauthorized,
    UnexpectedReply,
    Unprocessable,
    UnreadableId,
    resume,
    submit,
    sync,
)
from airbyte_sync.events import JobObtained, PollFailed, SubmitPostponed, SubmitUncertain
from airbyte_sync.phases import Submitting, Watching
from airbyte_sync_testkit.memory import CallFault, InMemoryAirbyte

POLICY = SyncPolicy()
LOST = ResponseNotReceived("the connection was reset")
IN_DOUBT = [
    LOST,
    ServerTrouble("bad gateway", status=502),
    UnexpectedReply("a login page", status=200),
]


def test_one_request_gives_one_sync(world):
    """A sync is submitted once and followed to its end."""
    result = world.run(sync(world.request, POLICY))
    assert result.origin is Origin.STARTED
    assert "succeeded" == result.job.status.word
    assert 1 == world.airbyte.count("submit")
    assert 0 == world.airbyte.count("find_jobs")


def test_submit_comes_back_with_the_job(world):
    """submit does not wait for the end; its checkpoint carries the job's id."""
    checkpoint = world.run(submit(world.request, POLICY)).checkpoint
    assert (type(checkpoint.phase), checkpoint.job_id) == (Watching, 1)
    assert 0 == world.seconds()
    assert 1 == world.run(resume(checkpoint, POLICY)).job.job_id


@pytest.mark.parametrize("error", IN_DOUBT, ids=lambda error: type(error).__name__)
def test_a_lost_answer_is_looked_for_and_adopted(world, error):
    """The answer was lost, but the sync was started: it is found and seen through, not doubled."""
    world.airbyte.fail("submit", CallFault(error=error, carried_out=True))
    result = world.run(sync(world.request, POLICY))
    assert result.origin is Origin.ADOPTED
    assert 1 == len(world.airbyte.jobs())
    assert 1 == world.airbyte.count("submit")
    assert world.event(SubmitUncertain).error is error


@pytest.mark.parametrize("delay", [1, 30, 60, 130, 149])
def test_a_job_that_appears_late_is_adopted(world, delay):
    """Airbyte may create the job up to 130 s after the request: we search for longer than that."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    world.later(delay, lambda: world.foreign((0, "running"), (200, "succeeded")))
    result = world.run(sync(world.request, POLICY))
    assert result.origin is Origin.ADOPTED
    assert 1 == world.airbyte.count("submit")


@pytest.mark.parametrize("error", IN_DOUBT, ids=lambda error: type(error).__name__)
def test_submits_again_only_when_no_job_came(world, error):
    """When no job came in time, nothing came of the submission, and it is made once more."""
    world.airbyte.fail("submit", CallFault(error=error))
    result = world.run(sync(world.request, POLICY))
    assert result.origin is Origin.STARTED
    submits = [at for at, command in world.trace if type(command).__name__ == "SubmitSync"]
    assert submits[1] - submits[0] >= timedelta(seconds=150)
    assert 1 == len(world.airbyte.jobs())


def test_a_job_that_failed_while_in_doubt_is_ours(world):
    """A job that came and failed while we did not hear from it is reported, not replaced by another."""
    world.life((0, "running"), (1, "failed"))
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", CallFault(error=LOST))
    with pytest.raises(Exception, match="job 1 failed"):
        world.run(sync(world.request, POLICY))
    assert 1 == len(world.airbyte.jobs())


def test_old_jobs_are_never_adopted(world):
    """Yesterday's sync succeeded: that is no answer to today's request, even in doubt."""
    world.foreign((0, "running"), (10, "succeeded"))
    world.pass_time(86_400)
    world.airbyte.fail("submit", CallFault(error=LOST))
    assert 2 == world.run(sync(world.request, POLICY)).job.job_id


def test_jobs_of_another_type_are_never_adopted(world):
    """A reset that another client started in the moment of doubt is not our sync."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    world.later(5, lambda: world.foreign((0, "running"), (20, "succeeded"), job_type=JobType.RESET))
    result = world.run(sync(world.request, POLICY))
    assert "sync" == result.job.job_type
    assert result.origin is Origin.STARTED


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (LOST, "Airbyte's answer was lost"),
        (ServerTrouble("gateway timeout", status=504), "the last answer was HTTP status 504"),
        (StateConflict("no reason", status=409), "the last answer was HTTP status 409"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_second_lost_submission_is_the_last(world, error, told):
    """It is no bad luck any more: the status and the connection are told, and no third is made."""
    world.airbyte.fail("submit", *[CallFault(error=error)] * 99)
    with pytest.raises(SubmitInDoubt, match="timeline before you start it again") as caught:
        world.run(sync(world.request, POLICY))
    assert told in str(caught.value)
    assert world.connection_id in str(caught.value)
    assert 2 == world.airbyte.count("submit")
    assert 300 <= world.seconds() < 320


@pytest.mark.parametrize("seconds", [1, 149])
def test_the_job_of_a_second_lost_submission_is_adopted(world, seconds):
    """It is searched for as long as that of the first."""
    world.airbyte.fail("submit", *[CallFault(error=LOST)] * 2)
    world.later(150 + seconds, lambda: world.foreign((0, "running"), (200, "succeeded")))
    assert world.run(sync(world.request, POLICY)).origin is Origin.ADOPTED
    assert 2 == world.airbyte.count("submit")


@pytest.mark.parametrize(
    ("status", "words"),
    [(ConnectionStatus.INACTIVE, "is switched off"), (ConnectionStatus.DEPRECATED, "was deleted")],
)
def test_a_lost_submission_for_a_connection_that_takes_no_jobs_is_explained(world, status, words):
    """No job came of it, and the connection tells why: it is not submitted again."""
    world.airbyte.add_connection(world.connection_id, status=status)
    world.airbyte.fail("submit", CallFault(error=ServerTrouble("504", status=504)))
    with pytest.raises(ConnectionUnavailable, match=words):
        world.run(sync(world.request, POLICY))
    assert 1 == world.airbyte.count("submit")


def test_a_lost_submission_for_an_unknown_connection_is_explained(world):
    """The text names the status that was answered, the connection, and the cause."""
    request = SyncRequest(connection_id="00000000-0000-4000-8000-0000000000ff")
    world.airbyte.fail("submit", CallFault(error=ServerTrouble("504", status=504)))
    with pytest.raises(NotFound, match=rf"{request.connection_id} was submitted .*504.*is unknown"):
        world.run(sync(request, POLICY))
    assert 1 == world.airbyte.count("submit")


def test_a_connection_that_cannot_be_read_is_read_again(world):
    """Trouble on the way to the cause is trouble: the submission is made again afterwards."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    world.airbyte.fail("fetch_connection", CallFault(error=RefusedOnTheWay("no route", status=404)))
    assert world.run(sync(world.request, POLICY)).origin is Origin.STARTED
    assert 2 == world.airbyte.count("submit")


def test_polls_and_submissions_that_fail_are_counted_apart(world):
    """A submission fails twice, lists succeed in between: one failed poll later costs a second, not more."""
    world.airbyte.fail("submit", *[CallFault(error=Throttled("", retry_after=timedelta(0)))] * 5)
    world.airbyte.fail("find_jobs", *[None] * 4, CallFault(error=ServerTrouble("500", status=500)))
    world.run(submit(world.request, POLICY))
    failed = world.event(PollFailed)
    assert failed.failing_since == world.clock.now() - (failed.next_poll - failed.failing_since)
    assert failed.next_poll - failed.failing_since <= timedelta(seconds=1.2)


def test_a_list_that_succeeds_does_not_excuse_submissions_that_fail(world):
    """They are given up after unreachable_timeout, however often the list was read meanwhile."""
    world.airbyte.fail("submit", *[CallFault(error=RequestNotSent("no route to host"))] * 99)
    with pytest.raises(ServerUnreachable):
        world.run(sync(world.request, POLICY))
    assert world.airbyte.count("find_jobs") > 10


def test_a_doubt_at_the_deadline_is_told(world):
    """The timeout passes while we look: the sync may be running, and the error says that."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    with pytest.raises(SubmitInDoubt, match="it may be running"):
        world.run(sync(world.request, replace(POLICY, timeout=timedelta(seconds=30))))
    assert 30 == world.seconds()


@pytest.mark.parametrize(
    "error", [Forbidden("no", status=403), RefusedOnTheWay("no route", status=404)], ids=repr
)
def test_a_refused_search_is_repeated(world, error):
    """The list is refused once while a job is searched for: it is read again, and the job is found."""
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", CallFault(error=error))
    assert world.run(sync(world.request, POLICY)).origin is Origin.ADOPTED


def test_a_search_that_stays_refused_is_told(world):
    """The job that we may have started may not be searched for: that is a doubt, caused by a refusal."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    refusal = Forbidden("no", status=403)
    world.airbyte.fail("find_jobs", *[CallFault(error=refusal)] * 99)
    with pytest.raises(SubmitInDoubt, match="The last error: no") as caught:
        world.run(sync(world.request, POLICY))
    assert caught.value.__cause__ is refusal


def test_a_server_that_goes_away_in_doubt_is_told(world):
    """The list cannot be read for unreachable_timeout: still a doubt, not a certainty that nothing runs."""
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", *[CallFault(error=RequestNotSent("refused"))] * 99)
    with pytest.raises(SubmitInDoubt):
        world.run(sync(world.request, POLICY))


def test_looks_go_on_when_some_fail(world):
    """A look that fails while in doubt does not end the search."""
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    world.airbyte.fail("find_jobs", *[CallFault(error=LOST)] * 3)
    assert world.run(sync(world.request, POLICY)).origin is Origin.ADOPTED


@pytest.mark.parametrize(
    "error",
    [
        RequestNotSent("no route"),
        Throttled("slow down", status=429),
        RefusedOnTheWay("no route matched", status=404),
    ],
)
def test_what_was_surely_not_carried_out_is_postponed(world, error):
    """A request that never left, or was refused for now, is made again after a while."""
    world.airbyte.fail("submit", CallFault(error=error))
    result = world.run(sync(world.request, POLICY))
    assert result.origin is Origin.STARTED
    assert 2 == world.airbyte.count("submit")
    assert world.event(SubmitPostponed).error is error


def test_postponing_honours_retry_after(world):
    """The server asked for five minutes: no call before."""
    world.airbyte.fail("submit", CallFault(error=Throttled("", retry_after=timedelta(minutes=5))))
    world.run(sync(world.request, POLICY))
    calls = [at for at, command in world.trace if type(command).__name__ == "FindJobs"]
    assert calls[0] - world.trace[0][0] >= timedelta(minutes=5)


def test_postponing_longer_than_unreachable_timeout_is_no_failure(world):
    """The server asked for half an hour: it is asked again then, not given up unasked."""
    world.airbyte.fail("submit", CallFault(error=Throttled("", retry_after=timedelta(minutes=30))))
    assert world.run(sync(world.request, POLICY)).origin is Origin.STARTED


def test_postponing_for_too_long_is_given_up(world):
    """After unreachable_timeout of refusals, the error says that nothing runs."""
    world.airbyte.fail("submit", *[CallFault(error=RequestNotSent("no route to host"))] * 99)
    with pytest.raises(ServerUnreachable, match=r"none is running for this request.*no route"):
        world.run(sync(world.request, POLICY))
    assert 900 <= world.seconds() < 1000


def test_the_deadline_passes_while_postponed(world):
    """Nothing was started when the time to begin passes, and the error says so."""
    world.airbyte.fail("submit", *[CallFault(error=Throttled("slow down"))] * 99)
    with pytest.raises(QueueTimedOut, match=r"none is running for this request. Start it again"):
        world.run(sync(world.request, replace(POLICY, timeout=timedelta(minutes=10))))
    assert 600 == world.seconds()


def test_a_postponed_try_is_announced_for_when_it_comes(world):
    """The announced moment never lies behind the deadline."""
    world.airbyte.fail("submit", *[CallFault(error=Throttled("slow down"))] * 9)
    with pytest.raises(QueueTimedOut):
        world.run(sync(world.request, replace(POLICY, timeout=timedelta(seconds=20))))
    assert world.event(SubmitPostponed).next_try == world.clock.now()


@pytest.mark.parametrize(
    "error", [Forbidden("no", status=403), Unauthorized("no", status=401), Unprocessable("no")]
)
def test_a_refused_submission_ends_at_once(world, error):
    """What no retry can mend is raised at once, with the connection in its text."""
    world.airbyte.fail("submit", CallFault(error=error))
    with pytest.raises(type(error), match=f"{world.connection_id} was started: no") as caught:
        world.run(sync(world.request, POLICY))
    assert caught.value.status == error.status
    assert 0 == world.seconds()


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("old_seconds", [20, 300])
def test_a_server_clock_that_goes_wrong_does_not_fool_adoption(world, minutes, old_seconds):
    """Job times are the server's: a skew of ten minutes neither hides our job nor makes an old one ours."""
    world.skew_server(minutes)
    old = world.foreign((0, "running"), (old_seconds - 10, "succeeded"))
    world.pass_time(old_seconds)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    result = world.run(sync(world.request, POLICY))
    assert result.origin is Origin.ADOPTED
    assert result.job.job_id == old.job_id + 1
    assert 2 == len(world.airbyte.jobs())


@pytest.mark.parametrize("latency", [1, 5, 30])
def test_a_slow_list_does_not_fool_adoption(world, latency):
    """The list takes half a minute: our own job is not taken for one from before the request."""

    class Slow(InMemoryAirbyte):
        def find_jobs(self, query):
            self.clock.advance(timedelta(seconds=latency))
            return super().find_jobs(query)

    world.airbyte.__class__ = Slow
    world.life((0, "pending"), (5, "running"), (120, "succeeded"))
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    result = world.run(sync(world.request, POLICY))
    assert result.origin is Origin.ADOPTED
    assert 1 == len(world.airbyte.jobs())


def test_a_server_that_tells_no_time_is_trusted_to_have_ours(world):
    """Without the server's clock, job times are compared with our own and a small margin."""

    class Timeless(InMemoryAirbyte):
        def find_jobs(self, query):
            return replace(super().find_jobs(query), server_time=None)

    world.airbyte.__class__ = Timeless
    world.foreign((0, "running"), (10, "succeeded"))
    world.pass_time(60)
    world.airbyte.fail("submit", CallFault(error=LOST, carried_out=True))
    assert 2 == world.run(sync(world.request, POLICY)).job.job_id


def test_an_id_that_is_no_uuid_is_asked_about_before_anything_is_started(world):
    """A connection's name in the place of its id gives advice, and nothing is submitted."""
    with pytest.raises(InvalidInput, match=r"not a UUID.*in the address of the connection's page"):
        world.run(sync(SyncRequest(connection_id="faker to duckdb"), POLICY))
    assert [("fetch_connection", "faker to duckdb")] == world.airbyte.calls


def test_an_id_that_is_no_uuid_is_used_where_the_server_knows_it(world):
    """A server with ids of its own kind is believed."""
    world.airbyte.add_connection("c-1")
    assert "c-1" == world.run(sync(SyncRequest(connection_id="c-1"), POLICY)).job.connection_id
    assert ("fetch_connection", "c-1") == world.airbyte.calls[0]


@pytest.mark.parametrize(
    "error",
    [
        Unauthorized("the token was refused", status=401),
        Throttled("slow down", status=429),
        RequestNotSent("no route"),
        ServerTrouble("bad gateway", status=502),
        UnexpectedReply("a login page", status=200),
    ],
)
def test_trouble_while_asking_about_an_id_is_not_blamed_on_the_id(world, error):
    """A proxy in trouble knows nothing about ids: its error is raised as it is."""
    world.airbyte.fail("fetch_connection", CallFault(error=error))
    with pytest.raises(type(error)) as caught:
        world.run(sync(SyncRequest(connection_id="c-1"), POLICY))
    assert caught.value is error
    assert 0 == world.airbyte.count("submit")


@pytest.mark.parametrize(
    "error",
    [NotFound("404"), Forbidden("403", status=403), UnreadableId("errorId", status=500)],
)
def test_airbytes_own_words_for_an_unreadable_id_are_understood(world, error):
    """An administrator hears no 404 for an id that Airbyte cannot read."""
    world.airbyte.fail("fetch_connection", CallFault(error=error))
    with pytest.raises(InvalidInput) as caught:
        world.run(sync(SyncRequest(connection_id="c-1"), POLICY))
    assert caught.value.__cause__ is error


def test_a_uuid_is_not_asked_about(world):
    """The usual case costs no extra request."""
    world.run(sync(world.request, POLICY))
    assert 0 == world.airbyte.count("fetch_connection")


def test_a_resume_in_phase_submit_looks_first(world):
    """A process that died before the first pause may have submitted: look for that job before submitting."""
    asked_at = world.clock.now()
    world.foreign((0, "running"), (300, "succeeded"))
    checkpoint = Checkpoint(phase=Submitting(connection_id=world.connection_id), asked_at=asked_at)
    world.pass_time(60)
    result = world.run(resume(checkpoint, POLICY))
    assert (Origin.ATTACHED, 1) == (result.origin, result.job.job_id)
    assert 0 == world.airbyte.count("submit")


def test_a_resume_in_phase_submit_does_not_repeat_what_failed(world):
    """The sync that the request had started failed meanwhile: that is the request's end."""
    checkpoint = Checkpoint(
        phase=Submitting(connection_id=world.connection_id), asked_at=world.clock.now()
    )
    world.foreign((0, "running"), (10, "failed"))
    world.pass_time(60)
    with pytest.raises(SyncFailed):
        world.run(resume(checkpoint, POLICY))
    assert 0 == world.airbyte.count("submit")


def test_a_resume_in_phase_submit_is_content_with_what_has_succeeded(world):
    """The sync that the request had started has succeeded: nothing more is to be done."""
    checkpoint = Checkpoint(
        phase=Submitting(connection_id=world.connection_id), asked_at=world.clock.now()
    )
    world.foreign((0, "running"), (10, "succeeded"))
    world.pass_time(60)
    assert 1 == world.run(resume(checkpoint, POLICY)).job.job_id
    assert 0 == world.airbyte.count("submit")
    assert 60 == world.seconds()  # an ended job is read at once


def test_a_late_wake_up_resolves_one_doubt(world):
    """Put away in doubt and resumed hours later, when no job had come: submitted again."""
    world.airbyte.fail("submit", CallFault(error=LOST))
    policy = replace(POLICY, timeout=None)
    pause = world.first_pause(sync(world.request, policy))
    world.pass_time(3 * 3600)
    assert world.run(resume(pause.checkpoint, policy)).origin is Origin.STARTED


def test_a_late_wake_up_after_a_postponement_submits(world):
    """Put away before a second try and resumed hours later: the second try is made."""
    world.airbyte.fail("submit", CallFault(error=RequestNotSent("no route")))
    policy = replace(POLICY, timeout=None)
    pause = world.first_pause(sync(world.request, policy))
    world.pass_time(3 * 3600)
    assert world.run(resume(pause.checkpoint, policy)).origin is Origin.STARTED


@pytest.mark.parametrize("job_type", [JobType.RESET, JobType.CLEAR])
def test_a_reset_does_not_cancel_another_clients_sync(world, job_type):
    """Airbyte cancels the running sync for a reset, without a 409: so a reset is looked for first."""
    foreign = world.foreign((0, "running"), (100, "succeeded"))
    world.pass_time(10)
    request = SyncRequest(connection_id=world.connection_id, job_type=job_type)
    result = world.run(sync(request, POLICY))
    assert "reset" == result.job.job_type
    assert "succeeded" == world.airbyte.fetch_job(foreign.job_id).status.word


def test_a_refresh_is_refused_by_the_server(world):
    """Airbyte offers no refresh over its public API."""
    request = SyncRequest(connection_id=world.connection_id, job_type=JobType.REFRESH)
    with pytest.raises(Unprocessable):
        world.run(sync(request, POLICY))


def test_the_event_tells_how_we_came_to_the_job(world):
    """A shell may store the job's id as soon as there is one."""
    world.run(submit(world.request, POLICY))
    obtained = world.event(JobObtained)
    assert (1, Origin.STARTED) == (obtained.job.job_id, obtained.origin)


def test_the_memory_finds_connections_by_name(world):
    """Only connections that exist carry a name."""
    [found] = world.airbyte.find_connections("faker to duckdb", None)
    assert isinstance(found, Connection)
    assert () == world.airbyte.find_connections("faker to duckdb", "elsewhere")
