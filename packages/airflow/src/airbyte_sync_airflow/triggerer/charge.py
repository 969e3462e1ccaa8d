"""Who is in charge of a task: what Airflow says to a process that stood still.

==============  =====================================================  ==================================
who asks        2.11                                                   3.x
==============  =====================================================  ==================================
a trigger       the rows of task and trigger: the task waits for this  ``get_task_states``, twice: see
                trigger, and the trigger is this triggerer's           :func:`await_charge_of_trigger`
a worker        the task's row: this try and this job of Airflow's     the id of this try is still known
                run                                                    (``validate-inlets-and-outlets``),
                                                                       and the task runs
==============  =====================================================  ==================================

Source: ``triggerer_job_runner.py``, ``supervisor.py``, ``task_runner.py`` and
``routes/task_instances.py`` of Airflow 2.11.2, 3.0.6, 3.1.8, 3.2.2 and 3.3.2.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from airbyte_sync_airflow.compat.task_instance import row_of
from airbyte_sync_airflow.compat.task_states import Standing
from airbyte_sync_airflow.triggerer.cancel import shared_kills
from airbyte_sync_airflow.triggerer.threads import in_own_thread

if TYPE_CHECKING:
    from airbyte_sync_airflow.compat.task_states import TaskKey
    from airbyte_sync_airflow.triggerer.request import TriggerRequest

ASK_AGAIN_SECONDS = 5.0
"""How long to wait after a question that Airflow did not answer."""

SYNC_SECONDS = 5.0
"""How long it takes a triggerer at most to learn which triggers are another's; it asks every second."""

SETTLE_SECONDS = 1.0
"""How long a cancellation that has arrived with an answer takes to reach a trigger on the same loop."""

DEFERRED = "deferred"
"""The state of a task that waits for its trigger."""


async def await_charge_of_trigger(request: TriggerRequest) -> None:
    """
    Return once Airflow has said that a trigger is in charge. One that is not is cancelled in here.

    Airflow 3 tells a trigger's process about states of tasks only, and a task is deferred for any
    triggerer that follows it. But it cancels the triggers that are another's, and the order of events makes
    an answer a word. The triggerer's main process reads from the database which triggers are its own
    before each message that it serves, one at a time (``TriggerRunnerSupervisor.run_once``), except for the
    one that it was about to serve when it stood still. So after one answer to a question that was put
    afterwards, each further answer rests on a fresh reading. The runner asks for its orders every second, on
    the same ordered line: :data:`SYNC_SECONDS` after the first answer it has done so, and the second answer
    comes after those orders. A trigger that is not cancelled by then is in charge.

    Args:
        request: Of the trigger, which waits here meanwhile, so that its cancellation arrives here.
    """
    kills = shared_kills()
    key = request.key
    if key is None:  # in ``dag.test()`` there is no other process
        return
    request.log.warning(
        "This triggerer stood still: asking Airflow whether this trigger is still in charge"
    )
    while True:
        count = 0 if kills.watch is None else kills.watch.count
        is_in_charge = await (
            _says_the_database(request, key) if key.id is None else _says_the_api(key)
        )
        if is_in_charge is False:
            request.log.warning("Another process is in charge: this trigger does nothing more")
            await asyncio.Event().wait()
        if is_in_charge and (kills.watch is None or kills.watch.count == count):
            return
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _says_the_api(key: TaskKey) -> bool | None:
    # In a loop of Airflow 3.4 the state may be another iteration's, but an answer is still an answer.
    asked = replace(key, is_in_loop=False)
    for seconds in (SYNC_SECONDS, SETTLE_SECONDS):
        state = await shared_kills().questions.state(asked)
        if state.standing is Standing.UNKNOWN:
            return None
        if state.word != DEFERRED and not key.is_in_loop:
            return False
        await asyncio.sleep(seconds)
    return True


async def _says_the_database(request: TriggerRequest, key: TaskKey) -> bool | None:
    try:
        row = await in_own_thread(row_of, key)
    except Exception:
        return None
    if row is None:
        return None
    mine = (DEFERRED, key.try_number, request.trigger_id, request.triggerer_id)
    return (row.state, row.try_number, row.trigger_id, row.triggerer_id) == mine
