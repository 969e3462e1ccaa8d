"""The standard streams of the command: they exist, take every character, and a failing one ends nothing."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from pathlib import Path
from typing import IO

_ESCAPES = "airbyte_sync_escapes"


def prepare_streams() -> None:
    """
    Make the standard streams ready for whatever is written.

    A stream that was closed (``>&-``) leads nowhere: without that, what is opened next would take its number.
    A character that the encoding does not have is escaped as JSON does it, so that a document stays valid.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - it stays open
            setattr(sys, name, nowhere)
    codecs.register_error(_ESCAPES, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPES)


def send_nowhere(stream: IO[str]) -> None:
    """Let a stream that failed lead nowhere, so that neither the next line nor the exit fails."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
