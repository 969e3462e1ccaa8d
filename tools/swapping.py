"""Other packages in an environment whose processes go on: an upgrade, or a switch of providers."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING
from zipfile import ZipFile

import environments as envs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

OFFICIAL = "apache-airflow-providers-airbyte"
OURS = ("airbyte-sync-airflow-dropin", "airbyte-sync-airflow", "airbyte-sync-http", "airbyte-sync")


def put_in_place(
    environment: envs.Environment, *, remove: Iterable[str], wheels: Iterable[Path] = ()
) -> None:
    """
    Remove distributions from an environment, and install wheels without what they depend on.

    Args:
        environment: It must be built.
        remove: The names of distributions; those that are not installed are passed over.
        wheels: Their files.
    """
    envs.run_uv("pip", "uninstall", "--quiet", "--python", environment.python, *remove)
    if chosen := list(wheels):
        envs.run_uv(
            *("pip", "install", "--quiet", "--no-deps", "--reinstall"),
            *("--python", environment.python, *chosen),
        )


def put_ours_in_place(environment: envs.Environment, revision: str | None = None) -> None:
    """
    Install our provider and the drop-in where the official provider, or another release of ours, is.

    Args:
        environment: It must be built.
        revision: Which release, as git calls it; ``None``: this checkout's.
    """
    built = envs.build_wheels() if revision is None else wheels_of(revision)
    wheels = [built[name] for name in ("domain", "http", "airflow", "airflow-dropin")]
    put_in_place(environment, remove=[OFFICIAL], wheels=wheels)


def wheels_of(revision: str) -> dict[str, Path]:
    """
    Build the wheels of an earlier revision of this repository.

    Args:
        revision: What git calls it, such as a tag.

    Returns:
        The wheels by package folder.

    Raises:
        CannotBuild: git does not know it here.
    """
    folder = envs.DEV / "revisions" / revision
    stamp = folder / "revision.stamp"
    state = _git("rev-parse", "--verify", f"{revision}^{{commit}}")
    if not (stamp.exists() and stamp.read_text() == state):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _git("archive", "--output", folder / "sources.zip", revision)
        with ZipFile(folder / "sources.zip") as sources:
            sources.extractall(folder / "sources")
        envs.build_wheels_of(folder / "sources", folder / "wheels")
        stamp.write_text(state)
    return envs.wheels_in(folder / "wheels")


def _git(*arguments: object) -> str:
    command = ["git", *map(str, arguments)]
    done = subprocess.run(command, cwd=envs.ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise envs.CannotBuild(f"this command failed: {' '.join(command)}")
    return done.stdout.strip()


def put_official_in_place(environment: envs.Environment, scratch: Path) -> None:
    """
    Install the official provider where ours is.

    Args:
        environment: It must be built.
        scratch: A folder for the file that names the provider and its hashes.
    """
    put_in_place(environment, remove=OURS)
    requirements = scratch / "official.txt"
    requirements.write_text(_requirement(OFFICIAL, envs.CONSTRAINTS / "clients.txt"))
    envs.run_uv(
        *("pip", "install", "--quiet", "--no-deps", "--reinstall", "--require-hashes"),
        *("--python", environment.python, "--requirement", requirements),
    )


def _requirement(name: str, constraints: Path) -> str:
    """Return the lines of a constraint file that are about one distribution."""
    lines = re.search(
        rf"^{re.escape(name)}==(?:.*\\\n)*.*\n", constraints.read_text(), re.MULTILINE
    )
    if lines is None:
        raise envs.CannotBuild(f"{constraints} does not name {name}")
    return lines.group()
