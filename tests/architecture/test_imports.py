"""The domain is policy alone: the standard library, and of that nothing that talks to the world."""

import subprocess
import sys
from pathlib import Path

import pytest

import airbyte_sync

DOMAIN = Path(airbyte_sync.__file__).parent
MODULES = sorted(DOMAIN.rglob("*.py"))
TALKS_TO_THE_WORLD = {
    "http", "io", "logging", "multiprocessing", "os", "pathlib", "queue", "random", "select", "selectors",
    "signal", "socket", "sqlite3", "ssl", "subprocess", "threading", "urllib",
}  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_domain_imports_the_standard_library_alone(imports, module):
    """airbyte_sync has no dependencies at all."""
    names = {name.partition(".")[0] for name, _ in imports(module)}
    assert names <= {"airbyte_sync"} | sys.stdlib_module_names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_domain_does_no_io(imports, module):
    """No module of the domain talks to the world, and only clocks.py knows the time."""
    names = {name.partition(".")[0] for name, _ in imports(module)}
    assert set() == names & TALKS_TO_THE_WORLD
    if module.name != "clocks.py":
        assert set() == names & {"time", "asyncio"}


def test_asyncio_is_loaded_only_where_it_is_used(imports):
    """The async clock imports asyncio when it sleeps: blocking users never load it."""
    assert ("asyncio", False) in set(imports(DOMAIN / "clocks.py"))


def test_importing_the_domain_loads_no_io():
    """The whole public face loads neither sockets nor an event loop."""
    program = "import sys, airbyte_sync; print({'asyncio', 'socket', 'ssl', 'logging'} & set(sys.modules))"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path[:0] = {[str(DOMAIN.parent)]!r}; {program}",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    assert "set()" == done.stdout.strip()
