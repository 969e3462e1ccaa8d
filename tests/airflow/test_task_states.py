"""What Airflow's answers about tasks mean, and how few questions serve many tasks."""

from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airbyte_sync_airflow.compat import task_states
from airbyte_sync_airflow.compat.task_states import (
    MOST_IDS,
    NOTHING_SAID,
    Standing,
    TaskKey,
    TaskState,
    ask,
    questions,
    read_answer,
)

try:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
except ImportError:
    RuntimeTaskInstance = None

IS_AIRFLOW_2 = RuntimeTaskInstance is None
on_airflow_3 = pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 is asked in its database")
on_airflow_2 = pytest.mark.skipif(not IS_AIRFLOW_2, reason="Airflow 3 is asked through its API")


def key(task_id="sync", map_index=-1, run_id="r", dag_id="d"):
    return TaskKey(
        dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, try_number=1, id="an id"
    )


# --------------------------------------------------------------------------------------------------
# The meaning of an answer


@pytest.mark.parametrize(
    ("word", "standing"),
    [
        ("failed", Standing.KILLED),
        ("success", Standing.KILLED),
        ("skipped", Standing.KILLED),
        ("removed", Standing.KILLED),
        ("upstream_failed", Standing.KILLED),
        ("deferred", Standing.WANTED),
        ("restarting", Standing.WANTED),
        (None, Standing.WANTED),
        ("a word that is not invented yet", Standing.WANTED),
    ],
)
def test_a_state_means_a_kill_only_where_it_is_one(word, standing):
    """An unknown word does not cancel anything."""
    assert {key(): TaskState(standing, word)} == read_answer([key()], {"r": {"sync": word}})


@pytest.mark.parametrize(
    "answer", [None, {}, [], "", {"r": None}, {"r": {}}, {"r": {"other": "failed"}}, {"x": {}}]
)
def test_an_answer_without_the_task_says_nothing(answer):
    """Whatever came back in its place."""
    assert {} == read_answer([key()], answer)


@pytest.mark.parametrize("state", ["failed", "success", "deferred", None])
def test_airflow_is_taken_at_its_word(airflow, instance_in, state):
    """Through the API of Airflow 3 or the database of Airflow 2."""
    mine = TaskKey.of(instance_in(state))
    assert state == ask([mine])[mine].word


@pytest.mark.parametrize("state", ["silent", "missing"])
def test_silence_and_an_absent_row_are_no_word(airflow, instance_in, state):
    """A failed look-up is not a state, and neither is an answer without the task."""
    mine = TaskKey.of(instance_in(state))
    assert {mine: NOTHING_SAID} == ask([mine])


def test_a_run_that_is_gone_is_a_word(airflow, instance_in):
    """Somebody deleted it, with its tasks: Airflow says so where it is asked about the run."""
    mine = TaskKey.of(instance_in("gone"))
    assert Standing.KILLED is ask([mine])[mine].standing


@on_airflow_3
@pytest.mark.parametrize("map_index", [-1, 0, 1])
def test_the_state_of_a_mapped_task_is_its_own(instance_in, map_index):
    """Airflow names it by the task and its index."""
    mine = TaskKey.of(instance_in("failed", map_index))
    assert "failed" == ask([mine])[mine].word


@on_airflow_2
@pytest.mark.parametrize(
    ("try_number", "state", "standing"),
    [
        (1, "failed", Standing.KILLED),
        (1, "deferred", Standing.WANTED),
        (1, None, Standing.WANTED),
        (2, "queued", Standing.WANTED),
        (2, "failed", Standing.WANTED),
    ],
)
def test_a_newer_try_is_wanted(row_of_airflow_2, try_number, state, standing):
    """The job is its business."""
    mine = TaskKey.of(row_of_airflow_2(state, try_number=try_number))
    assert standing is ask([mine])[mine].standing


@on_airflow_2
def test_one_query_serves_many_tasks(row_of_airflow_2, monkeypatch):
    """One for the tasks, and one for their runs."""
    from airflow.utils import session

    rows = [row_of_airflow_2(state) for state in ("failed", "deferred", "success")]
    opened, create = [], session.create_session

    def counting():
        opened.append(1)
        return create()

    monkeypatch.setattr(session, "create_session", counting)
    answers = ask(map(TaskKey.of, rows))
    assert ["failed", "deferred", "success"] == [state.word for state in answers.values()]
    assert 1 == len(opened)


