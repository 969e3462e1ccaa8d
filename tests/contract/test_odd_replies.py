"""Any reply at any moment of a job's life: the outcome is true or a named error, and the wait ends."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from airbyte_sync import (
    AirbyteSyncError,
    AsyncPortInterpreter,
    Checkpoint,
    Done,
    JobGone,
    OnConflict,
    PollSchedule,
    PortInterpreter,
    ServerUnreachable,
    SubmitInDoubt,
    SyncCancelled,
    SyncFailed,
    SyncPolicy,
    SyncRequest,
    SyncResult,
    arun,
    resume,
    run,
    step,
    sync,
)
from airbyte_sync_http import AirbyteGateway, AsyncAirbyteGateway, ClientCredentials, ServerSettings
from airbyte_sync_http.protocol import cleaning
from airbyte_sync_http.transports.aiohttp_transport import AiohttpTransport
from airbyte_sync_http.transports.requests_transport import RequestsTransport
from airbyte_sync_local import LocalAirbyte, job_scripts
from airbyte_sync_local import RequireClientCredentials as Application
from airbyte_sync_testkit.clock import AsyncVirtualClock, VirtualClock
from airbyte_sync_testkit.odd_replies import (
    CALLS,
    CANCEL,
    CONNECTION,
    EXPLAIN,
    FIND,
    ODD_REPLIES,
    POLL,
    STATUSES,
    SUBMIT,
    TOKEN,
    with_status,
)

FIXED = "AIRBYTE_SYNC_NEW_LIVES" not in os.environ
"""The same examples in every run; see ``tests/drivers``."""

SECRET = "the-client-secret"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
PATIENCE = {
    "connect_timeout": 5 * SECOND,
    "read_timeout": SECOND / 5,
    "submit_timeout": SECOND / 5,
    "explain_timeout": SECOND / 5,
}
"""In real time: silence and drips cost it."""

POLICY = SyncPolicy(
    timeout=20 * MINUTE,
    unreachable_timeout=5 * MINUTE,
    poll=PollSchedule(floor=10 * SECOND, fraction=0.3),
)
LIVES = {
    "succeeds": job_scripts.succeeds(),
    "succeeds later": job_scripts.succeeds(lasts=4 * MINUTE),
    "fails": job_scripts.fails(lasts=MINUTE),
    "is cancelled": job_scripts.is_cancelled_by_server(),
    "tries again": job_scripts.retries_then_succeeds(),
    "queues": job_scripts.queues_then_succeeds(),
    "says an unknown word": job_scripts.says_unknown_word(),
    "never ends": job_scripts.never_ends(),
    "never starts": job_scripts.never_starts(),
}


@dataclass(frozen=True, kw_only=True)
class Odd:
    """Odd replies to one call."""

    reply: str
    to: str
    skip: int = 0
    times: int | None = 1

    def fault(self):
        status, _, shape = self.reply.partition(" in front: ")
        kind = with_status(int(status), shape) if shape else ODD_REPLIES[self.reply]
        return kind.on(self.to, times=self.times, skip=self.skip)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What happens on the server, and what is asked of it."""

    odd: tuple[Odd, ...] = ()
    life: str = "succeeds later"
    before: str | None = None
    """The life of an external job that began half a minute before."""
    policy: SyncPolicy = POLICY


# --- drivers ---


def blocking(flow, policy, server, clock):
    del policy
    with AirbyteGateway(RequestsTransport(server.transport), server, clock=clock) as gateway:
        return run(flow, PortInterpreter(gateway, clock))


def asynchronous(flow, policy, server, clock):
    del policy

    async def drive():
        own_clock = AsyncVirtualClock(clock)
        transport = AiohttpTransport(server.transport)
        async with AsyncAirbyteGateway(transport, server, clock=own_clock) as gateway:
            return await arun(flow, AsyncPortInterpreter(gateway, own_clock))

    return asyncio.run(drive())


def poking(flow, policy, server, clock):
    """Poll by poll, as a scheduler does: nothing but JSON is kept from one to the next."""
    with AirbyteGateway(RequestsTransport(server.transport), server, clock=clock) as gateway:
        while not isinstance(turn := step(flow, PortInterpreter(gateway, clock)), Done):
            clock.advance_to(turn.until)
            stored = json.dumps(turn.checkpoint.to_json())
            flow = resume(Checkpoint.from_json(json.loads(stored)), policy)
    return turn.result


