"""Every check of this repository, one session each: ``python3 tools/dev.py <session>``."""

from __future__ import annotations

import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

# They are beside dev.py, which runs without installing anything.
import environments as envs  # noqa: E402
import postgresql  # noqa: E402

nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]

SOURCES = ["packages", "tests", "tools", "noxfile.py", "docs"]
WITHOUT_AIRFLOW = [
    "architecture",
    "contract",
    "docs",
    "domain",
    "drivers",
    "http",
    "local",
    "testkit",
]
CLIENTS = {
    envs.CLIENTS: tuple(
        f"tests/clients/test_{name}.py"
        for name in ("official_provider", "side_by_side", "airbyte_sdk")
    ),
    envs.DAGSTER: ("tests/clients/test_dagster.py",),
    envs.PYAIRBYTE_CLIENT: ("tests/clients/test_pyairbyte.py",),
    envs.PREFECT: ("tests/clients/test_prefect.py",),
}
CROWDS = "tests/e2e/test_crowds.py"
SENSORS = ("tests/e2e/test_sensors.py", "--scenes=sensors_of_a_failed_sync,sensors_in_a_hurry")
SCENES_WITHOUT_AIRFLOW = [f"tests/e2e/test_{name}.py" for name in ("pace", "proxy", "steps")]
"""What the scenes stand on, and that needs no Airflow to be tested."""


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, typing, contracts, all tests on Airflow 3.3 and 2.11; the scenes of ``e2e``, not ``e2e_*``."""
    for name in (
        *("lint", "typing", "contracts", "unit", "lives"),
        *("clients", "connectors", "airflow3", "airflow2", "airflow34", "e2e"),
    ):
        session.notify(name)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and format."""
    _build(session, envs.CORE)
    ruff = envs.CORE.executable("ruff")
    session.run(ruff, "check", *SOURCES, external=True)
    session.run(ruff, "format", "--check", *SOURCES, external=True)


@nox.session
def typing(session: nox.Session) -> None:
    """mypy, strict, on every package and the tests that are about types."""
    _build(session, envs.CORE, envs.AIRFLOW_3)
    for package in envs.PACKAGES:
        environment = envs.CORE if package in envs.CORE.packages else envs.AIRFLOW_3
        session.run(
            envs.CORE.executable("mypy"),
            f"--python-executable={environment.python}",
            f"packages/{package}/src",
            external=True,
        )


@nox.session
def contracts(session: nox.Session) -> None:
    """import-linter: dependencies point inward only."""
    _build(session, envs.CORE, envs.AIRFLOW_3)
    sources = ":".join(str(ROOT / "packages" / name / "src") for name in envs.PACKAGES)
    session.run(envs.CORE.executable("lint-imports"), external=True, env={"PYTHONPATH": sources})


@nox.session
def unit(session: nox.Session) -> None:
    """The tests that need no Airflow, with branch coverage of domain and http."""
    _build(session, envs.CORE)
    folders = [*(f"tests/{name}" for name in WITHOUT_AIRFLOW), *SCENES_WITHOUT_AIRFLOW]
    # Not as a plugin of pytest: ours is loaded first and imports what is to be measured.
    session.run(
        *(envs.CORE.python, "-m", "coverage", "run", "-m", "pytest", "-m", "not lives"),
        *(session.posargs or folders),
        external=True,
    )
    if not session.posargs:
        session.run(envs.CORE.python, "-m", "coverage", "report", external=True)


@nox.session
def lives(session: nox.Session) -> None:
    """Ten thousand random lives of a sync, with faults, and thousands of odd replies: the promises hold."""
    _build(session, envs.CORE)
    _pytest(session, envs.CORE, "tests/drivers", "tests/contract", "-m", "lives", "--durations=3")


@nox.session
def clients(session: nox.Session) -> None:
    """Five third-party clients, unmodified, against the local Airbyte; each set of pins has its place."""
    for environment, tests_of_it in CLIENTS.items():
        _build(session, environment)
        # What the clients warn about themselves proves nothing about us.
        _pytest(session, environment, "-W", "default", "--disable-warnings", *tests_of_it)


@nox.session
def connectors(session: nox.Session) -> None:
    """The local Airbyte's engine with a real connector."""
    _build(session, envs.CORE, envs.PYAIRBYTE, envs.SOURCE_FAKER)
    session.env["AIRBYTE_SYNC_CONNECTORS_PYTHON"] = str(envs.PYAIRBYTE.python)
    _pytest(session, envs.CORE, "tests/local/test_connector_process.py")


