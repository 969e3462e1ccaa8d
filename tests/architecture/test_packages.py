"""One version for all packages, and siblings pinned to it."""

import ast
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGES = Path(__file__).parents[2] / "packages"
PROJECTS = {
    file.parent.name: tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    for file in sorted(PACKAGES.glob("*/pyproject.toml"))
}
NAMES = {project["name"] for project in PROJECTS.values()}


def requirements(project):
    yield from project["dependencies"]
    for extra in project.get("optional-dependencies", {}).values():
        yield from extra


def test_all_packages_have_one_version():
    """The packages are released in lockstep."""
    assert 1 == len({project["version"] for project in PROJECTS.values()})


def assigned(module, name):
    """Return what a module assigns to a name, without importing it: Airflow is not there."""
    (value,) = (
        node.value
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    return ast.literal_eval(value)


@pytest.mark.parametrize("package", sorted(set(PROJECTS) - {"airflow-dropin"}))
def test_a_package_says_its_version(package):
    """``__version__`` is what pyproject.toml says, and is on the top floor."""
    (face,) = (PACKAGES / package / "src").glob("*/__init__.py")
    module = face.with_name("version.py")
    # Airflow's parse of a DAG pays for each module, so the version of its package is in none of its own.
    assert PROJECTS[package]["version"] == assigned(
        module if module.exists() else face, "__version__"
    )
    assert "__version__" in assigned(face, "__all__")


def test_the_drop_in_says_the_version_of_what_serves_it():
    """The official provider has a ``__version__``, too."""
    (face,) = (PACKAGES / "airflow-dropin" / "src").glob("airflow/providers/airbyte/__init__.py")
    assert "from airbyte_sync_airflow import __version__" in face.read_text(encoding="utf-8")


@pytest.mark.parametrize("package", PROJECTS)
def test_siblings_are_pinned(package):
    """A package names its siblings with == and their common version."""
    project = PROJECTS[package]
    for requirement in requirements(project):
        name, rest = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?(.*)", requirement).groups()
        if name in NAMES:
            assert rest == f"=={project['version']}"


def test_the_domain_depends_on_nothing():
    """No dependencies at all, unless the command is asked for."""
    assert [] == PROJECTS["domain"]["dependencies"]
    assert ["cli"] == list(PROJECTS["domain"]["optional-dependencies"])


@pytest.mark.parametrize("package", sorted(set(PROJECTS) - {"airflow-dropin"}))
def test_every_package_is_typed(package):
    """py.typed is beside the sources."""
    assert list((PACKAGES / package / "src").glob("*/py.typed")) != []


BROUGHT = {
    "airflow": {"airflow", "attr", "openlineage"},  # attr with openlineage, which is optional
    "dagster": {"pydantic"},
    "http": {"yarl", "certifi"},  # yarl with aiohttp; certifi with Requests, and is optional
    "prefect": {"pydantic", "httpx"},
}
"""What a package imports and gets with something that it requires, on every Python."""


@pytest.mark.parametrize("package", PROJECTS)
def test_what_a_package_imports_is_required(imports, package):
    """
    A requirement of a requirement may be missing on another Python.

    aiohttp brings typing_extensions up to Python 3.12, and not from 3.13 on.
    """
    sources = PACKAGES / package / "src"
    installed = (
        sys.stdlib_module_names
        | {folder.name for folder in sources.iterdir()}
        | {
            re.match(r"[\w.-]+", each)[0].replace("-", "_")
            for each in requirements(PROJECTS[package])
        }
        | BROUGHT.get(package, set())
    )
    for module in sources.rglob("*.py"):
        at_import = {
            name.partition(".")[0] for name, is_at_import in imports(module) if is_at_import
        }
        assert set() == at_import - installed, module.name


@pytest.mark.parametrize("package", ["dagster", "prefect"])
def test_a_package_for_a_scheduler_is_thin(package):
    """At most three hundred lines of code."""
    sources = (PACKAGES / package / "src").rglob("*.py")
    assert sum(map(lines_of_code, sources)) <= 300


def lines_of_code(module):
    """Count the lines that are not blank, and not those of a docstring or of a comment alone."""
    text = module.read_text(encoding="utf-8")
    docstrings = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, node.end_lineno + 1)
    }
    lines = enumerate(map(str.strip, text.splitlines()), start=1)
    return sum(bool(line) and line[0] != "#" and n not in docstrings for n, line in lines)
