"""What programs read: one document, or a line for each event."""

from datetime import timedelta

from airbyte_sync_local import job_scripts
from tests.cli.command import QUICKLY

FAILS = job_scripts.fails("The password is wrong", lasts=timedelta(0))


def test_one_document(cli, add):
    """And nothing else on standard output."""
    connection_id = add("Orders")
    done = cli("run", *QUICKLY, "--json", "Orders")
    (sync,) = done.json.pop("syncs")
    assert {"outcome": "succeeded", "exit_code": 0} == {
        key: value for key, value in done.json.items() if key != "syncs"
    }
    job = sync.pop("job")
    assert {
        "target": "Orders",
        "connection_id": connection_id,
        "connection_name": "Orders",
        "outcome": "succeeded",
        "exit_code": 0,
        "origin": "started",
        "error": None,
        "streams": None,
        "attempts": [],
    } == {key: value for key, value in sync.items() if key != "url"}
    assert (1, "succeeded", 7, 70) == (job["job_id"], job["status"], job["rows"], job["bytes"])
    assert sync["url"].endswith("jobId=1&openLogs=true")


def test_a_bad_end_in_a_document(cli, add):
    """What went wrong, whether another try may help, and Airbyte's own reason."""
    add("Orders", FAILS)
    add("Prices")
    done = cli("run", *QUICKLY, "--json", "Orders", "Prices", "Nothing")
    assert (6, "failed") == (done.code, done.json["outcome"])
    failed, succeeded, refused = done.json["syncs"]
    assert ("failed", 6) == (failed["outcome"], failed["exit_code"])
    assert ("SyncFailed", "The password is wrong") == (
        failed["error"]["type"],
        failed["error"]["reason"]["message"],
    )
    assert "failed" == failed["job"]["status"]
    assert "succeeded" == succeeded["outcome"]
    assert ("refused", None) == (refused["outcome"], refused["job"])


def test_a_stream_of_events(cli, add):
    """Each when it happens, in words too; the last one has the whole document."""
    add("Orders")
    events = cli("run", *QUICKLY, "--json-events", "Orders").events
    assert ["job_obtained", "job_ended", "sync_ended", "finished"] == [
        each["event"] for each in events if each["event"] != "status_changed"
    ]
    assert "Started Airbyte sync job 1" in events[0]["text"]
    assert "started" == events[0]["origin"]
    assert all(each["target"] == "Orders" for each in events[:-1])
    assert all(each["at"].endswith("+00:00") for each in events)
    document = cli("run", *QUICKLY, "--json", "Orders").json
    assert document.keys() <= events[-1].keys()


def test_an_error_that_ends_the_command(cli, environment):
    """It is a document, too, and a text for people on standard error."""
    environment.setenv("AIRBYTE_SYNC_TIMEOUT", "soon")
    done = cli("run", "--json", "Orders")
    assert {"outcome": "bad usage", "exit_code": 2} == {
        key: value for key, value in done.json.items() if key != "error"
    }
    assert "InvalidInput" == done.json["error"]["type"]
    assert "AIRBYTE_SYNC_TIMEOUT" in done.err
