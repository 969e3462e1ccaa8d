"""Measure many deferred syncs: triggers on one event loop in one process, as a triggerer holds them.

    python waiting.py ours|official NUMBER SECONDS_OF_A_SYNC

Prints what it found as JSON. A heartbeat that wants to run every :data:`HEARTBEAT` seconds tells how long
the loop was kept from its other work; ``stall_cpu`` is the most that the loop's own thread was computing
meanwhile, so that a machine that is busy otherwise is not taken for a stall.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airbyte import Airbyte, by_kind

if TYPE_CHECKING:
    from collections.abc import Callable

HEARTBEAT = 0.005
PATIENCE = 300.0
"""Seconds after which a run is given up."""
_OLDEST = 2
SETTLED_AFTER = 0.4
"""All are waiting after this part of a sync's time; requests and CPU from then on are the cost of waiting."""
SETTLED_UNTIL = 0.95


def main(who: str, number: int, seconds: float) -> dict[str, Any]:
    """Run one case."""
    home = Path(tempfile.mkdtemp(prefix="airbyte-sync-bench-"))
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "SCARF_ANALYTICS": "false",
    }
    with Airbyte() as airbyte:
        os.environ["AIRFLOW_CONN_AIRBYTE_DEFAULT"] = airbyte.connection()
        make = {"ours": _ours, "official": _official}[who]()
        _log_to(home / "log")
        make(0, "")
        began = time.perf_counter()
        gc.collect()
        gc_before = time.perf_counter() - began
        before, objects_before = _resident(), _objects()
        jobs = airbyte.start(number, seconds)
        started = time.time()
        triggers = [make(job_id, connection_id) for job_id, connection_id in jobs]
        found = asyncio.run(_measure(triggers, seconds))
        requests = airbyte.requests()
        ends = airbyte.ends()
    log_lines = sum(1 for _ in (home / "log").open())
    noticed = [found["noticed"][index] - ends[job_id] for index, (job_id, _) in enumerate(jobs)]
    settled = [
        moment
        for moment, _ in requests
        if SETTLED_AFTER * seconds < moment - started < SETTLED_UNTIL * seconds
    ]
    window = (SETTLED_UNTIL - SETTLED_AFTER) * seconds
    return {
        "who": who,
        "number": number,
        "sync_seconds": seconds,
        "events": found["statuses"],
        "wall_seconds": round(max(found["noticed"]) - started, 2),
        "stall_ms": _ms(found["stall"].wall),
        "stall_cpu_ms": _ms(found["stall"].cpu),
        "stall_without_gc_ms": _ms(found["stall"].without_gc),
        "gc_longest_ms": _ms(found["collections"].longest),
        "gc_before_ms": _ms(gc_before),
        "gc_full": found["collections"].full,
        "objects_more": found["objects"] - objects_before,
        "cpu_seconds": round(found["cpu"], 2),
        "settled_cpu_percent": round(found["settled_cpu"] / window * 100, 1),
        "settled_requests_per_minute": round(len(settled) / window * 60, 1),
        "settled_stall_ms": _ms(found["settled_stall"].wall),
        "memory_before_mb": round(before, 1),
        "memory_peak_mb": round(_peak(), 1),
        "memory_kb_each": round((_peak() - before) * 1000 / number, 1),
        "requests": by_kind(requests),
        "gets": sum(operation.startswith("GET") for _, operation in requests),
        "notice_mean_seconds": round(sum(noticed) / number, 2),
        "notice_worst_seconds": round(max(noticed), 2),
        "log_lines": log_lines,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _log_to(file: Path) -> None:
    """Write what triggers log to a file, as a triggerer does."""
    logging.basicConfig(level=logging.INFO)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())


@dataclass
class _Felt:
    """The longest that the loop was kept from the heartbeat: seconds."""

    wall: float = 0.0
    cpu: float = 0.0
    """In which the loop's own thread was computing."""
    without_gc: float = 0.0
    """The same as ``wall`` without what the garbage collector took, which stops the whole process."""

    def __add__(self, other: _Felt) -> _Felt:
        return _Felt(
            max(self.wall, other.wall),
            max(self.cpu, other.cpu),
            max(self.without_gc, other.without_gc),
        )


class _Heartbeat:
    """Feels how long the loop lets it wait."""

    def __init__(self, collections: _Collections) -> None:
        self._felt = _Felt()
        self._collections = collections

    async def beat(self) -> None:
        while True:
            began, cpu, collected = time.perf_counter(), time.thread_time(), self._collections.total
            await asyncio.sleep(HEARTBEAT)
            wall = time.perf_counter() - began - HEARTBEAT
            self._felt += _Felt(
                wall,
                min(wall, time.thread_time() - cpu),
                wall - (self._collections.total - collected),
            )

    def reset(self) -> _Felt:
        felt, self._felt = self._felt, _Felt()
        return felt


