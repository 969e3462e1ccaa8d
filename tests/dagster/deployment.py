"""A Dagster of real processes, used as its UI uses it: code server, webserver and daemon."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from processes import Processes

HERE = Path(__file__).resolve().parent
DAGSTER_YAML = """
telemetry: {enabled: false}
run_retries: {enabled: true}
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
"""
LAUNCH = """mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message stack } } }"""
AGAIN = """mutation ($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message stack } } }"""
TERMINATE = """mutation ($run: String!) { terminateRun(runId: $run) { __typename } }"""
ASSETS = """{ assetNodes { assetKey { path } } }"""
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
  locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
RUN = """query ($run: ID!) { runOrError(runId: $run) { ... on Run { status rootRunId } } }"""
RUNS = """{ runsOrError { ... on Runs { results { runId rootRunId } } } }"""


class Deployment:
    """A deployment in a folder; ``with`` starts and stops it."""

    def __init__(self, home, definitions, **environment):
        self.home = home
        self.env = {
            **os.environ,
            "DAGSTER_HOME": str(home),
            "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
            **environment,
        }
        self._definitions = definitions
        self.processes = Processes(home / "processes")  # Dagster empties its folder "logs"
        self._code, self._web = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._web}"

    def __enter__(self):
        (self.home / "dagster.yaml").write_text(DAGSTER_YAML)
        workspace = self.home / "workspace.yaml"
        workspace.write_text(
            f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {self._code}, location_name: shop}}}}]"
        )
        self.entries("none")  # makes the databases, before several processes do so at once
        self.processes.__enter__()
        on_code = ("-h", "127.0.0.1", "-p", self._code, "-f", self._definitions)
        self._start("code", "dagster", "code-server", "start", *on_code)
        wait_for(lambda: is_open(self._code), "the code server")
        self._start("web", "dagster-webserver", "-h", "127.0.0.1", "-p", self._web, "-w", workspace)
        self._start("daemon", "dagster-daemon", "run", "-w", workspace)
        wait_for(lambda: is_open(self._web), "the webserver")
        wait_for(lambda: self.load_errors() == [], "the code location")
        return self

    def __exit__(self, *raised):
        self.processes.__exit__(*raised)

    def _start(self, name, program, *arguments):
        command = [Path(sys.executable).with_name(program), *arguments]
        self.processes.start(name, command, env=self.env, folder=self.home)

    def ask(self, query, **variables):
        """Send what the UI would send."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
            answer = json.load(reply)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def load_errors(self):
        """Return what is wrong with the code location."""
        entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        found = [entry["locationOrLoadError"] for entry in entries]
        if found == [None]:
            return ["loading"]
        return [each for each in found if each["__typename"] == "PythonError"]

    def launch(self, job, **tags):
        """Press "Launch run", and return the run."""
        selector = {"repositoryLocationName": "shop", "repositoryName": "__repository__"}
        given = [{"key": f"dagster/{key}", "value": value} for key, value in tags.items()]
        params = {
            "selector": {**selector, "pipelineName": job},
            "runConfigData": {},
            "executionMetadata": {"tags": given},
        }
        [answer] = self.ask(LAUNCH, params=params).values()
        return answer["run"]["runId"]

    def launch_again(self, run):
        """Press "Re-execute from failure", and return the new run."""
        params = {"parentRunId": run, "strategy": "FROM_FAILURE"}
        [answer] = self.ask(AGAIN, params=params).values()
        return answer["run"]["runId"]

    def terminate(self, run):
        """Press "Terminate"."""
        return self.ask(TERMINATE, run=run)["terminateRun"]["__typename"]

    def status(self, run):
        """Return a run's status."""
        return self.ask(RUN, run=run)["runOrError"]["status"]

    def retries(self, run):
        """Return the re-executions of a run, and theirs."""
        runs = self.ask(RUNS)["runsOrError"]["results"]
        return [each["runId"] for each in runs if run == each["rootRunId"] != each["runId"]]

    def wait_for_end(self, run):
        """Wait until a run has ended."""
        ended = ("SUCCESS", "FAILURE", "CANCELED")
        wait_for(lambda: self.status(run) in ended, f"the end of run {run}")

    def asset_keys(self):
        """Return the keys of all assets that can be materialized."""
        return sorted(each["assetKey"]["path"] for each in self.ask(ASSETS)["assetNodes"])

    def has_told(self, run, text):
        """Return whether a line of a run's log has a text."""
        return any(text in line for line in self.told(run))

    def told(self, run):
        """Return the lines of a run's log."""
        return [entry.message or entry.user_message for entry in self.entries(run)]

    def entries(self, run, *types):
        """Return the events of a run."""
        from dagster import DagsterInstance

        with DagsterInstance.from_config(str(self.home)) as instance:
            return list(instance.all_logs(run, of_type=set(types) or None))

    def pids(self, run):
        """Return the processes of a run: its worker, and its steps."""
        found = subprocess.run(
            ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        parents = {
            int(pid): int(parent) for pid, parent in map(str.split, found.stdout.splitlines())
        }
        [worker] = {
            int(line.rpartition("(pid: ")[2].partition(")")[0])
            for line in self.told(run)
            if line.startswith("Started process for run")
        }
        steps = [pid for pid, parent in parents.items() if parent == worker]
        return worker, steps


def kill(*pids):
    """End processes as a machine ends that loses its power."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def is_alive(pid):
    """Return whether a process runs."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def is_open(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, what, seconds=600):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.3)
