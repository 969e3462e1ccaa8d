"""Where the packages are, and what their sources say."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "packages"


def _imports(module: Path) -> Iterator[tuple[str, bool]]:
    """Yield (module imported, whether at import time) of a source file, without those for types."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in lazy
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert 0 == node.level, f"{module}: a relative import"
            yield node.module, id(node) not in lazy


@pytest.fixture(scope="session")
def imports():
    return _imports


@pytest.fixture(scope="session")
def packages() -> Path:
    return PACKAGES
