"""The Airbyte that is measured against: the local one, with five threads, in a process of its own.

As a program it is that server, and takes its orders line by line on its standard input; :class:`Airbyte`
starts it and gives them. It listens on loopback only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

CLIENT_ID = "bench"
CLIENT_SECRET = "no-secret"  # noqa: S105 - of a server that lives for a minute
LATENCY_SECONDS = 0.02
"""How long each request holds one of the server's threads."""


class Airbyte:
    """The server, for as long as a ``with`` block."""

    def __init__(self) -> None:
        self.url = ""

    def __enter__(self) -> Airbyte:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self._answer()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def connection(self) -> str:
        """Return an Airflow connection that leads here, as its environment variable holds it."""
        return json.dumps(
            {
                "conn_type": "airbyte",
                "host": f"{self.url}/api/public/v1",
                "login": CLIENT_ID,
                "password": CLIENT_SECRET,
            }
        )

    def connections(self, number: int, seconds: float | None) -> list[str]:
        """Add connections whose syncs take so long, or until :meth:`finish`, and return their ids."""
        return list(self._ask("connections", number, seconds))

    def start(self, number: int, seconds: float) -> list[tuple[int, str]]:
        """Start so many syncs, each on a connection of its own: (job id, connection id)."""
        return [tuple(pair) for pair in self._ask("start", number, seconds)]

    def finish(self) -> int:
        """Let all syncs that run succeed now, and return how many they are."""
        return int(self._ask("finish"))

    def ends(self) -> dict[int, float]:
        """Return when each job ended: seconds since the epoch."""
        return {int(job_id): moment for job_id, moment in self._ask("ends").items()}

    def requests(self) -> list[tuple[float, str]]:
        """Return every request so far: when it came, and for what."""
        return [tuple(pair) for pair in self._ask("requests")]

    def _ask(self, *order: object) -> Any:
        assert self._process.stdin is not None  # noqa: S101 - for mypy
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101 - for mypy
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server has ended")
        return json.loads(line)


def by_kind(requests: list[tuple[float, str]]) -> dict[str, int]:
    """Count requests by what they ask for."""
    return dict(sorted(Counter(operation for _, operation in requests).items()))


def _serve() -> None:
    from airbyte_sync_local import LocalAirbyte, RequireClientCredentials, job_scripts  # noqa: PLC0415
    from airbyte_sync_local.pipeline import Threads  # noqa: PLC0415

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from directed_engine import DirectedEngine  # noqa: PLC0415 - tools are no package

    def life(seconds: float | None) -> job_scripts.JobScript:
        if seconds is None:
            return job_scripts.never_ends()
        second = timedelta(seconds=1)
        return job_scripts.succeeds(starts=second, lasts=timedelta(seconds=seconds) - second)

    auth = RequireClientCredentials(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    threads = Threads(count=5, latency=timedelta(seconds=LATENCY_SECONDS))
    engine = DirectedEngine()
    # Every request is counted, so that none may be forgotten.
    with LocalAirbyte(
        auth=auth, threads=threads, engine=engine, recorded_requests=10_000_000
    ) as airbyte:
        print(json.dumps(airbyte.base_url), flush=True)
        for line in sys.stdin:
            answer: object
            match json.loads(line):
                case ["connections", number, seconds]:
                    added = [
                        airbyte.add_connection(job_scripts=[life(seconds)]) for _ in range(number)
                    ]
                    answer = [connection.connection_id for connection in added]
                case ["start", number, seconds]:
                    ids = [airbyte.add_connection().connection_id for _ in range(number)]
                    started = [airbyte.start_external_job(each, life(seconds)) for each in ids]
                    answer = [(job.job_id, job.connection_id) for job in started]
                case ["finish"]:
                    running = [job.job_id for job in airbyte.jobs if not job.is_terminal]
                    for job_id in running:
                        engine.succeed(job_id)
                    answer = len(running)
                case ["ends"]:
                    answer = {
                        job.job_id: job.updated_at.timestamp()
                        for job in airbyte.jobs
                        if job.is_terminal
                    }
                case _:
                    answer = [
                        (request.received_at.timestamp(), str(request.operation))
                        for request in airbyte.requests
                    ]
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve()
