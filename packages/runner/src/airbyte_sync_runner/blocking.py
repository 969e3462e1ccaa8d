"""Run one sync to its end, blocking."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from airbyte_sync.clocks import SystemClock
from airbyte_sync.commands import Command, LoadCheckpoint, Pause, SaveCheckpoint, SubmitSync
from airbyte_sync.drivers import PortInterpreter, ignore, run
from airbyte_sync.errors import CallFailed
from airbyte_sync.policy import SyncPolicy
from airbyte_sync_runner.flows import ForgetRequest, KeepProgress, follow, settle
from airbyte_sync_runner.interrupts import OnInterrupt, Signals, decide, require_on_interrupt
from airbyte_sync_runner.progress import Progress
from airbyte_sync_runner.stores import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync.events import Event
    from airbyte_sync.ports import Clock, SyncGateway
    from airbyte_sync.requests import SyncRequest
    from airbyte_sync.results import SyncResult
    from airbyte_sync_runner.interrupts import ChoiceOnInterrupt
    from airbyte_sync_runner.stores import RequestStore

DEFAULT_POLICY = SyncPolicy()


def run_sync(
    gateway: SyncGateway,
    request: SyncRequest,
    policy: SyncPolicy = DEFAULT_POLICY,
    *,
    store: RequestStore | None = None,
    run_id: str | None = None,
    on_event: Callable[[Event], None] | None = None,
    on_interrupt: ChoiceOnInterrupt = None,
    clock: Clock | None = None,
) -> SyncResult:
    """
    Run one sync to its end, whatever stops the process.

    With a store, a run that was stopped or killed is resumed by the next one of the same request: it
    follows the sync that runs, and starts none. An outcome that was delivered is forgotten: the next run
    is a new request.

    When it is interrupted in the main thread it cancels the sync, or leaves it, and the interruption goes
    on: as ``KeyboardInterrupt``, or for SIGTERM as ``SystemExit(143)``. Signal handlers are installed only
    where the present ones are Python's own, and put back.

    Args:
        gateway: Where jobs and connections are.
        request: What to run.
        policy: How to see it through. Its ``cancel_timeout`` bounds the cancellation.
        store: Remembers the request beyond this process.
        run_id: Which run of it, where the caller tells runs apart: another run id is a new request.
        on_event: Called with everything that happens; it must not raise.
        on_interrupt: What an interruption does, or a function that tells when it happens. Default: Ctrl-C
            cancels the sync, and SIGTERM does only where there is no store.
        clock: Tells the time and waits; this machine's by default.

    Returns:
        The job, which has succeeded, and how the request came to it.

    Raises:
        RequestLocked: Another process follows the same request. Nothing was sent.
        StoreFailed: The store cannot be used. Nothing was sent.
        AirbyteSyncError: As :func:`airbyte_sync.sync`. Where a sync may still run, the store keeps the
            request.
    """
    require_on_interrupt(on_interrupt)
    with ExitStack() as everything:
        signals = everything.enter_context(Signals())
        clock = clock or SystemClock()
        progress = Progress(clock.now)
        if store is not None:
            progress.stored = everything.enter_context(store.open(key_of(request), run_id))

        def what_to_do(interruption: BaseException) -> OnInterrupt:
            return decide(on_interrupt, interruption, has_store=store is not None)

        ports = PortInterpreter(gateway, clock, on_event or ignore, store=progress)
        interpreter = _Interpreter(ports, progress, signals, what_to_do)
        try:
            return run(follow(request, policy, progress.position), interpreter)
        except Exception:
            raise
        except BaseException as interruption:
            action, has_store = what_to_do(interruption), store is not None
            run(settle(action, policy, progress.position, has_store=has_store), interpreter)
            raise


class _Interpreter:
    """Carries out commands; what an interruption must not cut is not cut."""

    def __init__(
        self,
        ports: PortInterpreter,
        progress: Progress,
        signals: Signals,
        what_to_do: Callable[[BaseException], OnInterrupt],
    ) -> None:
        self._ports = ports
        self._progress = progress
        self._signals = signals
        self._what_to_do = what_to_do

    def answer(self, command: Command[Any]) -> Any:
        match command:
            case SubmitSync(connection_id=connection_id):
                with self._signals.held_back(self._is_cancelled_by):
                    return self._submit(command, connection_id)
            case LoadCheckpoint() | SaveCheckpoint():
                with self._signals.held_back():
                    return self._ports.answer(command)
            case KeepProgress():
                return self._progress.try_to_keep()
            case ForgetRequest():
                with self._signals.held_back():
                    return self._progress.clear()
            case Pause():
                self._progress.renew()
        return self._ports.answer(command)

    def _submit(self, command: Command[Any], connection_id: str) -> Any:
        """Submit, and take note of the answer before an interruption that was held back is raised."""
        position = self._progress.position
        try:
            job = self._ports.answer(command)
        except CallFailed as error:
            if self._signals.pending is not None:
                position.record_no_job(error)
            raise
        position.record_job(job, connection_id)
        return job

    def _is_cancelled_by(self, interruption: BaseException) -> bool:
        """Tell whether the job has to be known, because it is to be cancelled."""
        return self._what_to_do(interruption) is OnInterrupt.CANCEL
