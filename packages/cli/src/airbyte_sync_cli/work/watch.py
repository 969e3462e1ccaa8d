"""What ``airbyte-sync watch`` does: follow jobs by their numbers, on the same board as ``run``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airbyte_sync import (
    AirbyteSyncError,
    AsyncPortInterpreter,
    AsyncSystemClock,
    CallFailed,
    SyncResult,
    arun,
    resume,
)
from airbyte_sync.flows import watching
from airbyte_sync_cli.display.board import Board
from airbyte_sync_cli.execution import exiting_on_sigterm
from airbyte_sync_cli.work.following import shown
from airbyte_sync_cli.work.session import open_session
from airbyte_sync_cli.work.targets import is_job_id, job_to_watch
from airbyte_sync_http.feed.feed import JobFeed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airbyte_sync import Event
    from airbyte_sync_cli.display.board import Entry
    from airbyte_sync_cli.display.view import SyncView
    from airbyte_sync_cli.exit_codes import ExitCode
    from airbyte_sync_cli.settings import CliSettings
    from airbyte_sync_cli.work.session import Session


async def watch_all(
    targets: Sequence[str], settings: CliSettings, flags: Mapping[str, Any]
) -> ExitCode:
    """
    Follow jobs to their ends.

    Args:
        targets: Numbers of jobs, and names or ids of connections.
        settings: Everything that was set.
        flags: The options of the command line.

    Returns:
        The highest exit code.
    """
    async with open_session(settings) as session:
        titles = [f"job {text}" if is_job_id(text) else text for text in targets]
        board = Board(titles, session.server.ui_url)
        async with (
            shown(board, flags, _left_over),
            JobFeed(session.gateway, AsyncSystemClock()) as feed,
        ):
            follower = _Follower(session, board, feed)
            with exiting_on_sigterm():
                await asyncio.gather(*map(follower.follow, board.entries, targets))
    return board.exit_code


class _Follower:
    def __init__(self, session: Session, board: Board, feed: JobFeed) -> None:
        self._session = session
        self._board = board
        self._feed = feed
        self._limit = asyncio.Semaphore(3)

    async def follow(self, entry: Entry, text: str) -> None:
        """Follow one job to its end, and show it."""
        board, session = self._board, self._session
        board.begin(entry)
        try:
            async with self._limit:
                job_id = await job_to_watch(session, text)
                await self._describe(entry, job_id)
            began = board.now()
            checkpoint = watching(job_id, session.policy, began=began)

            def on_event(event: Event) -> None:
                board.on_event(entry, event)

            interpreter = AsyncPortInterpreter(
                session.gateway, AsyncSystemClock(), on_event, feed=self._feed
            )
            result: SyncResult = await arun(resume(checkpoint, session.policy), interpreter)
        except AirbyteSyncError as error:
            board.end(entry, error)
        else:
            board.end(entry, result=result)

    async def _describe(self, entry: Entry, job_id: int) -> None:
        """Find out what the job's connection is called, where that is easy."""
        try:
            job = await self._session.gateway.fetch_job(job_id)
        except CallFailed:
            return  # the wait deals with it
        self._board.seen(entry, job)
        described = await self._session.described({job.connection_id})
        connection = described.get(job.connection_id.lower())
        if connection is not None:
            self._board.describe(entry, connection)


def _left_over(view: SyncView) -> str | None:
    if view.job is None:
        return "nothing was cancelled"
    if view.job.status.is_final:
        return f"Airbyte job {view.job.job_id} has ended: {view.job.status}"
    return f"Airbyte job {view.job.job_id} goes on"
