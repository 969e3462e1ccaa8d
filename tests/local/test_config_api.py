"""The Config API tells what the public API does not: attempts, and why they failed."""

import pytest

from airbyte_sync_local import Caller, Quirks, lives


def info(api, job_id):
    url = f"{api.airbyte.base_url}/api/v1/jobs/get_without_logs"
    return api.call("POST", url, json={"id": job_id})


def finish(api, life):
    api.submit(api.airbyte.add_connection(lives=[life]))
    api.wait(100)
    return [entry["attempt"] for entry in info(api, 1).json()["attempts"]]


def test_a_failed_attempt_tells_why(api):
    """The text for people, the kind and the origin of a failure are told."""
    (attempt,) = finish(api, lives.fails("The password is wrong"))
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
    attempts = finish(api, lives.retries_then_succeeds(attempts=3))
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
