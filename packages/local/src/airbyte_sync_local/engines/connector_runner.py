"""
Run one real sync: an Airbyte source connector, through PyAirbyte, into a DuckDB file.

This is a program of its own. It is run by path, with the Python of the connectors environment,
which holds PyAirbyte and knows nothing of ``airbyte_sync_local``::

    PYTHON -I connector_runner.py --source source-faker --source-executable PATH \
        --config CONFIG.json --streams users,products --database FILE.duckdb --scratch FOLDER

What it says on stdout is one JSON object a line; everything else, PyAirbyte's and the connector's
own words, goes to stderr. Exactly one last word comes at the end, with its exit code:

=================================================================  =====
``{"event": "started", "streams": [...]}``
``{"event": "progress", "rows": 1200, "bytes": 421337}``
``{"event": "finished", "streams": {"users": 2000}, "bytes": ...}``  0
``{"event": "failed", "failure": {"failureOrigin": ..., ...}}``       1
``{"event": "cancelled"}``                                          143
=================================================================  =====

``progress`` counts what was read from the connector. PyAirbyte loads the database when everything
was read: until ``finished``, the tables hold the rows of the last sync. Each sync is a full refresh
that replaces the tables of its streams, so ``streams`` of ``finished`` is what ``count(*)`` says.

SIGTERM, SIGINT, or the end of stdin when the config comes from there, cancel the sync at once,
whatever it is doing. Nothing here touches the network: PyAirbyte runs in its offline mode.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

FINISHED: Final = 0
FAILED: Final = 1
CANCELLED: Final = 128 + signal.SIGTERM

_SECONDS_BETWEEN_PROGRESS: Final = 0.25
_SECONDS_TO_WAIT_FOR_THE_DATABASE: Final = 10.0
_LOCKED: Final = "Could not set lock on file"
"""How DuckDB says that another process has the file open."""


class RunFailed(Exception):
    """
    The sync cannot go on, and we know why.

    Attributes:
        failure: The reason, in the words of Airbyte's ``failureSummary``.
    """

    def __init__(self, message: str, *, origin: str, kind: str = "system_error") -> None:
        super().__init__(message)
        self.failure = _failure(message, origin=origin, kind=kind)


class EventWriter:
    """
    Writes what happens, one JSON object a line.

    The last event is written once. The thread that writes it keeps the lock until the process is gone,
    so that a cancel cannot contradict a sync that has just finished, nor the reverse.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def write(self, event: str, **facts: object) -> None:
        with self._lock:
            self._write(event, facts)

    def write_last(self, event: str, **facts: object) -> None:
        self._lock.acquire()  # and never released: see above
        self._write(event, facts)

    def _write(self, event: str, facts: Mapping[str, object]) -> None:
        with suppress(BrokenPipeError):  # the parent is gone; the end of stdin cancels us
            self._out.write(json.dumps({"event": event, **facts}) + "\n")
            self._out.flush()


