"""A server in virtual time, and a client that knows nothing but HTTP."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
import requests

from airbyte_sync_local import LocalAirbyte, ManualClock


class Api:
    """Talks to a server as a careless script would: no codec, no retries, no policy."""

    def __init__(self, airbyte, session, clock):
        self.airbyte = airbyte
        self.clock = clock
        self._session = session

    def call(self, method, path, *, timeout=5, **options):
        url = path if path.startswith("http") else self.airbyte.api_url + path
        return self._session.request(method, url, timeout=timeout, **options)

    def get(self, path, **params):
        return self.call("GET", path, params=params)

    def submit(self, connection, job_type="sync", **options):
        connection_id = getattr(connection, "connection_id", connection)
        body = {"connectionId": connection_id, "jobType": job_type}
        return self.call("POST", "/jobs", json=body, **options)

    def cancel(self, job_id):
        return self.call("DELETE", f"/jobs/{job_id}")

    def status(self, job_id):
        return self.get(f"/jobs/{job_id}").json()["status"]

    def list_ids(self, **params):
        return [job["jobId"] for job in self.get("/jobs", **params).json()["data"]]

    def wait(self, seconds):
        self.clock.advance(timedelta(seconds=seconds))

    def statuses(self, job_id, *, seconds):
        """The statuses that a client sees that polls once a second."""
        seen = [self.status(job_id)]
        for _ in range(seconds):
            self.wait(1)
            status = self.status(job_id)
            if status != seen[-1]:
                seen.append(status)
        return seen


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def serve(clock):
    with ExitStack() as stack:

        def start(**options):
            airbyte = stack.enter_context(LocalAirbyte(clock=clock, **options))
            return Api(airbyte, stack.enter_context(requests.Session()), clock)

        yield start


@pytest.fixture
def api(serve):
    return serve()


@pytest.fixture
def connection(api):
    return api.airbyte.add_connection()
