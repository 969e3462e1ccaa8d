"""What a flow run keeps: where Prefect's API fails, the error says so, and nothing is started."""

from types import SimpleNamespace
from uuid import uuid4

import pytest
from httpx import ConnectError, HTTPStatusError, Request, Response

from airbyte_sync_prefect.flow_run import FlowRunStore
from airbyte_sync_runner import StoreFailed


class AwayClient:
    """A client of Prefect whose server has the key, and then is gone."""

    def create_flow_run_input(self, *_):
        request = Request("POST", "http://prefect")
        raise HTTPStatusError("taken", request=request, response=Response(409, request=request))

    def read_flow_run_input(self, *_):
        raise ConnectError("no route to host")


def test_a_claim_that_cannot_be_read_is_a_failure_of_the_store():
    """Nothing is known of the request, so that no sync may be started for it."""
    store = FlowRunStore(AwayClient(), SimpleNamespace(id=uuid4(), run_count=2), uuid4())
    with (
        pytest.raises(StoreFailed, match=r"could not tell whose request this is: no route to host"),
        store.open("key"),
    ):
        pass