class RecordCounter:
    """Between the connector and PyAirbyte: counts the records, keeps the failure, sets the pace."""

    def __init__(self, events: EventWriter, *, rows_per_second: float | None) -> None:
        self.rows: Counter[str] = Counter()
        self.bytes = 0
        self.failure: dict[str, str | None] | None = None
        self._events = events
        self._rows_per_second = rows_per_second
        self._first_row_at = 0.0
        self._said_at = 0.0

    def around(self, execute: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
        """Wrap the method by which PyAirbyte runs the connector and reads its messages."""

        def tapped(args: list[str], **options: Any) -> Iterator[str]:
            options["suppress_stderr"] = False  # a connector that crashes says why on stderr
            for line in execute(args, **options):
                self._see(line)
                yield line

        return tapped

    def _see(self, line: str) -> None:
        try:
            message = json.loads(line)
            kind = message["type"]
        except (ValueError, KeyError, TypeError):
            _note(line)
            return
        if kind == "RECORD":
            self._see_record(message["record"])
        elif kind == "LOG":
            _note(f"{message['log']['level']} {message['log']['message']}")
        elif kind == "TRACE":
            self._see_trace(message["trace"])

    def _see_record(self, record: dict[str, Any]) -> None:
        now = time.monotonic()
        if not self.rows:
            self._first_row_at = now
        self.rows[record["stream"]] += 1
        data = json.dumps(record["data"], separators=(",", ":"), ensure_ascii=False)
        self.bytes += len(data.encode())
        if now - self._said_at >= _SECONDS_BETWEEN_PROGRESS:
            self._say_progress(now)
        if self._rows_per_second is not None:
            due = self._first_row_at + self.rows.total() / self._rows_per_second
            time.sleep(max(0.0, due - now))

    def _see_trace(self, trace: dict[str, Any]) -> None:
        if trace["type"] == "STREAM_STATUS" and trace["stream_status"]["status"] == "COMPLETE":
            self._say_progress(time.monotonic())
        if trace["type"] == "ERROR" and self.failure is None:  # the first is the cause
            error = trace["error"]
            self.failure = _failure(
                error["message"],
                origin="source",
                kind=error.get("failure_type") or "system_error",
                internal_message=error.get("internal_message"),
            )

    def _say_progress(self, now: float) -> None:
        self._said_at = now
        self._events.write("progress", rows=self.rows.total(), bytes=self.bytes)


def main() -> int:
    options = _options()
    events = EventWriter(_keep_stdout_for_events())
    config_text, stdin = _config_text(options.config)
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # so that a cancel ends our children, and only them
    _cancel_when_told(events, stdin)
    counter = RecordCounter(events, rows_per_second=options.rows_per_second)
    try:
        streams = _sync(options, json.loads(config_text), events, counter)
    except Exception as error:
        traceback.print_exc()
        events.write_last("failed", failure=counter.failure or _failure_of(error, options.source))
        return FAILED
    events.write_last("finished", streams=streams, bytes=counter.bytes)
    return FINISHED


def _sync(
    options: argparse.Namespace, config: dict[str, Any], events: EventWriter, counter: RecordCounter
) -> dict[str, int]:
    """Run the sync. Returns how many rows each table holds now."""
    if shutil.which(options.source_executable) is None:
        raise RunFailed(
            f"There is no connector at {options.source_executable}: install {options.source} "
            "into the connectors environment.",
            origin="airbyte_platform",
        )
    airbyte = _import_airbyte(options.scratch)
    source = airbyte.get_source(
        options.source, config=config, local_executable=options.source_executable
    )
    source.executor.execute = counter.around(source.executor.execute)
    names = source.get_available_streams()
    streams = options.streams or names
    missing = [name for name in streams if name not in names]
    if missing:
        raise RunFailed(
            f"{options.source} has no stream {', '.join(missing)}; it has {', '.join(names)}.",
            origin="source",
            kind="config_error",
        )
    source.select_streams(streams)
    cache = _open(options)
    events.write("started", streams=streams)
    # The connector checks its config itself, and explains what is wrong better than PyAirbyte.
    result = source.read(
        cache, force_full_refresh=True, write_strategy="replace", skip_validation=True
    )
    rows = {name: len(dataset) for name, dataset in result.streams.items()}
    cache.close()
    return rows


def _import_airbyte(scratch: Path) -> Any:
    """Import PyAirbyte, which reads its settings on import, and takes seconds over it."""
    scratch.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        AIRBYTE_OFFLINE_MODE="1",  # no connector registry
        DO_NOT_TRACK="1",  # no telemetry, no ~/.airbyte/analytics.yml
        NO_LIVE_PROGRESS="1",
        AIRBYTE_PROJECT_DIR=str(scratch),
        AIRBYTE_INSTALL_DIR=str(scratch),
        AIRBYTE_CACHE_ROOT=str(scratch),
        AIRBYTE_TEMP_DIR=str(scratch),
        AIRBYTE_LOGGING_ROOT=str(scratch / "logs"),
    )
    for name in ("PYTHONPATH", "PYTHONHOME"):  # the connector has an environment of its own
        os.environ.pop(name, None)
    try:
        return importlib.import_module("airbyte")
    except ModuleNotFoundError as error:
        raise RunFailed(
            f"{sys.executable} has no PyAirbyte: {error}. Give the Python of the connectors "
            "environment.",
            origin="airbyte_platform",
        ) from error


