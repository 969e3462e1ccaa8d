"""Every check of this repository, one session each: ``python3 tools/dev.py <session>``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

# They are beside dev.py, which runs without installing anything.
import environments as envs  # noqa: E402
import postgresql  # noqa: E402
import side_by_side  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]

SOURCES = ["packages", "tests", "tools", "noxfile.py", "docs"]
TOOLS = [
    *map(str, (ROOT / "tools").glob("*.py")),
    *map(str, (ROOT / "tools" / "bench").glob("*.py")),
]
AT_ONCE = 2
"""How many suites run at the same time: as many as a small machine has cores."""
REPEATING = [
    "tests/contract/test_gateways.py",
    "tests/contract/test_odd_replies.py",
    "tests/contract/test_stores.py",
    "tests/http/test_secrets.py::test_what_a_proxy_repeats_is_not_told",
    "tests/http/test_values.py::test_connections_without_an_end",
    "tests/http/feed/test_changes.py::test_a_thousand_waiters_cost_what_ten_cost",
    "tests/http/feed/test_changes.py::test_quiet_jobs_cost_one_request_an_interval",
    "tests/http/feed/test_scan.py::test_a_reconciliation_is_in_no_hurry",
]
"""Many requests, which take much longer with coverage, and cover next to nothing that others leave out."""
COVERING = [
    *(f"tests/{name}" for name in ("domain", "drivers", "http", "runner", "contract", "docs")),
    *(f"--deselect={each}" for each in REPEATING),
]
NOT_COVERING = [
    *(f"tests/{name}" for name in ("architecture", "cli", "local", "samples", "testkit")),
    *REPEATING,
    *(f"docs/examples/{name}/tests" for name in envs.EXAMPLES),
    # What the scenes stand on, and that needs no Airflow to be tested.
    *(f"tests/e2e/test_{name}.py" for name in ("pace", "proxy", "steps")),
]
ON_EVERY_PUSH = ("-m", "not thorough")
DAGSTER_SCENES = ("tests/dagster/test_scenes.py", "tests/dagster/test_odd_servers.py")
PREFECT_SCENES = ("tests/prefect/test_stopping.py", "tests/prefect/test_odd_servers.py")
CLIENTS = {
    envs.CLIENTS: tuple(
        f"tests/clients/test_{name}.py"
        for name in ("official_provider", "side_by_side", "airbyte_sdk")
    ),
    envs.DAGSTER: ("tests/clients/test_dagster.py",),
    envs.OUR_DAGSTER: ("tests/dagster", *(f"--ignore={each}" for each in DAGSTER_SCENES)),
    envs.PYAIRBYTE_CLIENT: ("tests/clients/test_pyairbyte.py",),
    envs.PREFECT: ("tests/clients/test_prefect.py",),
    envs.OUR_PREFECT: ("tests/prefect", *(f"--ignore={each}" for each in PREFECT_SCENES)),
}
QUIET = ("-W", "default", "--disable-warnings")
"""What the clients and schedulers warn about themselves proves nothing about us."""
CROWDS = "tests/e2e/test_crowds.py"
SCENES = ("tests/e2e", f"--ignore={CROWDS}")
NEWEST = (envs.AIRFLOW_3, envs.AIRFLOW_2)


@nox.session
def tests(session: nox.Session) -> None:
    """Every push: all suites, the scenes on Airflow 2.11 and 3.3. Budget: 20 minutes on two quiet cores."""
    for name in ("lint", "typing", "contracts", "suites_and_e2e", "airflow34"):
        session.notify(name)


@nox.session
def thorough(session: nox.Session) -> None:
    """What is not in ``tests``: lives, SQLite, crowds, switches, upgrades, older Airflows, schedulers."""
    for name in (
        "lives",
        "e2e_sqlite",
        "e2e_crowds",
        "e2e_older",
        "e2e_switching",
        "e2e_upgrade",
        "e2e_dagster",
        "e2e_prefect",
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
    """mypy, strict, on packages, examples and tools; basedpyright: the public types are complete."""
    environments = (envs.CORE, envs.AIRFLOW_3, envs.OUR_DAGSTER, envs.OUR_PREFECT)
    _build(session, *environments, envs.COMPLETENESS)
    for package in envs.ALL_PACKAGES:
        environment = next(each for each in environments if package in each.packages)
        session.run(
            envs.CORE.executable("mypy"),
            f"--python-executable={environment.python}",
            f"packages/{package}/src",
            external=True,
        )
    session.run(
        envs.CORE.executable("mypy"),
        f"--python-executable={envs.AIRFLOW_3.python}",
        *("--exclude=docs/examples/(dagster|prefect)", "docs/examples", *TOOLS),
        external=True,
        env={"MYPYPATH": "tools:tools/bench"},
    )
    session.run(
        envs.CORE.executable("mypy"),
        f"--python-executable={envs.OUR_DAGSTER.python}",
        "docs/examples/dagster",
        external=True,
    )
    session.run(
        envs.CORE.executable("mypy"),
        f"--python-executable={envs.OUR_PREFECT.python}",
        "docs/examples/prefect",
        external=True,
    )
    for name in ("airbyte_sync", "airbyte_sync_http", "airbyte_sync_runner"):
        session.run(
            envs.COMPLETENESS.executable("basedpyright"),
            *("--verifytypes", name, "--ignoreexternal"),
            external=True,
            # It looks for packages beside the first Python of the path, whatever --pythonpath says.
            env={"PATH": os.pathsep.join([str(envs.CORE.python.parent), os.environ["PATH"]])},
        )


@nox.session
def contracts(session: nox.Session) -> None:
    """import-linter: dependencies point inward only."""
    _build(session, envs.CORE, envs.AIRFLOW_3)
    sources = ":".join(str(ROOT / "packages" / name / "src") for name in envs.ALL_PACKAGES)
    session.run(envs.CORE.executable("lint-imports"), external=True, env={"PYTHONPATH": sources})


@nox.session
def suites(session: nox.Session) -> None:
    """unit, airflow3, airflow2, clients and connectors, two at a time: all that needs no running Airflow."""
    _side_by_side(session, _suites(session))
    _report_coverage(session)


@nox.session
def suites_and_e2e(session: nox.Session) -> None:
    """Both at once: the scenes wait more than they work, and one suite at a time runs beside them."""
    scenes = _scenes(session, *NEWEST, tests=SCENES)
    _side_by_side(session, {**scenes, **_suites(session)}, at_once=AT_ONCE + 1)
    _report_coverage(session)


@nox.session
def unit(session: nox.Session) -> None:
    """The tests that need no Airflow, with branch coverage of domain, http and runner."""
    if session.posargs:
        _build(session, envs.CORE)
        _patiently(session, *_pytest(envs.CORE, *ON_EVERY_PUSH, *session.posargs))
    else:
        _side_by_side(session, _unit(session))
        _report_coverage(session)


@nox.session
def lives(session: nox.Session) -> None:
    """Ten thousand random lives of a sync, thousands of odd replies, and all facts on every wrong adapter."""
    _build(session, envs.CORE)
    usual = (*(f"tests/{name}" for name in ("drivers", "contract", "testkit")), "--durations=3")
    _patiently(session, *_pytest(envs.CORE, "-m", "thorough", *(session.posargs or usual)))


@nox.session
def clients(session: nox.Session) -> None:
    """Five third-party clients, unmodified, against the local Airbyte; each set of pins has its place."""
    _side_by_side(session, _clients(session))


@nox.session
def dagster(session: nox.Session) -> None:
    """The tests of airbyte-sync-dagster that need no running Dagster."""
    _build(session, envs.OUR_DAGSTER)
    arguments = session.posargs or CLIENTS[envs.OUR_DAGSTER]
    _patiently(session, *_pytest(envs.OUR_DAGSTER, *arguments))


@nox.session
def e2e_dagster(session: nox.Session) -> None:
    """Kills, terminations and restarts on the real processes of a Dagster, daemon and webserver included."""
    _build(session, envs.OUR_DAGSTER)
    arguments = session.posargs or DAGSTER_SCENES
    _patiently(session, *_pytest(envs.OUR_DAGSTER, *arguments))


@nox.session
def prefect(session: nox.Session) -> None:
    """airbyte-sync-prefect with a real Prefect server, without the kills."""
    _build(session, envs.OUR_PREFECT)
    arguments = session.posargs or CLIENTS[envs.OUR_PREFECT]
    _patiently(session, *_pytest(envs.OUR_PREFECT, *QUIET, *arguments))


@nox.session
def e2e_prefect(session: nox.Session) -> None:
    """Kills, cancellations and stops of flow runs, in processes of a real Prefect."""
    _build(session, envs.OUR_PREFECT)
    arguments = session.posargs or PREFECT_SCENES
    _patiently(session, *_pytest(envs.OUR_PREFECT, *QUIET, *arguments))


@nox.session
def connectors(session: nox.Session) -> None:
    """The local Airbyte's engine with a real connector."""
    _side_by_side(session, _connectors(session))