DRIVERS = {drive.__name__: drive for drive in (blocking, asynchronous, poking)}


# --- playing, and judging ---


def play(scene, drive):
    """Play a scene and judge its outcome; return it and how many requests were made."""
    clock = VirtualClock()
    auth = Application(client_id="id", client_secret=SECRET)
    with LocalAirbyte(clock=clock.now, auth=auth) as airbyte:
        connection = airbyte.add_connection(job_scripts=[LIVES[scene.life]])
        external = None
        if scene.before is not None:
            job = airbyte.start_external_job(connection.connection_id, LIVES[scene.before])
            external = job.job_id
            clock.advance(MINUTE / 2)
        for odd in scene.odd:
            airbyte.inject(odd.fault())
        server = ServerSettings(
            base_url=airbyte.base_url,
            auth=ClientCredentials(client_id="id", client_secret=SECRET),
            **PATIENCE,
        )
        began = clock.now()
        request = SyncRequest(connection_id=connection.connection_id)
        try:
            outcome = drive(sync(request, scene.policy), scene.policy, server, clock)
        except AirbyteSyncError as error:
            outcome = error
        elapsed = clock.now() - began
        requests = len(airbyte.requests)
        then = {job.job_id: job.status for job in airbyte.jobs}
        clock.advance(5 * MINUTE)  # for what is still on its way
        later = {job.job_id: job.status for job in airbyte.jobs}
    assert_true(scene, outcome, then, later, external)
    assert_bounded(scene, outcome, elapsed, requests)
    return outcome, requests


LEFT_RUNNING = (SubmitInDoubt, ServerUnreachable)
"""Ends that may leave a sync of ours running, and say so."""
ADMITTED = ("not confirmed", "left running", "could not be seen")
"""What the text of a time-out says when it leaves one running."""


def assert_true(scene, outcome, then, later, external):
    ours = [job_id for job_id in later if job_id != external]
    assert len(ours) <= 1, "two syncs for one request"
    if external is not None and scene.before != "is cancelled":
        assert then[external] != "cancelled", "an external sync was cancelled"
    if isinstance(outcome, SyncResult):
        assert "succeeded" == outcome.job.status.word == then[outcome.job.job_id]
        return
    assert isinstance(outcome, AirbyteSyncError)
    assert not isinstance(outcome, JobGone), "the job is there"
    if isinstance(outcome, (SyncFailed, SyncCancelled)):
        assert outcome.job.status.word == then[outcome.job.job_id]
    is_running = [job_id for job_id in ours if later[job_id] not in FINAL]
    if is_running and not isinstance(outcome, LEFT_RUNNING):
        assert any(word in str(outcome) for word in ADMITTED), "a sync was lost"


FINAL = {"succeeded", "failed", "cancelled"}


def assert_bounded(scene, outcome, elapsed, requests):
    policy = scene.policy
    if policy.timeout is None:
        # The jobs' lives; for each kind of call its patience, and the longest pause a server may ask for.
        longest = 10 * MINUTE + len(CALLS) * (policy.unreachable_timeout + timedelta(hours=1.2))
    else:
        longest = policy.timeout + policy.cancel_timeout
    assert elapsed <= longest + MINUTE
    assert requests <= 60 + 3 * elapsed / (10 * SECOND)
    text = str(outcome)
    assert SECRET not in text
    if isinstance(outcome, AirbyteSyncError):
        assert cleaning.is_clean(text)
        assert len(text) < 3000


# --- each reply, to each call ---

SCENES_OF = {
    SUBMIT: Scene(),
    POLL: Scene(),
    FIND: Scene(life="succeeds", odd=(Odd(reply="lost", to=SUBMIT),)),
    CANCEL: Scene(life="never ends", policy=replace(POLICY, timeout=2 * MINUTE)),
    CONNECTION: Scene(life="succeeds", odd=(Odd(reply="not received", to=SUBMIT),)),
    TOKEN: Scene(life="succeeds"),
    EXPLAIN: Scene(life="fails"),
}
"""For each call the scene in which it is made."""

MAIN = {SUBMIT, POLL, FIND, CANCEL}
ASKS_FOR_AN_HOUR = ("retry after 999", "retry after Fri")


