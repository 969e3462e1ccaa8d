"""Assets and op in one process: one sync for the streams of a connection, and what Dagster tells of it."""

from datetime import timedelta

import dagster as dg
import pytest
from shop import QUICK, SECRET, submissions

from airbyte_sync_dagster import Airbyte, airbyte_assets, airbyte_sync_op
from airbyte_sync_local import Fault, JobScript, answers, job_scripts, statuses


@pytest.fixture
def materialize(resource, instance):
    def run(assets, selection=None, **more):
        resources = {"airbyte": more.pop("airbyte", resource)}
        return dg.materialize(
            [assets],
            selection=selection,
            resources=resources,
            instance=instance,
            raise_on_error=False,
            **more,
        )

    return run


@pytest.fixture
def busy(airbyte, add, clock):
    """A connection on which a sync of another client has been running for an hour."""
    connection = add(QUICK)
    clock.behind = timedelta(hours=1)
    airbyte.start_external_job(connection, job_scripts.never_ends())
    clock.behind = timedelta(0)
    return connection


def failure_of(result):
    [failed] = result.get_step_failure_events()
    return failed.step_failure_data.user_failure_data


def test_all_streams_are_one_sync(airbyte, add, materialize):
    """Two assets of a connection: one job, one submission, and a materialization each."""
    connection = add(QUICK)
    result = materialize(airbyte_assets("shop", {connection: ["users", "orders"]}))
    assert result.success
    assert [["orders"], ["users"]] == sorted(
        each.asset_key.path for each in result.get_asset_materialization_events()
    )
    assert (1, 1) == (len(airbyte.jobs), len(submissions(airbyte)))


def test_a_materialization_tells_of_the_job(airbyte, add, materialize, resource):
    """Rows and bytes of the stream and of the job, its id, and the link to its page."""
    connection = add(QUICK)
    result = materialize(airbyte_assets("shop", {connection: ["users", "orders"]}))
    both = [
        {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
    ]
    assert (10, 640) == tuple(
        sum(each[f"airbyte/{unit}"] for each in both) for unit in ("rows", "bytes")
    )
    metadata = both[0]
    assert (1, "succeeded", 10, 640) == tuple(
        metadata[f"airbyte/{name}"] for name in ("job_id", "status", "job_rows", "job_bytes")
    )
    link = metadata["airbyte/job"]
    assert f"/connections/{connection}/timeline?jobId=1" in link


def test_a_part_of_the_streams(airbyte, add, materialize):
    """Airbyte syncs the whole connection: what was not selected is told of, too, and stays one sync."""
    assets = airbyte_assets("shop", {add(QUICK): ["users", "orders"]})
    result = materialize(assets, selection=[dg.AssetKey("users")])
    assert result.success
    keys = [each.asset_key.path for each in result.get_asset_materialization_events()]
    assert [["orders"], ["users"]] == sorted(keys)
    assert 1 == len(airbyte.jobs)


def test_several_connections_in_one_step(airbyte, add, materialize):
    """They run at once; one that fails hides no other."""
    good, bad = add(QUICK), add(job_scripts.fails(lasts=timedelta(0)))
    assets = airbyte_assets("shop", {good: ["users"], bad: ["prices"]})
    result = materialize(assets)
    assert not result.success
    [event] = result.get_asset_materialization_events()
    assert ["users"] == event.asset_key.path
    assert "invalid credentials" in failure_of(result).description


def test_streams_are_asked_for(airbyte, add, materialize, resource):
    """Without names, Airbyte is asked when the code location loads; the prefix is part of a key."""
    assets = airbyte_assets("shop", [add(QUICK)], airbyte=resource, key_prefix=["raw"])
    assert {dg.AssetKey(["raw", "shop_users"]), dg.AssetKey(["raw", "shop_orders"])} == assets.keys
    assert materialize(assets).success


def test_streams_are_kept_for_a_load_while_airbyte_is_down(airbyte, add, resource):
    """The streams of the last load stand in for an Airbyte that does not answer."""
    connection = add(QUICK)
    first = airbyte_assets("shop", [connection], airbyte=resource)
    down = Airbyte(url="http://127.0.0.1:9", client_id="me", client_secret=SECRET)
    assert first.keys == airbyte_assets("shop", [connection], airbyte=down).keys


def test_streams_that_nothing_tells(add):
    """The error says what to do."""
    down = Airbyte(url="http://127.0.0.1:9")
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="Name the streams"):
        airbyte_assets("shop", [add(QUICK)], airbyte=down)


