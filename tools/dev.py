"""The commands of this repository, for a machine that has only Python and pip.

    python3 tools/dev.py demo      run real Airbyte syncs from a real Airflow, and show what came of it
    python3 tools/dev.py tests     the checks of every push: lint, typing, import contracts, tests
    python3 tools/dev.py thorough  the checks that take hours

Everything is installed into ``.dev`` in this checkout. Any other word is a nox session of
``noxfile.py``; what follows it is passed on: ``python3 tools/dev.py demo --keep``.
"""

from __future__ import annotations

import ast
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints" / "bootstrap.txt"
BOOTSTRAP = ROOT / ".dev" / "bootstrap"
OLDEST = (3, 10)


def main(arguments: list[str]) -> None:
    """Install nox and uv where they are missing, and hand over to nox."""
    if sys.version_info < OLDEST:
        sys.exit(f"dev: Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version}")
    if arguments in (["-h"], ["--help"]):
        print(__doc__)
        return
    if not arguments or arguments[0].startswith("-"):
        sys.exit(__doc__)
    session, *rest = arguments
    if rest in (["-h"], ["--help"]):
        show_help(session)
        return
    install_bootstrap()
    programs = str(BOOTSTRAP / "bin")
    command = [f"{programs}/nox", "--noxfile", str(ROOT / "noxfile.py"), "--session", session]
    environment = {**os.environ, "PATH": programs + os.pathsep + os.environ.get("PATH", "")}
    environment.pop("PYTHONPATH", None)  # what is checked is what is installed
    # A shell has a command in the background ignore Ctrl-C, and all that it starts; tests send it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # In place of this process, so that Ctrl-C and signals reach nox and what it runs.
    os.execve(command[0], [*command, "--", *rest], environment)  # noqa: S606


def show_help(session: str) -> None:
    """Say what a session does, and what it takes, without installing anything."""
    if session == "demo":
        run(sys.executable, ROOT / "tools" / "demo.py", "--help")
        return
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    told = {
        node.name: ast.get_docstring(node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.decorator_list
    }
    if session not in told:
        sys.exit(f"dev: there is no session {session!r}. There are: {', '.join(told)}")
    print(f"python3 tools/dev.py {session}\n\n{told[session]}")


def install_bootstrap() -> None:
    """Install nox and uv from the committed versions and hashes."""
    stamp = BOOTSTRAP / "constraints.stamp"
    state = hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == state:
        return
    print("dev: installing nox and uv", flush=True)
    # Without pip inside: some distributions of Python leave out what "venv" needs for it.
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", BOOTSTRAP)
    python = BOOTSTRAP / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--disable-pip-version-check", "--require-hashes", "-r", CONSTRAINTS),
    )
    stamp.write_text(state)


def run(*command: object) -> None:
    """Run a command; end with its error when it fails."""
    done = subprocess.run([str(part) for part in command], check=False)
    if done.returncode != 0:
        sys.exit(f"dev: this command failed: {' '.join(map(str, command))}")


if __name__ == "__main__":
    main(sys.argv[1:])
