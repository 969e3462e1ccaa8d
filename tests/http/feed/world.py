"""A server, a feed, and waiters that come and go: the scene of all tests of the feed."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from airbyte_sync import AsyncPortInterpreter, JobType, SyncPolicy, arun, watch
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_local import JobScript
from airbyte_sync_testkit import (
    AsyncInMemoryAirbyte,
    AsyncVirtualClock,
    InMemoryAirbyte,
    VirtualClock,
    run_virtually,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LATENCY = timedelta(milliseconds=20)
POLICY = SyncPolicy(timeout=None)
STORM = 200_000
"""More events than any scene has."""
NEVER_ENDS = JobScript.of((0, "running"))


class Remote(AsyncInMemoryAirbyte):
    """An Airbyte in memory that takes its time, and counts who is there at the same time."""

    def __init__(self, airbyte, clock):
        super().__init__(airbyte)
        self.clock, self.inside, self.max_inside = clock, 0, 0
        self.see = lambda query: query
        self.show = lambda query, page: page
        self.fetched = lambda job: job
        self.trouble = {}
        """By method: what comes in between, asynchronous, before the call."""

    async def fetch_job(self, job_id):
        async with self:
            if "fetch_job" in self.trouble:
                await self.trouble["fetch_job"](job_id)
            return self.fetched(await super().fetch_job(job_id))

    async def find_jobs(self, query):
        async with self:
            if "find_jobs" in self.trouble:
                await self.trouble["find_jobs"](query)
            return self.show(query, await super().find_jobs(self.see(query)))

    def fail(self, error, *methods, after=timedelta(0)):
        """Let every call of methods fail from now on."""

        async def failing(_):
            self.airbyte.calls.append(("failed",))
            await self.clock.sleep(after)
            raise error

        self.trouble |= dict.fromkeys(methods, failing)

    async def __aenter__(self):
        self.inside += 1
        self.max_inside = max(self.max_inside, self.inside)
        try:
            await self.clock.sleep(LATENCY)
        except BaseException:
            self.inside -= 1
            raise

    async def __aexit__(self, *_):
        self.inside -= 1


class Skewed:
    """A server's clock that goes wrong by a fixed time."""

    def __init__(self, clock, by):
        self.clock, self.by = clock, by

    def now(self):
        return self.clock.now() + self.by

    def sleep(self, duration):
        raise NotImplementedError


class World:
    """A server, a feed, and waiters that come and go."""

    def __init__(self, skew=timedelta(0)):
        self.time = VirtualClock()
        self.clock = AsyncVirtualClock(self.time)
        self.airbyte = InMemoryAirbyte(clock=Skewed(self.time, skew))
        self.remote = Remote(self.airbyte, self.clock)
        self.events = []
        self.tasks = []
        self.feed = None

    def play(self, scene):
        """Run a scene with a feed that is closed in the end."""

        async def main():
            async with JobFeed(self.remote, self.clock) as self.feed:
                result = await scene()
                await abandon(self.tasks)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert set() == others, "closing ends all that the feed has begun"
            return result

        return run_virtually(main(), self.time)

    def start(self, *stages, job_type=JobType.SYNC):
        """Start a job of a connection of its own, and return its id."""
        connection_id = f"{len(self.airbyte.jobs()):08d}-0000-4000-8000-000000000000"
        life = JobScript.of(*stages) if stages else NEVER_ENDS
        return self.airbyte.start_external_job(connection_id, life, job_type).job_id

    def watch(self, job_id, policy=POLICY):
        """Follow a job to its end, as a flow does."""
        return self.begin(arun(watch(job_id, policy), self.interpreter()))

    def begin(self, work):
        """Run something until it ends, or the scene does."""
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    def interpreter(self):
        return AsyncPortInterpreter(self.remote, self.clock, self.remember, feed=self.feed)

    def remember(self, event):
        """Keep what a flow reports; a loop that does not let go ends here."""
        self.events.append(event)
        assert len(self.events) < STORM

    def wait(self, job_id, duration, at_most=timedelta(0)):
        """Wait for a change of a job; longer than that only where none can be missed."""
        until = self.time.now() + duration
        latest = self.time.now() + max(duration, at_most)
        return self.begin(self.feed.wait_for_change(job_id, until, latest))

    async def follow(self, *job_ids):
        """Look at jobs, so that the feed knows them, and keep them followed."""
        return await asyncio.gather(*map(self.feed.recent_job, job_ids))

    async def keep_busy(self, number=3):
        """Have so many others wait that the list is worth its while."""
        others = [self.start() for _ in range(number)]
        waiting = [self.watch(job_id) for job_id in others]
        await self.clock.sleep(2 * SECOND)
        return waiting

    @property
    def requests(self):
        return Counter(method for method, *_ in self.airbyte.calls)

    def forget_requests(self):
        self.airbyte.calls.clear()


async def abandon(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def bare(_query, page):
    """Show jobs without rows, as the lists of old servers do."""
    return replace(page, jobs=tuple(replace(job, rows=None) for job in page.jobs))


def blind(query, page):
    """Show nothing where it is asked what has changed."""
    return page if query.updated_since is None else replace(page, jobs=())


def late(world, job):
    """How long ago a job has ended."""
    return world.time.now() - job.ended_at