def test_a_failed_sync(add, materialize):
    """The step's error has the reason and the link, and Dagster may try again."""
    result = materialize(
        airbyte_assets("shop", {add(job_scripts.fails(lasts=timedelta(0))): ["users"]})
    )
    told = failure_of(result)
    assert "SyncFailed" in told.description
    assert "invalid credentials" in told.description
    assert "airbyte/job" in told.metadata


def test_a_timeout(airbyte, add, materialize):
    """The sync is cancelled, and the error says so."""
    policy = {"timeout": 1, "queue_timeout": 30}
    assets = airbyte_assets("shop", {add(job_scripts.never_ends()): ["users"]}, policy=policy)
    told = failure_of(materialize(assets))
    assert "SyncTimedOut" in told.description
    assert [statuses.CANCELLED] == [job.status for job in airbyte.jobs]


def test_a_busy_connection(airbyte, busy, materialize):
    """Where the policy says so, the step fails and says which job is in the way."""
    assets = airbyte_assets("shop", {busy: ["users"]}, policy={"on_conflict": "fail"})
    told = failure_of(materialize(assets))
    assert "SyncAlreadyRunning" in told.description
    assert 1 == len(airbyte.jobs)


def test_a_busy_connection_is_skipped(busy, materialize):
    """The run succeeds, and nothing is materialized."""
    assets = airbyte_assets("shop", {busy: ["users"]}, policy={"on_conflict": "skip"})
    result = materialize(assets)
    assert result.success
    assert [] == result.get_asset_materialization_events()


def test_a_wrong_secret(airbyte, add, materialize):
    """The error names it and does not show it, and no retry is made."""
    wrong = Airbyte(url=airbyte.base_url, client_id="me", client_secret="quite-wrong")
    assets = airbyte_assets(
        "shop", {add(QUICK): ["users"]}, retry_policy=dg.RetryPolicy(max_retries=3)
    )
    result = materialize(assets, airbyte=wrong)
    assert "client secret is wrong" in failure_of(result).description
    assert [] == result.filter_events(lambda event: event.is_step_up_for_retry)
    assert [] == list(airbyte.jobs)


def test_all_settings_of_a_server(add, monkeypatch):
    """They have the keys of the settings file; a secret comes from a variable."""
    monkeypatch.setenv("THE_PASSWORD", "not to be seen")
    settings = {"username": "me", "password": dg.EnvVar("THE_PASSWORD"), "read_timeout": "5"}
    resource = Airbyte(url="http://localhost:8000", settings=settings)
    server = resource.process_config_and_initialize().server()
    assert "not to be seen" == server.auth.password
    assert timedelta(seconds=5) == server.read_timeout
    assert "not to be seen" not in repr(resource)


def test_a_setting_that_cannot_be_right(add, materialize):
    """The step says which, and no retry is made."""
    assets = airbyte_assets("shop", {add(QUICK): ["users"]}, policy={"on_conflict": "wait"})
    assert "on_conflict" in failure_of(materialize(assets)).description


def test_the_op(airbyte, add, resource, instance):
    """It returns the job as JSON."""

    @dg.job(resource_defs={"airbyte": resource})
    def reset():
        airbyte_sync_op()

    config = {"ops": {"airbyte_sync_op": {"config": {"connection_id": add(QUICK)}}}}
    result = reset.execute_in_process(run_config=config, instance=instance)
    job = result.output_for_node("airbyte_sync_op")
    assert (1, "succeeded") == (job["job_id"], job["status"])


