"""As much of a terminal as a live display needs: lines, a cursor that goes up, and lines that are erased."""

import os
import pty
import re
import select
import struct
import subprocess
import time
from contextlib import contextmanager, suppress
from fcntl import ioctl
from termios import TIOCSWINSZ

from tests.cli.command import PATIENCE

_CODES = re.compile(r"\x1b\]8;[^\x1b]*\x1b\\|\x1b\[([?0-9;]*)([A-Za-z])")


class Terminal:
    """
    What a person sees.

    Args:
        width: Columns. A longer line goes on below, as on a real one.
    """

    def __init__(self, width):
        self.width = width
        self.lines = [""]
        self.row = 0
        self.column = 0
        self.is_cursor_hidden = False
        self.links = set()

    def feed(self, text):
        place = 0
        while place < len(text):
            code = _CODES.match(text, place)
            if code:
                self._obey(code)
                place = code.end()
            else:
                self._type(text[place])
                place += 1

    def _obey(self, code):
        if code[2] is None:
            self.links.add(code[0].split(";", 2)[2].removesuffix("\x1b\\"))
            return
        arguments, command = code[1], code[2]
        match command:
            case "A":
                self.row = max(0, self.row - int(arguments or 1))
            case "K" if arguments == "2":
                self.lines[self.row] = ""
            case "h" | "l" if arguments == "?25":
                self.is_cursor_hidden = command == "l"
            case "m":
                pass
            case _:
                raise AssertionError(f"a code that this terminal does not know: {code[0]!r}")

    def _type(self, letter):
        if letter == "\r":
            self.column = 0
            return
        if letter == "\n" or self.column == self.width:
            self.row += 1
            self.column = 0
            if self.row == len(self.lines):
                self.lines.append("")
        if letter == "\n":
            return
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
        self.column += 1

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


@contextmanager
def on_terminal(command, *, width=100, height=30, ignored=None):
    """
    Run a command whose standard streams are a terminal: yields what its user can do and see.

    Args:
        command: The command.
        width: Of the terminal.
        height: Of the terminal.
        ignored: A signal that the command ignores, as under nohup.
    """
    if ignored is not None:
        command = ["sh", "-c", f'trap "" {int(ignored)}; exec "$@"', "sh", *command]
    ours, its = pty.openpty()
    ioctl(its, TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    with subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True
    ) as process:
        os.close(its)
        try:
            yield User(process, ours, Terminal(width))
        finally:
            process.kill()
            with suppress(OSError):  # the user may have closed it
                os.close(ours)


class User:
    """Who sits before the terminal."""

    def __init__(self, process, descriptor, terminal):
        self._process = process
        self._descriptor = descriptor
        self.terminal = terminal

    @property
    def pid(self):
        return self._process.pid

    def see(self, words):
        """Look until some words are there, and return the screen."""
        end = time.monotonic() + PATIENCE
        while words not in self.terminal.text:
            assert time.monotonic() < end, f"no {words!r} in:\n{self.terminal.text}"
            self._look()
        return self.terminal.text

    def see_no_more(self, words):
        """Look until some words are gone."""
        end = time.monotonic() + PATIENCE
        while words in self.terminal.text:
            assert time.monotonic() < end, f"still {words!r} in:\n{self.terminal.text}"
            self._look()

    def leave(self):
        """Look until the command has ended, and return its exit code."""
        while self._look():
            pass
        return self._process.wait(PATIENCE)

    def go_away(self):
        """Close the terminal."""
        os.close(self._descriptor)

    def wait(self):
        """Return the exit code of the command, without looking."""
        return self._process.wait(PATIENCE)

    def _look(self):
        ready, _, _ = select.select([self._descriptor], [], [], 0.1)
        if not ready:
            return True
        seen = b""
        with suppress(OSError):  # the other end was closed
            seen = os.read(self._descriptor, 65536)
        self.terminal.feed(seen.decode(errors="replace"))
        return bool(seen)
