"""How fast this machine is, and what follows from it: patience, Airflow's health thresholds, deadlines.

Airflow's thresholds are given to it when it starts, and how long a task takes is known only when it runs.
So there are two measures. :class:`Machine` is measured with processes that import Airflow and nothing else.
:class:`Stacked` adds what the first task took on the Airflow that was just started. What follows from them
is computed by pure functions, in seconds.
"""

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from math import ceil

LEAST_AT_ONCE, MOST_AT_ONCE = 4, 16
MOST_AT_ONCE_ON_SQLITE = 6
"""More scenes than that, and Airflow answers that its database is locked."""
LEAST_PATIENCE, MOST_PATIENCE = 120, 900
LEAST_CROWD, MOST_CROWD = 60, 100
QUICKEST, SLOWEST = 2.5, 15.0
"""Seconds for a process: times are derived from what lies between, so that a run comes to an end."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """
    What was measured before Airflow starts.

    A quiet machine needs 2 to 3 s for a process that imports Airflow. Everything that Airflow must
    not miss grows with that, because what delays it are such imports, on cores that are shared.
    """

    cores: int
    process_seconds: float
    """From the start to the end of a process that imports Airflow, with one on each core for each Airflow."""
    cpu_seconds: float
    """What such a process has worked."""

    @property
    def contention(self):
        """How many times longer than alone a process takes."""
        return self.process_seconds / self.cpu_seconds

    @property
    def triggerer_threshold(self):
        """
        After which silence of a triggerer another one takes its triggers over.

        The first question to Airflow's API out of a triggerer costs its main process 14 s, in which no
        heartbeat is sent, where a process takes 2.5 s.
        """
        return self._processes(6, more=15)

    @property
    def task_threshold(self):
        """After which silence of a worker, or of a scheduler, Airflow takes it for dead."""
        return self._processes(8, more=20)

    @property
    def hurry(self):
        """The ``timeout`` of a task that is too short for its sync."""
        return self._processes(3, more=5)

    @property
    def execution_timeout(self):
        """
        Airflow's own deadline for such a task, which counts from the start of its process.

        A tenth of it is what our trigger leaves Airflow 2 for the start of the process that resumes the task.
        """
        return self._processes(15, more=10)

    @property
    def dagrun_timeout(self):
        """A deadline for the run of a task whose trigger must have begun before."""
        return self._processes(10, more=10)

    @property
    def lasts(self):
        """
        How long a sync lasts that ends by itself.

        Airflow 3 takes a task for killed when its deferral is over before the scheduler saw that it began.
        """
        return self._processes(3, more=5)

    @property
    def kill_seconds(self):
        """Within which the cancellation of a task that was killed is sent."""
        return self._processes(4, more=5)

    @property
    def alone_seconds(self):
        """How long a job that is left alone is not polled; otherwise it is polled every second."""
        return self._processes(2, more=5)

    @property
    def parsing_interval(self):
        """How often Airflow 2 reads a file of DAGs."""
        return self._processes(1, more=2)

    @property
    def detection_interval(self):
        """
        How often Airflow looks for tasks whose worker is silent.

        Airflow 2 has its DAG processor carry out what follows, with the next reading of the file. A task that
        is found a second time before that has its next try failed, too.
        """
        return 3 * self.parsing_interval

    @property
    def worker_heartbeat(self):
        """
        How often a worker of Airflow 2 looks whether its task is still wanted.

        A look that takes longer than that ends the task, and it asks the database for several things.
        """
        return self._processes(1, more=0)

    @property
    def settings(self):
        """Airflow's settings: what takes it minutes to notice takes it as long as this machine allows."""
        return {
            "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": self.task_threshold,
            "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": self.triggerer_threshold,
            "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": self.task_threshold,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": self.task_threshold,
            "SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": self.worker_heartbeat,
            "SCHEDULER__MIN_FILE_PROCESS_INTERVAL": self.parsing_interval,
            "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": self.detection_interval,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": self.detection_interval,
        }

    @property
    def for_dags(self):
        """The variables that the DAG files read."""
        return {
            "SCENES_HURRY": self.hurry,
            "SCENES_EXECUTION_TIMEOUT": self.execution_timeout,
            "SCENES_DAGRUN_TIMEOUT": self.dagrun_timeout,
            "SCENES_CROWD": self.crowd,
        }

    @property
    def crowd(self):
        """How many tasks a crowd has: a hundred on a machine where that takes minutes, fewer elsewhere."""
        return min(MOST_CROWD, max(LEAST_CROWD, round(100 * self.cores / self.process_seconds)))

    def _processes(self, count, *, more):
        """
        Return the seconds for so many processes that import Airflow.

        Args:
            count: How many of them, one after the other, take no longer.
            more: What does not depend on the machine: heartbeats, and how often Airflow looks.
        """
        return more + ceil(count * min(SLOWEST, max(QUICKEST, self.process_seconds)))


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What is known when Airflow runs and the first task has begun."""

    machine: Machine
    first_act_seconds: float
    """From the trigger of a run to the first request of its task's process at Airbyte."""
    is_on_sqlite: bool = False

    @property
    def start_seconds(self):
        """
        How long a start keeps one core busy.

        Half of the time to the first act is waiting: for the scheduler to look, for the worker to ask.
        The rest is what one process does, and what all others do for it.
        """
        return max(self.first_act_seconds / 2, 2 * self.machine.process_seconds)

    @property
    def at_once(self):
        """
        How many scenes play at once.

        Where each starts a task at the same moment, the last of them has begun within the time that
        Airflow gives a silent worker.
        """
        machine = self.machine
        fitting = int(machine.cores * machine.task_threshold / self.start_seconds)
        most = MOST_AT_ONCE_ON_SQLITE if self.is_on_sqlite else MOST_AT_ONCE
        return min(most, max(LEAST_AT_ONCE, fitting))

    @property
    def patience(self):
        """
        How long anything that a scene waits for may take.

        Airflow notices a silence within twice its threshold, and each of the scenes that play at once
        may have three tasks to start before.
        """
        starts = 3 * self.start_seconds * self.at_once / self.machine.cores
        needed = ceil(2 * self.machine.task_threshold + starts)
        return min(MOST_PATIENCE, max(LEAST_PATIENCE, needed))

    def crowd_patience(self, size):
        """How long all tasks of a crowd may take to start."""
        return self.patience + ceil(2 * self.start_seconds * size / self.machine.cores)

    def __str__(self):
        machine = self.machine
        return (
            f"{machine.cores} cores, {machine.process_seconds:.1f} s for a process that imports Airflow "
            f"({machine.contention:.1f} times what it takes alone), {self.first_act_seconds:.1f} s to the "
            f"first act of a task: {self.at_once} scenes at once, {self.patience} s of patience, "
            f"{machine.triggerer_threshold} s and {machine.task_threshold} s until a silent triggerer "
            f"and a silent worker are given up, crowds of {machine.crowd}"
        )


def measure(home, *, airflows=1):
    """
    Measure this machine: first a process that fills its caches, then one on each core for each Airflow.

    Args:
        home: An empty folder; Airflow writes its defaults there.
        airflows: How many Airflows play their scenes on this machine at the same time. Each of them must
            bear what the others start.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    command = [sys.executable, "-m", "airflow", "version"]
    alone = {
        "env": {**os.environ, "AIRFLOW_HOME": str(home)},
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    subprocess.run(command, check=True, **alone)
    worked, begun = _children_seconds(), time.monotonic()
    processes = [subprocess.Popen(command, **alone) for _ in range(airflows * cores)]
    for process in processes:
        process.wait()
    took = time.monotonic() - begun
    return Machine(
        cores=cores,
        process_seconds=took,
        cpu_seconds=(_children_seconds() - worked) / len(processes),
    )


def _children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
