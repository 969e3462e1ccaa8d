"""What happens becomes lines of Python's logging."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from airbyte_sync import InvalidInput, SyncRequest
from airbyte_sync_local import JobScript
from airbyte_sync_runner import LogEvents, run_many, run_sync
from airbyte_sync_testkit import AsyncInMemoryAirbyte, AsyncVirtualClock, run_virtually


def test_a_sync_is_told_in_lines(airbyte, clock, request_, caplog):
    """The words are those of the Airflow log; quiet polls are summed up once a minute."""
    airbyte.job_scripts.append(JobScript.of((0, "pending"), (2, "running"), (150, "succeeded")))
    with caplog.at_level("INFO", logger="nightly"):
        run_sync(airbyte, request_, on_event=LogEvents(logging.getLogger("nightly")), clock=clock)
    assert {("nightly", logging.INFO)} == {(each.name, each.levelno) for each in caplog.records}
    lines = [each.getMessage() for each in caplog.records]
    assert lines[0].startswith(f"Started Airbyte sync job 1 of connection {request_.connection_id}")
    assert "Airbyte job 1: pending -> running" in lines
    assert 2 == lines.count("Airbyte job 1 is still running")
    assert lines[-1].startswith("Airbyte job 1 ended: succeeded")


def test_many_syncs_share_one(airbyte, clock, caplog):
    """It is told the request, too; the default logger is the one of this project."""
    requests = [
        SyncRequest(connection_id=airbyte.add_connection(f"connection-{place}").connection_id)
        for place in range(3)
    ]

    async def main():
        gateway = AsyncInMemoryAirbyte(airbyte)
        await run_many(gateway, requests, on_event=LogEvents(), clock=AsyncVirtualClock(clock))

    with caplog.at_level("INFO", logger="airbyte_sync"):
        run_virtually(main(), clock)
    for job_id in (1, 2, 3):
        assert f"Airbyte job {job_id} ended: succeeded" in caplog.text


def test_what_goes_wrong_is_a_warning(airbyte, clock, request_, caplog):
    """A cancellation, too."""
    airbyte.job_scripts.append(JobScript.of((0, "running")))
    with caplog.at_level("INFO"), pytest.raises(Exception, match="did not end"):
        run_sync(airbyte, request_, on_event=LogEvents(), clock=clock)
    [cancelling] = [each for each in caplog.records if "Cancelling" in each.getMessage()]
    assert logging.WARNING == cancelling.levelno


def test_a_name_is_no_logger():
    """The usual mistake is answered with what to write."""
    with pytest.raises(InvalidInput, match=r'as in logging\.getLogger\("syncs"\)'):
        LogEvents("airbyte")


def test_a_logger_adapter_will_do(caplog, airbyte, clock, request_):
    """As libraries wrap loggers to add fields of their own."""
    adapter = logging.LoggerAdapter(logging.getLogger("nightly"), {"tenant": "shop"})
    with caplog.at_level("INFO"):
        run_sync(airbyte, request_, on_event=LogEvents(adapter, every=timedelta(0)), clock=clock)
    assert {"shop"} == {each.tenant for each in caplog.records}
