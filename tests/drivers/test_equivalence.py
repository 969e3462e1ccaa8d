"""Three drivers, one policy: the same calls in the same order, the same events, the same end."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from airbyte_sync import (
    BadRequest,
    Forbidden,
    Job,
    JobNotRunning,
    JobStatus,
    JobType,
    NotFound,
    OnConflict,
    PollSchedule,
    RefusedOnTheWay,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    ServerUnreachable,
    StateConflict,
    SubmitInDoubt,
    SyncAlreadyRunning,
    SyncCancelled,
    SyncFailed,
    SyncPolicy,
    Throttled,
    Unauthorized,
    UnexpectedReply,
    Unprocessable,
)
from airbyte_sync.events import JobObtained
from airbyte_sync_local import JobScript
from airbyte_sync_local.platform.statuses import may_follow
from airbyte_sync_testkit.memory import CallFault, about_another_connection

FIXED = "AIRBYTE_SYNC_NEW_LIVES" not in os.environ
"""The same lives in every run, so that a change breaks them and nothing else does; set it for others."""

LOST = ResponseNotReceived("the connection was reset")
NOT_SENT = RequestNotSent("no route to host")
SLOW_DOWN = Throttled("slow down", status=429)
TROUBLE = ServerTrouble("bad gateway", status=502, retry_after=timedelta(seconds=20))
BUSY = SyncAlreadyRunning("A sync is already running", status=409)
CONFLICT = StateConflict("Could not fulfill request", status=409)

SOON = SyncPolicy(timeout=timedelta(minutes=3))
ENDLESS = JobScript.of((0, "pending"), (2, "running"))
LONG = JobScript.of((0, "running"), (90, "incomplete"), (100, "running"), (200, "succeeded"))
FAILING = JobScript.of((0, "pending"), (20, "failed"))
STRANGE = JobScript.of((0, "dreaming"), (40, "awake"), (80, "succeeded"))


def policy(**options):
    return SyncPolicy(**options)


def lost(*, carried_out=True):
    return ("submit", (CallFault(error=LOST, carried_out=carried_out),))


TABLE = {
    "nothing special": {},
    "a failure": {"job_scripts": (FAILING,)},
    "strange words": {"job_scripts": (STRANGE,)},
    "a fixed interval": {"policy": policy(poll=PollSchedule.fixed(timedelta(seconds=5)))},
    "a lost answer": {"faults": (lost(),)},
    "a lost request": {"faults": (lost(carried_out=False),)},
    "a late job": {"faults": (lost(carried_out=False),), "appearing": (40, LONG)},
    "a late failure": {"faults": (lost(carried_out=False),), "appearing": (40, FAILING)},
    "never a reply": {"faults": (("submit", (CallFault(error=LOST),) * 50),)},
    "lost, and nothing tells why": {
        "policy": policy(timeout=None),
        "faults": (lost(carried_out=False), ("fetch_connection", (CallFault(error=TROUBLE),) * 99)),
    },
    "not sent": {"faults": (("submit", (CallFault(error=NOT_SENT),) * 3),)},
    "throttled": {"faults": (("submit", (CallFault(error=SLOW_DOWN),) * 3),)},
    "queueing": {"external_before": LONG},
    "queueing too long": {"external_before": ENDLESS, "policy": SOON},
    "attaching": {"external_before": LONG, "policy": policy(on_conflict=OnConflict.ATTACH)},
    "attaching too long": {
        "external_before": ENDLESS,
        "policy": policy(on_conflict=OnConflict.ATTACH, timeout=timedelta(minutes=3)),
    },
    "skipping": {"external_before": LONG, "policy": policy(on_conflict=OnConflict.SKIP)},
    "refusing": {"external_before": LONG, "policy": policy(on_conflict=OnConflict.FAIL)},
    "stale": {"faults": (("submit", (CallFault(error=BUSY),) * 99),)},
    "unexplained": {"faults": (("submit", (CallFault(error=CONFLICT, carried_out=True),)),)},
    "overtaken": {
        "external_later": ((1, LONG),),
        "faults": (("submit", (CallFault(error=BUSY),)),),
    },
    "too late": {"job_scripts": (ENDLESS,), "policy": SOON},
    "too late and dreaming": {"job_scripts": (JobScript.of((0, "pending")),), "policy": SOON},
    "too late and lost": {
        "job_scripts": (ENDLESS,),
        "policy": SOON,
        "faults": (("cancel", (CallFault(error=LOST), CallFault(error=JobNotRunning("no")))),),
    },
    "too late and blind": {
        "job_scripts": (ENDLESS,),
        "policy": SOON,
        "faults": (("fetch_job", (None,) * 12 + (CallFault(error=LOST),) * 80),),
    },
    "too late and left": {
        "job_scripts": (ENDLESS,),
        "policy": policy(timeout=timedelta(minutes=3), cancel_on_timeout=False),
    },
    "refused": {"faults": (("fetch_job", (None, CallFault(error=Forbidden("no", status=403)))),)},
    "blind": {"faults": (("fetch_job", (CallFault(error=TROUBLE),) * 99),)},
    "trouble": {
        "faults": (("fetch_job", (CallFault(error=TROUBLE), None) * 3),),
        "job_scripts": (LONG,),
    },
    "watching": {"external_before": LONG, "watched": True},
    "watching too long": {"external_before": ENDLESS, "watched": True, "policy": SOON},
    "watching blind": {
        "external_before": ENDLESS,
        "watched": True,
        "policy": SOON,
        "faults": (("fetch_job", (None,) * 9 + (CallFault(error=LOST),) * 80),),
    },
    "resetting": {"external_before": LONG, "job_type": JobType.CLEAR},
}


def assert_equivalent(stages):
    reference, *others = stages
    for other in others:
        assert other.outcome == reference.outcome
        assert other.airbyte.calls == reference.airbyte.calls
        assert list(map(repr, other.events)) == list(map(repr, reference.events))
        assert other.clock.now() == reference.clock.now()


@pytest.mark.parametrize("name", TABLE)
def test_every_driver_gives_the_same(play, scene, name):
    """Blocking, async or a new process for every poke: nobody could tell from outside."""
    assert_equivalent(play(scene(**TABLE[name])))


ON_THE_WAY = RefusedOnTheWay("no Route matched with those values", status=404)
ERRORS = [LOST, NOT_SENT, SLOW_DOWN, TROUBLE, UnexpectedReply("half a page"), ON_THE_WAY]
DOUBTS = [error for error in ERRORS if not error.retry_safe]
REFUSALS = [
    BadRequest("no", status=400),
    Unauthorized("no", status=401),
    Forbidden("no", status=403),
    NotFound("no", status=404),
    Unprocessable("no", status=422),
    CONFLICT,
]
"""What Airbyte says: none of them, told once, contradicts a job that was seen."""
OF_ANOTHER = CallFault(change=about_another_connection)
DRIPS = [
    CallFault(error=LOST, takes=timedelta(seconds=40)),
    CallFault(error=LOST, takes=timedelta(seconds=100), carried_out=True),
    CallFault(error=ON_THE_WAY, takes=timedelta(seconds=40)),
]
"""Replies that come byte by byte: the call ends within its time-outs."""
seconds = some.integers(0, 400)


def faults(errors, *others, may_be_carried_out=False, most=5):
    in_doubt = some.builds(CallFault, error=some.sampled_from(DOUBTS), carried_out=some.booleans())
    plain = some.builds(CallFault, error=some.sampled_from(errors))
    one = plain | some.sampled_from([*DRIPS, *others])
    one = one | in_doubt if may_be_carried_out else one
    return some.lists(some.none() | one, max_size=most).map(tuple)


@some.composite
def job_scripts(draw):
    """Draw (seconds, status) pairs: hypothesis prints those better than a JobScript."""

    def next_word(words):
        return draw(some.sampled_from([word for word in words if may_follow(before, word)]))

    before, words = "pending", []
    for _ in range(draw(some.integers(1, 4))):
        before = next_word(["pending", "queued", "running", "incomplete", "dreaming"])
        words.append(before)
    moments = [0, *sorted(draw(some.lists(seconds, min_size=len(words), max_size=len(words))))]
    end = next_word(["succeeded", "succeeded", "failed", "cancelled"])
    return tuple(zip(moments, [*words, end], strict=True))


scenes = some.fixed_dictionaries(
    {
        "policy": some.builds(
            SyncPolicy,
            timeout=some.none() | some.integers(1, 1500).map(lambda n: timedelta(seconds=n)),
            on_conflict=some.sampled_from(OnConflict),
            unreachable_timeout=some.sampled_from([120, 900]).map(lambda n: timedelta(seconds=n)),
            cancel_on_timeout=some.booleans(),
            poll=some.sampled_from([PollSchedule(), PollSchedule.fixed(timedelta(seconds=10))]),
        ),
        "job_scripts": some.lists(job_scripts(), max_size=3),
        "external_before": some.none() | job_scripts(),
        "external_later": some.lists(some.tuples(seconds, job_scripts()), max_size=2),
        "appearing": some.none() | some.tuples(some.integers(0, 60), job_scripts()),
        "submit": faults([*ERRORS, *REFUSALS, BUSY], OF_ANOTHER, may_be_carried_out=True),
        "fetch_job": faults([*ERRORS, *REFUSALS], OF_ANOTHER),
        "find_jobs": faults([*ERRORS, *REFUSALS], OF_ANOTHER),
        "cancel": faults([*ERRORS, *REFUSALS, JobNotRunning("no")], OF_ANOTHER),
        "fetch_connection": faults([*ERRORS, UnexpectedReply("about another connection")], most=2),
    }
)


def scene_of(scene, drawn):
    """Turn what was drawn into a scene."""
    drawn = dict(drawn)
    late = drawn["appearing"]
    if late is not None:
        drawn["submit"] = (CallFault(error=LOST), *drawn["submit"])
    return scene(
        policy=drawn["policy"],
        job_scripts=tuple(JobScript.of(*life) for life in drawn["job_scripts"]),
        external_before=drawn["external_before"] and JobScript.of(*drawn["external_before"]),
        external_later=tuple(
            (after, JobScript.of(*life)) for after, life in drawn["external_later"]
        ),
        appearing=late and (late[0], JobScript.of(*late[1])),
        faults=tuple(
            (name, drawn[name])
            for name in ("submit", "fetch_job", "find_jobs", "cancel", "fetch_connection")
        ),
    )


@settings(
    derandomize=FIXED, max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(drawn=scenes)
def test_every_driver_gives_the_same_in_any_life(play, scene, drawn):
    """Whatever fails and whoever else is there, nobody could tell the drivers apart from outside."""
    stages = play(scene_of(scene, drawn))
    assert_equivalent(stages)
    assert_promises_are_kept(stages[0])


@pytest.mark.thorough
@settings(
    derandomize=FIXED,
    max_examples=2_500,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # a life that breaks a promise is small enough to read
    suppress_health_check=[HealthCheck.too_slow],
)
@given(drawn=scenes)
def test_the_promises_are_kept_in_ten_thousand_lives(play_blocking, scene, drawn):
    """One request, one sync, seen through to its end: 2,500 worlds under each of four conflict policies."""
    for on_conflict in OnConflict:
        lived = {**drawn, "policy": replace(drawn["policy"], on_conflict=on_conflict)}
        assert_promises_are_kept(play_blocking(scene_of(scene, lived)))


DYING = {
    "nothing special": {},
    "a lost answer": {"faults": (lost(),)},
    "a late job": {"faults": (lost(carried_out=False),), "appearing": (40, LONG)},
    "a long one": {"job_scripts": (LONG,)},
    "queueing": {"external_before": LONG},
    "trouble": {
        "faults": (("fetch_job", (CallFault(error=TROUBLE), None) * 5),),
        "job_scripts": (LONG,),
    },
    "a blind search": {"faults": (("find_jobs", (CallFault(error=NOT_SENT),) * 8),)},
    "resetting": {"external_before": LONG, "job_type": JobType.CLEAR},
}


@pytest.mark.parametrize("known_since", [None, 30])
@pytest.mark.parametrize("dies_at", [1, 2, 3, 7, 15])
@pytest.mark.parametrize("name", DYING)
def test_a_process_may_die_anywhere(play_retrying, scene, retry, name, dies_at, known_since):
    """At a call or a pause, and twice: who makes the request again finds its sync and starts no other."""
    stage = play_retrying(
        scene(
            **DYING[name],
            retries=(
                retry(dies_at=dies_at, noticed_after=20, delay=10),
                retry(dies_at=2, noticed_after=20, delay=10),
            ),
            known_since=known_since,
        )
    )
    assert_promises_are_kept(stage)
    [ours] = stage.jobs_of_ours()
    assert ours == stage.outcome


some_retries = some.lists(
    some.fixed_dictionaries(
        {
            "dies_at": some.integers(1, 12),
            "noticed_after": some.integers(0, 300),
            "delay": some.integers(0, 600),
        }
    ),
    min_size=1,
    max_size=2,
)


@pytest.mark.thorough
@settings(
    derandomize=FIXED,
    max_examples=600,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(drawn=scenes, retries=some_retries, known_since=some.integers(0, 120))
def test_the_promises_are_kept_where_only_the_job_list_remembers(
    play_retrying, scene, retry, drawn, retries, known_since
):
    """Tries die or fail and keep nothing; the next knows when, exactly or roughly: still one sync."""
    for known in (None, known_since):
        lived = replace(
            scene_of(scene, drawn),
            retries=tuple(retry(**each) for each in retries),
            known_since=known,
        )
        assert_promises_are_kept(play_retrying(lived))


def assert_promises_are_kept(stage):
    ours = stage.jobs_of_ours()
    for before, after in pairwise(ours):
        assert stage.scene.retries, "two syncs for one request"
        assert before.status.is_final, "two syncs at a time"
        assert before.ended_at <= after.created_at, "two syncs at a time"
        is_no_answer = before.ended_at < stage.succeeded_after
        assert before.status != JobStatus.SUCCEEDED or is_no_answer, "a success was repeated"
    for job_id in {argument for method, argument in stage.airbyte.calls if method == "cancel"}:
        obtained = [event for event in stage.events if isinstance(event, JobObtained)]
        *_, came = [event for event in obtained if event.job.job_id == job_id]
        assert came.origin.is_ours_to_cancel, "somebody else's sync was cancelled"
        assert came.job.created_at >= stage.since, "an older sync was cancelled"
    if isinstance(stage.outcome, Job):
        assert JobStatus.SUCCEEDED == stage.outcome.status
        assert JobStatus.SUCCEEDED == stage.airbyte.jobs()[stage.outcome.job_id - 1].status
        return
    kind, text, seen = stage.outcome
    if kind in {SyncFailed, SyncCancelled}:
        assert stage.airbyte.jobs()[seen.job_id - 1].status == seen.status, "not what happened"
    if any(not job.status.is_final for job in ours):
        # The cost that decision 0002 names: in doubt a job as fresh as ours was followed, and it failed.
        was_of_others = seen is not None and seen.job_id in stage.external
        is_admitted = kind in LEFT_RUNNING or any(word in text for word in ADMITTED)
        assert is_admitted or was_of_others, "a sync was lost"


LEFT_RUNNING = {SubmitInDoubt, ServerUnreachable, Forbidden, NotFound}
"""Ends that leave a sync of ours running: nobody could see it, or we were told to go away."""
ADMITTED = ("not confirmed", "left running", "could not be seen", "may have been started")
"""What a text says that leaves one running: a time-out, or what answers is no Airbyte so far."""
