"""Set up the server of a sample, go on from its checkpoint, and write down what came of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from counting import counted

from airbyte_sync import (
    AirbyteSyncError,
    Checkpoint,
    Done,
    Flow,
    JobType,
    PortInterpreter,
    SyncPolicy,
    SyncRequest,
    SyncResult,
    abandon,
    end_now,
    errors,
    resume,
    run,
    step,
    sync,
)
from airbyte_sync_local import JobScript
from airbyte_sync_testkit.clock import VirtualClock
from airbyte_sync_testkit.memory import CallFault, InMemoryAirbyte, InMemoryStore

CONNECTION_ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"


class Replay:
    """One server as it was at the moment of a sample, and whatever goes on from there."""

    def __init__(self, sample: dict[str, Any]) -> None:
        self._sample = sample
        self._clock = VirtualClock(datetime.fromisoformat(sample["server"]["since"]))
        self._airbyte = InMemoryAirbyte(clock=self._clock)
        self._airbyte.add_connection(CONNECTION_ID)
        self._store = InMemoryStore()
        self._events: list[str] = []
        self._set_up()

    @property
    def _policy(self) -> SyncPolicy:
        return SyncPolicy.from_json(self._sample["policy"])

    @property
    def _checkpoint(self) -> Checkpoint:
        return Checkpoint.from_json(self._sample["checkpoint"])

    def resumed(self) -> dict[str, Any]:
        """Another process goes on from the checkpoint, to the end."""
        return self._outcome(lambda: self._run(resume(self._checkpoint, self._policy)))

    def put_away(self) -> dict[str, Any]:
        """The same, but each pause is the last one of its process."""

        def go_on() -> Any:
            flow = resume(self._checkpoint, self._policy)
            while not isinstance(turn := step(flow, self._interpreter()), Done):
                self._clock.advance_to(turn.until)
                checkpoint = json.loads(json.dumps(turn.checkpoint.to_json()))
                flow = resume(Checkpoint.from_json(checkpoint), self._policy)
            return turn.result

        return self._outcome(go_on)

    def asked_again(self) -> dict[str, Any]:
        """The request is made once more, and a store holds the checkpoint."""
        checkpoint = self._checkpoint
        self._store.document = json.dumps(self._sample["checkpoint"])
        request = SyncRequest(
            connection_id=str(checkpoint.connection_id), job_type=checkpoint.job_type
        )
        return self._outcome(lambda: self._run(sync(request, self._policy)))

    def abandoned(self) -> dict[str, Any]:
        """The task was killed."""
        return self._outcome(lambda: self._run(abandon(self._checkpoint, self._policy)))

    def ended_now(self) -> dict[str, Any]:
        """The caller's own clock has run out."""
        flow = end_now(self._checkpoint, self._policy, deadline_name="execution_timeout")
        return self._outcome(lambda: self._run(flow))

    def _set_up(self) -> None:
        server = self._sample["server"]
        actions = []
        for job in server["jobs"]:
            actions.append((job["created_at"], lambda job=job: self._create(job)))
            if job["cancelled_at"] is not None:
                actions.append((job["cancelled_at"], lambda job=job: self._cancel(job)))
        for moment, act in sorted(actions, key=lambda action: action[0]):
            self._clock.advance_to(datetime.fromisoformat(moment))
            act()
        self._clock.advance_to(datetime.fromisoformat(self._sample["moment"]))
        for job in server["jobs"]:
            if job["is_lost"]:
                self._airbyte.forget(job["job_id"])
        self._airbyte.job_scripts.extend(_script(script) for script in server["next_jobs"])
        for method, faults in server["faults"].items():
            self._airbyte.fail(method, *map(_fault, faults))
        self._airbyte.calls.clear()

    def _create(self, job: dict[str, Any]) -> None:
        created = self._airbyte.start_external_job(
            CONNECTION_ID, _script(job["script"]), JobType(job["job_type"])
        )
        assert created.job_id == job["job_id"]

    def _cancel(self, job: dict[str, Any]) -> None:
        self._airbyte.cancel(job["job_id"])

    def _interpreter(self) -> PortInterpreter:
        return PortInterpreter(
            self._airbyte,
            self._clock,
            lambda event: self._events.append(type(event).__name__),
            self._store,
        )

    def _run(self, flow: Flow[Any]) -> Any:
        return run(flow, self._interpreter())

    def _outcome(self, go_on: Any) -> dict[str, Any]:
        began = self._clock.now()
        try:
            end = {"result": _told(go_on())}
        except AirbyteSyncError as error:
            end = {"error": type(error).__name__}
        return {
            **end,
            "requests": counted(map(_call, self._airbyte.calls)),
            "events": counted(self._events),
            "seconds": round((self._clock.now() - began).total_seconds(), 3),
        }


def _told(result: Any) -> str:
    if result is None:
        return "nothing to cancel"
    if isinstance(result, SyncResult):
        return f"job {result.job.job_id} {result.job.status}, {result.origin.value}"
    return f"job {result.job_id} {result.status}"


def _call(call: tuple[Any, ...]) -> str:
    method, argument = call
    return f"{method} {argument}" if isinstance(argument, int) else method


def _script(stages: list[list[Any]]) -> JobScript:
    return JobScript.of(*((seconds, word) for seconds, word in stages))


def _fault(fault: dict[str, Any] | None) -> CallFault | None:
    if fault is None:
        return None
    kind = getattr(errors, fault["error"])
    return CallFault(
        error=kind("as recorded", status=fault["status"]), carried_out=fault["carried_out"]
    )
