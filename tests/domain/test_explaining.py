"""Why a job failed: best effort, and never more than that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airbyte_sync import FailureReason, ServerTrouble, SyncFailed, SyncPolicy, sync
from airbyte_sync_testkit.memory import CallFault

POLICY = SyncPolicy()
REASON = FailureReason(message="The password is wrong", origin="source", kind="config_error")


@pytest.fixture
def failing(world):
    world.life((0, "running"), (10, "failed"))
    return world


def failure(world, policy=POLICY):
    with pytest.raises(SyncFailed) as caught:
        world.run(sync(world.request, policy))
    return caught.value


def test_the_reason_is_in_the_text(failing):
    """A person reads in the task's log what Airbyte knows."""
    failing.airbyte.reasons[1] = REASON
    error = failure(failing)
    assert "failed: The password is wrong (source, config_error)." in str(error)
    assert error.reason is REASON


def test_without_a_reason_the_text_says_where_to_look(failing):
    """No source tells: the job's page in Airbyte does."""
    error = failure(failing)
    assert "Open the job in Airbyte" in str(error)
    assert error.reason is None


def test_trouble_with_the_reason_does_not_change_the_outcome(failing):
    """The other API is switched off or slow: the job has failed all the same."""
    failing.airbyte.fail("explain_failure", CallFault(error=ServerTrouble("no", status=503)))
    assert 1 == failure(failing).job.job_id


def test_it_can_be_switched_off(failing):
    """Some servers log each such question."""
    failure(failing, replace(POLICY, explain=False))
    assert 0 == failing.airbyte.count("explain_failure")


def test_a_success_is_not_explained(world):
    """Only failures are."""
    world.run(sync(world.request, POLICY))
    assert 0 == world.airbyte.count("explain_failure")
