"""Kills, terminations and restarts on the real processes of a Dagster, all at the same time."""

import json
import os
import signal
from datetime import timedelta
from types import SimpleNamespace

import dagster as dg
import pytest
from deployment import HERE, Deployment, is_alive, kill, wait_for
from shop import SECRET, submissions

from airbyte_sync_local import (
    LocalAirbyte,
    RequireClientCredentials,
    ServerConnection,
    job_scripts,
    statuses,
    utc_now,
)

NAMES = ("killed", "orphaned", "terminated", "evicted", "repeated")
RETRIED = ("killed", "orphaned", "evicted")
LONG = job_scripts.succeeds(lasts=timedelta(hours=1))
GOES_ON = "which an earlier try started"


class Clock:
    """The server's clock: it jumps when the syncs are to end."""

    ahead = timedelta(0)

    def __call__(self):
        return utc_now() + self.ahead


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Play all scenes, and return what came of them."""
    clock = Clock()
    auth = RequireClientCredentials(client_id="me", client_secret=SECRET)
    with LocalAirbyte(auth=auth, clock=clock) as airbyte:
        connections = {name: add(airbyte) for name in NAMES}
        home = tmp_path_factory.mktemp("dagster")
        environment = {
            "SHOP_CONNECTIONS": json.dumps(connections),
            "SHOP_AIRBYTE": airbyte.base_url,
            "SHOP_SECRET": SECRET,
        }
        with Deployment(home, HERE / "scene_definitions.py", **environment) as dagster:
            scenes = SimpleNamespace(airbyte=airbyte, dagster=dagster, connections=connections)
            play(scenes, clock)
            yield scenes


def add(airbyte):
    connection = ServerConnection(streams=("users", "orders"), prefix="shop_")
    return airbyte.add_connection(connection, job_scripts=[LONG]).connection_id


def play(scenes, clock):
    dagster, airbyte = scenes.dagster, scenes.airbyte
    scenes.runs = runs = {name: dagster.launch(f"sync_{name}") for name in NAMES}
    for run in runs.values():
        wait_for(lambda run=run: dagster.has_told(run, "-> running"), f"the sync of run {run}")

    # What ends while the syncs run.
    worker, steps = dagster.pids(runs["killed"])
    kill(worker, *steps)
    worker, scenes.orphans = dagster.pids(runs["orphaned"])
    kill(worker)
    dagster.terminate(runs["terminated"])
    os.kill(dagster.pids(runs["evicted"])[0], signal.SIGTERM)
    for name in ("terminated", "evicted"):
        dagster.wait_for_end(runs[name])
    scenes.left_alone = {job.connection_id: job.status for job in airbyte.jobs}

    # What goes on with them: the daemon by itself, and a person.
    scenes.anew = dagster.launch_again(runs["terminated"])
    scenes.retries = {name: going_on(dagster, runs[name]) for name in RETRIED}
    wait_for(lambda: dagster.has_told(scenes.anew, "-> running"), "the sync that begins anew")
    scenes.orphans_lived = [is_alive(pid) for pid in scenes.orphans]

    clock.ahead = timedelta(hours=2)
    scenes.repeated_again = dagster.launch("sync_repeated")
    wait_for(lambda: dagster.has_told(scenes.repeated_again, "-> running"), "the second sync")
    clock.ahead = timedelta(hours=4)
    for run in (*scenes.retries.values(), scenes.anew, runs["repeated"], scenes.repeated_again):
        dagster.wait_for_end(run)


def going_on(dagster, run):
    """Wait until a retry of a run goes on with its sync; a busy machine may need several."""

    def found():
        return [each for each in dagster.retries(run) if dagster.has_told(each, GOES_ON)]

    wait_for(found, f"a retry of run {run}")
    return found()[0]


def jobs_of(played, name):
    return [job for job in played.airbyte.jobs if job.connection_id == played.connections[name]]


@pytest.mark.parametrize("name", RETRIED)
def test_a_run_whose_worker_was_stopped(played, name):
    """The daemon's retry follows the same job; there is no second submission."""
    assert "FAILURE" == played.dagster.status(played.runs[name])
    assert "SUCCESS" == played.dagster.status(played.retries[name])
    assert [statuses.SUCCEEDED] == [job.status for job in jobs_of(played, name)]


def test_a_step_that_outlives_its_worker(played):
    """Dagster takes it for dead while it follows the sync; the retry is not kept from doing so, too."""
    assert any(played.orphans_lived)


def test_a_terminated_run(played):
    """Its sync is cancelled once; a re-execution starts another."""
    assert "CANCELED" == played.dagster.status(played.runs["terminated"])
    job, another = jobs_of(played, "terminated")
    assert (statuses.CANCELLED, statuses.SUCCEEDED) == (job.status, another.status)
    cancellations = [each for each in played.airbyte.requests if each.method == "DELETE"]
    assert [f"/api/public/v1/jobs/{job.job_id}"] == [each.path for each in cancellations]


def test_an_evicted_run(played):
    """SIGTERM without a word of Dagster's leaves the sync, and says so."""
    assert statuses.RUNNING == played.left_alone[played.connections["evicted"]]
    assert played.dagster.has_told(played.runs["evicted"], "the sync goes on in Airbyte")


def test_a_job_that_is_launched_twice(played):
    """Each run is a request of its own."""
    runs = (played.runs["repeated"], played.repeated_again)
    assert ["SUCCESS", "SUCCESS"] == [played.dagster.status(run) for run in runs]
    assert 2 == len(jobs_of(played, "repeated"))


def test_every_job_was_submitted_once(played):
    """As many submissions as jobs, and none of them in doubt."""
    assert len(played.airbyte.jobs) == len(submissions(played.airbyte))


def test_materializations_are_recorded(played):
    """Of both streams, with the job."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    entries = played.dagster.entries(played.retries["killed"], kind)
    found = [each.asset_materialization for each in entries]
    [job] = jobs_of(played, "killed")
    assert {("killed", "shop_orders", job.job_id), ("killed", "shop_users", job.job_id)} == {
        (*each.asset_key.path, each.metadata["airbyte/job_id"].value) for each in found
    }


def test_only_the_code_location_asks_for_streams(played):
    """Run workers and steps load the definitions without a request."""
    asked = [each for each in played.airbyte.requests if "/sources/" in each.path]
    assert len(NAMES) == len(asked)


def test_no_secret_is_shown(played):
    """Neither in Dagster's databases nor in the output of its processes."""
    files = [path for path in played.dagster.home.rglob("*") if path.is_file()]
    assert [] == [path for path in files if SECRET.encode() in path.read_bytes()]


def test_the_code_location_loads_while_airbyte_is_down(played):
    """The streams of the last load stand in."""
    keys = played.dagster.asset_keys()
    played.airbyte.__exit__(None, None, None)
    played.dagster.ask("mutation { reloadWorkspace { __typename } }")
    wait_for(lambda: played.dagster.load_errors() == [], "the reloaded code location")
    assert 2 * len(NAMES) == len(keys)
    assert keys == played.dagster.asset_keys()
