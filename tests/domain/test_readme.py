"""The README of the package tells the truth."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "domain" / "README.md"


def test_the_example_runs(capsys):
    """The example of the README runs a sync to its end."""
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, str(README), "exec"), {})  # noqa: S102 - it is our own README
    assert capsys.readouterr().out.splitlines()[-1] == "job 1 succeeded: started by us"
