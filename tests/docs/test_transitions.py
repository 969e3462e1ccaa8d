"""The figure of a request's life is drawn from the table that the flows use."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from airbyte_sync.flows import transitions
from airbyte_sync.flows.transitions import TRANSITIONS, Happened
from airbyte_sync.phases import PHASES

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import draw_transitions  # noqa: E402 - it is beside dev.py

FLOWS = Path(transitions.__file__).parent


def test_the_figure_is_up_to_date():
    """Where this fails: python3 tools/draw_transitions.py."""
    page = draw_transitions.PAGE.read_text(encoding="utf-8")
    assert draw_transitions.drawn_into(page) == page
    assert "stateDiagram" in page


def test_the_table_is_whole():
    """Every phase has its lines, and every event is one that a flow tells."""
    assert set(TRANSITIONS) == set(PHASES.values())
    assert set(Happened) == {happened for lines in TRANSITIONS.values() for happened in lines}
    told = {
        node.attr
        for module in FLOWS.glob("*.py")
        if module.name != "transitions.py"
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Happened"
    }
    assert {happened.name for happened in Happened} == told
