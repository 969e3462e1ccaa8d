"""What Airflow says about tasks: whether they were killed, are still wanted, or nothing at all.

A sync is cancelled on a kill only when Airflow has *said* that its task was killed. Silence, an error, an
empty answer and an answer without the task are not such a word: they are :attr:`Standing.UNKNOWN`. A run that
is gone is one, because Airflow was asked about the run and said so.

One question serves many tasks. Sources, read in 2.11.2, 3.0.6, 3.1.8, 3.2.2 and 3.3.2:

* 2.11: the tables ``task_instance`` and ``dag_run``.
* 3.x: ``GET task-instances/states`` of the Execution API (``routes/task_instances.py``), which takes lists of
  tasks and runs of one DAG. It names a mapped task instance ``<task_id>_<map_index>``, so that its answer can
  be ambiguous: a task may really be called ``sync_1``. Questions are put so that no answer is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")
Name = TypeVar("Name", str, int)
_log = logging.getLogger(__name__)

KILLED = frozenset({"failed", "success", "skipped", "removed", "upstream_failed"})
"""The states of a task that no process is to do any more, in every release."""

RUN_IS_GONE = "removed"
"""What is said of a task whose run Airflow does not know: the word that Airflow has for a lost task."""

MOST_IDS = 100
"""How many tasks, and how many runs, one question names: ids have up to 250 characters, an address 64 kB."""

MOST_INDEXES = 3
"""How many map indexes are asked for one by one; of more than these, all of a task's are read."""

_ROWS_PER_KEY = 4
"""How many rows an answer may have for each one that is wanted, where a question names tasks times runs."""


class Standing(Enum):
    """What Airflow's answer means for a sync."""

    KILLED = "killed"
    """Airflow said that the task is over: it was marked, or its run was, or the run was deleted."""
    WANTED = "wanted"
    """Airflow said that the task goes on, here or in another process."""
    UNKNOWN = "unknown"
    """Airflow said nothing about the task."""


@dataclass(frozen=True, slots=True)
class TaskState:
    """What Airflow said about one task."""

    standing: Standing
    word: str | None = None
    """Airflow's own word, where there is one."""


NOTHING_SAID = TaskState(Standing.UNKNOWN)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskKey:
    """Names one try of one task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    id: str | None = None
    """Airflow 3's id of this try; ``None`` on Airflow 2."""
    is_in_loop: bool = False
    """Whether it belongs to a loop of Airflow 3.4, whose states are told for the latest iteration only."""

    @classmethod
    def of(cls, task_instance: Any, *, in_loop: bool = False) -> TaskKey:
        """
        Return the key of a task instance of any release, in a worker or a trigger.

        Args:
            task_instance: The task instance.
            in_loop: Whether the task's context says that it belongs to a loop. Of a mapped task nothing
                else tells: outside of loops it has a region, too.
        """
        identifier = getattr(task_instance, "id", None)
        region = getattr(task_instance, "region_id", None)
        map_index = task_instance.map_index
        # Outside of loops and expansions ``region_id`` is the zero UUID; each expansion has one, too.
        has_region = region is not None and bool(set(str(region)) - {"0", "-"})
        is_in_loop = in_loop or (map_index < 0 and has_region)
        return cls(
            dag_id=task_instance.dag_id,
            run_id=task_instance.run_id,
            task_id=task_instance.task_id,
            map_index=map_index,
            try_number=getattr(task_instance, "try_number", 1),
            id=None if identifier is None else str(identifier),
            is_in_loop=is_in_loop,
        )

    @property
    def name(self) -> str:
        """What the Execution API calls it in an answer."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}_{self.map_index}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One question to the Execution API, and whom it is about."""

    keys: tuple[TaskKey, ...]
    dag_id: str
    task_ids: tuple[str, ...]
    run_ids: tuple[str, ...]
    map_index: int | None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of ``get_task_states``; 3.0.0 knows no ``map_index``."""
        arguments: dict[str, Any] = {
            "dag_id": self.dag_id,
            "task_ids": list(self.task_ids),
            "run_ids": list(self.run_ids),
        }
        return arguments if self.map_index is None else arguments | {"map_index": self.map_index}


def read_state(word: str | None) -> TaskState:
    """Return what a state means; one that is not invented yet is no kill."""
    return TaskState(Standing.KILLED if word in KILLED else Standing.WANTED, word)


def read_answer(keys: Iterable[TaskKey], answer: object) -> dict[TaskKey, TaskState]:
    """
    Return what an answer of the Execution API says, for those tasks that it contains.

    Args:
        keys: The tasks that were asked about.
        answer: States by run and name.
    """
    states: dict[TaskKey, TaskState] = {}
    for key in keys:
        of_run = answer.get(key.run_id) if isinstance(answer, Mapping) else None
        if isinstance(of_run, Mapping) and key.name in of_run:
            word = of_run[key.name]
            states[key] = read_state(None if word is None else str(getattr(word, "value", word)))
    return states


def questions(keys: Iterable[TaskKey]) -> list[Question]:
    """
    Return few questions about many tasks, of which no answer is ambiguous or much longer than needed.

    Mapped and other tasks are asked about apart, and so are tasks whose names could be taken for each
    other's: the answer knows names only.
    """
    return [
        Question(
            keys=tuple(block),
            dag_id=dag_id,
            task_ids=tuple(sorted({key.task_id for key in block})),
            run_ids=tuple(sorted({key.run_id for key in block})),
            map_index=map_index,
        )
        for dag_id, of_dag in _grouped(keys, lambda key: key.dag_id)
        for map_index, group in _alike(of_dag)
        for block in _blocks(group)
    ]


def _alike(keys: Sequence[TaskKey]) -> Iterator[tuple[int | None, list[TaskKey]]]:
    """Yield groups of tasks whose names cannot be mistaken, and the one map index of a group."""
    plain = [key for key in keys if key.map_index < 0]
    mapped = [key for key in keys if key.map_index >= 0]
    if plain:
        yield None, plain
    by_index = _grouped(mapped, lambda key: key.map_index)
    if len(by_index) <= MOST_INDEXES:
        yield from by_index
        return
    apart: list[set[str]] = []
    for task_id in sorted({key.task_id for key in mapped}):
        for others in apart:
            if not any(_may_be_mistaken(task_id, other) for other in others):
                others.add(task_id)
                break
        else:
            apart.append({task_id})
    for together in apart:
        yield None, [key for key in mapped if key.task_id in together]


def _may_be_mistaken(one: str, other: str) -> bool:
    """Whether a task, not expanded yet, may have the name of one of another task's instances."""
    short, long = sorted((one, other), key=len)
    return re.fullmatch(rf"{re.escape(short)}_\d+", long) is not None


