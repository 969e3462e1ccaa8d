"""The feed on a real server, over real sockets, faster than real time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest

from airbyte_sync import AsyncPortInterpreter, arun, watch
from airbyte_sync_http import ServerSettings, open_async_gateway
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_local import Fault as ServerFault
from airbyte_sync_local import LocalAirbyte, Quirks, answers, job_scripts
from tests.http.feed.world import MINUTE, POLICY

SPEED = 25
"""Seconds of the clock in one second of real time."""


class FastClock:
    """A clock that goes faster: what sockets need takes next to no time, also on a busy machine."""

    def __init__(self):
        self.began = time.monotonic()

    def now(self):
        start = datetime(2026, 1, 5, 9, 0, tzinfo=timezone.utc)
        return start + SPEED * timedelta(seconds=time.monotonic() - self.began)

    async def sleep(self, duration):
        await asyncio.sleep(duration.total_seconds() / SPEED)


def life(minutes):
    return job_scripts.succeeds(lasts=minutes * MINUTE)


async def follow_all(airbyte, clock, number, minutes):
    """Follow jobs to their ends on one feed."""
    ids = [
        airbyte.start_external_job(airbyte.add_connection().connection_id, life(minutes)).job_id
        for _ in range(number)
    ]
    settings = ServerSettings(base_url=airbyte.base_url)
    async with open_async_gateway(settings) as gateway, JobFeed(gateway, clock) as feed:
        interpreter = AsyncPortInterpreter(gateway, clock, feed=feed)
        return await asyncio.gather(*(arun(watch(job_id, POLICY), interpreter) for job_id in ids))


def operations(airbyte):
    return Counter(request.operation for request in airbyte.requests)


def test_many_are_followed_on_a_real_server():
    """A hundred and fifty syncs of two minutes: lists, and hardly a GET."""
    clock = FastClock()
    with LocalAirbyte(clock=clock.now) as airbyte:
        jobs = asyncio.run(follow_all(airbyte, clock, 150, 2))
        assert {("succeeded", 1000)} == {(job.status.word, job.rows) for job in jobs}
        assert airbyte.max_concurrency <= 3
        assert operations(airbyte)["GET /jobs/{jobId}"] < 30


def test_a_real_server_whose_list_has_no_rows():
    """Every ended job is read once."""
    clock = FastClock()
    with LocalAirbyte(clock=clock.now, quirks=Quirks(list_has_stats=False)) as airbyte:
        jobs = asyncio.run(follow_all(airbyte, clock, 30, 2))
        assert {("succeeded", 1000)} == {(job.status.word, job.rows) for job in jobs}
        assert operations(airbyte)["GET /jobs/{jobId}"] >= 30


@pytest.mark.parametrize(
    "answer", [answers.forbidden(), answers.internal_error(), answers.webapp_page()]
)
def test_a_real_server_whose_list_is_of_no_use(answer):
    """Every job is seen to its end, one by one."""
    clock = FastClock()
    with LocalAirbyte(clock=clock.now) as airbyte:
        airbyte.inject(ServerFault(on="GET /jobs", do="answer", answer=answer, times=None))
        jobs = asyncio.run(follow_all(airbyte, clock, 9, 2))
        assert {("succeeded", 1000)} == {(job.status.word, job.rows) for job in jobs}
        assert operations(airbyte)["GET /jobs/{jobId}"] >= 9
