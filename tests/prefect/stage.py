"""What a test sees of a flow run and of its syncs, and how it runs one in a process of its own."""

import os
import sys
import time
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.states import Cancelling

PATIENCE = 90
FLOWS = Path(__file__).parent / "flows.py"


def until(condition, what):
    """Wait until a condition holds, and return what it says."""
    patience = time.monotonic() + PATIENCE
    while time.monotonic() < patience:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"this did not come about: {what}")


class Stage:
    """Airbyte, Prefect, and flows between them."""

    def __init__(self, airbyte, engine, processes):
        self.airbyte = airbyte
        self.engine = engine
        self.processes = processes

    @property
    def submissions(self):
        """The requests that start a sync."""
        return self.requests("POST /jobs")

    @property
    def cancellations(self):
        """The requests that cancel one."""
        return self.requests("DELETE /jobs/{jobId}")

    def requests(self, operation):
        return [each for each in self.airbyte.requests if each.operation == operation]

    @property
    def statuses(self):
        return [str(job.status) for job in self.airbyte.jobs]

    def start(self, *arguments):
        """Run ``flows.py`` in a process, and return the process's name."""
        name = f"{arguments[0]}-{time.monotonic_ns()}"
        command = [sys.executable, FLOWS, *arguments]
        self.processes.start(name, command, env=dict(os.environ))
        return name

    def is_running(self, process):
        return process not in self.processes.dead

    def end_of(self, process):
        until(lambda: not self.is_running(process), f"{process} ends")
        return self.processes.log(process).read_text()

    def polled_job(self):
        """Wait until the only job is polled, and return it."""
        until(lambda: self.requests("GET /jobs/{jobId}"), "a job is polled")
        return until(
            lambda: next((job for job in self.airbyte.jobs if job.status == "running"), None),
            "a job runs",
        )


class Run:
    """A flow run as Prefect tells of it."""

    def __init__(self, flow_run_id):
        self.id = UUID(str(flow_run_id))

    @classmethod
    def newest(cls):
        with get_client(sync_client=True) as client:
            (run,) = client.read_flow_runs(sort="START_TIME_DESC", limit=1)
        return cls(run.id)

    @property
    def state(self):
        with get_client(sync_client=True) as client:
            return client.read_flow_run(self.id).state

    def cancel(self):
        """As the button in the UI does."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(self.id, Cancelling())

    def wait_for(self, *words):
        return until(
            lambda: (state := self.state) and state.name in words and state, f"the run is {words}"
        )

    @property
    def log(self):
        with get_client(sync_client=True) as client:
            found = client.read_logs(
                LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self.id])), limit=200
            )
        return [each.message for each in found]

    def whole_log(self, last):
        """Wait for a line with a text: a process writes its log in the background. Return all lines."""
        return until(lambda: last in (log := "\n".join(self.log)) and log, f"the log says {last!r}")

    @property
    def artifacts(self):
        with get_client(sync_client=True) as client:
            wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[self.id]))
            found = client.read_artifacts(artifact_filter=wanted)
        return [
            each for each in found if each.type == "markdown"
        ]  # not what Prefect keeps of results