def _blocks(keys: Sequence[TaskKey]) -> Iterator[list[TaskKey]]:
    """Cut a group into questions, each of which is answered with about as many rows as it needs."""
    tasks = sorted({key.task_id for key in keys})
    runs = sorted({key.run_id for key in keys})
    if len(tasks) * len(runs) > _ROWS_PER_KEY * len(keys):
        by_task = len(tasks) <= len(runs)
        for _, part in _grouped(keys, lambda key: key.task_id if by_task else key.run_id):
            yield from _blocks(part)
        return
    for some_tasks in map(frozenset, _chunks(tasks)):
        for some_runs in map(frozenset, _chunks(runs)):
            block = [key for key in keys if key.task_id in some_tasks and key.run_id in some_runs]
            if block:
                yield block


def _grouped(
    keys: Iterable[TaskKey], by: Callable[[TaskKey], Name]
) -> list[tuple[Name, list[TaskKey]]]:
    ordered = sorted(keys, key=by)
    return [(value, list(group)) for value, group in groupby(ordered, by)]


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), MOST_IDS):
        yield values[start : start + MOST_IDS]


def ask(keys: Iterable[TaskKey]) -> dict[TaskKey, TaskState]:
    """
    Ask Airflow about many tasks. Blocks, and never raises: a part that fails has no answer.

    Args:
        keys: The tasks.

    Returns:
        The state of each.
    """
    wanted = list(dict.fromkeys(keys))
    on_airflow_2 = [key for key in wanted if key.id is None]
    on_airflow_3 = [key for key in wanted if key.id is not None and not key.is_in_loop]
    answers: dict[TaskKey, TaskState] = dict.fromkeys(wanted, NOTHING_SAID)
    for block in _chunks(on_airflow_2):
        answers |= _said(_ask_the_database, block)
    for question in questions(on_airflow_3):
        said = _said(_ask_the_api, question)
        answers |= said
        missing = [key for key in question.keys if key not in said]
        for _, of_run in _grouped(missing, lambda key: key.run_id):
            answers |= _said(_ask_about_the_run, of_run)
    return answers


async def ask_aside(keys: Iterable[TaskKey]) -> dict[TaskKey, TaskState]:
    """Do what :func:`ask` does, in a thread of its own."""
    from airbyte_sync_airflow.triggerer.threads import in_own_thread

    return await in_own_thread(ask, list(keys))


def _said(
    ask_for: Callable[[Any], dict[TaskKey, TaskState]], about: object
) -> dict[TaskKey, TaskState]:
    try:
        return ask_for(about)
    except Exception as error:
        _log.debug("Airflow did not tell states of tasks: %r", error)
        return {}


def _ask_the_api(question: Question) -> dict[TaskKey, TaskState]:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    answer = RuntimeTaskInstance.get_task_states(**question.arguments())
    return read_answer(question.keys, answer)


def _ask_about_the_run(keys: Sequence[TaskKey]) -> dict[TaskKey, TaskState]:
    """Ask whether the run of tasks that an answer did not contain is gone."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    run = keys[0]
    count = RuntimeTaskInstance.get_dr_count(dag_id=run.dag_id, run_ids=[run.run_id])
    is_gone = count == 0 and type(count) is int
    return dict.fromkeys(keys, read_state(RUN_IS_GONE)) if is_gone else {}


def _ask_the_database(keys: Sequence[TaskKey]) -> dict[TaskKey, TaskState]:
    """On 2.11 a newer try is wanted, whatever became of it: the job is that try's business."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select, tuple_

    columns = (
        TaskInstance.dag_id,
        TaskInstance.run_id,
        TaskInstance.task_id,
        TaskInstance.map_index,
    )
    names = [(key.dag_id, key.run_id, key.task_id, key.map_index) for key in keys]
    query = select(*columns, TaskInstance.state, TaskInstance.try_number).where(
        tuple_(*columns).in_(names)
    )
    run_columns = (DagRun.dag_id, DagRun.run_id)
    runs = sorted({name[:2] for name in names})
    with create_session() as session:
        rows = {tuple(row[:4]): (row[4], row[5]) for row in session.execute(query)}
        known = select(*run_columns).where(tuple_(*run_columns).in_(runs))
        runs_that_exist = {tuple(row) for row in session.execute(known)}
    states: dict[TaskKey, TaskState] = {}
    for key, name in zip(keys, names, strict=True):
        if name in rows:
            state, try_number = rows[name]
            is_newer = try_number > key.try_number
            states[key] = TaskState(Standing.WANTED, state) if is_newer else read_state(state)
        elif name[:2] not in runs_that_exist:
            states[key] = read_state(RUN_IS_GONE)
    return states
