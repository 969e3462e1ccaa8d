"""Other packages in an environment whose processes go on: an upgrade, or a switch of providers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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


def put_ours_in_place(environment: envs.Environment) -> None:
    """Install our provider and the drop-in where the official provider is."""
    built = envs.build_wheels()
    wheels = [built[name] for name in ("domain", "http", "airflow", "airflow-dropin")]
    put_in_place(environment, remove=[OFFICIAL], wheels=wheels)


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
