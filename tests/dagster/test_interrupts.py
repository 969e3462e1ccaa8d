"""An interruption cancels where nothing could go on with the sync, and where Dagster ends the run."""

import os
import signal
import time
from threading import Thread

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from airbyte_sync_dagster import airbyte_assets
from airbyte_sync_local import job_scripts, statuses


@pytest.fixture
def interrupted(airbyte, add, resource):
    """Materialize in this process, interrupt it while the sync runs, and return the status of the job."""

    def run(instance, number=signal.SIGINT, before=lambda: None):
        assets = airbyte_assets("shop", {add(job_scripts.never_ends()): ["users"]})

        def interrupt():
            while [statuses.RUNNING] != [job.status for job in airbyte.jobs]:
                time.sleep(0.05)
            before()
            os.kill(os.getpid(), number)

        thread = Thread(target=interrupt)
        thread.start()
        with pytest.raises((KeyboardInterrupt, DagsterExecutionInterruptedError)):
            dg.materialize([assets], resources={"airbyte": resource}, instance=instance)
        thread.join()
        [job] = airbyte.jobs
        return job.status

    return run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_the_instance_ends_with_the_process(interrupted, number):
    """Ctrl-C in a script cancels the sync: there is nothing that a re-execution could find."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert statuses.CANCELLED == interrupted(instance, number)


def test_where_dagster_says_nothing(interrupted, instance):
    """A restart or an eviction leaves the sync to the re-execution."""
    assert statuses.RUNNING == interrupted(instance)


def test_where_dagster_ends_the_run(interrupted, instance):
    """As a person or a time limit wants it."""

    def terminate():
        [run] = instance.get_runs(limit=1)
        instance.report_run_canceling(run)

    assert statuses.CANCELLED == interrupted(instance, before=terminate)
