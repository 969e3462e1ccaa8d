"""A trigger that was stopped: whether its task was killed, and the cancellation of its sync.

Airflow stops a trigger for many reasons: its task was marked failed or successful, cleared, or has
timed out; the triggerer shuts down, or another one takes its triggers over. Only Airflow's word that
the task was killed cancels the sync (:mod:`~airbyte_sync_airflow.compat.task_states`). Where it says nothing,
it is asked again for a quarter of an hour, which is longer than any trigger has: the question lives in
a task of its own. An Airflow connection that cannot be read to cancel is read again for as long. A sync
that is left alone in the end is named in the triggerer's own log, with a link.

A cancellation waits behind no submission and no poll: it has a session, a limit and timeouts of its own.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from airbyte_sync import Checkpoint, InvalidInput, SyncPolicy, arun
from airbyte_sync_airflow.cancelling import (
    StillWantedError,
    StoppedSync,
    cancel_sync,
    log_that_it_failed,
    server_for_cancelling,
)
from airbyte_sync_airflow.compat.task_states import NOTHING_SAID, Standing, TaskKey, TaskState
from airbyte_sync_airflow.composition import shared_parts
from airbyte_sync_airflow.report.job_summary import JobSummary
from airbyte_sync_airflow.report.task_log import Follower
from airbyte_sync_airflow.standstill import AsyncCaution
from airbyte_sync_airflow.triggerer.loops import PerLoop
from airbyte_sync_airflow.triggerer.shared import shared_servers
from airbyte_sync_http.protocol.cleaning import told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.standstill import StandstillWatch
    from airbyte_sync_airflow.triggerer.request import TriggerProgress, TriggerRequest

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 900.0
"""How long to ask Airflow whether a task was killed, when it does not say, and then for its connection."""

_WORD_IS_OLD_AFTER = timedelta(seconds=5)
"""How long Airflow's word that a task was killed is good for."""

ASK_AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""How long to wait after a question without an answer; the last one from then on."""

ON_KILL_SECONDS = 27.0
"""How long a trigger stays for the end of it in ``on_kill``; Airflow 3.3 gives it 30 s
(``on_kill_timeout``)."""

ON_CANCEL_SECONDS = 8.0
"""The same before 3.3, where a triggerer that shuts down stops its triggers in just the same way. It is
ended by force ten seconds later."""

CALM_SECONDS = 5
"""For how long a triggerer must have been calm before Airflow is asked a first question, which costs most."""

CALM_WITHIN_SECONDS = 300
"""How long to wait for that. Later the first question comes with the first stop."""

LATE_SECONDS = 0.3
"""How late a loop that is not calm wakes up a task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppedTrigger:
    """What outlives a trigger that was stopped."""

    request: TriggerRequest
    """What it was asked to do."""
    sync: StoppedSync
    """What would be cancelled."""
    server: AirbyteServer | None
    """Where the Airflow connection leads, where that was read already."""

    @property
    def log(self) -> Any:
        """The task's log."""
        return self.request.log

    @property
    def task(self) -> str:
        """What the triggerer's own log calls the task."""
        key = self.request.key
        return "a task" if key is None else f"task {key.dag_id}.{key.name} of run {key.run_id}"


def stopped_trigger(request: TriggerRequest, progress: TriggerProgress) -> StoppedTrigger | None:
    """
    Return what is left of a trigger that was stopped, or ``None`` where that cannot be read.

    Args:
        request: What it was asked to do.
        progress: How far it had come.
    """
    try:
        sync = StoppedSync(
            checkpoint=progress.checkpoint or Checkpoint.from_json(request.checkpoint),
            policy=SyncPolicy.from_json(request.policy),
            job=None if request.job is None else JobSummary.from_json(request.job),
            log=request.log,
        )
    except (InvalidInput, TypeError):
        request.log.exception(
            "The checkpoint cannot be read, so a kill of this task does not cancel Airbyte job %s: check it "
            "in Airbyte",
            request.checkpoint.get("job_id"),
        )
        return None
    return StoppedTrigger(request=request, sync=sync, server=progress.server)


