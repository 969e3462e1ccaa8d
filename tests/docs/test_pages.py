"""What the pages say is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "packages/*/README.md", "constraints/*.md")
    for page in ROOT.glob(pattern)
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    """Links between files of this repository are not broken."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
    assert [] == [target for target in targets if not (page.parent / target).exists()]


def test_no_tracked_text_names_a_registry_or_a_folder_of_one_machine():
    """Constraint files hold names, versions and hashes, and no addresses."""
    files = [*ROOT.glob("constraints/*"), *ROOT.glob("*.toml"), *ROOT.glob("packages/*/*.toml")]
    assert len(files) > 10
    named = re.compile(r"--(?:extra-)?index-url|--find-links|files\.|\.whl|file://|@ http")
    assert [] == [file.name for file in files if named.search(file.read_text())]
