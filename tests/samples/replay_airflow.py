"""Set up Airbyte as it was for a task of Airflow, let the task go on, and write down what came of it."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

from counting import counted

from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_airflow.sensors import AirbyteJobSensor
from airbyte_sync_local import JobScript, ServerConnection, Step

try:
    from airflow.sdk.exceptions import TaskDeferred
    from airflow.sdk.module_loading import import_string
except ImportError:
    from airflow.exceptions import TaskDeferred
    from airflow.utils.module_loading import import_string

ADDRESS = "http://airbyte.example"
CONNECTION = ServerConnection(
    connection_id="3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11",
    source_id="00000000-0000-4000-8000-00000000000b",
    destination_id="00000000-0000-4000-8000-00000000000c",
)


_RENAMED = {"TaskDeferralError": "TaskDeferralTimeout"}
"""What Airflow 2 calls otherwise than Airflow 3, where the samples were recorded."""


LONGER = timedelta(seconds=25)
"""A try of this release leaves Airflow 30 s of a long ``execution_timeout``; that one left 5 s."""


class Stage:
    """One Airbyte, one clock, and the task of one sample."""

    def __init__(self, sample, *, airbyte, clock, context, state_store, event_of, connect):
        self.airbyte = airbyte
        self.clock = clock
        self.sample = json.loads(json.dumps(sample).replace(ADDRESS, airbyte.base_url))
        self.start = clock.now()
        self.events = []
        self._event_of = event_of
        connect(
            host=airbyte.base_url,
            login="the-client-id",
            password="the-client-secret",
            schema="v1/applications/token",
        )
        self.context = context
        if self.sample["has_store"]:
            context["task_state_store"] = state_store
        if self.sample["is_in_loop"]:
            context["loop"] = SimpleNamespace(index=1)
        if (
            self.sample["task"].get("mode") == "reschedule"
        ):  # Airflow 3 tells when its first poke was
            vars(context["ti"]).update(id=uuid4(), get_first_reschedule_date=lambda _context: None)
        scripts = [_script(steps) for steps in self.sample["scripts"]]
        airbyte.add_connection(CONNECTION, job_scripts=scripts)

    def task(self):
        """Make the task, as each process of Airflow does."""
        kinds = {"operator": AirbyteTriggerSyncOperator, "sensor": AirbyteJobSensor}
        options = self.sample["task"]
        options = {
            name: LONGER + timedelta(seconds=value) if name == "execution_timeout" else value
            for name, value in options.items()
            if name != "kind"
        }
        return kinds[self.sample["task"]["kind"]](task_id="sync", **options)

    def come_to(self, moment):
        """Let time pass up to what was recorded at a moment, and take over what Airflow kept then."""
        for created_at in moment["jobs"]:
            self.clock.advance_to(self.start + timedelta(seconds=created_at))
            self.airbyte.start_external_job(CONNECTION.connection_id)
        self.clock.advance_to(self.start + timedelta(seconds=moment["seconds"]))
        self.airbyte.clear_requests()
        self.context["ti"].xcoms.update(moment["xcoms"])
        self.context.get("task_state_store", {}).update(moment["store"])

    def plain(self, content):
        """Return a copy in JSON types, without the port of this test's server."""
        return json.loads(json.dumps(content).replace(self.airbyte.base_url, ADDRESS))

    # --- ways to go on --------------------------------------------------------------------------

    def fired(self):
        """The triggerer makes the trigger; a worker takes the task up again after the event."""
        deferral = self.sample["deferral"]
        outcome = self._to_the_end(lambda: self._resume(deferral, self._run_trigger(deferral)))
        return outcome | {"xcoms": self.plain(self._xcoms())}

    def picked_up(self):
        """A worker takes the task up again with an event that was stored."""
        deferral, event = self.sample["deferral"], self.sample["event"]
        return self._to_the_end(lambda: self._resume(deferral, event))

    def tried_again(self):
        """Another try, in a process of its own: Airflow drops XComs between tries, not the store."""
        self.context["ti"].xcoms.clear()
        vars(self.context["ti"]).update(try_number=2, max_tries=2, start_date=self.clock.now())
        return self._to_the_end(lambda: self.task().execute(self.context))

    def deferred_for_too_long(self):
        """Airflow says that the deferral took too long."""
        kwargs = {"error": "Trigger timeout", **self.sample["deferral"]["kwargs"]}
        return self._to_the_end(
            lambda: self.task().resume_execution("__fail__", kwargs, self.context)
        )

    def poked(self):
        """The next poke of a rescheduled sensor, a minute later."""
        self.clock.advance(timedelta(minutes=1))
        return self._to_the_end(lambda: self.task().poke(self.context))

    def _run_trigger(self, deferral):
        trigger = import_string(deferral["trigger"])(**deferral["arguments"])
        self.events.append(self._event_of(trigger))
        return self.events[-1]

    def _resume(self, deferral, event):
        kwargs = {**deferral["kwargs"], "event": event}
        return self.task().resume_execution(deferral["method"], kwargs, self.context)

    def _to_the_end(self, go_on):
        self.events = []
        began = self.clock.now()
        end = None
        while end is None:
            try:
                end = {"result": go_on()}
            except TaskDeferred as deferred:
                deferral = self.deferral(deferred)
                go_on = lambda: self._resume(deferral, self._run_trigger(deferral))  # noqa: B023, E731
            except Exception as error:
                end = {"error": _RENAMED.get(type(error).__name__, type(error).__name__)}
        return self.plain(
            {
                **end,
                "events": [_kind(event) for event in self.events],
                "requests": counted(self._requests()),
                "xcoms": sorted(self._xcoms()),
                "store": sorted(self.context.get("task_state_store", ())),
                "seconds": round((self.clock.now() - began).total_seconds(), 3),
            }
        )

    def deferral(self, deferred):
        """Return what Airflow keeps of a deferral."""
        path, arguments = deferred.trigger.serialize()
        return json.loads(
            json.dumps(
                {
                    "trigger": path,
                    "arguments": arguments,
                    "method": deferred.method_name,
                    "kwargs": deferred.kwargs,
                }
            )
        )

    def _xcoms(self):
        """Return what the task has told; Airflow 3 keeps the link beside it."""
        xcoms = self.context["ti"].xcoms
        return {key: value for key, value in xcoms.items() if not key.startswith("_link")}

    def _requests(self):
        for record in self.airbyte.requests:
            path = record.path.partition("/v1/")[2].replace(CONNECTION.connection_id, "ID")
            if "token" not in path:
                yield f"{record.method} {path}"


def moment_of(sample, way):
    """Return what :meth:`Stage.come_to` needs; what Airflow keeps stays the same during a deferral."""
    return sample["moment"] | (sample["event_at"] if way == "picked_up" else {})


def failure_sample(kind, event):
    """Return the sample of a task whose trigger has left an event of a failure."""
    return {
        "task": {
            "operator": {"kind": kind, "connection_id": CONNECTION.connection_id},
            "sensor": {"kind": kind, "airbyte_job_id": 1},
        }[kind]
        | {"deferrable": True},
        "scripts": [[[0, "running"]]],
        "has_store": True,
        "is_in_loop": False,
        "deferral": {"method": "execute_complete", "kwargs": {"try_number": 1, "job_id": 1}},
        "event": event,
    }


def _kind(event):
    """Say what an event tells; texts may change."""
    if "error" in event:
        return event["error"]
    return "obtained" if "checkpoint" in event else "success"


def _script(steps):
    return JobScript(
        steps=tuple(Step(status=status, at=timedelta(seconds=at)) for at, status in steps)
    )