class _Collections:
    """Times the garbage collector."""

    def __init__(self) -> None:
        self.longest = self._ended = 0.0
        self.full = 0
        self._began: float | None = None

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        took = self._going_on()
        self.longest, self._ended, self._began = max(self.longest, took), self._ended + took, None
        self.full += info["generation"] == _OLDEST

    @property
    def total(self) -> float:
        """Seconds so far; one in another thread may be over before its end is told."""
        return self._ended + self._going_on()

    def _going_on(self) -> float:
        return 0.0 if self._began is None else time.perf_counter() - self._began


async def _measure(triggers: list[Any], seconds: float) -> dict[str, Any]:
    collections = _Collections()
    heartbeat = _Heartbeat(collections)
    gc.callbacks.append(collections)
    beating = asyncio.create_task(heartbeat.beat())
    settled = asyncio.create_task(_settled(heartbeat, seconds))
    began, tasks = time.process_time(), []
    for trigger in triggers:  # as the triggerer does: two turns of the loop for each
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(_until_it_fires(trigger)))
    fired = await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
    beating.cancel()
    started, waiting, settled_cpu, objects = await settled
    gc.callbacks.remove(collections)
    ended = heartbeat.reset()
    statuses: dict[str, int] = {}
    for _, status in fired:
        statuses[status] = statuses.get(status, 0) + 1
    return {
        "noticed": [moment for moment, _ in fired],
        "statuses": statuses,
        "cpu": time.process_time() - began,
        "stall": started + waiting + ended,
        "settled_stall": waiting,
        "settled_cpu": settled_cpu,
        "collections": collections,
        "objects": objects,
    }


async def _settled(heartbeat: _Heartbeat, seconds: float) -> tuple[_Felt, _Felt, float, int]:
    """Tell the stalls before, and stalls, CPU time and objects while all are waiting."""
    await asyncio.sleep(SETTLED_AFTER * seconds)
    before, objects = heartbeat.reset(), _objects()
    await asyncio.sleep(2 * HEARTBEAT)
    heartbeat.reset()  # to count them takes a while
    cpu = time.process_time()
    await asyncio.sleep((SETTLED_UNTIL - SETTLED_AFTER) * seconds)
    return before, heartbeat.reset(), time.process_time() - cpu, objects


async def _until_it_fires(trigger: Any) -> tuple[float, str]:
    async for event in trigger.run():
        payload = event.payload
        return time.time(), str(payload.get("status") or payload.get("job", {}).get("status"))
    raise RuntimeError("a trigger ended without an event")


def _ours() -> Callable[[int, str], Any]:
    from airbyte_sync import Checkpoint, Origin, SyncPolicy  # noqa: PLC0415
    from airbyte_sync_airflow.report.job_summary import JobSummary  # noqa: PLC0415
    from airbyte_sync_airflow.triggerer import run  # noqa: PLC0415, F401 - what the first trigger loads
    from airbyte_sync_airflow.triggers import AirbyteSyncTrigger  # noqa: PLC0415

    def make(job_id: int, connection_id: str) -> Any:
        now = datetime.now(timezone.utc)
        checkpoint = Checkpoint.watching(  # what the operator defers with
            job_id,
            Origin.STARTED,
            asked_at=now,
            connection_id=connection_id,
            deadline=now + timedelta(hours=1),
        )
        checkpoint = replace(checkpoint, wake_at=now + timedelta(seconds=3), polls=1)
        return AirbyteSyncTrigger(
            airbyte_conn_id="airbyte_default",
            checkpoint=checkpoint.to_json(),
            policy=SyncPolicy().to_json(),
            job=JobSummary(job_id=job_id, connection_id=connection_id).to_json(),
        )

    return make


def _official() -> Callable[[int, str], Any]:
    from airflow.providers.airbyte.triggers.airbyte import AirbyteSyncTrigger  # noqa: PLC0415

    def make(job_id: int, _connection_id: str) -> Any:
        return AirbyteSyncTrigger(  # what its operator defers with
            job_id=job_id,
            conn_id="airbyte_default",
            end_time=time.time() + 3600,
            poll_interval=3,
        )

    return make


def _objects() -> int:
    """Count the objects that the garbage collector goes through, without a list of them in memory."""
    gc.freeze()
    count = gc.get_freeze_count()
    gc.unfreeze()
    return count


def _resident() -> float:
    return _memory("VmRSS")


def _peak() -> float:
    return _memory("VmHWM")


def _memory(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    result = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    case = main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    case["provider"] = version(
        "airbyte-sync-airflow" if case["who"] == "ours" else "apache-airflow-providers-airbyte"
    )
    print(json.dumps(case), file=result, flush=True)
