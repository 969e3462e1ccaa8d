"""The rules of POST /jobs."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from airbyte_sync_local import (
    Caller,
    JobScript,
    Quirks,
    ScriptedEngine,
    SecondSubmit,
    ServerConnection,
    Step,
    job_scripts,
)
from airbyte_sync_local.platform.refusals import ConnectionUnavailable
from airbyte_sync_local.platform.rules import Platform

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def message(reply):
    return reply.json()["data"]["message"]


def test_a_new_job_is_answered_with_200(api, connection):
    """POST answers 200, not 201, with the job as it is at once."""
    reply = api.submit(connection)
    assert (200, "pending") == (reply.status_code, reply.json()["status"])


@pytest.mark.parametrize("prefix", ["/v1", "/api/public/v1"])
def test_the_api_is_under_both_prefixes(api, connection, prefix):
    """Cloud's prefix and that of self-managed servers lead to the same API."""
    reply = api.get(f"{api.airbyte.base_url}{prefix}/connections/{connection.connection_id}")
    assert 200 == reply.status_code


def test_a_running_sync_refuses_another(api, connection):
    """While a job runs, POST gives 409 with a text that names the connection and not the job."""
    api.submit(connection)
    api.wait(1)
    reply = api.submit(connection)
    expected = {
        "status": 409,
        "type": "https://reference.airbyte.com/reference/errors#try-again-later",
        "title": "try-again-later",
        "detail": "Please try again later.",
        "documentationUrl": None,
        "data": {"message": f"A sync is already running for: {connection.connection_id}"},
    }
    assert (409, expected) == (reply.status_code, reply.json())


def test_a_job_between_attempts_is_running(api, connection):
    """A job that waits out its back-off still counts as running."""
    api.airbyte.add_connection(connection, job_scripts=[job_scripts.retries_then_succeeds()])
    api.submit(connection)
    api.wait(5)
    assert ("incomplete", 409) == (api.status(1), api.submit(connection).status_code)


def test_a_sync_may_follow_one_that_ended(api, connection):
    """After the end of a job the next POST starts a new one."""
    api.submit(connection)
    api.wait(10)
    assert 2 == api.submit(connection).json()["jobId"]


def test_connections_do_not_stand_in_each_other_s_way(api, connection):
    """A running sync refuses others of its own connection only."""
    api.submit(connection)
    api.wait(1)
    assert 200 == api.submit(api.airbyte.add_connection()).status_code


def test_a_second_submit_finds_the_waiting_job(api, connection):
    """Before the first attempt a second POST answers the same job."""
    first, second = api.submit(connection), api.submit(connection)
    assert (200, first.json()["jobId"]) == (second.status_code, second.json()["jobId"])


def test_a_second_submit_may_be_refused_without_a_reason(serve):
    """Some servers refuse a second POST before the first attempt, and do not say why."""
    quirks = Quirks(second_submit=SecondSubmit.STATE_CONFLICT, second_submit_waits=timedelta(0))
    api = serve(quirks=quirks)
    connection = api.airbyte.add_connection()
    api.submit(connection)
    reply = api.submit(connection)
    assert (409, "Could not fulfill request") == (reply.status_code, message(reply))


@pytest.mark.parametrize("status", ["inactive", "locked", "deprecated"])
def test_only_active_connections_sync(api, status):
    """The refusal does not say that the connection is not active; GET on the connection does."""
    connection = api.airbyte.add_connection(ServerConnection(status=status))
    reply = api.submit(connection)
    expected = {
        "status": 409,
        "type": "https://reference.airbyte.com/reference/errors#409-state-conflict",
        "title": "state-conflict",
        "detail": "State conflict",
        "documentationUrl": None,
        "data": {"message": "Could not fulfill request"},
    }
    assert (409, expected) == (reply.status_code, reply.json())
    assert status == api.get(f"/connections/{connection.connection_id}").json()["status"]


def test_an_administrator_hears_that_a_connection_is_unknown(api):
    """The default user of a community server gets 404 for an unknown connection."""
    reply = api.submit(UNKNOWN)
    assert (404, "resource-not-found") == (reply.status_code, reply.json()["title"])
    assert UNKNOWN == reply.json()["data"]["resourceId"]


@pytest.mark.parametrize("connection_id", [UNKNOWN, "not-a-uuid"])
def test_a_member_hears_only_that_it_is_forbidden(serve, connection_id):
    """Any other caller gets 403, whether the connection is unknown or the id is nonsense."""
    reply = serve(quirks=Quirks(caller=Caller.MEMBER)).submit(connection_id)
    assert (403, "forbidden") == (reply.status_code, reply.json()["title"])


