"""A live switch from the official provider to ours, and back."""

import pytest

KINDS = ("deferred", "sensor", "fired", "running")


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_of_the_official_provider_ends_well_under_ours(switched, kind):
    """It follows the sync that it has, to its end."""
    run = getattr(switched, kind)
    assert {"success"} == set(run.states().values())
    assert (1, 0) == (run.submissions(), run.cancels())
    assert "succeeded" == run.job.status


@pytest.mark.parametrize("kind", KINDS)
def test_no_sync_of_ours_is_cancelled_by_going_back(switched_back, kind):
    """Nor started again: what the docs say of a task that was deferred all the same."""
    run = getattr(switched_back, kind)
    assert (1, 0) == (run.submissions(), run.cancels())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("deferred", "TaskDeferralError: Trigger failure"),
        ("fired", "execute_complete() got an unexpected keyword argument 'job_id'"),
    ],
)
def test_a_task_that_ours_has_deferred_fails_under_the_official_provider(switched_back, kind, text):
    """With what the docs say."""
    run = getattr(switched_back, kind)
    assert {"sync": "failed"} == run.states()
    assert text in run.log()


def test_the_official_provider_works_again(drained):
    """With the DAGs as they are."""
    assert {"sync": "success"} == drained.states()
    assert (1, 0) == (drained.submissions(), drained.cancels())


def test_a_worker_of_ours_ends_with_what_it_has_loaded(drained, switched_back):
    """It follows its sync to the end."""
    run = switched_back.running
    assert {"sync": "success"} == run.states()
    assert (1, 0) == (run.submissions(), run.cancels())
