"""The environments that checks and the demo run in: one folder each under ``.dev/envs``.

An environment is built from one committed constraint file (exact versions with hashes) plus the wheels of
this repository, so that what is tested is what would be published. It is built again only when one of
the two has changed. Standard library only: ``dev.py`` and ``noxfile.py`` import it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEV = ROOT / ".dev"
CONSTRAINTS = ROOT / "constraints"
PACKAGES = ("domain", "http", "runner", "cli", "airflow", "airflow-dropin", "local", "testkit")
"""What an Airflow environment holds."""
OF_SCHEDULERS = ("dagster", "prefect")
"""The packages for other schedulers, which have environments of their own."""
ALL_PACKAGES = (*PACKAGES, *OF_SCHEDULERS)
EXAMPLES = ("httpx_transport",)
"""The examples that are distributions of their own, by their folder under ``docs/examples``."""


class CannotBuild(Exception):
    """An environment cannot be built here; the text says what is missing."""


@dataclass(frozen=True)
class Environment:
    """What an environment is made of."""

    name: str
    """Also the name of its constraint file."""
    pythons: tuple[str, ...]
    """The Python versions it supports, the best one first."""
    packages: tuple[str, ...] = ()
    """The packages of this repository that it holds."""
    examples: tuple[str, ...] = ()
    """The examples that are installed beside them."""
    place: str = ""
    """Its folder, where that is not its name."""
    more: tuple[str, ...] = ()
    """Further constraint files, whose versions are installed over those of the first."""

    @property
    def folder(self) -> Path:
        """Where it is."""
        return DEV / "envs" / (self.place or self.name)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def executable(self, name: str) -> Path:
        """Return a program that is installed in it."""
        return self.folder / "bin" / name


CORE = Environment(
    name="core",
    pythons=("3.11", "3.12", "3.13", "3.10"),
    packages=("domain", "http", "runner", "cli", "local", "testkit"),
    examples=EXAMPLES,
)
COMPLETENESS = Environment(name="completeness", pythons=("3.12", "3.11", "3.13", "3.10"))
AIRFLOW_3 = Environment(
    name="airflow-3.3",
    pythons=("3.12", "3.11", "3.13", "3.10"),
    packages=PACKAGES,
    examples=EXAMPLES,
)
AIRFLOW_34 = Environment(
    name="airflow-3.4",
    pythons=("3.12", "3.11", "3.13"),
    packages=PACKAGES,
    examples=EXAMPLES,
)
AIRFLOW_32 = Environment(
    name="airflow-3.2", pythons=("3.12", "3.11", "3.13", "3.10"), packages=PACKAGES
)
AIRFLOW_31 = Environment(
    name="airflow-3.1", pythons=("3.12", "3.11", "3.13", "3.10"), packages=PACKAGES
)
AIRFLOW_30 = Environment(name="airflow-3.0", pythons=("3.12", "3.11", "3.10"), packages=PACKAGES)
AIRFLOW_2 = Environment(
    name="airflow-2.11",
    pythons=("3.11", "3.12", "3.10"),
    packages=PACKAGES,
    examples=EXAMPLES,
)
UPGRADING = Environment(
    name="airflow-3.3",
    pythons=("3.12", "3.11", "3.13", "3.10"),
    packages=("local",),  # the others are put in place by what runs in it
    place="upgrading",
)
POSTGRESQL = Environment(name="postgresql", pythons=("3.12", "3.11", "3.13", "3.10"))
PYAIRBYTE = Environment(
    name="connectors-pyairbyte", pythons=("3.12", "3.11", "3.10"), place="connectors/pyairbyte"
)
SOURCE_FAKER = Environment(
    name="connectors-source-faker",
    pythons=("3.12", "3.11", "3.10"),
    place="connectors/source-faker",  # beside PyAirbyte's, under its own name: so it is found
)
CLIENTS = Environment(
    name="clients",  # our provider without the drop-in is there, too: both stand side by side
    pythons=("3.12", "3.11", "3.13"),
    packages=("domain", "http", "airflow", "local"),
)
OUR_DAGSTER = Environment(
    name="dagster",
    pythons=("3.12", "3.11", "3.13", "3.10"),
    packages=("domain", "http", "runner", "dagster", "local"),
)
DAGSTER = Environment(name="clients-dagster", pythons=("3.12", "3.11", "3.13"), packages=("local",))
SWITCHING = Environment(
    name="airflow-3.3",  # with a PostgreSQL driver, and with what the official provider needs
    pythons=("3.12", "3.11", "3.13"),
    packages=("local",),
    place="switching",
    more=("clients",),
)
PREFECT = Environment(name="clients-prefect", pythons=("3.12", "3.11"), packages=("local",))
OUR_PREFECT = Environment(
    name="prefect",
    pythons=("3.12", "3.11", "3.13"),
    packages=("domain", "http", "runner", "local", "prefect"),
)
PYAIRBYTE_CLIENT = Environment(
    name="clients-pyairbyte", pythons=("3.12", "3.11"), packages=("local",)
)
BENCH = Environment(
    name="clients",  # the official provider is there: both are measured in one environment
    pythons=("3.12", "3.11", "3.13"),
    packages=("domain", "http", "runner", "airflow", "local", "testkit"),
    place="bench",
)


_WHEELS = DEV / "wheels"
_EXAMPLE_WHEELS = _WHEELS / "examples"

WAITING = {
    AIRFLOW_34.name: "it waits for apache-airflow 3.4.0, which the package registry does not have yet. "
    "When it has, compile constraints/airflow-3.4.in and take this line out",
}
"""What cannot be installed yet, and what it waits for."""


def why_it_waits(environment: Environment) -> str | None:
    """Return why an environment cannot be built yet; ``None`` where its versions are committed."""
    if (CONSTRAINTS / f"{environment.name}.txt").exists():
        return None
    return WAITING.get(environment.name)


def build(*environments: Environment) -> None:
    """Build those of the environments that are not up to date."""
    for environment in environments:
        _install_constraints(environment)
        if environment.packages:
            _install_packages(environment)


def _install_constraints(environment: Environment) -> None:
    constraints = CONSTRAINTS / f"{environment.name}.txt"
    python = interpreter(*environment.pythons, wanted_by=environment.name)
    stamp = environment.folder / "constraints.stamp"
    more = [CONSTRAINTS / f"{name}.txt" for name in environment.more]
    state = _digest(constraints, *more) + str(python)
    if stamp.exists() and stamp.read_text() == state:
        return
    _say(f"installing {environment.name} ({python})")
    run_uv("venv", "--quiet", "--clear", "--python", python, environment.folder)
    run_uv(
        *("pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes"),
        *("--python", environment.python, constraints),
    )
    for further in more:
        run_uv(
            *("pip", "install", "--quiet", "--compile-bytecode", "--require-hashes", "--no-deps"),
            *("--python", environment.python, "--requirement", further),
        )
    stamp.write_text(state)


def _install_packages(environment: Environment) -> None:
    wheels = build_wheels()
    stamp = environment.folder / "packages.stamp"
    state = _sources_digest()
    if stamp.exists() and stamp.read_text() == state:
        return
    chosen = [wheels[name] for name in environment.packages]
    chosen += [next((_EXAMPLE_WHEELS / name).glob("*.whl")) for name in environment.examples]
    run_uv(
        *("pip", "install", "--quiet", "--no-deps", "--reinstall", "--python", environment.python),
        *chosen,
    )
    stamp.write_text(state)


def build_wheels() -> dict[str, Path]:
    """Build the wheels of this repository and return those of the packages by their folder."""
    folder = _WHEELS
    stamp = folder / "sources.stamp"
    if not (stamp.exists() and stamp.read_text() == _sources_digest()):
        shutil.rmtree(folder, ignore_errors=True)
        build_wheels_of(ROOT, folder)
        for name in EXAMPLES:
            _build_wheel(ROOT / "docs" / "examples" / name, _EXAMPLE_WHEELS / name)
        stamp.write_text(_sources_digest())
    return wheels_in(folder)


def build_wheels_of(sources: Path, folder: Path) -> None:
    """Build the wheels of a checkout into a folder; one of an earlier release may have fewer packages."""
    _install_constraints(CORE)  # hatchling is in it
    for name in ALL_PACKAGES:
        if (sources / "packages" / name).exists():
            _build_wheel(sources / "packages" / name, folder / name)


def _build_wheel(project: Path, folder: Path) -> None:
    run_uv(
        *("build", "--quiet", "--wheel", "--no-build-isolation"),
        *("--python", CORE.python, "--out-dir", folder, project),
    )


def wheels_in(folder: Path) -> dict[str, Path]:
    """Return the wheels that were built into a folder, by package folder."""
    found = {name: next((folder / name).glob("*.whl"), None) for name in ALL_PACKAGES}
    return {name: wheel for name, wheel in found.items() if wheel is not None}


@cache
def interpreter(*versions: str, wanted_by: str) -> Path:
    """
    Return an interpreter of one of these versions, in this order of preference.

    Raises:
        CannotBuild: There is none on this machine.
    """
    for version in versions:
        for candidate in _candidates(version):
            if candidate.exists() and _version_of(candidate) == version:
                return candidate
    raise CannotBuild(
        f"{wanted_by} needs Python {' or '.join(sorted(versions))}, and none is on this machine. "
        "Install one so that it is on PATH (Debian: apt-get install python3.11 python3.11-venv)."
    )


def _candidates(version: str) -> list[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{version}")
    return [
        Path(sys.executable).resolve(),  # the interpreter itself, not the environment it runs in
        *sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True),
        *([Path(on_path)] if on_path else []),
    ]


@cache
def _version_of(python: Path) -> str | None:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


@cache
def _sources_digest() -> str:
    projects = [ROOT / "packages" / name for name in ALL_PACKAGES]
    projects += [ROOT / "docs" / "examples" / name for name in EXAMPLES]
    files = sorted(
        path
        for project in projects
        for path in project.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".mypy_cache" not in path.parts
    )
    return _digest(*files)


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def run_uv(*arguments: object) -> None:
    """
    Run uv.

    Raises:
        CannotBuild: It failed.
    """
    command = [shutil.which("uv") or "uv", *map(str, arguments)]
    done = subprocess.run(command, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise CannotBuild(f"this command failed: {' '.join(command)}")


def _say(line: str) -> None:
    print(f"dev: {line}", flush=True)
