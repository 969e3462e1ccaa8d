"""An old row that still says running while a newer job of the connection has ended."""

from datetime import timedelta

import pytest

from airbyte_sync_airflow.exceptions import AirbyteSyncTimedOut
from airbyte_sync_local import Change, Fault, job_scripts

SAYS_RUNNING = {"status": "running"}
HOUR = timedelta(hours=1)


@pytest.fixture
def stuck(airbyte):
    """Let a job's row say that it runs, whatever became of it."""

    def say(job_id):
        row = Change(set=SAYS_RUNNING, of=str(job_id))
        job = Change(set=SAYS_RUNNING)
        airbyte.inject(Fault(on="GET /jobs", do="alter", change=row, times=None))
        airbyte.inject(
            Fault(on="GET /jobs/{jobId}", do="alter", change=job, about=str(job_id), times=None)
        )

    return say


@pytest.mark.parametrize("on_conflict", ["queue", "attach", "skip", "fail"])
def test_a_task_takes_no_notice_of_it(
    operator, start_job, airbyte, context, stuck, clock, log, on_conflict
):
    """Neither queued behind nor followed, and nothing is told of it."""
    for _ in range(2):
        start_job(job_scripts.succeeds())
        clock.advance(HOUR)
    stuck(1)
    airbyte.inject(Fault(on="POST /jobs", do="drop"))  # the list is asked what came of it
    task = operator(on_conflict=on_conflict)
    assert 3 == task.execute(context)
    assert "job 1" not in str(log)


def test_a_task_that_follows_it_says_so_once(
    operator, start_job, airbyte, connection, context, stuck, clock, log, cancellations
):
    """Its timeout ends it, and nothing is cancelled."""
    airbyte.add_connection(connection, job_scripts=[job_scripts.succeeds()])
    stuck(1)
    clock.at(
        clock.now() + HOUR,
        lambda: start_job(job_scripts.succeeds()),
    )
    task = operator(timeout=6 * 3600, wait_seconds=60)
    with pytest.raises(AirbyteSyncTimedOut, match="it is a leftover"):
        task.execute(context)
    [line] = [line for line in log.lines if "leftover" in line and "is still reported" in line]
    assert (
        "Airbyte job 1 is still reported as running, but the newer job 2 of the connection has ended "
        "(succeeded). Airbyte runs one job of a connection at a time, so job 1 is a leftover that "
        "nothing works on any more"
    ) == line
    assert [] == cancellations()