@pytest.mark.parametrize(
    ("region", "expected"),
    [(None, False), (UUID(int=0), False), (str(UUID(int=0)), False), (uuid4(), True)],
)
def test_in_a_loop_no_answer_is_believed(region, expected):
    """Airflow 3.4 tells the state of a task's latest iteration, whichever one asks."""
    mine = TaskKey.of(
        SimpleNamespace(
            id=uuid4(), dag_id="d", run_id="r", task_id="sync", map_index=-1, region_id=region
        )
    )
    assert expected is mine.is_in_loop
    if expected:
        assert {mine: NOTHING_SAID} == ask([mine])


# --------------------------------------------------------------------------------------------------
# Many tasks in few questions


class Api:
    """Answers as the Execution API of Airflow does, of any release from 3.0.6 on."""

    def __init__(self, states):
        self._states = states
        self.rows = 0
        self.asked = []

    def get_task_states(self, *, dag_id, task_ids, run_ids, map_index=None):
        self.asked.append((task_ids, run_ids, map_index))
        found = [
            each
            for each in self._states
            if each.dag_id == dag_id
            and each.task_id in task_ids
            and each.run_id in run_ids
            and map_index in {None, each.map_index}
        ]
        self.rows += len(found)
        answer = {}
        for each in found:  # the last one of a name wins, as there
            name = each.task_id if each.map_index < 0 else f"{each.task_id}_{each.map_index}"
            answer.setdefault(each.run_id, {})[name] = self._states[each]
        return answer

    def ask(self, keys):
        answers = {}
        for question in questions(keys):
            answers |= read_answer(question.keys, self.get_task_states(**question.arguments()))
        return answers


tasks = st.builds(
    key,
    task_id=st.sampled_from(["sync", "sync_1", "sync_1_2", "load"]),
    map_index=st.integers(-1, 6),
    run_id=st.sampled_from(["r", "s", "t"]),
    dag_id=st.sampled_from(["d", "e"]),
)


@given(st.data())
def test_every_task_gets_its_own_state(data):
    """However their names and indexes may be mistaken for each other's."""
    rows = data.draw(st.lists(tasks, unique=True, min_size=1, max_size=40))
    asked = data.draw(st.lists(st.sampled_from(rows), unique=True, min_size=1))
    words = {row: f"state {number}" for number, row in enumerate(rows)}
    # What is no mapped task has no mapped instances, within one run.
    mapped = {(each.dag_id, each.run_id, each.task_id) for each in asked if each.map_index >= 0}
    asked = [
        each
        for each in asked
        if each.map_index >= 0 or (each.dag_id, each.run_id, each.task_id) not in mapped
    ]
    plain = {(each.dag_id, each.task_id) for each in asked if each.map_index < 0}
    words = {
        row: word
        for row, word in words.items()
        if row.map_index < 0 or (row.dag_id, row.task_id) not in plain or row in asked
    }
    answers = Api(words).ask(asked)
    assert {each: words[each] for each in asked} == {
        each: state.word for each, state in answers.items()
    }


@pytest.mark.parametrize(
    ("keys", "most"),
    [
        ([key(f"sync_{number}") for number in range(150)], 2),
        ([key(run_id=f"run {number}") for number in range(150)], 2),
        ([key(map_index=number) for number in range(150)], 1),
        ([key(f"t{number % 10}", run_id=f"r{number // 10}") for number in range(150)], 1),
        ([key(f"t{number}", run_id=f"r{number}") for number in range(20)], 20),
    ],
)
def test_a_hundred_and_fifty_tasks_are_a_few_questions_with_short_answers(keys, most):
    """One by one they would take Airflow 20 s, with everything else behind them."""
    everything = [
        key(task_id, index, run_id)
        for task_id in {each.task_id for each in keys}
        for run_id in {each.run_id for each in keys}
        for index in {each.map_index for each in keys}
    ]
    api = Api(dict.fromkeys(everything, "failed"))
    assert len(keys) == len(api.ask(keys))
    assert len(api.asked) <= most
    assert api.rows <= 4 * len(keys)
    assert all(len(names) <= MOST_IDS for asked in api.asked for names in asked[:2])


@on_airflow_3
def test_a_question_that_fails_leaves_the_others(monkeypatch):
    """One DAG's error says nothing about another's tasks, and never reaches the trigger."""

    def get_task_states(*, dag_id, **_):
        if dag_id == "broken":
            raise RuntimeError("409")
        return {"r": {"sync": "failed"}}

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(get_task_states))
    good, bad = key(), key(dag_id="broken")
    monkeypatch.setattr(
        RuntimeTaskInstance, "get_dr_count", staticmethod(lambda **_: RuntimeError("no number"))
    )
    assert {good: TaskState(Standing.KILLED, "failed"), bad: NOTHING_SAID} == ask([good, bad])


def test_nothing_is_asked_about_nobody():
    """An empty list of tasks would mean all of them."""
    assert {} == task_states.ask([])