@nox.session
def airflow3(session: nox.Session) -> None:
    """The Airflow tests that need no running Airflow, on 3.3."""
    _patiently(session, *_airflow(session, envs.AIRFLOW_3))


@nox.session
def airflow2(session: nox.Session) -> None:
    """The Airflow tests that need no running Airflow, on 2.11."""
    _patiently(session, *_airflow(session, envs.AIRFLOW_2))


@nox.session
def airflow34(session: nox.Session) -> None:
    """Everything on Airflow 3.4; it waits for apache-airflow 3.4.0 in the package registry, and says so."""
    reason = envs.why_it_waits(envs.AIRFLOW_34)
    if reason is not None:
        session.skip(f"nothing was tested on Airflow 3.4: {reason}")
    _patiently(session, *_airflow(session, envs.AIRFLOW_34))
    if not session.posargs:
        _patiently(session, *_end_to_end(session, envs.AIRFLOW_34, "postgresql"))


@nox.session
def e2e(session: nox.Session) -> None:
    """Syncs, kills, restarts and silences on the real processes of Airflow 2.11 and 3.3, both at once."""
    _side_by_side(session, _scenes(session, *NEWEST, tests=SCENES))


@nox.session
def e2e_sqlite(session: nox.Session) -> None:
    """All scenes on Airflow 3.3 with SQLite, which answers a busy machine that it is locked."""
    _patiently(session, *_end_to_end(session, envs.AIRFLOW_3, "sqlite", *SCENES))


