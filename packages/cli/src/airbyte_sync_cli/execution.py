"""How a command runs: on an event loop of its own, with signals and errors turned into exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

import click

from airbyte_sync import AirbyteSyncError
from airbyte_sync_cli.display.as_json import document, error_as_json
from airbyte_sync_cli.exit_codes import ExitCode, exit_code_of
from airbyte_sync_cli.settings import CliSettings
from airbyte_sync_cli.streams import send_nowhere
from airbyte_sync_http.transports.network import with_network_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping


def execute(
    work: Callable[..., Coroutine[Any, Any, ExitCode]], *arguments: object, flags: Mapping[str, Any]
) -> ExitCode:
    """
    Run the work of a command.

    Args:
        work: Makes the coroutine, of the arguments, the settings and the flags.
        arguments: What the command line names.
        flags: Its options. With ``--json`` an error that ends the command is told as JSON on standard
            output, too.

    Returns:
        The exit code. An error was told on standard error.
    """
    try:
        return asyncio.run(work(*arguments, CliSettings(flags), flags))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except AirbyteSyncError as error:
        code = exit_code_of(error)
        if flags["as_json"] and not flags.get("json_events"):
            write({"outcome": code.word, "exit_code": int(code), "error": error_as_json(error)})
        write_error(f"airbyte-sync: {with_network_advice(error)}")
        return code


def write(value: object) -> bool:
    """Write a JSON document to standard output; return as :func:`write_line`."""
    return write_line(document(value))


def write_line(text: str) -> bool:
    """
    Write a line to standard output at once: what reads a pipe waits for it.

    Returns:
        Whether it was written, or is not wanted any more. Where it could not be, standard error says so once.
    """
    return _write_line(text, sys.stdout)


def write_error(text: str) -> None:
    """Write a line to standard error."""
    _write_line(text, sys.stderr)


def _write_line(text: str, stream: TextIO) -> bool:
    """Write a line. Where nothing reads any more, or a disk is full, a sync is followed all the same."""
    try:
        click.echo(text, stream)
        stream.flush()
    except OSError as error:
        send_nowhere(stream)
        if isinstance(error, BrokenPipeError):  # as "| head" does, when it has seen enough
            return True
        if stream is sys.stdout:
            write_error(
                "airbyte-sync: standard output cannot be written, and the rest of it is lost: "
                f"{error.strerror}"
            )
        return False
    return True


def is_terminal(stream: Any) -> bool:
    """Whether a person sees a stream on a terminal that can move its cursor."""
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


@contextmanager
def exiting_on_sigterm() -> Iterator[None]:
    """
    Leave the program in order when SIGTERM comes, with everything closed on the way.

    The task is cancelled and then exits: an exit that is raised wherever the loop stands ends another task,
    and asyncio tells of it with a traceback.

    Not around :func:`airbyte_sync_runner.run_many`, which knows better what SIGTERM means, and leaves
    handlers of others alone.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    has_come = False

    def leave() -> None:
        nonlocal has_come
        has_come = True
        if task is not None:
            task.cancel()

    with suppress(NotImplementedError):  # Windows has no SIGTERM to speak of
        loop.add_signal_handler(signal.SIGTERM, leave)
    try:
        yield
    except asyncio.CancelledError:
        if has_come:
            raise SystemExit(int(ExitCode.TERMINATED)) from None
        raise
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)
