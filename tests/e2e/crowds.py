"""Many deferred tasks at once: cleared, killed, and some of them with odd answers for their triggers.

A crowd is one mapped task, each instance with a sync of its own. Its steps share a crowd as long as
its syncs run, because a crowd takes minutes to start; each counts what happened since it began.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from silences import pause

from airbyte_sync_local import Answer, Drip, Fault, answers

STEPS = {}
BETWEEN_LOOKS = 2.0
FOLLOWED = 6
"""Polls for all that show that the triggers are at work."""
TIME_TO_DO_WRONG = 30
"""Seconds in which a trigger that was stopped may still do something wrong: Airflow gives it so many."""
FINISHED = 0.5
"""How much of the crowd ends while odd answers are given; the rest is there for the kills."""


def step(play):
    STEPS[play.__name__] = play
    return play


@dataclass(kw_only=True)
class Crowd:
    """A run of a mapped task that has many instances."""

    stage: object
    run: object
    size: int
    jobs: dict = field(default_factory=dict)
    """The id of the job of each instance, once all have begun."""

    @classmethod
    def started(cls, stage, dag_id, size):
        """Start one, and wait until every instance waits in the triggerer."""
        begun = time.monotonic()
        crowd = cls(stage=stage, run=stage.start(dag_id, connections=size), size=size)
        crowd.wait_for("deferred")
        stage.tell(f"    {size} tasks deferred after {time.monotonic() - begun:.0f} s")
        crowd.jobs = {number: jobs[0] for number, jobs in crowd.jobs_by_number().items()}
        crowd.wait_until_followed()
        return crowd

    def tasks(self):
        return self.stage.airflow.mapped_tasks(self.run.dag_id, self.run.run_id, "sync")

    def wait_for(self, state, *, numbers=None, try_number=1):
        """Wait until instances are in a state, in this try or a later one."""
        numbers = range(self.size) if numbers is None else numbers
        wanted = set(numbers)

        def holds():
            time.sleep(
                BETWEEN_LOOKS - 1
            )  # a page of a hundred tasks costs Airflow a tenth of a second
            there = {
                number
                for number, task in self.tasks().items()
                if task.state == state and task.try_number >= try_number
            }
            return wanted <= there

        patience = self.stage.pace.crowd_patience(len(wanted))
        self.run.wait_until(holds, f"{len(wanted)} of {self.size} tasks to be {state}", patience)

    def wait_until_followed(self, polls=FOLLOWED):
        """Wait until the triggerer has polled so many times more, for all at once or for each alone."""
        wanted = self.polls() + polls
        self.run.wait_until(lambda: self.polls() >= wanted, "the triggerer to poll for its crowd")

    def polls(self):
        asked = [record for record in self.stage.airbyte.requests if record.method == "GET"]
        alone = sum(record.operation == "GET /jobs/{jobId}" for record in asked)
        return self.stage.sweeps() + alone // self.size

    def jobs_by_number(self):
        numbers = {id_: number for number, id_ in enumerate(self.run.connection_ids)}
        found = {number: [] for number in range(self.size)}
        for job in self.stage.airbyte.jobs:
            if job.connection_id in numbers:
                found[numbers[job.connection_id]].append(job.job_id)
        return found

    def running(self):
        """Return the numbers of those whose first sync runs."""
        running = {job.job_id for job in self.stage.airbyte.jobs if job.status == "running"}
        return [number for number, job_id in self.jobs.items() if job_id in running]

    def cancels(self, since=0):
        """Count the cancellations by number, of those that were sent at all."""
        numbers = {
            str(job_id): number for number, jobs in self.jobs_by_number().items() for job_id in jobs
        }
        return Counter(
            numbers[job_id]
            for record in self.stage.airbyte.requests[since:]
            if record.operation == "DELETE /jobs/{jobId}"
            and (job_id := record.path.rpartition("/")[2]) in numbers
        )

    def submissions(self):
        """Count the submissions by number."""
        numbers = {id_: number for number, id_ in enumerate(self.run.connection_ids)}
        asked = [
            (record.body or {}).get("connectionId")
            for record in self.stage.airbyte.requests
            if record.operation == "POST /jobs"
        ]
        return Counter(numbers[id_] for id_ in asked if id_ in numbers)

    def clear(self):
        self.stage.airflow.clear(self.run.dag_id, self.run.run_id, "sync")
        self.wait_for("deferred", try_number=2)
        pause(self.stage, TIME_TO_DO_WRONG)  # the old triggers are stopped only now
        self.wait_until_followed()

    def kill(self):
        """Kill all that still wait at once, and wait until nothing of it runs."""
        count, begun = len(self.running()), time.monotonic()
        self.stage.airflow.mark_run(self.run.dag_id, self.run.run_id, "failed")
        self.run.wait_until(lambda: not self.running(), "the cancellations of all that were killed")
        took = time.monotonic() - begun
        self.stage.tell(f"    {count} tasks killed at once: all cancelled after {took:.0f} s")
        pause(self.stage, self.stage.machine.alone_seconds)

    def finish(self, numbers):
        for number in numbers:
            self.stage.engine.succeed(self.jobs[number])

    def give_up(self):
        """End what is left of it, so that it disturbs no other scene."""
        self.stage.airflow.mark_run(self.run.dag_id, self.run.run_id, "failed")


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """What came of a crowd that was cleared."""

    cancels: Counter
    submitted_more_than_once: dict


@step
def dozen_is_cleared_on_a_fresh_triggerer(stage):
    """The first question of a triggerer to Airflow takes longest, and its connection is a variable."""
    crowd = Crowd.started(stage, "deferrable_dozen", 12)
    stage.airflow.stop("triggerer")
    stage.airflow.start("triggerer")
    crowd.wait_until_followed()
    crowd.clear()
    cleared = seen_of(crowd)
    crowd.give_up()
    return cleared


@step
def crowd_is_cleared(stage):
    """All of it at once, on a triggerer that is warm."""
    crowd = fresh_crowd(stage)
    crowd.clear()
    return seen_of(crowd)


def seen_of(crowd):
    return Cleared(
        cancels=crowd.cancels(),
        submitted_more_than_once={
            number: count for number, count in crowd.submissions().items() if count > 1
        },
    )


def fresh_crowd(stage):
    crowd = Crowd.started(stage, "deferrable_crowd", stage.machine.crowd)
    stage.crowd = crowd
    return crowd


def crowd_of(stage):
    """Return the crowd of the step before, or another one where that was damaged."""
    crowd = stage.crowd
    if crowd is not None and len(crowd.running()) == crowd.size:
        return crowd
    if crowd is not None:
        crowd.give_up()
    return fresh_crowd(stage)


# --- odd answers --------------------------------------------------------------------------------------

ODD_ROWS = {
    "more rows than 63 bits hold": {"rowsSynced": 10**20, "bytesSynced": 10**30},
    "a lone surrogate": {"status": "running\ud800", "jobType": "sy\ud800nc"},
    "a NUL": {"status": "succeeded\0", "duration": "PT1S\0"},
    "another job's id": {"jobId": 999_999, "connectionId": "7" * 36},
    "no id": {"jobId": None},
    "an id of 4301 digits": {"jobId": "9" * 4301},
    "a list for a status": {"status": ["succeeded"]},
    "a year that does not exist": {"startTime": "0000-13-45T99:99:99Z", "lastUpdatedAt": "\0"},
}
"""What is said of the job of one task of the crowd each, in lists and alone."""
INFORMS_ONLY = "more rows than 63 bits hold"
"""The one whose sync can end meanwhile, as it says nothing odd of what decides."""

ODD_ANSWERS = {
    "a gateway that reloads its routes": {"answer": answers.gateway_json(404, "no Route matched")},
    "a web page": {"answer": answers.webapp_page()},
    "a huge body": {"answer": Answer(status=200, body={"data": [], "padding": "x" * 30_000_000})},
    "deep JSON": {
        "answer": Answer(status=200, body="[" * 100_000, content_type="application/json")
    },
    "an answer that drips": {
        "answer": Answer(status=200, body={"data": [], "padding": "x" * 300}),
        "drip": Drip(every=timedelta(seconds=1), header=False, body=True, size=1),
    },
}
"""What a request for one job is answered, or a list that was asked for one."""


@dataclass(frozen=True, kw_only=True)
class OddlyAnswered:
    """What came of a crowd to some of which odd answers were given."""

    triggerers: list
    """The process ids of the triggerer: before, and after."""
    dead: list
    """The processes that had ended afterwards."""
    cancels: Counter
    finished: dict
    """The states of those that were to end, by number."""
    expected: dict
    struck: dict
    """How many requests each kind of odd answer struck."""


@step
def crowd_hears_odd_answers(stage):
    """One task for each kind. The others go on: half of them end meanwhile, the rest is followed."""
    crowd = crowd_of(stage)
    since, pid = len(stage.airbyte.requests), stage.airflow.pid("triggerer")
    victims = dict(zip(ODD_ROWS, crowd.running(), strict=False))
    odd = OddAnswers({crowd.jobs[number]: ODD_ROWS[kind] for kind, number in victims.items()})
    stage.airbyte.inject(Fault(on="GET /jobs*", do="alter", change=odd, times=None))
    for status in ("incomplete", "running"):
        for number in victims.values():  # its job is named by lists of what has changed
            stage.engine.change(crowd.jobs[number], status)
        crowd.wait_until_followed()
    others = [number for number in crowd.running() if number not in victims.values()]
    finished = [*others[: int(FINISHED * len(others))], victims[INFORMS_ONLY]]
    crowd.finish(finished)
    crowd.wait_for("success", numbers=finished)
    stage.airbyte.clear_faults()
    struck = {kind: odd.struck[crowd.jobs[number]] for kind, number in victims.items()}
    for kind, options in ODD_ANSWERS.items():
        before = len(stage.airbyte.requests)
        stage.airbyte.inject(Fault(on="GET /jobs*", do="answer", times=2, **options))
        stage.wait_until(
            lambda before=before: polls_since(stage, before) >= 2,
            f"polls that are answered by {kind}",
        )
        struck[kind] = polls_since(stage, before)
        stage.airbyte.clear_faults()
        crowd.wait_until_followed()
    others_again = [number for number in victims.values() if number not in finished]
    crowd.finish(others_again)
    finished += others_again
    crowd.wait_for("success", numbers=others_again)
    states = {number: task.state for number, task in crowd.tasks().items()}
    return OddlyAnswered(
        triggerers=[pid, stage.airflow.pid("triggerer")],
        dead=stage.airflow.dead,
        cancels=crowd.cancels(since),
        finished={number: states.get(number) for number in finished},
        expected=dict.fromkeys(finished, "success"),
        struck=struck,
    )


def polls_since(stage, since):
    return sum(
        record.operation in {"GET /jobs", "GET /jobs/{jobId}"}
        for record in stage.airbyte.requests[since:]
    )


class OddAnswers:
    """
    Changes what is said of some jobs, in lists and alone.

    Args:
        fields: By job: the fields that are replaced.
    """

    def __init__(self, fields):
        self._fields = fields
        self.struck = Counter()

    def __call__(self, answer):
        body = answer.body
        if not isinstance(body, dict):
            return answer
        if isinstance(rows := body.get("data"), list):
            return replace_body(answer, {**body, "data": [self._changed(row) for row in rows]})
        return replace_body(answer, self._changed(body))

    def _changed(self, row):
        fields = self._fields.get(row.get("jobId"))
        if fields is None:
            return row
        self.struck[row["jobId"]] += 1
        return {**row, **fields}


def replace_body(answer, body):
    return Answer(
        status=answer.status, body=body, content_type=answer.content_type, headers=answer.headers
    )


# --- kills --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Killed:
    """What came of a crowd that was killed."""

    cancels: Counter
    expected: Counter
    statuses: dict
    """The statuses of the jobs of those that were killed, and how many have each."""


@step
def crowd_is_killed(stage):
    """Its whole run is marked failed, which is one request."""
    crowd = stage.crowd
    if crowd is None or len(crowd.running()) < crowd.size // 3:
        crowd = fresh_crowd(stage)
    since, killed = len(stage.airbyte.requests), crowd.running()
    crowd.kill()
    of_killed = {crowd.jobs[number] for number in killed}
    return Killed(
        cancels=crowd.cancels(since),
        expected=Counter(killed),
        statuses=dict(Counter(job.status for job in stage.airbyte.jobs if job.job_id in of_killed)),
    )