def test_a_step_that_is_tried_again_goes_on_with_its_sync(airbyte, add, resource, instance):
    """What fails after the sync is no reason for another one."""
    tries = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def orders(context: dg.AssetExecutionContext, airbyte: dg.ResourceParam[Airbyte]) -> None:
        ended = airbyte.sync(context, connection)
        tries.append(ended.result.job.job_id)
        if len(tries) == 1:
            raise ValueError("the step after it failed")

    connection = add(QUICK)
    assert dg.materialize([orders], resources={"airbyte": resource}, instance=instance).success
    assert [1, 1] == tries
    assert 1 == len(submissions(airbyte))


def test_a_new_run_is_a_new_request(airbyte, add, materialize):
    """Each run has its sync."""
    assets = airbyte_assets("shop", {add(QUICK): ["users"]})
    assert materialize(assets).success
    assert materialize(assets).success
    assert 2 == len(airbyte.jobs)


def test_run_workers_ask_for_no_streams(airbyte, add, resource, monkeypatch):
    """What the code location was loaded with is handed on to them by Dagster."""
    from dagster._core.definitions.definitions_load_context import (
        DefinitionsLoadContext,
        DefinitionsLoadType,
    )
    from dagster._core.definitions.repository_definition import RepositoryLoadData

    connection = add(QUICK)
    loading = DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION)
    with DefinitionsLoadContext.scoped(loading):
        assets = airbyte_assets("shop", [connection], airbyte=resource)
    handed_on = RepositoryLoadData(
        reconstruction_metadata=loading.get_pending_reconstruction_metadata()
    )
    airbyte.clear_requests()
    again = DefinitionsLoadContext(DefinitionsLoadType.RECONSTRUCTION, handed_on)
    with DefinitionsLoadContext.scoped(again):
        assert assets.keys == airbyte_assets("shop", [connection], airbyte=resource).keys
    assert [] == list(airbyte.requests)


def test_specs_are_changed_as_dagster_does(add, materialize):
    """With owners of the user's, the sync still finds its assets."""
    assets = airbyte_assets("shop", {add(QUICK): ["users"]}).map_asset_specs(
        lambda spec: spec.replace_attributes(owners=["team:shop"])
    )
    assert ["team:shop"] == next(iter(assets.specs)).owners
    assert materialize(assets).success


def test_a_lost_answer_to_a_submission(airbyte, add, materialize):
    """The job is looked for and followed; nothing is submitted again."""
    airbyte.inject(Fault(on="POST /jobs", do="drop_after"))
    assert materialize(airbyte_assets("shop", {add(QUICK): ["users"]})).success
    assert (1, 1) == (len(airbyte.jobs), len(submissions(airbyte)))


def test_a_server_in_trouble(airbyte, add, materialize):
    """Polls that fail for a while end nothing, and cancel nothing."""
    trouble = answers.bad_gateway()
    airbyte.inject(Fault(on="GET /jobs/{jobId}", do="answer", answer=trouble, times=3))
    assert materialize(airbyte_assets("shop", {add(QUICK): ["users"]})).success
    assert [statuses.SUCCEEDED] == [job.status for job in airbyte.jobs]


@pytest.mark.parametrize("word", [statuses.QUEUED, "hibernating"])
def test_a_status_that_is_no_end(add, materialize, word):
    """It is waited for."""
    steps = (
        job_scripts.Step(status=word),
        job_scripts.Step(status=statuses.RUNNING, at=timedelta(seconds=0.5)),
        job_scripts.Step(status=statuses.SUCCEEDED, at=timedelta(seconds=1)),
    )
    assert materialize(airbyte_assets("shop", {add(JobScript(steps=steps)): ["users"]})).success


def test_many_connections_share_their_polls(airbyte, add, materialize):
    """One list request tells of the changes of all."""
    ends = timedelta(seconds=3)
    lives = [job_scripts.succeeds(starts=timedelta(0), lasts=ends) for _ in range(5)]
    connections = {add(life): [f"stream_{number}"] for number, life in enumerate(lives)}
    assert materialize(airbyte_assets("shop", connections)).success
    lists = [each for each in airbyte.requests if each.path.endswith("/jobs")]
    polls = [each for each in airbyte.requests if "/jobs/" in each.path and each.method == "GET"]
    assert len(lists) > len(submissions(airbyte))
    assert len(polls) <= 3 * len(connections)
