"""The rules of DELETE /jobs/{jobId}, and of reading unknown jobs."""

from datetime import timedelta

import pytest

from airbyte_sync_local import Caller, JobScript, Quirks, ServerConnection, Step, job_scripts


def start(api, script=None):
    connection = api.airbyte.add_connection(job_scripts=[script or job_scripts.never_ends()])
    api.submit(connection)
    return connection


def message(reply):
    return reply.json()["data"]["message"]


def test_a_running_job_is_cancelled(api):
    """DELETE answers 200 with the cancelled job, and without statistics."""
    start(api)
    api.wait(1)
    reply = api.cancel(1)
    assert (200, "cancelled") == (reply.status_code, reply.json()["status"])
    assert "rowsSynced" not in reply.json()
    assert "lastUpdatedAt" in reply.json()


def test_a_job_between_attempts_is_cancelled(api):
    """A job that waits out its back-off counts as running."""
    start(api, job_scripts.retries_then_succeeds())
    api.wait(5)
    assert ("incomplete", "cancelled") == (api.status(1), api.cancel(1).json()["status"])


def test_a_cancel_before_the_first_attempt_is_lost(api):
    """DELETE answers 200 for a pending job, and the job runs all the same."""
    start(api)
    reply = api.cancel(1)
    assert (200, "pending") == (reply.status_code, reply.json()["status"])
    api.wait(100)
    assert "running" == api.status(1)


def test_a_queued_job_is_cancelled(api):
    """A job that waits for capacity can be cancelled, as is intended."""
    start(api, job_scripts.queues_then_succeeds())
    api.wait(1)
    assert ("queued", "cancelled") == (api.status(1), api.cancel(1).json()["status"])


def test_a_cancel_of_a_queued_job_may_be_lost(serve):
    """On some servers a job that waits for capacity cannot be cancelled."""
    api = serve(quirks=Quirks(queued_can_be_cancelled=False))
    start(api, job_scripts.queues_then_succeeds())
    api.wait(1)
    assert "queued" == api.cancel(1).json()["status"]
    api.wait(100)
    assert "succeeded" == api.status(1)


def test_a_cancel_may_take_its_time(api):
    """DELETE may answer before the job has ended; it passes incomplete on its way."""
    on_cancel = (
        Step(status="incomplete"),
        Step(status="cancelled", at=timedelta(seconds=5)),
    )
    start(api, JobScript(steps=job_scripts.never_ends().steps, on_cancel=on_cancel))
    api.wait(1)
    assert "incomplete" == api.cancel(1).json()["status"]
    assert ["incomplete", "cancelled"] == api.statuses(1, seconds=5)


def test_a_second_cancel_does_no_harm(api):
    """A cancel that is repeated while the first one works does not put the end off."""
    on_cancel = (Step(status="cancelled", at=timedelta(seconds=5)),)
    start(api, JobScript(steps=job_scripts.never_ends().steps, on_cancel=on_cancel))
    api.wait(1)
    api.cancel(1)
    api.wait(4)
    assert 200 == api.cancel(1).status_code
    api.wait(1)
    assert "cancelled" == api.status(1)


def test_a_cancel_may_come_too_late(api):
    """A job may succeed although it was cancelled."""
    on_cancel = (Step(status="succeeded", rows=5),)
    start(api, JobScript(steps=job_scripts.never_ends().steps, on_cancel=on_cancel))
    api.wait(1)
    assert "succeeded" == api.cancel(1).json()["status"]


def test_an_old_job_s_id_cancels_what_runs_now(api, connection):
    """DELETE cancels by connection: the id of an old job ends the present one, and shows the old."""
    api.airbyte.add_connection(
        connection, job_scripts=[job_scripts.succeeds(), job_scripts.never_ends()]
    )
    api.submit(connection)
    api.wait(10)
    api.submit(connection)
    api.wait(1)
    reply = api.cancel(1)
    assert (1, "succeeded") == (reply.json()["jobId"], reply.json()["status"])
    assert "cancelled" == api.status(2)


def test_nothing_to_cancel_is_a_conflict(api):
    """A job that has ended, on a connection where nothing runs, gives 409."""
    start(api, job_scripts.succeeds())
    api.wait(10)
    reply = api.cancel(1)
    assert (409, "state-conflict") == (reply.status_code, reply.json()["title"])
    assert "Job is not currently running" == message(reply)


def test_a_deleted_connection_refuses_cancels(api):
    """Where the connection's workflow is gone, the refusal says nothing."""
    connection = start(api)
    api.wait(1)
    api.airbyte.add_connection(
        ServerConnection(connection_id=connection.connection_id, status="deprecated")
    )
    assert "Could not fulfill request" == message(api.cancel(1))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_administrator_gets_a_conflict_for_an_unknown_job(api, method):
    """An unknown job is 409 and not 404, when it is read no less than when it is cancelled."""
    reply = api.call(method, "/jobs/4711")
    assert (409, "Job is not currently running") == (reply.status_code, message(reply))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_member_gets_forbidden_for_an_unknown_job(serve, method):
    """Any other caller gets 403 for an unknown job."""
    reply = serve(quirks=Quirks(caller=Caller.MEMBER)).call(method, "/jobs/4711")
    assert (403, "forbidden") == (reply.status_code, reply.json()["title"])


def test_a_job_id_is_a_number(api):
    """Anything else in its place gives 400."""
    assert 400 == api.get("/jobs/first").status_code
