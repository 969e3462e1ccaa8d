"""A server that has never answered as Airbyte does is given up soon; an outage is not."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airbyte_sync import (
    Checkpoint,
    NotFound,
    RefusedOnTheWay,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    ServerUnreachable,
    SyncAlreadyRunning,
    SyncPolicy,
    Throttled,
    UnexpectedReply,
    WrongAddress,
    resume,
    submit,
    sync,
    watch,
)
from airbyte_sync_testkit.memory import CallFault

POLICY = SyncPolicy()
METHODS = ("submit", "fetch_job", "find_jobs", "fetch_connection", "cancel")
STRANGERS = [
    UnexpectedReply("a web page", status=200),
    RefusedOnTheWay("method not allowed", status=405),
    RefusedOnTheWay("a redirect to a login page", status=302),
    RefusedOnTheWay("no Route matched with those values", status=404),
]
OUTAGES = [
    RequestNotSent("connection refused"),
    ResponseNotReceived("the connection was reset"),
    ServerTrouble("bad gateway", status=502),
    Throttled("slow down", status=429),
]


def always(world, *errors, methods=METHODS, times=999):
    for method in methods:
        world.airbyte.fail(method, *[CallFault(error=error) for error in errors] * times)


@pytest.mark.parametrize("error", STRANGERS, ids=repr)
def test_a_server_that_never_answers_like_airbyte_is_a_wrong_address(world, error):
    """After a minute, and not after unreachable_timeout; the last answer is told."""
    always(world, error)
    with pytest.raises(WrongAddress, match=f"never answered as Airbyte does.*{error}") as caught:
        world.run(sync(world.request, POLICY))
    assert isinstance(caught.value, ServerUnreachable)
    assert 60 == world.seconds()
    assert world.airbyte.count("submit") <= 7


@pytest.mark.parametrize("error", STRANGERS, ids=repr)
def test_a_watch_of_a_job_that_was_never_seen_is_given_up_as_soon(world, error):
    """A sensor whose connection leads elsewhere fails within a minute."""
    always(world, error)
    with pytest.raises(WrongAddress):
        world.run(watch(1, POLICY))
    assert 60 == world.seconds()


@pytest.mark.parametrize("error", OUTAGES, ids=repr)
def test_an_outage_is_no_wrong_address(world, error):
    """An ingress that answers 502 while Airbyte is upgraded keeps the whole unreachable_timeout."""
    always(world, error)
    with pytest.raises(ServerUnreachable) as caught:
        world.run(watch(1, POLICY))
    assert not isinstance(caught.value, WrongAddress)
    assert 900 <= world.seconds() < 1000


@pytest.mark.parametrize("outage", OUTAGES, ids=repr)
def test_an_outage_between_strange_answers_begins_a_new_count(world, outage):
    """A login page, a restart and a login page again are a deployment."""
    always(world, STRANGERS[0], outage, methods=["fetch_job"])
    with pytest.raises(ServerUnreachable) as caught:
        world.run(watch(1, POLICY))
    assert not isinstance(caught.value, WrongAddress)


def test_a_login_page_during_a_deployment_does_no_harm(world):
    """It passes within the minute: the sync is started, once."""
    world.airbyte.fail("submit", *[CallFault(error=STRANGERS[2])] * 3)
    world.airbyte.fail("find_jobs", *[CallFault(error=STRANGERS[2])] * 2)
    assert 1 == world.run(sync(world.request, POLICY)).job.job_id
    assert 1 == len(world.airbyte.jobs())


@pytest.mark.parametrize(
    "word",
    [SyncAlreadyRunning("busy", status=409), Throttled("slow down", status=429)],
    ids=repr,
)
def test_only_airbytes_own_words_prove_that_it_is_there(world, word):
    """A refusal in its words does; a gateway's 429 does not."""
    world.airbyte.fail("submit", CallFault(error=word))
    always(world, STRANGERS[0], methods=["find_jobs"])
    with pytest.raises(ServerUnreachable) as caught:
        world.run(sync(world.request, POLICY))
    assert isinstance(caught.value, WrongAddress) == isinstance(word, Throttled)


def test_a_server_that_has_answered_once_is_no_wrong_address(world):
    """The job was seen: a gateway that answers strangely keeps the whole unreachable_timeout."""
    world.life((0, "running"), (7200, "succeeded"))
    always(world, STRANGERS[3], methods=["fetch_job"])
    with pytest.raises(ServerUnreachable, match="was left alone") as caught:
        world.run(sync(world.request, POLICY))
    assert not isinstance(caught.value, WrongAddress)


def test_what_is_known_of_the_server_travels_in_the_checkpoint(world):
    """A triggerer that goes on with a request knows that the worker has met Airbyte."""
    world.foreign((0, "running"), (3600, "succeeded"))
    world.pass_time(60)
    checkpoint = world.first_pause(sync(world.request, POLICY)).checkpoint
    restored = Checkpoint.from_json(json.loads(json.dumps(checkpoint.to_json())))
    assert restored.knows_the_server
    always(world, STRANGERS[1], methods=["fetch_job"])
    with pytest.raises(ServerUnreachable) as caught:
        world.run(resume(restored, POLICY))
    assert not isinstance(caught.value, WrongAddress)


def test_how_long_a_stranger_has_answered_survives_the_process(world):
    """A sensor in mode reschedule polls in a new process each time: the minute goes on."""
    always(world, STRANGERS[0])
    pause = world.first_pause(watch(1, POLICY))
    for _ in range(20):
        world.pass_time(4)
        restored = Checkpoint.from_json(json.loads(json.dumps(pause.checkpoint.to_json())))
        try:
            pause = world.first_pause(resume(restored, POLICY))
        except WrongAddress:
            break
    assert 60 <= world.seconds() <= 80


def test_a_stranger_that_may_have_started_a_sync_is_told_as_such(world):
    """The submission was answered with a web page: if Airbyte is behind it, a sync may run."""
    always(world, STRANGERS[0])
    with pytest.raises(WrongAddress, match="may have been started if Airbyte is behind it"):
        world.run(submit(world.request, POLICY))


def test_a_stranger_that_surely_started_nothing_is_not_told_as_a_doubt(world):
    """A redirect proves that nothing was started."""
    always(world, STRANGERS[2])
    with pytest.raises(WrongAddress) as caught:
        world.run(submit(world.request, POLICY))
    assert "may have been started" not in str(caught.value)


def test_an_unknown_job_is_told_at_once(world):
    """Airbyte itself says that it does not know the job, and it never showed it before."""
    with pytest.raises(NotFound):
        world.run(watch(99, POLICY))
    assert 0 == world.seconds()


@pytest.mark.parametrize("patience", [5, 30])
def test_a_shorter_unreachable_timeout_comes_first(world, patience):
    """Who waits for less than a minute is told then."""
    always(world, STRANGERS[0])
    policy = SyncPolicy(unreachable_timeout=timedelta(seconds=patience))
    with pytest.raises(ServerUnreachable):
        world.run(watch(1, policy))
    assert world.seconds() < 60
