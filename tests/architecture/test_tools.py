"""The commands of this repository: what they say before they install anything."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import environments  # noqa: E402 - it is beside dev.py
import side_by_side  # noqa: E402 - the same

ENVIRONMENTS = [
    value for value in vars(environments).values() if isinstance(value, environments.Environment)
]


def dev(*arguments):
    """Run dev.py where no installer is to be found."""
    command = [sys.executable, str(ROOT / "tools" / "dev.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": ""})


@pytest.mark.parametrize(
    ("session", "told"),
    [
        ("demo", "--keep"),
        ("lint", "ruff: rules and format."),
        ("airflow34", "waits for apache-airflow 3.4.0"),
    ],
)
@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_given_at_once(session, told, word):
    """Nothing is installed first."""
    done = dev(session, word)
    assert 0 == done.returncode, done.stderr
    assert told in done.stdout
    assert "installing" not in done.stdout


def test_help_for_what_is_not_there_names_what_is():
    """Instead of installing and then failing."""
    done = dev("demp", "--help")
    assert 1 == done.returncode
    assert "There are: tests, thorough, lint," in done.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each.name)
def test_an_environment_has_its_versions_or_says_what_it_waits_for(environment):
    """A release that cannot be installed yet is never passed over in silence."""
    there = (ROOT / "constraints" / f"{environment.name}.txt").exists()
    assert there is (environments.why_it_waits(environment) is None)
    assert (ROOT / "constraints" / f"{environment.name}.in").exists()


def notified_by(session):
    """Return the sessions that this one runs."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    (body,) = (
        node.body
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == session
    )
    (loop,) = (node for node in body if isinstance(node, ast.For))
    return set(ast.literal_eval(loop.iter))


def test_all_checks_name_the_release_that_they_wait_for():
    """``tests`` runs its session, which says so in one line."""
    assert "airflow34" in notified_by("tests")


AT_ONCE = {"suites", "e2e"}
IN_SUITES = {"unit", "airflow3", "airflow2", "clients", "connectors", "dagster", "prefect"}
NO_CHECKS = {"demo", "bench", "bench_triggerer"}


def test_every_session_is_run_on_a_push_or_on_demand():
    """What ``tests`` leaves out is in ``thorough``."""
    told = dev("no such session", "--help").stderr.partition("There are: ")[2]
    sessions = set(told.strip().split(", ")) - {"tests", "thorough"}
    on_a_push = notified_by("tests") | AT_ONCE | IN_SUITES
    assert sessions == on_a_push | notified_by("thorough") | NO_CHECKS


def test_every_check_on_demand_is_documented():
    """With what it is for."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    assert [] == [name for name in notified_by("thorough") if f"| `{name}` |" not in page]


def test_commands_run_side_by_side(capsys):
    """Each line is under its command's name, and a failure stops no other."""
    commands = {
        name: [sys.executable, "-c", f"print('from {name}'); exit({code})"]
        for name, code in (("good", 0), ("bad", 3), ("later", 0))
    }
    assert ["bad"] == side_by_side.run(commands, at_once=2)
    out = capsys.readouterr().out
    for name in commands:
        assert f"{name:5} | from {name}\n" in out
    assert "bad   | exit code 3 after" in out
