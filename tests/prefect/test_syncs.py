"""A sync in a flow: its result, what a person sees, and what makes one request of several tries."""

from datetime import timedelta

import pytest
from flows import run
from prefect import flow
from stage import Run, until

from airbyte_sync import (
    DeadlinePassed,
    InvalidInput,
    SyncAlreadyRunning,
    SyncFailed,
    SyncSkipped,
    SyncTimedOut,
    Unauthorized,
)
from airbyte_sync_local import Fault, ServerConnection, answers, job_scripts, utc_now
from airbyte_sync_prefect import AirbyteServer, sync_connection, sync_connection_async

SECRET = "a-secret-of-tests"
SHORT = timedelta(seconds=0.5)
QUICK = job_scripts.succeeds(starts=timedelta(0), lasts=SHORT, rows=1234, bytes_=65536)
POLICY = {"poll_interval": 0.2}


@flow
def blocking(connection_id):
    return sync_connection(connection_id, "local", **POLICY)


@flow
async def asynchronous(connection_id):
    return await sync_connection_async(connection_id, "local", **POLICY)


@pytest.fixture
def add(airbyte):
    def connection(*scripts):
        row = ServerConnection(name="Shop", streams=("orders", "users"))
        return airbyte.add_connection(row, job_scripts=scripts or [QUICK]).connection_id

    return connection


both = pytest.mark.parametrize("chosen", [blocking, asynchronous], ids=["blocking", "async"])


@both
def test_a_sync_runs_to_its_end(stage, add, chosen):
    """Its result has the job; the run's log and an artifact tell of it, with a link."""
    result = run(chosen, add())
    assert ("succeeded", 1234, 65536) == (result.job.status, result.job.rows, result.job.bytes)
    assert 1 == len(stage.submissions)
    seen = Run.newest()
    log = seen.whole_log(last="Airbyte job 1 ended: succeeded, 1,234 rows, 65.5 kB")
    assert "Started Airbyte sync job 1 of connection 'Shop'" in log
    (artifact,) = seen.artifacts
    assert f"airbyte-{result.job.connection_id}" == artifact.key
    assert "[Airbyte job 1](http" in artifact.data
    assert "| **all** | 1,234 | 65,536 |" in artifact.data
    assert "| orders | 617 | 32,768 |" in artifact.data
    assert artifact.description.startswith("Shop: Airbyte job 1 ended: succeeded")


@both
def test_a_failed_sync_fails_the_run_with_its_reason(stage, add, chosen):
    """The text of the run's state, the log and the artifact say why."""
    connection_id = add(job_scripts.fails("The password is wrong", lasts=timedelta(0)))
    with pytest.raises(SyncFailed, match="The password is wrong"):
        run(chosen, connection_id)
    seen = Run.newest()
    assert ("Failed", True) == (seen.state.name, "The password is wrong" in seen.state.message)
    assert "The password is wrong" in seen.artifacts[0].data


def test_a_new_flow_run_is_a_new_request(stage, add):
    """Each has its job."""
    connection_id = add()
    assert [1, 2] == [run(blocking, connection_id).job.job_id for _ in range(2)]


def test_two_calls_in_a_flow_are_two_requests(stage, add):
    """Also of one connection: each call has its job."""

    @flow
    def twice(connection_id):
        one = sync_connection(connection_id, "local", **POLICY)
        two = sync_connection.submit(connection_id, "local", **POLICY)
        return [one.job.job_id, two.result().job.job_id]

    assert [1, 2] == twice(add())
    assert 2 == len(stage.submissions)


def test_a_retry_of_a_task_goes_on_with_its_sync(stage, add, airbyte):
    """Airbyte could not be seen for too long: the job is followed by the next try, and not started again."""
    lost = Fault(on="GET /jobs/{jobId}", do="answer", answer=answers.unavailable(), times=6)

    @flow
    def retrying(connection_id):
        task = sync_connection.with_options(retries=2, retry_delay_seconds=0.1)
        return task(connection_id, "local", **POLICY, unreachable_timeout=1)

    connection_id = add()
    airbyte.inject(lost)
    assert 1 == retrying(connection_id).job.job_id
    assert 1 == len(stage.submissions)
    assert "Retry 1/2" in Run.newest().whole_log(last="Finished in state Completed")


