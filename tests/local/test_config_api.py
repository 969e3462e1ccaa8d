"""The Config API tells what the public API does not: attempts, and why they failed."""

import pytest

from airbyte_sync_local import Caller, Quirks, RequireBearerToken, ServerConnection, job_scripts


def info(api, job_id):
    url = f"{api.airbyte.base_url}/api/v1/jobs/get_without_logs"
    return api.call("POST", url, json={"id": job_id})


def finish(api, script):
    api.submit(api.airbyte.add_connection(job_scripts=[script]))
    api.wait(100)
    return [entry["attempt"] for entry in info(api, 1).json()["attempts"]]


def test_a_failed_attempt_tells_why(api):
    """The text for people, the kind and the origin of a failure are told."""
    (attempt,) = finish(api, job_scripts.fails("The password is wrong"))
    (failure,) = attempt["failureSummary"]["failures"]
    expected = {
        "failureOrigin": "source",
        "failureType": "config_error",
        "externalMessage": "The password is wrong",
        "timestamp": 1787307302000,
    }
    assert ("failed", expected) == (attempt["status"], failure)


def test_attempts_are_counted_from_zero(api):
    """A job that was retried has an attempt for each try, and the last one succeeded."""
    attempts = finish(api, job_scripts.retries_then_succeeds(attempts=3))
    assert [(0, "failed"), (1, "failed"), (2, "succeeded")] == [
        (attempt["id"], attempt["status"]) for attempt in attempts
    ]


def test_a_cancelled_attempt_says_so(api):
    """The attempt that a cancel cut short has failed, by the will of a person."""
    api.submit(api.airbyte.add_connection())
    api.wait(1)
    api.cancel(1)
    (entry,) = info(api, 1).json()["attempts"]
    (failure,) = entry["attempt"]["failureSummary"]["failures"]
    assert "manual_cancellation" == failure["failureType"]


def test_a_job_that_has_not_begun_has_no_attempts(api):
    """A pending job has none."""
    api.submit(api.airbyte.add_connection())
    body = info(api, 1).json()
    assert ("pending", []) == (body["job"]["status"], body["attempts"])


def test_this_api_knows_404(api, serve):
    """An unknown job is 404 here, and hidden from members as everywhere."""
    member = serve(quirks=Quirks(caller=Caller.MEMBER))
    assert (404, 403) == (info(api, 9).status_code, info(member, 9).status_code)


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"id": null}', b"[]"])
def test_a_body_that_cannot_be_read_is_refused(api, body):
    """The job's id must be in the body."""
    url = f"{api.airbyte.base_url}/api/v1/jobs/get_without_logs"
    assert 422 == api.call("POST", url, data=body).status_code


# --- what other clients need ---


def ask(api, path, **body):
    return api.call("POST", f"{api.airbyte.base_url}/api/v1/{path}", json=body)


def test_it_is_healthy_without_credentials(serve):
    """The health check needs none, and a slash behind a path changes nothing, as in Airbyte."""
    api = serve(auth=RequireBearerToken(token="x"))
    for path in ("health", "health/"):
        assert {"available": True} == api.get(f"{api.airbyte.base_url}/api/v1/{path}").json()
    assert 401 == ask(api, "connections/get", connectionId="c").status_code


def test_a_connection_has_the_catalog_of_its_streams(api):
    """Each stream has a descriptor and how it is synced; the schedule is told in its own shape."""
    row = api.airbyte.add_connection(
        ServerConnection(
            streams=("users",),
            stream_namespace="public",
            namespace_definition="custom_format",
            namespace_format="lake",
            cron_expression="0 0 6 * * ? UTC",
        )
    )
    body = ask(api, "connections/get", connectionId=row.connection_id).json()
    (entry,) = body["syncCatalog"]["streams"]
    assert ("users", "public", True) == (
        entry["stream"]["name"],
        entry["stream"]["namespace"],
        entry["config"]["selected"],
    )
    assert ("customformat", "lake") == (body["namespaceDefinition"], body["namespaceFormat"])
    cron = {"cronExpression": "0 0 6 * * ?", "cronTimeZone": "UTC"}
    assert ("cron", {"cron": cron}) == (body["scheduleType"], body["scheduleData"])


def test_a_sync_is_started_once(api):
    """It answers the job with its attempts, and a conflict in the shape of this API."""
    row = api.airbyte.add_connection(job_scripts=[job_scripts.never_ends()])
    body = ask(api, "connections/sync", connectionId=row.connection_id).json()
    assert (1, "pending", []) == (body["job"]["id"], body["job"]["status"], body["attempts"])
    api.wait(1)
    refused = ask(api, "connections/sync/", connectionId=row.connection_id)
    assert 409 == refused.status_code
    assert f"A sync is already running for: {row.connection_id}" == refused.json()["message"]
    assert {"exceptionClassName", "errorId"} <= set(refused.json())


@pytest.mark.parametrize("path", ["connections/get", "connections/sync", "state/get"])
def test_an_unknown_connection_is_404(api, serve, path):
    """It is hidden from members, and an id that is no text is refused."""
    member = serve(quirks=Quirks(caller=Caller.MEMBER))
    unknown = {"connectionId": "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"}
    assert (404, 403) == (
        ask(api, path, **unknown).status_code,
        ask(member, path, **unknown).status_code,
    )
    assert 422 == ask(api, path, connectionId=7).status_code


def test_attempts_have_logs_and_streams(api):
    """With logs the reason is among them; each stream has its part of what was moved."""
    row = ServerConnection(streams=("users", "orders"), stream_namespace="public")
    connection = api.airbyte.add_connection(
        row, job_scripts=[job_scripts.retries_then_succeeds(rows=11)]
    )
    api.submit(connection)
    api.wait(100)
    first, last = ask(api, "jobs/get", id=1).json()["attempts"]
    assert ("formatted", True) == (
        first["logType"],
        "did not answer in time" in "\n".join(first["logs"]["logLines"]),
    )
    parts = [
        (stream["streamName"], stream["streamNamespace"], stream["stats"]["recordsCommitted"])
        for stream in last["attempt"]["streamStats"]
    ]
    assert [("users", "public", 6), ("orders", "public", 5)] == parts
    assert "logs" not in info(api, 1).json()["attempts"][0]


def test_a_job_tells_what_it_committed_by_stream(api):
    """Over all its attempts; as on a real server, not where logs are asked for, nor before an attempt."""
    row = ServerConnection(streams=("users", "orders"))
    connection = api.airbyte.add_connection(
        row, job_scripts=[job_scripts.retries_then_succeeds(rows=11)]
    )
    api.submit(connection)
    assert "streamAggregatedStats" not in info(api, 1).json()["job"]
    api.wait(100)
    told = info(api, 1).json()["job"]
    assert 11 == told["aggregatedStats"]["recordsCommitted"]
    assert [("users", 6), ("orders", 5)] == [
        (stream["streamName"], stream["recordsCommitted"])
        for stream in told["streamAggregatedStats"]
    ]
    assert "streamAggregatedStats" not in ask(api, "jobs/get", id=1).json()["job"]


def test_a_state_is_told_by_stream(api):
    """A connection without one says so."""
    bare = api.airbyte.add_connection()
    row = api.airbyte.add_connection(ServerConnection(state={"users": {"cursor": 7}}))
    assert "not_set" == ask(api, "state/get", connectionId=bare.connection_id).json()["stateType"]
    body = ask(api, "state/get", connectionId=row.connection_id).json()
    expected = [{"streamDescriptor": {"name": "users"}, "streamState": {"cursor": 7}}]
    assert ("stream", expected) == (body["stateType"], body["streamState"])