@nox.session
def airflow3(session: nox.Session) -> None:
    """The Airflow tests that need no running Airflow, on 3.3."""
    _build(session, envs.AIRFLOW_3)
    _pytest(session, envs.AIRFLOW_3, "tests/airflow")


@nox.session
def airflow2(session: nox.Session) -> None:
    """The Airflow tests that need no running Airflow, on 2.11."""
    _build(session, envs.AIRFLOW_2)
    _pytest(session, envs.AIRFLOW_2, "tests/airflow")


@nox.session
def airflow34(session: nox.Session) -> None:
    """Everything on Airflow 3.4; it waits for apache-airflow 3.4.0 in the package registry, and says so."""
    reason = envs.why_it_waits(envs.AIRFLOW_34)
    if reason is not None:
        session.skip(f"nothing was tested on Airflow 3.4: {reason}")
    _build(session, envs.AIRFLOW_34)
    _pytest(session, envs.AIRFLOW_34, "tests/airflow")
    if not session.posargs:
        _end_to_end(session, envs.AIRFLOW_34, "postgresql")


@nox.session
def e2e(session: nox.Session) -> None:
    """Syncs, kills, restarts and silences on the real processes of Airflow 2.11 and 3.3."""
    for environment in (envs.AIRFLOW_2, envs.AIRFLOW_3):
        _end_to_end(session, environment, "postgresql", "tests/e2e", f"--ignore={CROWDS}")
    _end_to_end(session, envs.AIRFLOW_3, "sqlite", *SENSORS)


@nox.session
def e2e_sqlite(session: nox.Session) -> None:
    """All scenes on Airflow 3.3 with SQLite, which answers a busy machine that it is locked."""
    _end_to_end(session, envs.AIRFLOW_3, "sqlite", "tests/e2e", f"--ignore={CROWDS}")


@nox.session
def e2e_crowds(session: nox.Session) -> None:
    """Crowds of deferred tasks on Airflow 2.11 and 3.3: cleared, killed, and answered oddly."""
    for environment in (envs.AIRFLOW_2, envs.AIRFLOW_3):
        _end_to_end(session, environment, "postgresql", CROWDS)


@nox.session
def e2e_older(session: nox.Session) -> None:
    """The same on Airflow 3.0, 3.1 and 3.2."""
    for environment in (envs.AIRFLOW_30, envs.AIRFLOW_31, envs.AIRFLOW_32):
        _end_to_end(session, environment, "postgresql")


@nox.session
def e2e_switching(session: nox.Session) -> None:
    """From the official provider to ours and back, under a running Airflow 3.3 with tasks of every kind."""
    _end_to_end(session, envs.SWITCHING, "postgresql", "tests/switching")


@nox.session
def demo(session: nox.Session) -> None:
    """Real syncs by a real connector, run from a real Airflow: the main job, shown."""
    _build(session, envs.AIRFLOW_3, envs.PYAIRBYTE, envs.SOURCE_FAKER)
    _patiently(session, envs.AIRFLOW_3.python, "tools/demo.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """What waiting costs, beside the official provider: docs/benchmarks.md. About ten minutes."""
    _build(session, envs.BENCH)
    _patiently(session, envs.BENCH.python, "tools/bench/main.py", *session.posargs)


@nox.session
def bench_triggerer(session: nox.Session) -> None:
    """A thousand deferred tasks in a real triggerer, for the same page. About twenty minutes."""
    _build(session, envs.AIRFLOW_3)
    _patiently(session, envs.AIRFLOW_3.python, "tools/bench/triggerer.py", *session.posargs)


def _build(session: nox.Session, *environments: envs.Environment) -> None:
    try:
        envs.build(*environments)
    except envs.CannotBuild as problem:
        session.error(str(problem))


def _end_to_end(
    session: nox.Session, environment: envs.Environment, database: str, *usual: str
) -> None:
    _build(session, environment)
    if database == "postgresql" and postgresql.programs_of_this_machine() is None:
        _build(session, envs.POSTGRESQL)
    arguments = session.posargs or usual or ["tests/e2e"]
    _patiently(
        session, environment.python, "-m", "pytest", *arguments, f"--airflow-database={database}"
    )


def _pytest(session: nox.Session, environment: envs.Environment, *arguments: str) -> None:
    _patiently(session, environment.python, "-m", "pytest", *(session.posargs or arguments))


def _patiently(session: nox.Session, *command: object) -> None:
    """Run a command that may have a whole Airflow to stop when it is interrupted."""
    session.run(*command, external=True, interrupt_timeout=60, terminate_timeout=60)
