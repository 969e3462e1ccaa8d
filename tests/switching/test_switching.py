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


@pytest.mark.parametrize("kind", ["deferred", "fired"])
def test_a_task_that_ours_has_deferred_fails_under_the_official_provider(switched_back, kind):
    """As the docs say, with what they say."""
    run = getattr(switched_back, kind)
    assert {"sync": "failed"} == run.states()
    print(run.log()[-3000:])  # noqa: T201


def test_the_official_provider_works_again(drained):
    """With the DAGs as they are."""
    assert {"sync": "success"} == drained.states()
    assert (1, 0) == (drained.submissions(), drained.cancels())
