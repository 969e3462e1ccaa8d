"""The error tree: one root, the tree as drawn, and two facts about another try on each error."""

import inspect
import re
from dataclasses import replace
from datetime import timedelta

import pytest

import airbyte_sync
from airbyte_sync import (
    AirbyteSyncError,
    Forbidden,
    OnConflict,
    QueueTimedOut,
    RequestNotSent,
    ServerTrouble,
    ServerUnreachable,
    SyncPolicy,
    SyncTimedOut,
    UnexpectedReply,
    WrongAddress,
    cancel,
    errors,
    submit,
    sync,
)
from airbyte_sync_local import JobScript
from airbyte_sync_testkit import CallFault

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, BaseException)
}


def drawn_tree():
    """Yield (name, name of the parent) as the module's docstring draws them."""
    path = {}
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"^    ([│ ├└─]*)([A-Z]\w+)", line)
        if drawn:
            depth = len(drawn[1]) // 4
            path[depth] = drawn[2]
            yield drawn[2], path.get(depth - 1)


def test_the_tree_is_as_drawn():
    """Every error is in the picture, under its parent."""
    assert dict(drawn_tree()) == {
        name: kind.__base__.__name__ if kind is not errors.AirbyteSyncError else None
        for name, kind in CLASSES.items()
    }


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_is_public_and_shadows_nothing(name):
    """Errors are facts without the suffix Error, exported, and none hides a builtin."""
    assert name in airbyte_sync.__all__
    assert name == "AirbyteSyncError" or not name.endswith("Error")
    assert name not in vars(__builtins__ if inspect.ismodule(__builtins__) else inspect)


SAFE_AND_USEFUL = (True, True)
IN_DOUBT = (False, True)
USELESS = (True, False)
FACTS = {
    SAFE_AND_USEFUL: {
        *("RequestNotSent", "Throttled", "RefusedOnTheWay", "SyncAlreadyRunning"),
        *("SyncFailed", "SyncCancelled", "SyncSkipped", "JobGone"),
    },
    IN_DOUBT: {
        *("AirbyteSyncError", "AlreadyClosed", "InvalidCheckpoint", "StateConflict"),
        *("CallFailed", "ResponseNotReceived", "ServerTrouble", "UnexpectedReply", "UnreadableId"),
        *("SyncNotDone", "SyncTimedOut", "DeadlinePassed", "QueueTimedOut", "SubmitInDoubt"),
        *("ServerUnreachable", "WrongAddress", "CancelUnconfirmed"),
    },
    USELESS: {
        *("InvalidInput", "ConnectionUnavailable", "ConnectionNotFound", "ConnectionAmbiguous"),
        *("Refused", "BadRequest", "Unauthorized", "Forbidden", "NotFound", "Unprocessable"),
        "JobNotRunning",
    },
}


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_says_two_facts(name):
    """Whether surely nothing is left behind, and whether another try may help."""
    kind = CLASSES[name]
    facts = (kind.retry_safe, kind.retry_may_help)
    assert all(type(fact) is bool for fact in facts)
    assert name in FACTS[facts]


def test_a_fact_may_be_the_errors_own():
    """A timeout is safe to repeat where the job was cancelled; the class cannot say so."""
    error = errors.SyncTimedOut("too late", retry_safe=True)
    assert (True, False) == (error.retry_safe, errors.SyncTimedOut.retry_safe)
    assert errors.SyncTimedOut("too late").retry_safe is False


# --------------------------------------------------------------------------------------------------
# What a flow knows of what it leaves behind

ENDLESS = JobScript.of((0, "running"))
SOON = SyncPolicy(timeout=timedelta(minutes=5), unreachable_timeout=timedelta(minutes=5))
LEFT = replace(SOON, cancel_on_timeout=False)
TROUBLE = ServerTrouble("502", status=502)


def error_of(world, policy):
    with pytest.raises(AirbyteSyncError) as caught:
        world.run(sync(world.request, policy))
    return caught.value


def test_a_timeout_whose_job_was_cancelled_is_safe(world):
    """Airbyte says that it has ended."""
    world.airbyte.job_scripts.append(ENDLESS)
    error = error_of(world, SOON)
    assert (SyncTimedOut, True) == (type(error), error.retry_safe)


def test_a_timeout_whose_job_goes_on_is_not_safe(world):
    """Another try would be a second sync where nothing remembers the first."""
    world.airbyte.job_scripts.append(ENDLESS)
    error = error_of(world, LEFT)
    assert (SyncTimedOut, False) == (type(error), error.retry_safe)


def test_a_timeout_whose_cancellation_is_not_confirmed_is_not_safe(world):
    """The job may be running."""
    world.airbyte.job_scripts.append(ENDLESS)
    world.airbyte.fail("cancel", *[CallFault(error=TROUBLE)] * 99)
    error = error_of(world, SOON)
    assert (SyncTimedOut, False) == (type(error), error.retry_safe)


def test_a_cancellation_that_is_forbidden_is_not_safe(world):
    """The refusal is of one call: the job goes on."""
    world.airbyte.job_scripts.append(ENDLESS)
    job_id = world.run(submit(world.request, SOON)).job_id
    world.airbyte.fail("cancel", CallFault(error=Forbidden("no", status=403)))
    with pytest.raises(Forbidden) as caught:
        world.run(cancel(job_id, SOON))
    assert caught.value.retry_safe is False


def test_a_timeout_behind_another_sync_is_safe(world):
    """What runs is not ours."""
    world.airbyte.start_external_job(world.connection_id, ENDLESS)
    world.clock.advance(timedelta(minutes=1))
    error = error_of(world, SOON)
    assert (QueueTimedOut, True) == (type(error), error.retry_safe)


def test_a_timeout_of_a_job_that_was_started_elsewhere_is_safe(world):
    """This request has started nothing."""
    world.airbyte.start_external_job(world.connection_id, ENDLESS)
    world.clock.advance(timedelta(minutes=1))
    error = error_of(world, replace(SOON, on_conflict=OnConflict.ATTACH))
    assert (SyncTimedOut, True) == (type(error), error.retry_safe)


@pytest.mark.parametrize(
    ("error", "is_safe"), [(RequestNotSent("no route"), True), (TROUBLE, False)], ids=repr
)
def test_an_unreachable_server_is_safe_where_no_submission_arrived(world, error, is_safe):
    """In doubt it is not."""
    for call in ("submit", "find_jobs", "fetch_connection"):
        world.airbyte.fail(call, *[CallFault(error=error)] * 999)
    assert is_safe is error_of(world, SOON).retry_safe


def test_a_job_that_cannot_be_seen_is_not_safe(world):
    """It may well be running."""
    world.airbyte.job_scripts.append(ENDLESS)
    world.airbyte.fail("fetch_job", *[CallFault(error=TROUBLE)] * 999)
    error = error_of(world, replace(SOON, timeout=None))
    assert (ServerUnreachable, False) == (type(error), error.retry_safe)


def test_a_wrong_address_is_safe_where_nothing_was_submitted(world):
    """A page that is not Airbyte's may stand in front of one; a submission that it answered is in doubt."""
    page = UnexpectedReply("a login page", status=200)
    world.airbyte.fail("submit", *[CallFault(error=page)] * 999)
    world.airbyte.fail("find_jobs", *[CallFault(error=page)] * 999)
    error = error_of(world, SOON)
    assert (WrongAddress, False) == (type(error), error.retry_safe)
