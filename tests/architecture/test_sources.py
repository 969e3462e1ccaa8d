"""What every package's sources have in common."""

import ast
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
MODULES = [  # without the empty files that only make a folder a package
    module for module in sorted(PACKAGES.glob("*/src/**/*.py")) if module.stat().st_size
]
FACES = [module for module in MODULES if module.name == "__init__.py"]
DOCUMENTED = [  # pages of the drop-in package and of plug-ins are documented by what they re-export
    module
    for module in MODULES
    if {"domain", "testkit"} & set(module.relative_to(PACKAGES).parts[:1])
]


def name_of(module):
    return str(module.relative_to(PACKAGES))


def public_definitions(body, prefix=""):
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name.startswith("_"):
                continue
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_says_what_it_is_for(module):
    """A module begins with a docstring."""
    text = module.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{name_of(module)} has no docstring"


@pytest.mark.parametrize("module", DOCUMENTED, ids=name_of)
def test_everything_public_is_documented(module):
    """Every public class, function and method has a docstring."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    undocumented = [
        name for name, node in public_definitions(tree.body) if not ast.get_docstring(node)
    ]
    assert [] == undocumented


@pytest.mark.parametrize("module", FACES, ids=name_of)
def test_a_face_only_imports_and_lists(module):
    """An __init__.py has a docstring, imports, __all__ and perhaps __version__, and does nothing else."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    rest = [
        ast.unparse(node)
        for node in tree.body[1:]
        if not isinstance(node, (ast.Import, ast.ImportFrom))
        and not (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) in {"__all__", "__version__"}
        )
    ]
    assert isinstance(tree.body[0], ast.Expr)
    assert [] == rest


@pytest.mark.parametrize("module", FACES, ids=name_of)
def test_a_face_lists_what_it_imports(module):
    """__all__ is complete and names nothing else; ruff keeps it sorted."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assigned = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
    }
    listed = assigned.pop("__all__", ())
    assert set(listed) == imported | set(assigned)
