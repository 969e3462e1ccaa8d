"""The displays: a live screen for a terminal, plain lines for logs, JSON for programs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from airbyte_sync import ProgressThrottle, describe
from airbyte_sync.events import JobEnded
from airbyte_sync_cli.display.as_json import (
    document,
    event_as_json,
    moment,
    outcome_as_json,
    outcomes_as_json,
)
from airbyte_sync_cli.display.board import Display
from airbyte_sync_cli.display.lines import closing_line, ended_line, stream_lines
from airbyte_sync_cli.display.screen import Size, explanations, final_screen, screen
from airbyte_sync_cli.exit_codes import ExitCode
from airbyte_sync_cli.streams import send_nowhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from rich.console import Console, RenderableType
    from typing_extensions import Self

    from airbyte_sync import Event
    from airbyte_sync_cli.display.board import Board, Entry


class LiveDisplay(Display):
    """
    A screen that is drawn anew several times a second, and stays as it was at the end.

    It is drawn at ticks alone, because many syncs have many events.

    Args:
        board: The syncs.
        console: The terminal.
    """

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._is_over = False
        self._message: str | None = None
        self._errors: list[str] = []
        self._live = Live(
            console=console,
            auto_refresh=False,
            get_renderable=self._screen,
            vertical_overflow="crop",
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        with self._also_without_a_terminal():
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        with self._also_without_a_terminal():
            self._live.stop()
        lines = self._explanations() if self._is_over else []
        for line in (*lines, *(Text(error, "red") for error in self._errors)):
            with self._also_without_a_terminal():
                self._console.print(line, soft_wrap=True)

    def on_message(self, text: str, now: datetime, *, is_error: bool) -> None:
        """Show the last message below everything; errors stay there."""
        del now
        self._message = text
        if is_error:
            self._errors.append(text)

    def tick(self) -> None:
        """Show times and spinners of now."""
        with self._also_without_a_terminal():
            self._live.refresh()

    def finish(self, exit_code: ExitCode) -> None:
        """Leave everything on the terminal, however long it is."""
        del exit_code
        self._is_over = True  # what is drawn last, when the display is left

    @contextmanager
    def _also_without_a_terminal(self) -> Iterator[None]:
        """Go on where the terminal is gone: a sync is followed all the same."""
        try:
            yield
        except OSError:
            send_nowhere(self._console.file)

    def _explanations(self) -> list[Text]:
        streams = [stream_lines(entry.result) for entry in self._board.entries]
        return explanations(self._board.views, self._size(), streams)

    def _screen(self) -> RenderableType:
        views, now, size = self._board.views, self._board.now(), self._size()
        if self._is_over:
            return final_screen(views, now, size)
        return screen(views, now, size, self._message)

    def _size(self) -> Size:
        console = self._console
        return Size(width=console.width, height=console.height, is_ascii=console.options.ascii_only)


class LineDisplay(Display):
    """
    One line for each thing that happens, with the moment: for logs, mails of cron and journals.

    Args:
        board: The syncs.
        write: Writes a line.
        is_quiet: Whether to write only what did not succeed.
    """

    def __init__(self, board: Board, write: Callable[[str], object], *, is_quiet: bool) -> None:
        self._board = board
        self._write = write
        self._is_quiet = is_quiet
        self._is_worth_a_line = ProgressThrottle()

    def on_event(self, entry: Entry, event: Event, now: datetime) -> None:
        """Write what the event says, with the connection where there are several."""
        if self._is_quiet or isinstance(event, JobEnded) or not self._is_worth_a_line(event):
            return  # how a job ended is told by on_end, with its reason
        text = describe(event, connection_name=entry.connection_name, job_url=entry.view.url).text
        self._line(entry, text, now)

    def on_end(self, entry: Entry, now: datetime) -> None:
        """Write how it ended, and why."""
        if not self._is_quiet or entry.view.outcome is not ExitCode.SUCCEEDED:
            self._line(entry, ended_line(entry.view), now)
        if not self._is_quiet:
            for line in stream_lines(entry.result):
                self._line(entry, f"  {line}", now)

    def on_message(self, text: str, now: datetime, *, is_error: bool) -> None:
        """Write it."""
        if is_error or not self._is_quiet:
            self._write(f"{_stamp(now)} {text}")

    def finish(self, exit_code: ExitCode) -> None:
        """Write how many came to which end, where there are several."""
        is_told = not self._is_quiet or exit_code is not ExitCode.SUCCEEDED
        if is_told and len(self._board.entries) > 1:
            self._write(f"{_stamp(self._board.now())} {closing_line(self._board.views)}")

    def _line(self, entry: Entry, text: str, now: datetime) -> None:
        name = f"{entry.view.title}: " if len(self._board.entries) > 1 else ""
        self._write(f"{_stamp(now)} {name}{text}")


class EventStream(Display):
    """
    One JSON object a line: each event when it happens, each outcome, and the whole at the end.

    Args:
        board: The syncs.
        write: Writes a line.
    """

    def __init__(self, board: Board, write: Callable[[str], object]) -> None:
        self._board = board
        self._write = write

    def on_event(self, entry: Entry, event: Event, now: datetime) -> None:
        """Write the event."""
        self._write(document(event_as_json(event, entry, now), is_line=True))

    def on_end(self, entry: Entry, now: datetime) -> None:
        """Write the outcome of one sync, as the event ``sync_ended``."""
        ended = {"event": "sync_ended", "at": moment(now), **outcome_as_json(entry)}
        self._write(document(ended, is_line=True))

    def on_message(self, text: str, now: datetime, *, is_error: bool) -> None:
        """Write it, as the event ``message``."""
        told = {"event": "message", "at": moment(now), "text": text, "is_error": is_error}
        self._write(document(told, is_line=True))

    def finish(self, exit_code: ExitCode) -> None:
        """Write the outcome of all, as the event ``finished``."""
        last = {
            "event": "finished",
            "at": moment(self._board.now()),
            **outcomes_as_json(self._board.entries, exit_code),
        }
        self._write(document(last, is_line=True))


class OneDocument(Display):
    """
    One JSON document, when everything has ended.

    Args:
        board: The syncs.
        write: Writes a text.
        write_error: Writes a line for a person.
    """

    def __init__(
        self,
        board: Board,
        write: Callable[[str], object],
        write_error: Callable[[str], object],
    ) -> None:
        self._board = board
        self._write = write
        self._write_error = write_error

    def on_message(self, text: str, now: datetime, *, is_error: bool) -> None:
        """Write errors to standard error: a person has to read them."""
        del now
        if is_error:
            self._write_error(text)

    def finish(self, exit_code: ExitCode) -> None:
        """Write the document."""
        self._write(document(outcomes_as_json(self._board.entries, exit_code)))


def _stamp(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"