def _open(options: argparse.Namespace) -> Any:
    """
    Open the database for writing, which DuckDB allows to one process at a time.

    Another process may be reading the rows, so we wait a little.
    """
    duckdb = importlib.import_module("duckdb")
    if options.schema == options.database.name.split(".")[0]:
        raise RunFailed(
            f"DuckDB cannot tell the schema {options.schema} from the database, which is named "
            "after its file: name one of them differently.",
            origin="destination",
            kind="config_error",
        )
    options.database.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _SECONDS_TO_WAIT_FOR_THE_DATABASE
    while True:
        try:
            duckdb.connect(options.database).close()
            break
        except duckdb.Error as error:
            if _LOCKED not in str(error):
                raise RunFailed(
                    f"{options.database} cannot be opened: {error}",
                    origin="destination",
                    kind="config_error",
                ) from error
            if time.monotonic() > deadline:
                raise RunFailed(
                    f"Another process has {options.database} open. Close it, or give each "
                    f"connection a file of its own. {error}",
                    origin="destination",
                    kind="transient_error",
                ) from error
        time.sleep(0.1)
    caches = importlib.import_module("airbyte.caches")
    return caches.DuckDBCache(
        db_path=options.database, schema_name=options.schema, cache_dir=options.scratch
    )


def _failure_of(error: Exception, source: str) -> dict[str, str | None]:
    if isinstance(error, RunFailed):
        return error.failure
    if type(error).__name__ == "AirbyteConnectorFailedError":
        message = f"{source} ended without saying why; its last words are in the log."
        return _failure(message, origin="source", internal_message=str(error))
    return _failure(
        f"The sync stopped on an unexpected {type(error).__name__}; the log has the details.",
        origin="airbyte_platform",
        internal_message=str(error),
    )


def _failure(
    message: str, *, origin: str, kind: str = "system_error", internal_message: str | None = None
) -> dict[str, str | None]:
    return {
        "failureOrigin": origin,
        "failureType": kind,
        "externalMessage": message,
        "internalMessage": internal_message,
    }


def _cancel_when_told(events: EventWriter, stdin: TextIO | None) -> None:
    """Watch for the signal in a thread: the main one may be deep in a long query."""
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def cancel_on_signal() -> None:
        os.read(told, 1)
        _cancel(events)

    def cancel_at_end_of_stdin(stdin: TextIO) -> None:
        stdin.read()
        _cancel(events)

    threading.Thread(target=cancel_on_signal, daemon=True).start()
    if stdin is not None:
        threading.Thread(target=cancel_at_end_of_stdin, args=(stdin,), daemon=True).start()


def _cancel(events: EventWriter) -> None:
    """End the connector and ourselves. DuckDB rolls an unfinished transaction back."""
    events.write_last("cancelled")
    os.killpg(0, signal.SIGTERM)  # to us as well, who no longer listen
    os._exit(CANCELLED)


def _keep_stdout_for_events() -> TextIO:
    """Send what anybody else prints to stderr, so that stdout carries nothing but our lines."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _config_text(place: str) -> tuple[str, TextIO | None]:
    """Read the config, and keep stdin from the connector if that is where it came from."""
    if place != "-":
        return Path(place).read_text("utf-8"), None
    stdin = os.fdopen(os.dup(0), encoding="utf-8")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return stdin.readline(), stdin


def _note(text: str) -> None:
    sys.stderr.write(text.rstrip("\n") + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run one real sync into a DuckDB file.")
    add = parser.add_argument
    add("--source", required=True, help="name of the connector, such as source-faker")
    add("--source-executable", required=True, help="path of the connector's program")
    add("--config", required=True, help="JSON file; - reads one line of stdin, whose end cancels")
    add(
        "--streams",
        type=lambda names: names.split(",") if names else [],
        default=[],
        help="names with commas between; all of them unless given",
    )
    add("--database", type=Path, required=True, help="DuckDB file; one for each connection")
    add("--schema", default="main", help="schema of the tables; not the name of the file")
    add("--scratch", type=Path, required=True, help="folder for temporary files, with secrets")
    add("--rows-per-second", type=float, help="read no faster than this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