def test_a_retry_of_a_flow_takes_the_syncs_that_have_succeeded(stage, add):
    """What comes after the syncs fails: the next try of the flow starts none of them again."""
    tries = []

    @flow(retries=1)
    def stumbling(connection_ids):
        jobs = sync_connection.map(connection_ids, "local", **POLICY)
        last = sync_connection.submit(connection_ids[0], "local", **POLICY, wait_for=jobs)
        tries.append([each.result().job.job_id for each in (*jobs, last)])
        if len(tries) == 1:
            raise RuntimeError("something after the sync")

    stumbling([add(), add()])
    assert tries[0] == tries[1]
    assert 3 == len(stage.submissions)


def test_a_failed_sync_is_started_again_by_a_retry(stage, add):
    """What an earlier try left behind has ended badly: the retry is for that."""

    @flow(retries=1)
    def again(connection_id):
        return sync_connection(connection_id, "local", **POLICY)

    connection_id = add(job_scripts.fails("A glitch", lasts=timedelta(0)), QUICK)
    assert 2 == again(connection_id).job.job_id


def test_a_wrong_secret_is_said_and_not_tried_again(stage, add, block):
    """No retry can fix it; the run's state says what to do, and no secret is shown."""
    wrong = AirbyteServer(url=block.url, client_id="me", client_secret="not-the-secret")

    @flow
    def hopeless(connection_id):
        sync_connection.with_options(retries=3, retry_delay_seconds=60)(connection_id, wrong)

    with pytest.raises(Unauthorized, match="client secret"):
        hopeless(add())
    seen = Run.newest()
    told = seen.whole_log(last="Finished in state Failed") + seen.state.message
    assert "client secret" in seen.state.message
    assert [] == [word for word in ("not-the-secret", SECRET) if word in told]


def test_a_busy_connection_goes_by_the_policy(stage, add, airbyte):
    """It is refused or skipped, and said so; what runs there is left alone."""

    @flow
    def choosing(connection_id, word):
        return sync_connection(connection_id, "local", **POLICY, on_conflict=word)

    connection_id = add(job_scripts.never_ends())
    job = airbyte.start_external_job(connection_id)
    began_long_ago = job.created_at + timedelta(seconds=4)  # clearly before this is asked for
    until(lambda: utc_now() > began_long_ago, "the other job is no new one")
    for word, error in (("fail", SyncAlreadyRunning), ("skip", SyncSkipped)):
        with pytest.raises(error, match="job 1"):
            choosing(connection_id, word)
        assert "job 1" in Run.newest().state.message
    assert ["running"] == stage.statuses


def limited(chosen, *, task_options=None, flow_options=None, **options):
    """A flow of the style of another one, with limits."""
    if chosen is blocking:
        task = sync_connection.with_options(**(task_options or {}))

        def body(connection_id):
            return task(connection_id, "local", **POLICY, **options)
    else:
        task = sync_connection_async.with_options(**(task_options or {}))

        async def body(connection_id):
            return await task(connection_id, "local", **POLICY, **options)

    return flow(body, name=f"limited {chosen.name}", **(flow_options or {}))


@both
@pytest.mark.parametrize("on", ["task_options", "flow_options"])
def test_a_timeout_of_prefect_cancels_the_sync(stage, add, chosen, on):
    """A text of ours comes first, where there is time for it; the sync has ended in any case."""
    hasty = limited(chosen, **{on: {"timeout_seconds": 4}})
    with pytest.raises((DeadlinePassed, TimeoutError), match=r"timeout_seconds|timed out"):
        run(hasty, add(job_scripts.never_ends()))
    assert (["cancelled"], 1) == (stage.statuses, len(stage.cancellations))


@both
def test_the_own_timeout_cancels_the_sync(stage, add, chosen):
    """The text says what to raise."""
    hasty = limited(chosen, timeout=1, queue_timeout=60)
    with pytest.raises(SyncTimedOut, match="Raise timeout"):
        run(hasty, add(job_scripts.never_ends()))
    assert (["cancelled"], 1) == (stage.statuses, len(stage.cancellations))


def test_a_sync_is_part_of_a_flow(stage, add, block):
    """Outside of one nothing could be remembered: it is refused before anything is sent."""
    with pytest.raises(InvalidInput, match="in a flow"):
        sync_connection(add(), "local")
    assert [] == stage.submissions
