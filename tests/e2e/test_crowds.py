"""What is true of one deferred task is true of a hundred at once."""

from collections import Counter

import crowds
import pytest


@pytest.mark.parametrize("step", ["dozen_is_cleared_on_a_fresh_triggerer", "crowd_is_cleared"])
def test_deferred_tasks_that_are_cleared_at_once_go_on_with_their_syncs(crowded, step):
    """No DELETE, and one POST each: a look-up that takes long is no kill."""
    cleared = crowded[step].get()
    assert Counter() == cleared.cancels
    assert {} == cleared.submitted_more_than_once


def test_a_triggerer_lives_whatever_one_of_its_triggers_is_answered(crowded):
    """The same process runs before and after, whichever kind of odd answer it was."""
    heard = crowded["crowd_hears_odd_answers"].get()
    before, after = heard.triggerers
    assert [] == heard.dead
    assert before == after


def test_the_other_tasks_end_well_whatever_one_of_them_is_answered(crowded):
    """And so does that one, as soon as it hears something sane. None is cancelled."""
    heard = crowded["crowd_hears_odd_answers"].get()
    assert heard.expected == heard.finished
    assert Counter() == heard.cancels


@pytest.mark.parametrize("kind", [*crowds.ODD_ROWS, *crowds.ODD_ANSWERS])
def test_each_kind_of_odd_answer_was_given(crowded, kind):
    """Otherwise the tests above would prove nothing."""
    assert crowded["crowd_hears_odd_answers"].get().struck[kind] > 0


def test_deferred_tasks_that_are_killed_at_once_cancel_their_syncs_once_each(crowded):
    """None is forgotten among so many."""
    killed = crowded["crowd_is_killed"].get()
    assert killed.expected == killed.cancels
    assert {"cancelled": len(killed.expected)} == killed.statuses