@nox.session
def e2e_crowds(session: nox.Session) -> None:
    """Crowds of deferred tasks on Airflow 2.11 and 3.3: cleared, killed, and answered oddly."""
    for environment in NEWEST:
        _patiently(session, *_end_to_end(session, environment, "postgresql", CROWDS))


@nox.session
def e2e_older(session: nox.Session) -> None:
    """The scenes and the crowds on Airflow 3.0, 3.1 and 3.2, two at a time."""
    _side_by_side(session, _scenes(session, envs.AIRFLOW_30, envs.AIRFLOW_31, envs.AIRFLOW_32))


@nox.session
def e2e_switching(session: nox.Session) -> None:
    """From the official provider to ours and back, under a running Airflow 3.3 with tasks of every kind."""
    _patiently(session, *_end_to_end(session, envs.SWITCHING, "postgresql", "tests/switching"))


@nox.session
def e2e_upgrade(session: nox.Session) -> None:
    """From the release before to this one, under a running Airflow 3.3 with tasks in every state."""
    _patiently(session, *_end_to_end(session, envs.UPGRADING, "postgresql", "tests/upgrade"))


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


def _suites(session: nox.Session) -> dict[str, list[object]]:
    return {
        "airflow3": _airflow(session, envs.AIRFLOW_3),
        **_unit(session),
        "airflow2": _airflow(session, envs.AIRFLOW_2),
        **_connectors(session),
        **_clients(session),
    }


def _scenes(
    session: nox.Session, *environments: envs.Environment, tests: Sequence[str] = ()
) -> dict[str, list[object]]:
    return {
        f"e2e {each.name}": [*_end_to_end(session, each, "postgresql", *tests), "--airflows=2"]
        for each in environments
    }


def _unit(session: nox.Session) -> dict[str, list[object]]:
    _build(session, envs.CORE)
    tests = _pytest(envs.CORE, *ON_EVERY_PUSH)
    # Not as a plugin of pytest: ours is loaded first and imports what is to be measured.
    covered = [envs.CORE.python, "-um", "coverage", "run", "-m", *tests[2:]]
    return {"unit": [*covered, *COVERING], "unit (2)": [*tests, *NOT_COVERING]}


def _report_coverage(session: nox.Session) -> None:
    session.run(envs.CORE.python, "-m", "coverage", "report", external=True)


def _clients(session: nox.Session) -> dict[str, list[object]]:
    _build(session, *CLIENTS)
    return {
        environment.name: _pytest(environment, *QUIET, *(session.posargs or tests_of_it))
        for environment, tests_of_it in CLIENTS.items()
    }


def _connectors(session: nox.Session) -> dict[str, list[object]]:
    _build(session, envs.CORE, envs.PYAIRBYTE, envs.SOURCE_FAKER)
    tests = _pytest(envs.CORE, *(session.posargs or ["tests/local/test_connector_process.py"]))
    python = f"AIRBYTE_SYNC_CONNECTORS_PYTHON={envs.PYAIRBYTE.python}"
    return {"connectors": ["env", python, *tests]}


def _airflow(session: nox.Session, environment: envs.Environment) -> list[object]:
    _build(session, environment)
    return _pytest(environment, *(session.posargs or ["tests/airflow"]))


def _end_to_end(
    session: nox.Session, environment: envs.Environment, database: str, *usual: str
) -> list[object]:
    _build(session, environment)
    if database == "postgresql" and postgresql.programs_of_this_machine() is None:
        _build(session, envs.POSTGRESQL)
    arguments = session.posargs or usual or ["tests/e2e"]
    return _pytest(environment, *arguments, f"--airflow-database={database}")


def _pytest(environment: envs.Environment, *arguments: object) -> list[object]:
    return [environment.python, "-um", "pytest", *arguments]


def _build(session: nox.Session, *environments: envs.Environment) -> None:
    try:
        envs.build(*environments)
    except envs.CannotBuild as problem:
        session.error(str(problem))


def _side_by_side(
    session: nox.Session, commands: dict[str, list[object]], at_once: int = AT_ONCE
) -> None:
    failed = side_by_side.run(commands, at_once=at_once)
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def _patiently(session: nox.Session, *command: object) -> None:
    """Run a command that may have a whole Airflow to stop when it is interrupted."""
    session.run(*command, external=True, interrupt_timeout=60, terminate_timeout=60)
