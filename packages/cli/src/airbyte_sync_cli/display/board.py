"""The syncs of a command: each change goes to the board, and the displays of the board show it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airbyte_sync_cli.display.view import SyncView
from airbyte_sync_cli.exit_codes import ExitCode, exit_code_of, highest
from airbyte_sync_http import job_url
from airbyte_sync_http.transports.network import with_network_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from airbyte_sync import AirbyteSyncError, Connection, Event, Job, SyncResult


@dataclass(slots=True)
class Entry:
    """One sync of the command."""

    target: str
    """What was typed."""
    view: SyncView
    connection_id: str | None = None
    connection_name: str | None = None
    workspace_id: str | None = None
    error: AirbyteSyncError | None = None
    result: SyncResult | None = None


class Display:
    """Shows the syncs of a board, to a person or to a program. This one shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def on_event(self, entry: Entry, event: Event, now: datetime) -> None:
        """Show that something happened to a sync."""

    def on_end(self, entry: Entry, now: datetime) -> None:
        """Show how a sync ended."""

    def on_message(self, text: str, now: datetime, *, is_error: bool) -> None:
        """Show what is to be said about no sync in particular, or what a person has to do."""

    def tick(self) -> None:
        """Show that time has passed: called some times a second."""

    def finish(self, exit_code: ExitCode) -> None:
        """Show what became of all; called once, when everything has ended."""


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(timezone.utc)


class Board:
    """
    The syncs of a command.

    Args:
        titles: What people call them, in the order in which they were asked for.
        ui_url: Where people open Airbyte, for links to jobs.
        now: Tells the time.
    """

    def __init__(
        self, titles: Sequence[str], ui_url: str = "", now: Callable[[], datetime] = utc_now
    ) -> None:
        self.entries = [Entry(title, SyncView(title=title)) for title in titles]
        self.now = now
        self._ui_url = ui_url
        self._displays: list[Display] = []

    def add_display(self, display: Display) -> None:
        """Show every change there from now on."""
        self._displays.append(display)

    @property
    def views(self) -> list[SyncView]:
        """All syncs, as they stand."""
        return [entry.view for entry in self.entries]

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of those that have ended."""
        return highest(view.outcome for view in self.views if view.outcome is not None)

    def begin(self, entry: Entry) -> None:
        """Take note that something is done for a sync from now on."""
        entry.view = entry.view.begun(self.now())

    def on_event(self, entry: Entry, event: Event) -> None:
        """Take note of an event, and show it."""
        now = self.now()
        entry.view = entry.view.on_event(event, now)
        if entry.connection_id is None and entry.view.job is not None:
            entry.connection_id = entry.view.job.connection_id
        self._link(entry)
        for display in self._displays:
            display.on_event(entry, event, now)

    def seen(self, entry: Entry, job: Job) -> None:
        """Take note of a job that was read beside the flow."""
        entry.view = entry.view.polled(job, self.now())

    def describe(self, entry: Entry, connection: Connection) -> None:
        """Take note of what a connection is called and where it is."""
        entry.connection_id = connection.connection_id
        entry.connection_name = connection.name
        entry.workspace_id = connection.workspace_id
        entry.view = replace(entry.view, title=connection.name or connection.connection_id)
        self._link(entry)

    def end(
        self,
        entry: Entry,
        error: AirbyteSyncError | None = None,
        *,
        result: SyncResult | None = None,
        outcome: ExitCode | None = None,
        text: str | None = None,
    ) -> None:
        """
        Take note of how a sync ended, and show it.

        Args:
            entry: The sync.
            error: What went wrong; ``None`` where it succeeded, or with an ``outcome`` of its own.
            result: What it gave.
            outcome: How it ended, where neither error nor result says it.
            text: What there is to say, where no error says it.
        """
        now = self.now()
        job = result.job if result is not None else getattr(error, "job", None)
        if job is not None:
            entry.view = entry.view.polled(job, now)
        if result is not None:
            entry.view = replace(entry.view, origin=result.origin)
        if outcome is None:
            outcome = ExitCode.SUCCEEDED if error is None else exit_code_of(error)
        entry.error, entry.result = error, result
        if error is not None:
            text = with_network_advice(error) if outcome is ExitCode.UNREACHABLE else str(error)
        entry.view = entry.view.ended(outcome, now, text=text)
        self._link(entry)
        for display in self._displays:
            display.on_end(entry, now)

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Show a message."""
        for display in self._displays:
            display.on_message(text, self.now(), is_error=is_error)

    def tick(self) -> None:
        """Show that time has passed."""
        for display in self._displays:
            display.tick()

    def finish(self, exit_code: ExitCode) -> None:
        """Show what became of all."""
        for display in self._displays:
            display.finish(exit_code)

    def _link(self, entry: Entry) -> None:
        job = entry.view.job
        if job is not None and entry.workspace_id is not None and entry.view.url is None:
            url = job_url(self._ui_url, entry.workspace_id, job.connection_id, job.job_id)
            entry.view = replace(entry.view, url=url)
