"""Every snippet of the kit's README is a test that passes, in a folder of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "packages" / "testkit" / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs" / "examples" / "own_transport"


def test_the_snippets_are_tests_that_pass(tmp_path):
    """They run as they stand, with the scenario beside them and the example's folder on the path."""
    snippets = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    [scenario] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "shop.toml").write_text(scenario)
    for number, snippet in enumerate(snippets):
        (tmp_path / f"test_snippet_{number}.py").write_text(snippet)
    path = os.pathsep.join([str(EXAMPLE), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = ["-m", "pytest", "-v", "-p", "no:cacheprovider", "--strict-markers", "-c", os.devnull]
    done = subprocess.run(
        [sys.executable, *command, f"--rootdir={tmp_path}", tmp_path],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert 6 == len(snippets)
    for number in range(6):
        assert f"test_snippet_{number}.py::" in done.stdout
