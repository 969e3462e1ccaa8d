"""What a task opens to drive a flow: a server's parts, closed at the end.

Light to import; what is heavy is loaded when a session is opened.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airbyte_sync import CheckpointStore, Interpreter
    from airbyte_sync.events import Event
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.worker.charge import WorkerCharge


@contextmanager
def blocking_session(
    server: AirbyteServer,
    on_event: Callable[[Event], None],
    store: CheckpointStore | None = None,
    is_stopped: Callable[[], bool] | None = None,
    charge: WorkerCharge | None = None,
) -> Iterator[Interpreter]:
    """
    Open a session in a task.

    Args:
        server: Where to send requests: :func:`~airbyte_sync_airflow.config.connection.read_server`.
        on_event: Is told what the flow reports.
        store: Remembers how far the request has come.
        is_stopped: Tells whether to wait no longer, because the task was killed.
        charge: Is asked who is in charge before a process that stood still changes anything.

    Yields:
        An interpreter for :func:`airbyte_sync.run` and :func:`airbyte_sync.step`.
    """
    from airbyte_sync_airflow.composition import Container
    from airbyte_sync_airflow.standstill import CautiousInterpreter

    container = Container(server=server, is_stopped=is_stopped)
    gateway = container.gateway()
    with gateway, gateway.secrets.in_force():
        interpreter: Interpreter = container.interpreter(on_event, store)
        if charge is not None:
            clock = container.stoppable_clock()
            interpreter = CautiousInterpreter(
                interpreter, container.patient_clock(), lambda: charge.await_word(clock)
            )
        yield interpreter