def struck(call, reply, **options):
    scene = SCENES_OF[call]
    return replace(scene, odd=(*scene.odd, Odd(reply=reply, to=call, **options)))


def fitting(call):
    return [name for name, reply in ODD_REPLIES.items() if reply.may_strike(call)]


def assert_undisturbed(call, name, outcome):
    """Assert that one odd reply changes no outcome, where the sync has begun, or Airbyte did not say no."""
    if name.startswith(ASKS_FOR_AN_HOUR) or (ODD_REPLIES[name].says_no and call != POLL):
        return
    if name.startswith("conflict") and call == CONNECTION:
        return
    match call:
        case _ if call == EXPLAIN:
            assert isinstance(outcome, SyncFailed)
        case _ if call == CANCEL:
            assert "was cancelled" in str(outcome)
        case _:
            assert isinstance(outcome, SyncResult)


@pytest.mark.parametrize("call", SCENES_OF)
def test_no_single_odd_reply_is_a_verdict(call):
    """Each kind, to each call of a sync: the sync goes on to its true end, or had not begun."""
    for place, name in enumerate(fitting(call)):
        if call not in MAIN and ODD_REPLIES[name].fits == ("*",) and place % 3:
            continue  # what is read by one reader for all calls
        drive = list(DRIVERS.values())[place // 3 % 3]
        outcome, _ = play(struck(call, name, skip=place % 2 if call == POLL else 0), drive)
        assert_undisturbed(call, name, outcome)


@pytest.mark.thorough
@pytest.mark.parametrize("call", SCENES_OF)
def test_no_endless_odd_reply_breaks_a_promise(call):
    """Each kind, to each call and from its first one on: an error of ours in time, and no second sync."""
    for place, name in enumerate(fitting(call)):
        if name not in SLOW:
            play(struck(call, name, times=None), list(DRIVERS.values())[place % 3])


SLOW = {"silence", "silence afterwards", "drip", "dripping header", "dripping refusal"}
"""Each costs the real time that a call may take."""


# --- any reply, at any moment ---

IN_FRONT = some.builds(
    "{} in front: {}".format,
    some.sampled_from(STATUSES),
    some.sampled_from(["page", "json", "empty", "text"]),
)


@some.composite
def odd_replies(draw):
    call = draw(some.sampled_from([SUBMIT, POLL, POLL, FIND, CANCEL, CONNECTION, TOKEN, "*"]))
    reply = draw(IN_FRONT | some.sampled_from(fitting(CONNECTION if call == "*" else call)))
    times = 1 if reply in SLOW else draw(some.sampled_from([1, 1, 2, 3, None]))
    return Odd(reply=reply, to=call, skip=draw(some.integers(0, 6)), times=times)


def seconds(*choices):
    return some.sampled_from(choices).map(lambda number: number and number * SECOND)


def ends(scene):
    """Tell whether the scene ends: without a timeout, a job that never ends is waited for."""
    lives_of = {scene.life, scene.before}
    return scene.policy.timeout is not None or not lives_of & {"never ends", "never starts"}


SCENES = some.builds(
    Scene,
    odd=some.lists(odd_replies(), min_size=1, max_size=3).map(tuple),
    life=some.sampled_from(sorted(LIVES)),
    before=some.none() | some.sampled_from(sorted(LIVES)),
    policy=some.builds(
        SyncPolicy,
        timeout=seconds(None, 40, 200, 1200),
        queue_timeout=seconds(None, None, 60),
        unreachable_timeout=seconds(120, 600),
        on_conflict=some.sampled_from(OnConflict),
        cancel_on_timeout=some.sampled_from([True, True, False]),
        poll=some.just(POLICY.poll),
    ),
).filter(ends)


def examples(number):
    return settings(
        derandomize=FIXED,
        max_examples=number,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.mark.parametrize("driver", DRIVERS)
@examples(60)
@given(scene=SCENES)
def test_any_reply_at_any_moment(driver, scene):
    """Up to three kinds of odd replies, once or for ever, in any life of a job."""
    play(scene, DRIVERS[driver])


@pytest.mark.thorough
@pytest.mark.parametrize("driver", DRIVERS)
@examples(300)
@given(scene=SCENES)
def test_any_reply_at_any_moment_of_many_lives(driver, scene):
    """The same, in more of them."""
    play(scene, DRIVERS[driver])
