"""The page about benchmarks says what was measured."""

import importlib.util
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page():
    """The program that writes the page."""
    spec = importlib.util.spec_from_file_location("page", ROOT / "tools" / "bench" / "page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(page):
    return json.loads(page.RESULTS.read_text())


def test_the_page_and_the_plots_are_drawn_from_the_output(page, found):
    """Nobody has written a number by hand."""
    for name, text in page.render(found).items():
        assert text == (page.DOCS / name).read_text(), "run: python3 tools/bench/page.py"


def test_the_plots_are_whole(page, found):
    """Every one is a picture that a browser reads."""
    plots = [name for name in page.render(found) if name.endswith(".svg")]
    assert plots
    for name in plots:
        assert ET.fromstring((page.DOCS / name).read_text()).tag.endswith("svg")  # noqa: S314 - ours


def test_a_target_that_is_missed_is_called_missed(page):
    """A limit is met at the limit, unless it says below."""
    assert page._target("wall <= 8 s", 8, 8, " s").endswith("| yes |")
    assert page._target("stall < 50 ms", 50, 50, " ms").endswith("| **no** |")
