"""What jobs, connections and instants look like as JSON."""

from datetime import datetime, timedelta, timezone

import pytest

from airbyte_sync_local import JobScript, Quirks, ServerConnection, Step
from airbyte_sync_local.api import representations

INSTANT = datetime(2026, 8, 21, 10, 15, 7, 999_999, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        (INSTANT, "2026-08-21T10:15:07Z"),
        (INSTANT.replace(second=0), "2026-08-21T10:15Z"),
        (INSTANT.astimezone(timezone(timedelta(hours=2))), "2026-08-21T10:15:07Z"),
    ],
)
def test_timestamps_are_java_s(instant, written):
    """Instants are UTC without fractions, and the seconds are dropped when they are zero."""
    assert written == representations.timestamp(instant)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "PT0S"),
        (5, "PT5S"),
        (60, "PT1M"),
        (969, "PT16M9S"),
        (3600, "PT1H"),
        (3605, "PT1H5S"),
        (49 * 3600 + 182, "PT49H3M2S"),
    ],
)
def test_durations_are_java_s(seconds, written):
    """Durations know no days, and name no unit that is zero."""
    assert written == representations.iso_duration(timedelta(seconds=seconds))


def test_a_pending_job_tells_little(api, connection):
    """A job that has just been created has neither duration, end nor statistics in a POST."""
    body = api.submit(connection).json()
    expected = {
        "jobId": 1,
        "status": "pending",
        "jobType": "sync",
        "startTime": "2026-08-21T10:15Z",
        "connectionId": connection.connection_id,
    }
    assert expected == body


def test_a_running_job_tells_its_statistics(api, connection):
    """GET always tells rows and bytes, 0 if none; a job that has not ended has no lastUpdatedAt."""
    api.submit(connection)
    api.wait(1)
    body = api.get("/jobs/1").json()
    assert (0, 0, "PT1S") == (body["rowsSynced"], body["bytesSynced"], body["duration"])
    assert "lastUpdatedAt" not in body


def test_a_finished_job_tells_when(api, connection):
    """A job that has ended tells when, and what it moved."""
    api.submit(connection)
    api.wait(100)
    body = api.get("/jobs/1").json()
    expected = ("succeeded", "2026-08-21T10:15:02Z", "PT2S", 1000, 65536)
    keys = ("status", "lastUpdatedAt", "duration", "rowsSynced", "bytesSynced")
    assert expected == tuple(body[key] for key in keys)


def test_the_duration_is_frozen_between_changes_of_status(api, connection):
    """The duration of a running job is not its age: it moves when the status does."""
    api.airbyte.add_connection(
        connection, job_scripts=[JobScript(steps=(_running(at=3), _running(at=9)))]
    )
    api.submit(connection)
    api.wait(3)
    at_first = api.get("/jobs/1").json()["duration"]
    api.wait(1000)
    assert ("PT3S", "PT3S") == (at_first, api.get("/jobs/1").json()["duration"])


def test_progress_is_seen_while_the_status_stays(api, connection):
    """Rows that are committed on the way are told before the job ends."""
    api.airbyte.add_connection(
        connection,
        job_scripts=[JobScript(steps=(_running(at=1), _running(at=5, rows=10, bytes=99)))],
    )
    api.submit(connection)
    api.wait(5)
    body = api.get("/jobs/1").json()
    assert (10, 99) == (body["rowsSynced"], body["bytesSynced"])


def test_a_list_may_lack_statistics(serve):
    """Servers that do not hydrate statistics leave them out of lists, but not out of GET."""
    api = serve(quirks=Quirks(list_has_stats=False))
    api.submit(api.airbyte.add_connection())
    assert "rowsSynced" not in api.get("/jobs").json()["data"][0]
    assert "rowsSynced" in api.get("/jobs/1").json()


def test_a_connection_has_every_required_field(api):
    """A connection tells all that the OpenAPI file requires, and leaves out what has no value."""
    row = api.airbyte.add_connection(ServerConnection(name="Orders", streams=("users",)))
    body = api.get(f"/connections/{row.connection_id}").json()
    expected = {
        "connectionId": row.connection_id,
        "name": "Orders",
        "sourceId": row.source_id,
        "destinationId": row.destination_id,
        "workspaceId": row.workspace_id,
        "status": "active",
        "schedule": {"scheduleType": "manual"},
        "nonBreakingSchemaUpdatesBehavior": "ignore",
        "namespaceDefinition": "destination",
        "prefix": "",
        "configurations": {"streams": [{"name": "users", "syncMode": "full_refresh_overwrite"}]},
        "createdAt": 1767225600,
        "tags": [],
    }
    assert expected == body


def test_a_schedule_is_told(api):
    """A connection with a schedule says when it runs."""
    row = api.airbyte.add_connection(ServerConnection(cron_expression="0 0 6 * * ? UTC"))
    body = api.get(f"/connections/{row.connection_id}").json()
    assert {"scheduleType": "cron", "cronExpression": "0 0 6 * * ? UTC"} == body["schedule"]


def _running(*, at, **numbers):
    return Step(status="running", at=timedelta(seconds=at), **numbers)
