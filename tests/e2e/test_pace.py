"""What is derived from how fast a machine is. Needs no Airflow."""

from dataclasses import replace

import pytest
from pace import LEAST_AT_ONCE, LEAST_PATIENCE, MOST_PATIENCE, Machine, Pace

QUIET = Machine(cores=2, process_seconds=2.5, cpu_seconds=2.4)
BUSY = replace(QUIET, process_seconds=6.0)
FASTEST = Machine(cores=64, process_seconds=0.5, cpu_seconds=0.5)
SLOWEST = Machine(cores=1, process_seconds=60.0, cpu_seconds=5.0)


def test_a_quiet_machine_is_given_the_times_that_suit_it():
    """Those with which the scenes take a few minutes on two cores."""
    assert (30, 40) == (QUIET.triggerer_threshold, QUIET.task_threshold)
    assert {"SCENES_HURRY": 13, "SCENES_EXECUTION_TIMEOUT": 48} == {
        name: QUIET.for_dags[name] for name in ("SCENES_HURRY", "SCENES_EXECUTION_TIMEOUT")
    }


def test_contention_is_how_many_times_longer_than_alone_a_process_takes():
    """A process that works 2.4 s and takes 6 shares its core with more than one other."""
    assert 2.5 == BUSY.contention


def test_a_worker_may_take_as_long_for_a_look_at_its_task_as_a_process_takes_to_start():
    """Airflow 2 ends a task whose worker takes longer."""
    assert (3, 6) == (QUIET.worker_heartbeat, BUSY.worker_heartbeat)
    assert BUSY.worker_heartbeat < BUSY.kill_seconds


@pytest.mark.parametrize("derived", ["triggerer_threshold", "task_threshold", "execution_timeout"])
def test_a_machine_that_is_slower_is_given_as_much_more_time(derived):
    """With two busy processes on two cores, everything that Airflow must not miss comes later."""
    slower = BUSY.process_seconds - QUIET.process_seconds
    assert getattr(BUSY, derived) >= getattr(QUIET, derived) + 6 * slower


def test_no_time_is_shorter_than_airflow_needs_on_any_machine():
    """A heartbeat is sent every 2 to 5 s, however fast the machine is."""
    assert (30, 40, 13) == (FASTEST.triggerer_threshold, FASTEST.task_threshold, FASTEST.hurry)


def test_a_machine_that_hangs_ends_a_run_all_the_same():
    """No threshold grows beyond a few minutes."""
    assert SLOWEST.task_threshold <= 150


def test_airflow_is_given_what_is_derived():
    """The thresholds and intervals of both releases, in whole seconds."""
    derived = {
        *(BUSY.triggerer_threshold, BUSY.task_threshold, BUSY.worker_heartbeat),
        *(BUSY.parsing_interval, BUSY.detection_interval),
    }
    assert derived == set(BUSY.settings.values())
    assert all(isinstance(seconds, int) for seconds in BUSY.settings.values())


def test_fewer_scenes_play_at_once_where_a_task_takes_longer_to_start():
    """What starts together has begun before Airflow takes any of it for dead."""
    quick, slow = (Pace(machine=QUIET, first_act_seconds=seconds) for seconds in (10.0, 40.0))
    assert quick.at_once > slow.at_once >= LEAST_AT_ONCE
    for pace in (quick, slow):
        assert pace.at_once * pace.start_seconds <= QUIET.cores * QUIET.task_threshold


def test_sqlite_bears_six_writers():
    """With more, it answers that the database is locked."""
    assert 6 == Pace(machine=FASTEST, first_act_seconds=1.0, is_on_sqlite=True).at_once


def test_patience_is_bounded_on_every_machine():
    """A scene that is red on the fastest has waited long enough, and the slowest run ends."""
    fastest = Pace(machine=FASTEST, first_act_seconds=1.0)
    slowest = Pace(machine=SLOWEST, first_act_seconds=300.0)
    assert LEAST_PATIENCE == fastest.patience
    assert MOST_PATIENCE == slowest.patience


def test_patience_outlasts_what_airflow_needs_to_notice_a_lost_worker():
    """Twice the threshold, and the starts before and after."""
    for machine in (QUIET, BUSY):
        pace = Pace(machine=machine, first_act_seconds=2 * machine.process_seconds)
        assert pace.patience > 2 * machine.task_threshold


def test_a_crowd_is_a_hundred_where_that_is_quick_and_sixty_where_it_is_not():
    """What is proven is the same; the smaller crowd is still more than one thread can ask for at once."""
    assert (100, 60) == (FASTEST.crowd, SLOWEST.crowd)


def test_a_screen_tells_what_was_measured_and_derived():
    """Whoever reads that a scene was late sees whether it was the machine."""
    text = str(Pace(machine=BUSY, first_act_seconds=14.0))
    assert "2 cores" in text
    assert "2.5 times what it takes alone" in text
    assert "14.0 s to the first act" in text
