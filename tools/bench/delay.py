"""Measure how long after a sync's end its waiter learns of it, in virtual time: on any machine the same.

Syncs of 3 s, 30 s and 10 min, deferred, followed alone (by GET) and among a hundred (by the feed), with ends
spread over some seconds. Prints what it found as JSON.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from airbyte_sync import AsyncPortInterpreter, Job, SyncPolicy, arun, watch
from airbyte_sync_http.feed.feed import JobFeed
from airbyte_sync_local import JobScript
from airbyte_sync_testkit import (
    AsyncInMemoryAirbyte,
    AsyncVirtualClock,
    InMemoryAirbyte,
    VirtualClock,
    run_virtually,
)

DURATIONS = (3, 30, 600)
SAMPLES = 20
"""Syncs alone, each a little longer than the one before."""
CROWD = 100
SPREAD = 7.0
"""Seconds over which their ends are spread."""


def main() -> list[dict[str, Any]]:
    """Measure each duration, alone and in company."""
    return [
        {"sync_seconds": seconds, "followed": followed, **_figures(delays)}
        for seconds in DURATIONS
        for followed, delays in (
            (
                1,
                [
                    delay
                    for n in range(SAMPLES)
                    for delay in _delays([seconds + n * SPREAD / SAMPLES])
                ],
            ),
            (CROWD, _delays([seconds + n * SPREAD / CROWD for n in range(CROWD)])),
        )
    ]


def _figures(delays: list[float]) -> dict[str, float]:
    return {
        "mean_seconds": round(sum(delays) / len(delays), 2),
        "worst_seconds": round(max(delays), 2),
    }


def _delays(durations: list[float]) -> list[float]:
    """Follow syncs to their ends; return how late each end was noticed."""
    time = VirtualClock()
    clock = AsyncVirtualClock(time)
    airbyte = InMemoryAirbyte(clock=time)
    gateway = AsyncInMemoryAirbyte(airbyte)

    async def follow(feed: JobFeed, job: Job, duration: float) -> float:
        interpreter = AsyncPortInterpreter(gateway, clock, feed=feed)
        await arun(watch(job.job_id, SyncPolicy(timeout=None)), interpreter)
        return (time.now() - job.created_at).total_seconds() - duration

    async def scene() -> list[float]:
        async with JobFeed(gateway, clock) as feed:
            waiting = []
            for number, duration in enumerate(durations):
                life = JobScript.of((0, "running"), (duration, "succeeded"))
                connection_id = f"{number:08d}-0000-4000-8000-000000000000"
                job = airbyte.start_external_job(connection_id, life)
                waiting.append(follow(feed, job, duration))
            return list(await asyncio.gather(*waiting))

    return run_virtually(scene(), time)


if __name__ == "__main__":
    print(json.dumps(main()))
