"""What ``airbyte-sync run`` does: find the connections, run their syncs, and keep the board true."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from airbyte_sync import AirbyteSyncError, InvalidInput, JobType, SyncRequest, texts
from airbyte_sync.jobs import is_uuid
from airbyte_sync_cli.display.board import Board
from airbyte_sync_cli.execution import exiting_on_sigterm
from airbyte_sync_cli.work.following import shown
from airbyte_sync_cli.work.session import READ_ONE_BY_ONE, ConnectionList, open_session
from airbyte_sync_runner import AsyncFileStore, OnInterrupt, run_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airbyte_sync import Event
    from airbyte_sync_cli.display.board import Entry
    from airbyte_sync_cli.display.view import SyncView
    from airbyte_sync_cli.exit_codes import ExitCode
    from airbyte_sync_cli.settings import CliSettings
    from airbyte_sync_cli.work.session import Session
    from airbyte_sync_runner import Outcome

_LOOKED_UP_AT_ONCE = 3
_MOST_DIGITS = 9
_ENDED = {
    "cancelled": "was cancelled",
    "succeeded": "has succeeded meanwhile",
    "failed": "has failed",
}


async def run_connections(
    connections: Sequence[str], settings: CliSettings, flags: Mapping[str, Any]
) -> ExitCode:
    """
    Run the syncs of some connections to their ends.

    Args:
        connections: Names or ids.
        settings: Everything that was set.
        flags: The options of the command line.

    Returns:
        The highest exit code.

    Raises:
        InvalidInput: A setting cannot be right, or a connection was named twice; nothing was started.
    """
    on_interrupt = _on_interrupt(settings)
    at_once = _at_once(settings)
    folder = settings.path("state")
    run_id = flags.get("run_id")
    if run_id is not None and folder is None:
        raise InvalidInput("--run-id needs --state: give both, or neither")
    store = None if folder is None else AsyncFileStore(folder)
    async with open_session(settings) as session:
        board = Board(connections, session.server.ui_url)
        async with shown(board, flags, left_over):
            with exiting_on_sigterm():
                entries = await _find(session, board)
            if at_once is None:
                for entry in entries.values():
                    board.begin(entry)  # else the first event says that its turn has come
            job_type = JobType(flags.get("job_type") or "sync")
            requests = [
                SyncRequest(connection_id=connection_id, job_type=job_type)
                for connection_id in entries
            ]

            def on_event(request: SyncRequest, event: Event) -> None:
                board.on_event(entries[request.connection_id], event)

            def on_outcome(outcome: Outcome) -> None:
                entry = entries[outcome.request.connection_id]
                board.end(entry, outcome.error, result=outcome.result)

            await run_many(
                session.gateway,
                requests,
                session.policy,
                limit=at_once,
                store=store,
                run_id=run_id,
                on_event=on_event,
                on_outcome=on_outcome,
                on_interrupt=on_interrupt,
            )
        return board.exit_code


def left_over(view: SyncView) -> str | None:
    """Say what an interruption left of a sync."""
    if view.job is None and view.may_have_started:
        return "it is unknown whether a sync was started"
    if view.job is None:
        return "nothing was started"
    if view.job.status.is_final:
        return f"Airbyte job {view.job.job_id} {_ENDED.get(view.job.status.word, 'has ended')}"
    if view.is_cancelling:
        return f"Airbyte job {view.job.job_id} is being cancelled; Airbyte has not said yet that it has ended"
    return f"Airbyte job {view.job.job_id} goes on"


async def _find(session: Session, board: Board) -> dict[str, Entry]:
    """Find the connections, and return their entries by id; one that is not found has ended."""
    limit = asyncio.Semaphore(_LOOKED_UP_AT_ONCE)

    async def find(entry: Entry) -> None:
        try:
            async with limit:
                found = await session.find(
                    entry.view.title,
                    patiently=True,
                    on_event=partial(board.on_event, entry),
                    listed=listed,
                )
            board.describe(entry, found)
        except AirbyteSyncError as error:
            board.end(entry, error)

    for entry in board.entries:
        if is_uuid(entry.view.title):
            entry.connection_id = entry.view.title.lower()  # as Airbyte writes it
    by_id = {each.connection_id: each for each in board.entries if each.connection_id is not None}
    names = [entry for entry in board.entries if entry.connection_id is None]
    listed = ConnectionList(session) if len(names) > READ_ONE_BY_ONE else None
    described, _ = await asyncio.gather(
        session.described(set(by_id)), asyncio.gather(*map(find, names))
    )
    for connection_id, entry in by_id.items():
        connection = described.get(connection_id)
        if connection is not None:
            board.describe(entry, connection)
    return _by_id(board)


def _by_id(board: Board) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in board.entries:
        if entry.connection_id is None:
            continue
        if entry.connection_id in found:
            raise InvalidInput(
                f"{entry.view.title!r} ({entry.connection_id}) was named twice, and a connection runs one "
                "sync at a time: name it once"
            )
        found[entry.connection_id] = entry
    return found


def _on_interrupt(settings: CliSettings) -> OnInterrupt | None:
    value, name = settings.find("on_interrupt")
    if value is None:
        return None
    try:
        return OnInterrupt(value)
    except ValueError:
        choices = " or ".join(each.value for each in OnInterrupt)
        raise InvalidInput(f"{name} is {value!r}: write {choices}") from None


def _at_once(settings: CliSettings) -> int | None:
    value, name = settings.find("at_once")
    if value is None:
        return None
    text = str(value)
    if not text.isdecimal() or len(text) > _MOST_DIGITS or int(text) < 1:
        raise InvalidInput(f"{name} is {texts.shown(value)}: write a whole number above zero")
    return int(text)
