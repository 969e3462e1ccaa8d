"""What tests of the command share: what it left, and how to stop one in a process of its own."""

import json
import signal
import time
from dataclasses import dataclass
from datetime import timedelta

from airbyte_sync_local import job_scripts, utc_now

QUICKLY = ("--poll-interval", "0.05")
AT_ONCE = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0), rows=7, bytes_=70)
RUNS = job_scripts.JobScript.of((0, "running"))
LASTS_AN_HOUR = job_scripts.JobScript.of((0, "running"), (3600, "succeeded"))
PATIENCE = 60
A_MINUTE = timedelta(minutes=1)
AN_HOUR = timedelta(hours=1)


class RunningClock:
    """The server's clock: real time, which a test puts forward when it has seen enough."""

    def __init__(self):
        self._ahead = timedelta(0)

    def __call__(self):
        return utc_now() + self._ahead

    def advance(self, by):
        self._ahead += by


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def events(self):
        return [json.loads(line) for line in self.out.splitlines()]


def until(condition, what="it"):
    """Wait for what happens in another process."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {PATIENCE} s"
        time.sleep(0.02)


def statuses(airbyte):
    """The statuses of all jobs, oldest first."""
    return [str(job.status) for job in airbyte.jobs]


def submissions(airbyte):
    return sum(record.operation == "POST /jobs" for record in airbyte.requests)


def poll_of(airbyte):
    """Wait until the server was asked for jobs three times from now on: the first answer has arrived then."""
    before = len(airbyte.requests)
    until(
        lambda: (
            3 <= sum(each.operation.startswith("GET /jobs") for each in airbyte.requests[before:])
        ),
        "a poll",
    )


def end_of(process, number=None):
    """Send a signal, and return the exit code and what was written."""
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return Done(process.returncode, out, err)


def kill_when_it_runs(airbyte, process, number=signal.SIGKILL):
    """Send a signal once the process follows its running job."""
    until(lambda: "running" in statuses(airbyte), "a running job")
    poll_of(airbyte)
    return end_of(process, number)
