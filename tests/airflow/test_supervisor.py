"""Threads of a task's process that ask its supervisor, where Airflow has no lock for that (3.0 and 3.1)."""

import sys
import threading
from types import SimpleNamespace

import pytest

from airbyte_sync_airflow.compat.supervisor import ask_in_turn
from airbyte_sync_airflow.config import connection

RUNNER = "airflow.sdk.execution_time.task_runner"


class Line:
    """A task's line on 3.0 and 3.1, as far as it is used: it notes questions, and answers when told to."""

    def __init__(self):
        self.socket = object()
        self.id_counter = iter(range(10))
        self.questions = []
        self.answers = {}

    def send(self, msg):
        self.questions.append(msg)
        if not self.answers.setdefault(msg, threading.Event()).wait(60):
            raise TimeoutError(msg)
        return f"answer to {msg}"


@pytest.fixture
def runner(monkeypatch):
    """Airflow's module in which a task's process finds its line."""
    module = SimpleNamespace(SUPERVISOR_COMMS=Line())
    monkeypatch.setitem(sys.modules, RUNNER, module)
    return module


def test_a_thread_asks_only_when_the_one_before_has_its_answer(runner, monkeypatch):
    """A token is masked while Airflow is silent; the task goes on, and says that it is done."""
    line = runner.SUPERVISOR_COMMS

    def mask(token):
        runner.SUPERVISOR_COMMS.send(token)

    monkeypatch.setattr(connection, "mask", mask)
    monkeypatch.setattr(connection, "_LONGEST_WAIT_FOR_MASKING", 0.2)
    connection.mask_aside("a token")
    answers = []
    task = threading.Thread(target=lambda: answers.append(runner.SUPERVISOR_COMMS.send("success")))
    task.start()
    task.join(0.2)
    assert ["a token"] == line.questions
    line.answers["success"] = threading.Event()
    line.answers["success"].set()
    line.answers["a token"].set()
    task.join(60)
    assert ["answer to success"] == answers
    assert ["a token", "success"] == line.questions


def test_the_line_is_otherwise_as_before(runner):
    line = runner.SUPERVISOR_COMMS
    ask_in_turn()
    in_turn = runner.SUPERVISOR_COMMS
    assert (line.socket, line.id_counter) == (in_turn.socket, in_turn.id_counter)
    ask_in_turn()
    assert in_turn is runner.SUPERVISOR_COMMS


@pytest.mark.parametrize("lock", ["_thread_lock", "_lock"])
def test_a_line_with_a_lock_of_its_own_is_left_alone(runner, lock):
    """A task's from 3.2 on, and a triggerer's."""
    line = runner.SUPERVISOR_COMMS
    setattr(line, lock, object())
    ask_in_turn()
    assert line is runner.SUPERVISOR_COMMS


def test_a_line_within_one_process_is_left_alone(runner):
    """The line of ``dag.test()`` asks itself while it answers."""
    line = runner.SUPERVISOR_COMMS = SimpleNamespace(send=print)
    ask_in_turn()
    assert line is runner.SUPERVISOR_COMMS


def test_outside_of_tasks_there_is_nothing_to_ask(monkeypatch):
    monkeypatch.delitem(sys.modules, RUNNER, raising=False)
    ask_in_turn()


def test_a_supervisor_that_is_gone_is_no_traceback_in_the_log(runner, monkeypatch):
    failures = []
    monkeypatch.setattr(threading, "excepthook", failures.append)

    def mask(token):
        raise EOFError(token)

    monkeypatch.setattr(connection, "mask", mask)
    connection.mask_aside("a token")
    assert [] == failures
