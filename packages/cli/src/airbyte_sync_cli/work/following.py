"""A board while its syncs are followed: its displays, its time, and what an interruption says there."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from airbyte_sync_cli.display.displays import EventStream, LineDisplay, LiveDisplay, OneDocument
from airbyte_sync_cli.execution import is_terminal, write_error, write_line
from airbyte_sync_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from airbyte_sync_cli.display.board import Board, Display
    from airbyte_sync_cli.display.view import SyncView

_TICK = 0.2
"""Seconds between two pictures of a live display."""


def _displays_for(board: Board, flags: Mapping[str, Any]) -> list[Display]:
    """Return how a board is shown: as the options say, else by what standard output is."""
    if flags["json_events"]:
        return [EventStream(board, write_line)]
    if flags["as_json"]:
        is_seen = is_terminal(sys.stderr) and not sys.stdout.isatty() and not flags["quiet"]
        beside: list[Display] = [LiveDisplay(board, Console(stderr=True))] if is_seen else []
        return [*beside, OneDocument(board, write_line, write_error)]
    if flags["quiet"]:
        return [LineDisplay(board, write_error, is_quiet=True)]
    if is_terminal(sys.stdout):
        return [LiveDisplay(board, Console())]
    return [LineDisplay(board, write_line, is_quiet=False)]


@asynccontextmanager
async def shown(
    board: Board, flags: Mapping[str, Any], left_over: Callable[[SyncView], str | None]
) -> AsyncIterator[None]:
    """
    Show a board while syncs are followed, and how all ended, also where the program is interrupted.

    Args:
        board: The syncs.
        flags: The options of the command line, which say how.
        left_over: Says what an interruption left of a sync.
    """
    with ExitStack() as stack:
        for display in _displays_for(board, flags):
            stack.enter_context(display)
            board.add_display(display)
        stack.enter_context(_logged_on(board))
        ticker = asyncio.ensure_future(_tick(board))
        try:
            yield
        except (asyncio.CancelledError, KeyboardInterrupt):
            _interrupt(board, ExitCode.INTERRUPTED, left_over)
            raise
        except SystemExit:
            _interrupt(board, ExitCode.TERMINATED, left_over)
            raise
        else:
            board.finish(board.exit_code)
        finally:
            ticker.cancel()


@contextmanager
def _logged_on(board: Board) -> Iterator[None]:
    """Show what the runner says in its log: what an interruption does, and what it could not do."""
    logger = logging.getLogger("airbyte_sync")
    handler = _BoardHandler(board)
    logger.addHandler(handler)
    propagated, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


class _BoardHandler(logging.Handler):
    def __init__(self, board: Board) -> None:
        super().__init__(logging.WARNING)
        self._board = board

    def emit(self, record: logging.LogRecord) -> None:
        self._board.say(record.getMessage(), is_error=record.levelno >= logging.ERROR)


async def _tick(board: Board) -> None:
    while True:
        await asyncio.sleep(_TICK)
        board.tick()


def _interrupt(board: Board, code: ExitCode, left_over: Callable[[SyncView], str | None]) -> None:
    for entry in board.entries:
        if entry.view.outcome is None:
            board.end(entry, outcome=code, text=left_over(entry.view))
    board.finish(code)