class Questions:
    """
    Asks Airflow for the states of tasks: one question at a time, for all triggers that wait by then.

    Args:
        ask: Asks about many tasks, and never raises:
            :func:`~airbyte_sync_airflow.compat.task_states.ask_aside`.
    """

    def __init__(self, ask: Callable[[list[TaskKey]], Awaitable[dict[TaskKey, TaskState]]]) -> None:
        self._ask_airflow = ask
        self._waiting: dict[TaskKey, list[asyncio.Future[TaskState]]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def state(self, key: TaskKey) -> TaskState:
        """Return what Airflow says about a task when it is asked from now on."""
        answer: asyncio.Future[TaskState] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await answer

    async def _ask(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                answers = await self._ask_airflow(list(batch))
            except Exception:  # there are no threads left, for example: that is no word either
                _log.exception("Could not ask Airflow whether tasks were killed")
                answers = {}
            for key, waiting in batch.items():
                for answer in waiting:
                    if not answer.done():
                        answer.set_result(answers.get(key, NOTHING_SAID))


class Kills:
    """What the stopped triggers of one event loop share."""

    def __init__(self) -> None:
        parts = shared_parts()
        self.questions = Questions(parts.ask_for_states())
        self.watch: StandstillWatch | None = parts.open_watch()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._is_warm = False
        if self.watch is not None:
            self.spawn(self.watch.run())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start something that outlives the trigger that needs it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settled(self) -> None:
        """Return when it is known what became of all triggers that were stopped so far."""
        await asyncio.gather(*self._settling)

    def settle(self, stopped: StoppedTrigger, is_killed: asyncio.Event) -> asyncio.Task[None]:
        """
        Find out what becomes of a stopped trigger's sync, however long the trigger itself stays.

        Args:
            stopped: What is left of the trigger.
            is_killed: Is set once Airflow has said that its task was killed.
        """
        task = self.spawn(_settle(stopped, is_killed))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    def warm_up(self, key: TaskKey) -> None:
        """
        Let Airflow make ready what it needs to answer, before a stop needs an answer.

        Airflow 3's triggerer builds its API in its main process when it is first asked for anything, and
        does nothing else meanwhile: four seconds of work, and many times that on a busy machine. So it is
        asked in a calm moment. A connection that Airflow itself keeps has it built by the first trigger.
        """
        if key.id is not None and not self._is_warm:
            self._is_warm = True
            self.spawn(self._ask_once(key))

    async def _ask_once(self, key: TaskKey) -> None:
        loop = asyncio.get_running_loop()
        calm = 0
        for _ in range(CALM_WITHIN_SECONDS):
            due = loop.time() + 1
            await asyncio.sleep(1)
            calm = calm + 1 if loop.time() < due + LATE_SECONDS else 0
            if calm == CALM_SECONDS:
                await self.questions.state(key)
                return


shared_kills = PerLoop(Kills)
"""Return what is shared on the running event loop."""


async def cancel_if_killed(stopped: StoppedTrigger, seconds: float) -> None:
    """
    Cancel the sync of a trigger that was stopped, if Airflow says that its task was killed.

    Airflow cancels a stopping trigger again every second, so that the work is done in a task of its
    own, and goes on there when the trigger has to end.

    Args:
        stopped: What is left of the trigger.
        seconds: How long the trigger itself stays for it.
    """
    if stopped.sync.has_nothing_to_cancel:
        return
    is_killed = asyncio.Event()
    work = shared_kills().settle(stopped, is_killed)
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not work.done() and loop.time() < end:
        with suppress(asyncio.CancelledError):
            await asyncio.wait({work}, timeout=end - loop.time())
    if work.cancelled():  # with the triggerer, while the task's log is still open
        stopped.log.warning("%s", _cut_short(stopped, is_killed))
    if work.done():
        return
    if is_killed.is_set():
        stopped.log.warning("The triggerer goes on with the cancellation of %s", stopped.sync)
        return
    for warn in (stopped.log.warning, _tell_the_triggerer):
        warn(
            "Airflow has not said yet whether %s was killed: %s goes on meanwhile. It is cancelled if "
            "Airflow says so within %d minutes, as long as this triggerer runs",
            stopped.task,
            stopped.sync,
            PATIENCE_SECONDS // 60,
        )


async def _settle(stopped: StoppedTrigger, is_killed: asyncio.Event) -> None:
    """Ask until Airflow says what became of the task, and do what follows from it."""
    try:
        try:
            standing = await asyncio.wait_for(_standing(stopped), PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            said = f"Airflow did not say within {PATIENCE_SECONDS // 60:.0f} minutes"
            _tell_the_triggerer(
                "%s", _left_alone(stopped, f"{said} whether {stopped.task} was killed")
            )
            return
        if standing is Standing.WANTED:
            stopped.log.info("This wait is over; the sync goes on")
            return
        is_killed.set()
        stopped.log.warning("The task was killed: cancelling its sync")
        await _cancel(stopped)
    except StillWantedError:
        stopped.log.info("The task goes on after all, and so does its sync")
    except asyncio.CancelledError:
        _tell_the_triggerer("%s", _cut_short(stopped, is_killed))
        raise
    except Exception:
        log_that_it_failed(stopped.sync)
        _tell_the_triggerer("Could not cancel %s: cancel it in Airbyte", stopped.sync)


async def _standing(stopped: StoppedTrigger) -> Standing:
    """Return what Airflow says of the task, however long it says nothing."""
    key = stopped.request.key
    if key is None:
        return Standing.WANTED
    questions = shared_kills().questions
    for pause in _pauses():
        state = await questions.state(key)
        if state.standing is not Standing.UNKNOWN:
            return state.standing
        await asyncio.sleep(pause)
    raise AssertionError("repeating never ends")


def _pauses() -> Iterator[float]:
    return chain(ASK_AGAIN_SECONDS, repeat(ASK_AGAIN_SECONDS[-1]))


async def _cancel(stopped: StoppedTrigger) -> None:
    server = stopped.server or await _read_server(stopped)
    async with shared_servers().use(server_for_cancelling(server)) as parts:
        interpreter = parts.async_canceller(Follower(stopped.log))
        await arun(cancel_sync(stopped.sync), caution_of(stopped).over(interpreter))


async def _read_server(stopped: StoppedTrigger) -> AirbyteServer:
    """Read the Airflow connection, again and again while Airflow cannot tell it."""
    request, clock = stopped.request, shared_parts().async_clock()
    began = clock.now()
    give_up_at = began + timedelta(seconds=PATIENCE_SECONDS)
    for failures, pause in enumerate(_pauses()):
        try:
            reading = shared_servers().read(request.conn_id, request.api_version)
            server = await asyncio.wait_for(reading, PATIENCE_SECONDS)
        except InvalidInput:
            raise
        except Exception as error:
            if clock.now() + timedelta(seconds=pause) > give_up_at:
                raise
            if failures == 0:
                stopped.log.warning(
                    "Could not read the Airflow connection %r to cancel %s: reading it again for up to "
                    "%d minutes: %s",
                    request.conn_id,
                    stopped.sync,
                    PATIENCE_SECONDS // 60,
                    told(error),
                )
            await clock.sleep(timedelta(seconds=pause))
        else:
            # The task may have been cleared meanwhile, and its next try follows the sync.
            if failures or clock.now() - began > _WORD_IS_OLD_AFTER:
                await asyncio.wait_for(_require_kill(stopped), PATIENCE_SECONDS)
            return server
    raise AssertionError("repeating never ends")


def caution_of(stopped: StoppedTrigger) -> AsyncCaution[StoppedTrigger]:
    """Return what asks once more before a cancellation after a standstill."""
    return AsyncCaution(shared_kills().watch, _await_kill, stopped)


async def _await_kill(stopped: StoppedTrigger) -> None:
    """After a standstill: another process may have gone on with a task that was cleared."""
    watch = shared_kills().watch
    count = None
    while watch is not None and watch.count != count:
        count = watch.count
        await _require_kill(stopped)


async def _require_kill(stopped: StoppedTrigger) -> None:
    if await _standing(stopped) is not Standing.KILLED:
        raise StillWantedError


def _cut_short(stopped: StoppedTrigger, is_killed: asyncio.Event) -> str:
    """Say what a triggerer that ends leaves behind."""
    if is_killed.is_set():
        return f"This triggerer ends before {stopped.sync} is known to be cancelled: check it in Airbyte"
    return _left_alone(
        stopped, f"This triggerer ends before Airflow has said whether {stopped.task} was killed"
    )


def _left_alone(stopped: StoppedTrigger, why: str) -> str:
    return f"{why}: {stopped.sync} was left alone. If no task follows it, cancel it in Airbyte"


def _tell_the_triggerer(message: str, *arguments: object) -> None:
    """Write into the triggerer's own log: Airflow tells by context variables which log is a task's."""
    Context().run(_log.warning, message, *arguments)