def test_nonsense_breaks_the_server_for_an_administrator(api):
    """An id that is no UUID ends in an uncaught error."""
    reply = api.submit("not-a-uuid")
    assert (500, ["errorId"]) == (reply.status_code, list(reply.json()))


def test_refreshes_are_not_supported(api, connection):
    """The public API refuses refreshes with 422."""
    reply = api.submit(connection, "refresh")
    assert 422 == reply.status_code
    assert "Refreshes are not supported in the public API" == message(reply)


@pytest.mark.parametrize("job_type", ["reset", "clear"])
def test_a_reset_takes_the_place_of_a_running_sync(api, connection, job_type):
    """Reset and clear cancel the active sync, start at once, and call themselves reset."""
    api.submit(connection)
    api.wait(1)
    reply = api.submit(connection, job_type)
    assert (200, 2, "reset") == (reply.status_code, reply.json()["jobId"], reply.json()["jobType"])
    assert "cancelled" == api.status(1)


def test_a_reset_needs_no_active_connection(api):
    """An inactive connection can be reset."""
    connection = api.airbyte.add_connection(ServerConnection(status="inactive"))
    assert 200 == api.submit(connection, "reset").status_code


def test_a_running_reset_refuses_a_sync(serve):
    """The rule of one active job counts resets too."""
    api = serve(engine=ScriptedEngine(resets=job_scripts.never_ends()))
    connection = api.airbyte.add_connection()
    api.submit(connection, "reset")
    api.wait(1)
    assert "try-again-later" == api.submit(connection).json()["title"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"jobType": "sync"}',
        b'{"connectionId": "00000000-0000-4000-8000-000000000000"}',
        b'{"connectionId": "00000000-0000-4000-8000-000000000000", "jobType": "dance"}',
    ],
)
def test_a_body_that_cannot_be_read_is_refused(api, body):
    """Broken JSON and missing or unknown fields give 422 with nothing but an id."""
    reply = api.call("POST", "/jobs", data=body)
    assert (422, ["errorId"]) == (reply.status_code, list(reply.json()))


def test_unknown_properties_are_ignored(api, connection):
    """Airbyte's mappers ignore what they do not know."""
    body = {"connectionId": connection.connection_id, "jobType": "sync", "key": str(uuid4())}
    assert 200 == api.call("POST", "/jobs", json=body).status_code


def test_a_life_may_begin_at_once(api):
    """A script whose first step is due at once makes POST answer running without any wait."""
    at_once = JobScript(steps=(Step(status="running"),))
    connection = api.airbyte.add_connection(job_scripts=[at_once])
    assert "running" == api.submit(connection).json()["status"]


def test_old_servers_answer_once_the_job_runs(clock):
    """Up to v2.0.0 POST blocks until the first attempt, and answers running."""

    async def scene():
        platform, connection = platform_with(clock, Quirks(submit_waits_for_start=True))
        submitted = await started(platform.submit(connection.connection_id, "sync"))
        clock.advance(timedelta(seconds=1))
        return await submitted

    assert "running" == asyncio.run(scene()).status


def test_a_job_may_appear_too_late(clock):
    """A job that takes more than 60 s to appear is refused like a locked connection, and comes."""

    async def scene():
        platform, connection = platform_with(clock, Quirks(job_appears_after=timedelta(seconds=90)))
        asked_at = clock()
        submitted = await started(platform.submit(connection.connection_id, "sync"))
        clock.advance(timedelta(seconds=61))
        with pytest.raises(ConnectionUnavailable):
            await submitted
        assert [] == list(platform.jobs())
        clock.advance(timedelta(seconds=60))
        assert [asked_at + timedelta(seconds=90)] == [job.created_at for job in platform.jobs()]

    asyncio.run(scene())


def test_two_submits_that_wait_for_a_job_get_the_same(clock):
    """Of two requests that reach the server before there is a job, one job comes."""

    async def scene():
        platform, connection = platform_with(clock, Quirks(job_appears_after=timedelta(seconds=20)))
        first = await started(platform.submit(connection.connection_id, "sync"))
        second = await started(platform.submit(connection.connection_id, "sync"))
        clock.advance(timedelta(seconds=20))
        return [(await first).job_id, (await second).job_id]

    assert [1, 1] == asyncio.run(scene())


def platform_with(clock, quirks):
    platform = Platform(engine=ScriptedEngine(), clock=clock, quirks=quirks)
    connection = ServerConnection()
    platform.put_connection(connection)
    return platform, connection


async def started(work):
    """A task that has run up to its first wait."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task
