"""With a feed a flow looks when there is news, and what it is about to judge it reads afresh."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from airbyte_sync import (
    AsyncPortInterpreter,
    Checkpoint,
    JobQuery,
    OnConflict,
    Origin,
    Pause,
    PollSchedule,
    QueueTimedOut,
    ServerTrouble,
    SyncPolicy,
    SyncRequest,
    SyncTimedOut,
    arun,
    resume,
    sync,
    watch,
)
from airbyte_sync.commands import FetchJob, FindJobs
from airbyte_sync_local import JobScript
from airbyte_sync_testkit import AsyncInMemoryAirbyte, AsyncVirtualClock, InMemoryAirbyte

CONNECTION = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"
SECOND = timedelta(seconds=1)


class Feed(AsyncInMemoryAirbyte):
    """A feed that hears of every change at once, and remembers how it was asked."""

    def __init__(self, airbyte, clock):
        super().__init__(airbyte)
        self.clock, self.asked, self.pauses, self.failures = clock, [], [], []

    async def fetch_job(self, job_id):
        self.asked.append("afresh")
        return await super().fetch_job(job_id)

    async def recent_job(self, job_id):
        self.asked.append("recent")
        if self.failures:
            raise self.failures.pop()
        return await super().fetch_job(job_id)

    async def wait_for_change(self, job_id, until, latest):
        self.pauses.append((until, latest))
        status = self.airbyte.fetch_job(job_id).status
        while self.clock.now() < latest:
            await self.clock.sleep(SECOND / 2)
            if self.airbyte.fetch_job(job_id).status != status:
                return True
        return False


@pytest.fixture
def clock():
    return AsyncVirtualClock()


@pytest.fixture
def airbyte(clock):
    airbyte = InMemoryAirbyte(clock=clock.clock)
    airbyte.add_connection(CONNECTION)
    return airbyte


@pytest.fixture
def feed(airbyte, clock):
    return Feed(airbyte, clock)


@pytest.fixture
def interpreter(feed, clock):
    return AsyncPortInterpreter(AsyncInMemoryAirbyte(feed.airbyte), clock, feed=feed)


SLOWLY = SyncPolicy(poll=PollSchedule.fixed(60 * SECOND))


def test_news_cut_a_pause_short(airbyte, clock, interpreter, feed):
    """The end of a job is seen at once, although the next look was a minute away."""
    job = airbyte.start_external_job(CONNECTION, JobScript.of((0, "running"), (5, "succeeded")))
    ended = asyncio.run(arun(watch(job.job_id, SLOWLY), interpreter))
    assert "succeeded" == ended.status.word
    assert clock.now() - job.created_at < 6 * SECOND
    assert ["recent"] * 2 == feed.asked


def test_silence_lasts_a_minute_and_ends_at_a_deadline(airbyte, clock, interpreter, feed):
    """Who hears all news need not look before; a deadline is never slept through."""
    airbyte.job_scripts.append(JobScript.of((0, "running")))
    policy = SyncPolicy(poll=PollSchedule.fixed(3 * SECOND), timeout=100 * SECOND)
    started = clock.now()
    with pytest.raises(SyncTimedOut):
        asyncio.run(arun(sync(SyncRequest(connection_id=CONNECTION), policy), interpreter))
    silences = [
        ((until - started) / SECOND, (latest - started) / SECOND) for until, latest in feed.pauses
    ]
    assert [(3, 60), (63, 100)] == silences[:2]
    assert all(until == latest for until, latest in silences[2:]), "who cancels keeps its pace"


def test_trouble_and_the_rest_of_a_pause_are_no_silence(airbyte, clock, interpreter, feed):
    """Who failed looks again in time, and what is left of a pause does not tell the pace."""
    job = airbyte.start_external_job(CONNECTION, JobScript.of((0, "running"), (30, "succeeded")))
    feed.failures.append(ServerTrouble("500", status=500))
    checkpoint = replace(
        Checkpoint.watching(job.job_id, Origin.STARTED, asked_at=clock.now()),
        wake_at=clock.now() + SECOND,
    )
    asyncio.run(arun(resume(checkpoint, SyncPolicy()), interpreter))
    assert [True, True, False] == [until == latest for until, latest in feed.pauses]


def test_news_of_the_job_in_the_way_end_the_queueing(airbyte, clock, interpreter):
    """What a queueing request waits for is somebody else's job."""
    job = airbyte.start_external_job(CONNECTION, JobScript.of((0, "running"), (65, "failed")))
    clock.clock.advance(60 * SECOND)
    airbyte.job_scripts.append(JobScript.of((0, "running"), (5, "succeeded")))
    flow = sync(SyncRequest(connection_id=CONNECTION), SLOWLY)
    assert job.job_id != asyncio.run(arun(flow, interpreter)).job.job_id
    assert clock.now() - job.created_at < 75 * SECOND


def test_a_verdict_rests_on_a_fresh_look(airbyte, interpreter, feed):
    """Whether a deadline has passed in vain, and whether there is something to cancel."""
    airbyte.job_scripts.append(JobScript.of((0, "running")))
    policy = SyncPolicy(poll=PollSchedule.fixed(60 * SECOND), timeout=90 * SECOND)
    with pytest.raises(SyncTimedOut):
        asyncio.run(arun(sync(SyncRequest(connection_id=CONNECTION), policy), interpreter))
    first_verdict = feed.asked.index("afresh")
    assert {"recent"} == set(feed.asked[:first_verdict])
    assert {"afresh"} == set(feed.asked[first_verdict:])


def test_giving_up_on_a_busy_connection_rests_on_a_fresh_look(airbyte, clock, interpreter, feed):
    """The job in the way may just have ended."""
    airbyte.start_external_job(CONNECTION, JobScript.of((0, "running")))
    clock.clock.advance(60 * SECOND)
    policy = SyncPolicy(
        poll=PollSchedule.fixed(60 * SECOND), timeout=90 * SECOND, on_conflict=OnConflict.QUEUE
    )
    with pytest.raises(QueueTimedOut, match="was busy"):
        asyncio.run(arun(sync(SyncRequest(connection_id=CONNECTION), policy), interpreter))
    assert "afresh" == feed.asked[-1]
    assert {"recent"} == set(feed.asked[:-1])


def test_all_looks_go_by_the_feed(airbyte, interpreter, feed):
    """It knows how many requests the server bears."""
    airbyte.start_external_job(CONNECTION)
    [job] = airbyte.jobs()
    assert job == asyncio.run(interpreter.answer(FetchJob(job.job_id)))
    assert ["afresh"] == feed.asked
    assert (job,) == asyncio.run(interpreter.answer(FindJobs(JobQuery()))).jobs


def test_without_a_feed_a_recent_look_is_a_fresh_one(airbyte, clock):
    """And a pause is a nap."""
    interpreter = AsyncPortInterpreter(AsyncInMemoryAirbyte(airbyte), clock)
    airbyte.start_external_job(CONNECTION)
    [job] = airbyte.jobs()
    assert job == asyncio.run(interpreter.answer(FetchJob(job.job_id, recent=True)))
    checkpoint = Checkpoint.watching(job.job_id, Origin.ATTACHED, asked_at=clock.now())
    pause = Pause(clock.now() + SECOND, checkpoint, job.job_id)
    assert asyncio.run(interpreter.answer(pause)) is False


def test_a_pause_about_no_job_is_a_nap(clock, interpreter):
    """A feed has news of jobs only."""
    checkpoint = Checkpoint.asked(clock.now())
    until = clock.now() + SECOND
    assert asyncio.run(interpreter.answer(Pause(until, checkpoint))) is False
    assert until == clock.now()
